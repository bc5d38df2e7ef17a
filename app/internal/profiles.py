"""The wire format of Orthanc's Authorization plugin: ``POST /user/get-profile``.

Whatever arrives is answered with a profile, never with an error; whoever is unknown is anonymous, without
permissions and without labels: then the plugin, and our gate, go on to ask about the token itself.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.internal import permission_names
from app.internal.access import calling_archive, services
from app.internal.bodies import is_from, json_object, token_of
from app.services.profiles import NOBODY, Profile

blueprint = Blueprint("profiles", __name__)


@blueprint.post("/user/get-profile")
def get_profile() -> ResponseReturnValue:
    archive, body = calling_archive(), json_object()
    if not is_from(services().settings.archive(archive), body):
        return _document(NOBODY)
    user_id = body.get("user-id")
    if isinstance(user_id, str) and not body.get("token-value"):
        known = services().profiles.of_login(user_id)
        # A look-up asks for a name alone, and JSON's null says that there is none.
        return (_document(known), 200) if known else ("null\n", 200, {"Content-Type": "application/json"})
    return _document(_profile(archive, body))


def _profile(archive: str, body: dict[str, Any]) -> Profile:
    token, at = token_of(body), services().clock()
    scheme, _, encoded = token.partition(" ")
    if scheme.lower() != "basic":
        return services().profiles.of_token(token, archive=archive, at=at)
    try:
        login, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        return NOBODY
    if not colon:
        return NOBODY
    return services().profiles.of_device(login, password, address=_address(body), at=at)


def _address(body: dict[str, Any]) -> str:
    """Where the device's request came from: our gate's own addition, for the audit trail."""
    try:
        return str(ipaddress.ip_address(str(body.get("address"))))
    except ValueError:
        return ""


def _document(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "user-id": profile.login,
        **permission_names.told(profile.acts, is_unlimited=profile.is_unlimited),
        # The plugin keeps a profile with 0 for ever.
        "validity": max(1, int(services().settings.validity.total_seconds())),
    }
