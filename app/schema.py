"""Bringing a database to today's schema, by the migrations."""

from __future__ import annotations

from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app import create_internal_app
from app.config import ROOT, Settings
from app.models import db


def migrate(settings: Settings, revision: str = "head") -> None:
    """Bring the database to the newest schema, or to an older one from nothing. Raises SettingsError."""
    settings.instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = create_internal_app(settings)
    with app.app_context():
        upgrade(revision=revision)
        db.session.remove()
        db.engine.dispose()


def unmake(settings: Settings) -> None:
    """Take all our tables out again. Raises SettingsError."""
    app = create_internal_app(settings)
    with app.app_context():
        downgrade(revision="base")
        with db.engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        db.session.remove()
        db.engine.dispose()


def revisions() -> list[str]:
    """The migrations that this version has, the newest first."""
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    return [script.revision for script in scripts.walk_revisions()]
