"""Which archive is calling: HTTP Basic (RFC 7617), a user of its own for each archive. No website calls: a browser
that names one (Origin) is refused, but for those that the settings allow."""

from __future__ import annotations

import hmac
from typing import cast

from flask import Flask, current_app, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from app.domain.origins import Origins
from app.wiring import EXTENSION, Services


def services() -> Services:
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    return cast(Services, app.extensions[EXTENSION])


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


def init(app: Flask) -> None:
    allowed = Origins(services_of(app).settings.allowed_origins)

    @app.before_request
    def refuse_other_websites() -> None:
        if allowed.refuses(request.headers.get("Origin")):
            raise Forbidden
