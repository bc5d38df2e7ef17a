"""Protection of every form against being sent by another site."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect

from app.config import Settings
from app.wiring import EXTENSION, Services

csrf = CSRFProtect()


class _Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, under the keys of this moment: a rotation asks nobody to press twice."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        _use_keys(app)
        return super().open_session(app, request)


def _use_keys(app: Flask) -> None:
    services: Services = app.extensions[EXTENSION]
    newest, *older = services.crypto.flask_secrets()
    if app.secret_key != newest or app.config["SECRET_KEY_FALLBACKS"] != older:
        app.config.update(
            SECRET_KEY_FALLBACKS=older,
            SECRET_KEY=newest,
            WTF_CSRF_SECRET_KEY=[*reversed(older), newest],  # itsdangerous signs with the last
        )


def init(app: Flask, settings: Settings) -> None:
    app.config.update(
        WTF_CSRF_TIME_LIMIT=None,  # as long as the browser session: a page may lie open for hours
        SESSION_COOKIE_NAME="__Host-studykey" if settings.is_https else "studykey",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
    )
    app.session_interface = _Sessions()
    _use_keys(app)
    csrf.init_app(app)
