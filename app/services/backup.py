"""Backups: database, site salt and keys of one moment in one file under a passphrase.

A portable dump of the rows, not the database's own tool: it needs no client programs of the server's version,
is taken while Studykey runs, and goes into SQLite and PostgreSQL alike (a clinic that grows moves so). Owns
what is in the file; ``services.restore`` puts it into an empty place. Settings and the archive's images stand
elsewhere and are not in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, inspect, text, update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters import keys as keys_file
from app.adapters import sealed_file, tables
from app.adapters.keys import Keyring, KeysMissing
from app.adapters.sealed_file import Unreadable
from app.config import Settings
from app.domain.events import Event
from app.models import Base, StaffLink, StaffSession, Visit
from app.services.audit import Audit
from app.services.live_visit import Ending

FORMAT = 1
# Who does a job at this moment is no memory of the clinic.
LEFT_OUT = {"lease"}

# What is done, how many rows of it are, how many there will be.
Progress = Callable[[str, int, int], None]


class NotBackedUp(Exception):
    """No file was made; the message is a sentence."""


@dataclass(frozen=True)
class Contents:
    """What a backup says of itself. ``revision``: the newest migration that its tables have."""

    made_at: datetime
    revision: str
    rows: dict[str, int]
    ring: Keyring


class Backup:
    def __init__(
        self, engine: Engine, own_session: sessionmaker[Session], audit: Audit, settings: Settings
    ) -> None:
        self._engine = engine
        self._own_session = own_session
        self._audit = audit
        self._settings = settings

    def make(
        self, file: Path, passphrase: str, *, at: datetime, actor: str, progress: Progress, newest: str
    ) -> Contents:
        """Write ``file``, read it back to its end, and only then give it its name.

        ``newest``: the migration that this version needs. Raises NotBackedUp, WeakPassphrase, KeysMissing,
        StoreUnavailable (no audit row, no backup), OSError, SQLAlchemyError: then there is no file.
        """
        if file.exists():
            raise NotBackedUp(f"There is a file {file} already: a backup is never overwritten.")
        partial = file.with_name(f".{file.name}.partial")
        partial.unlink(missing_ok=True)
        self._audit.record(Event.BACKUP_MADE, at=at, actor=actor, file=file.name)
        try:
            with sealed_file.create(partial, passphrase) as out:
                self._write(out, at, progress, newest)
            contents = check(partial, passphrase, progress=progress)
            if file.exists():
                raise NotBackedUp(f"There is a file {file} already: a backup is never overwritten.")
            partial.rename(file)
        finally:
            partial.unlink(missing_ok=True)
        return contents

    def _write(self, out: IO[bytes], at: datetime, progress: Progress, newest: str) -> None:
        def put(value: Any) -> None:
            out.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

        kept = [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]
        with tables.snapshot(self._engine) as connection:
            # The first read fixes the moment. Keys are read after it: a rotation in between only adds one.
            revision = revision_of(connection)
            if revision != newest:
                raise NotBackedUp("The database has another schema: run studykey database upgrade first.")
            counts = {table.name: tables.count(connection, table) for table in kept}
            ring = keys_file.read(self._settings.keys_file)
            put({"format": FORMAT, "made_at": at.isoformat(), "revision": revision, "rows": counts})
            put({"keys": keys_file.to_document(ring)})
            for table in kept:
                put({"table": table.name, "columns": [column.name for column in table.columns]})
                for done, row in enumerate(tables.rows(connection, table), start=1):
                    put(row)
                    if done % tables.BATCH == 0:
                        progress(table.name, done, counts[table.name])
                progress(table.name, counts[table.name], counts[table.name])

    def note_restored(self, contents: Contents, *, at: datetime, actor: str) -> None:
        """After a restore: who was in when the backup was made is not in now. Raises SQLAlchemyError."""
        with self._own_session.begin() as session:
            session.execute(
                update(Visit).where(Visit.ended_at.is_(None)).values(ended_at=at, ended_why=Ending.CLOSED)
            )
            session.execute(update(StaffSession).where(StaffSession.ended_at.is_(None)).values(ended_at=at))
            # A link that was used since then would work once more.
            unused = StaffLink.used_at.is_(None), StaffLink.revoked_at.is_(None)
            session.execute(update(StaffLink).where(*unused).values(revoked_at=at))
            self._audit.within(
                session, Event.BACKUP_RESTORED, at=at, actor=actor, made_at=contents.made_at.isoformat()
            )


def revision_of(connection: Connection) -> str | None:
    """The migration that the database has come to. None: it has none of our tables."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def check(file: Path, passphrase: str, *, progress: Progress) -> Contents:
    """Read a backup to its end without changing anything. Raises Unreadable."""
    with sealed_file.opened(file, passphrase) as clear:
        contents = read_head(clear, file)
        for name, _columns, rows in read_tables(clear, contents, file):
            done = 0
            for done, _row in enumerate(rows, start=1):
                if done % (20 * tables.BATCH) == 0:
                    progress(f"checking {name}", done, contents.rows[name])
            progress(f"checking {name}", done, contents.rows[name])
    return contents


def read_head(clear: IO[bytes], file: Path) -> Contents:
    """What stands before the rows. Raises Unreadable."""
    try:
        head, keys = json.loads(clear.readline()), json.loads(clear.readline())
        if head["format"] != FORMAT:
            raise Unreadable(f"{file} was made by a newer Studykey: restore it with that version.")
        made_at = datetime.fromisoformat(head["made_at"])
        return Contents(made_at, head["revision"], head["rows"], keys_file.from_document(keys["keys"]))
    except (ValueError, KeyError, TypeError, AttributeError, KeysMissing):
        raise Unreadable(f"The file {file} is damaged.") from None


def read_tables(
    clear: IO[bytes], contents: Contents, file: Path
) -> Iterator[tuple[str, list[str], Iterator[tables.Row]]]:
    """(name, columns, rows) of each table, in the order in which they go in; each table's rows have to be read
    before the next table. Raises Unreadable when rows are missing."""
    for name, expected in contents.rows.items():
        try:
            head = json.loads(clear.readline())
            columns = head["columns"]
            if head["table"] != name:
                raise KeyError(name)
        except (ValueError, KeyError, TypeError):
            raise Unreadable(f"The file {file} is damaged.") from None
        yield name, columns, (json.loads(clear.readline()) for _ in range(expected))
    if clear.read(1):
        raise Unreadable(f"The file {file} is damaged.")
