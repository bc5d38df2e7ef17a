"""Bringing a database to today's schema, by the migrations."""

from __future__ import annotations

from flask_migrate import upgrade

from app import create_internal_app
from app.config import Settings
from app.models import db


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. Raises SettingsError."""
    settings.instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = create_internal_app(settings)
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()
