"""Which archive is calling: HTTP Basic (RFC 7617), a user of its own for each archive."""

from __future__ import annotations

import hmac
from typing import cast

from flask import current_app, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from app.wiring import EXTENSION, Services


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def calling_archive() -> str:
    """The name of the archive whose gate calls. Raises Unauthorized."""
    given = request.authorization
    found = None
    if given is not None and given.type == "basic":
        for archive in services().settings.archives:
            is_user = hmac.compare_digest((given.username or "").encode(), archive.gate_username.encode())
            is_password = hmac.compare_digest((given.password or "").encode(), archive.gate_password.encode())
            if is_user and is_password and archive.gate_password:
                found = archive.name
    if found is None:
        raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "Studykey internal door"}))
    return found
