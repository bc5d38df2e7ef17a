"""Restoring a backup into an empty place. Nothing that is there is ever overwritten or deleted.

The file is read to its end before anything is written; database and keys are made beside their places and
moved there when they are whole. What fails leaves the place as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.adapters import keys as keys_file
from app.adapters import sealed_file, tables
from app.config import Settings
from app.models import Base, Lease
from app.services import backup
from app.services.backup import Contents, Progress

SQLITE_FILES = ("", "-wal", "-shm", "-journal")  # a log of another database would spoil the restored one


class NotRestored(Exception):
    """The place is as it was; the message is a sentence."""


@dataclass(frozen=True)
class Schema:
    """What ``app.schema`` does, given by the caller: migrations live above the services."""

    migrate: Callable[[Settings, str], None]
    unmake: Callable[[Settings], None]
    revisions: list[str]


class Restore:
    """``move_aside``: an installation that is there (SQLite, keys) is renamed first, never deleted."""

    def __init__(self, settings: Settings, schema: Schema, *, move_aside: bool = False) -> None:
        self._settings = settings
        self._schema = schema
        self._move_aside = move_aside
        url = make_url(settings.database_url)
        is_file = url.get_backend_name() == "sqlite" and url.database is not None
        self._database = Path(url.database or "") if is_file else None

    def run(self, file: Path, passphrase: str, *, at: datetime, progress: Progress) -> Contents:
        """Restore ``file``. Raises NotRestored, Unreadable: then nothing was changed."""
        self._refuse_where_something_is(at)
        contents = backup.check(file, passphrase, progress=progress)
        if contents.revision not in self._schema.revisions:
            raise NotRestored("The backup was made by a newer Studykey: restore it with that version.")
        keys = self._settings.keys_file.with_name(f".{self._settings.keys_file.name}.restoring")
        beside = self._settings.with_(keys_file=keys)
        if self._database is not None:
            fresh = self._database.with_name(f".{self._database.name}.restoring")
            beside = beside.with_(database_url=f"sqlite:///{fresh}")
            self._database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _forget(fresh)
            fresh.touch(0o600)
        keys.unlink(missing_ok=True)
        try:
            keys_file.write(keys, contents.ring)
            self._load(beside, file, passphrase, progress)
        except (SQLAlchemyError, OSError) as error:
            raise NotRestored(f"The database can't be written ({type(error).__name__}): {error}") from error
        else:
            self._put_in_place(keys, fresh if self._database is not None else None, at)
        finally:
            keys.unlink(missing_ok=True)
            if self._database is not None:
                _forget(fresh)
        return contents

    def _load(self, beside: Settings, file: Path, passphrase: str, progress: Progress) -> None:
        try:
            with sealed_file.opened(file, passphrase) as clear:
                contents = backup.read_head(clear, file)
                self._schema.migrate(beside, contents.revision)
                with _engine(beside).begin() as connection:
                    into = tables.reflected(connection, list(contents.rows))
                    tables.empty(connection, list(into.values()))
                    for name, columns, rows in backup.read_tables(clear, contents, file):
                        told = _telling(progress, name, contents.rows[name])
                        tables.insert(connection, into[name], columns, rows, told)
                    tables.renumber(connection, list(into.values()))
                    tables.check(connection)
            self._schema.migrate(beside, "head")
            if self._database is not None:
                with _engine(beside).connect() as connection:  # all in the one file that is moved
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except BaseException:
            if self._database is None:
                self._schema.unmake(beside)
            raise

    def _put_in_place(self, keys: Path, fresh: Path | None, at: datetime) -> None:
        """Database first: without keys nothing starts, without a database an empty clinic would."""
        aside = f".before-restore-{at:%Y%m%dT%H%M%S}"
        if self._move_aside:
            for there in [*self._there(), self._settings.keys_file, self._settings.audit_head]:
                if there.exists():
                    there.rename(there.with_name(there.name + aside))
        if fresh is not None and self._database is not None:
            with fresh.open("rb") as written:
                os.fsync(written.fileno())
            fresh.rename(self._database)
        keys.rename(self._settings.keys_file)
        for folder in {self._settings.keys_file.parent, *(there.parent for there in self._there()[:1])}:
            descriptor = os.open(folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def _refuse_where_something_is(self, at: datetime) -> None:
        found = [there for there in [*self._there(), self._settings.keys_file] if there.exists()]
        if self._database is None:
            if self._has_tables():
                raise NotRestored(
                    "There are tables of Studykey in the database already. Make an empty database and name it in"
                    " STUDYKEY_DATABASE_URL."
                )
        elif self._database.exists() and self._is_running(at):
            raise NotRestored("Studykey is running here: stop it first.")
        if found and not self._move_aside:
            raise NotRestored(
                f"There is an installation already: {', '.join(map(str, found))}."
                " Restore into another place, or move it aside with --force."
            )

    def _there(self) -> list[Path]:
        if self._database is None:
            return []
        return [self._database.with_name(self._database.name + ending) for ending in SQLITE_FILES]

    def _has_tables(self) -> bool:
        ours = {*Base.metadata.tables, "alembic_version"}
        engine = _engine(self._settings)
        try:
            return bool(ours & set(inspect(engine).get_table_names()))
        except SQLAlchemyError as error:
            raise NotRestored(f"The database can't be reached ({type(error).__name__}).") from None

    def _is_running(self, at: datetime) -> bool:
        """Whether a follower holds its lease there. A file that is no database of ours is nobody's."""
        try:
            with _engine(self._settings).connect() as connection:
                return connection.scalar(select(Lease.name).where(Lease.expires_at > at).limit(1)) is not None
        except SQLAlchemyError:
            return False


def _telling(progress: Progress, name: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(f"restoring {name}", done, total)


def _engine(settings: Settings) -> Engine:
    return create_engine(settings.database_url, poolclass=NullPool)


def _forget(database: Path) -> None:
    for ending in SQLITE_FILES:
        database.with_name(database.name + ending).unlink(missing_ok=True)
