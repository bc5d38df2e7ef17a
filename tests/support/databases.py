"""A fresh database for every test, made by the migrations once and then copied.

SQLite by default; with STUDYKEY_TEST_DATABASE set (an admin URL of a real PostgreSQL), there.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from app.config import Settings
from app.schema import migrate

SERVER = os.environ.get("STUDYKEY_TEST_DATABASE", "")


class Databases:
    """Copies of one migrated database."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._template: str | None = None

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The SQLAlchemy URL of a database with today's schema and no rows."""
        name = f"studykey_{uuid.uuid4().hex[:12]}"
        if not SERVER:
            template = self._folder / "template.db"
            if self._template is None:
                self._template = f"sqlite:///{template}"
                migrate(self._settings.with_(database_url=self._template))
            copy = self._folder / f"{name}.db"
            shutil.copy(template, copy)
            yield f"sqlite:///{copy}"
            return
        if self._template is None:
            self._template = f"template_{name}"
            self._admin(f'CREATE DATABASE "{self._template}"')
            migrate(self._settings.with_(database_url=self._url(self._template)))
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            yield self._url(name)
        finally:
            self._admin(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a database with nothing in it (SQLite: of a file that isn't there yet)."""
        name = f"empty_{uuid.uuid4().hex[:12]}"
        if not SERVER:
            yield f"sqlite:///{self._folder / f'{name}.db'}"
            return
        self._admin(f'CREATE DATABASE "{name}"')
        try:
            yield self._url(name)
        finally:
            self._admin(f'DROP DATABASE "{name}" WITH (FORCE)')

    @staticmethod
    def _url(name: str) -> str:
        return make_url(SERVER).set(database=name).render_as_string(hide_password=False)

    @staticmethod
    def _admin(statement: str) -> None:
        engine = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()
