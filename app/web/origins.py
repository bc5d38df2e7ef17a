"""Requests that another website's page sends: refused before anything else looks at them.

The CSRF token protects forms all the same; this also covers what takes none, and says so in plain words.
"""

from __future__ import annotations

from flask import Flask, abort, request

from app.config import Settings
from app.domain import origins
from app.domain.origins import Origins


def init(app: Flask, settings: Settings) -> None:
    if not settings.base_url:
        return  # developers: the door doesn't know its own origin
    allowed = Origins(settings.allowed_origins, own=origins.of(settings.base_url))

    @app.before_request
    def refuse_other_websites() -> None:
        if allowed.refuses(request.headers.get("Origin")):
            abort(403)
