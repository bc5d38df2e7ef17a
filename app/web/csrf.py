"""Protection of every form against being sent by another site."""

from __future__ import annotations

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from app.config import Settings

csrf = CSRFProtect()


def init(app: Flask, settings: Settings) -> None:
    app.config.update(
        WTF_CSRF_TIME_LIMIT=None,  # as long as the browser session: a page may lie open for hours
        SESSION_COOKIE_NAME="__Host-studykey" if settings.is_https else "studykey",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
    )
    csrf.init_app(app)
