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
from tests.support.emptied import Emptied

SERVER = os.environ.get("STUDYKEY_TEST_DATABASE", "")


class Databases:
    """Copies of one migrated database; one of them at an address that stays."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._template = ""
        self._name = f"studykey_{uuid.uuid4().hex[:12]}"
        self._emptied: Emptied | None = None
        self.shared_url = _url(self._name) if SERVER else f"sqlite:///{folder / 'shared.db'}"

    def renew(self) -> None:
        """Make the database at ``shared_url`` fresh. On SQLite nothing may be connected to it."""
        if SERVER:
            if self._emptied is None or not self._emptied.empty():
                self.close()
                _admin(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')
                self._copy_to(self._name)
                self._emptied = Emptied(self.shared_url)
            return
        file = self._folder / "shared.db"
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        self._copy_to(file.stem)

    def close(self) -> None:
        if self._emptied is not None:
            self._emptied.close()

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The SQLAlchemy URL of a database with today's schema and no rows."""
        name = f"studykey_{uuid.uuid4().hex[:12]}"
        self._copy_to(name)
        if not SERVER:
            yield f"sqlite:///{self._folder / f'{name}.db'}"
            return
        try:
            yield _url(name)
        finally:
            _admin(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a database with nothing in it (SQLite: of a file that isn't there yet)."""
        name = f"empty_{uuid.uuid4().hex[:12]}"
        if not SERVER:
            yield f"sqlite:///{self._folder / f'{name}.db'}"
            return
        _admin(f'CREATE DATABASE "{name}"')
        try:
            yield _url(name)
        finally:
            _admin(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _copy_to(self, name: str) -> None:
        if SERVER:
            if not self._template:
                self._template = f"template_{self._name}"
                _admin(f'CREATE DATABASE "{self._template}"')
                migrate(self._settings.with_(database_url=_url(self._template)))
            _admin(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
            return
        template = self._folder / "template.db"
        if not self._template:
            self._template = f"sqlite:///{template}"
            migrate(self._settings.with_(database_url=self._template))
        shutil.copy(template, self._folder / f"{name}.db")


def _url(name: str) -> str:
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def _admin(statement: str) -> None:
    engine = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
