"""What is known of a viewer token: one statement, kept for at most a second, and never waited for without end.

A viewer asks about its token many times a second, so what was read is used again for a moment
(``Settings.answer_memory``): a revocation takes effect that much later at most, beside the validity that Orthanc was
told. It is read on another thread, so that the one that answers Orthanc can give up waiting.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, bindparam, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.selectable import Select

from app.models import Archive, Grant, Study, ViewerToken, Visit, grant_study
from app.services.audit import StoreUnavailable
from app.services.patience import Patience

KEPT_AT_MOST = 20_000


@dataclass(frozen=True, slots=True)
class StudyKey:
    """A study as a gate names it."""

    archive: str
    orthanc_id: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A token with everything that it lives by. ``visit_*``: None for a token that no visit holds."""

    studies: tuple[StudyKey, ...]
    permissions: str
    purpose: str
    token_revoked_at: datetime | None
    visit_id: int | None
    begun_at: datetime | None
    seen_at: datetime | None
    ended_at: datetime | None
    released_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    suspended_at: datetime | None


class TokenFacts:
    """Safe on many threads."""

    def __init__(self, engine: Engine, memory: timedelta, patience: Patience) -> None:
        self._engine = engine
        self._memory = memory.total_seconds()
        self._kept: dict[str, tuple[float, Facts | None]] = {}
        # A thread each, begun when they are needed: a server forks its workers, and threads don't survive that.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read-tokens")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="touch-visits")
        self._connection: Connection | None = None  # the reader's own
        self._patience = patience

    def of(self, token_id: str) -> Facts | None:
        """The facts of a token, None for an unknown one. Raises StoreUnavailable, soon."""
        asked_at = time.monotonic()
        until, facts = self._kept.get(token_id, (0.0, None))
        if asked_at < until:
            return facts
        facts = self._read(token_id)
        if len(self._kept) >= KEPT_AT_MOST:
            self._kept.clear()
        # Reckoned from before the statement: it may have read what was true then.
        self._kept[token_id] = (asked_at + self._memory, facts)
        return facts

    def touch(self, visit_id: int, *, at: datetime, every: timedelta) -> None:
        """Use keeps a visit alive. Nobody waits for it, and of concurrent calls one writes."""
        self._writer.submit(self._touch, visit_id, at, every)

    def _read(self, token_id: str) -> Facts | None:
        self._patience.check()
        try:
            return self._patience.wait(self._reader.submit(self._look_up, token_id))
        except SQLAlchemyError as error:
            raise StoreUnavailable("the database can't be read") from error

    def _look_up(self, token_id: str) -> Facts | None:
        rows = self._rows(token_id)
        if not rows:
            return None
        first = rows[0]._mapping
        return Facts(
            studies=tuple(
                StudyKey(row.archive, row.orthanc_id, row.study_instance_uid)
                for row in rows
                if not row.deleted_at
            ),
            **{name: first[name] for name in Facts.__slots__ if name != "studies"},
        )

    def _rows(self, token_id: str) -> Sequence[Row[*tuple[Any, ...]]]:
        """One round trip: no transaction, no ping before it. Once more where the connection was lost."""
        is_fresh = self._connection is None
        try:
            if self._connection is None:
                self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            return self._connection.execute(_LOOK_UP, {"token_id": token_id}).all()
        except SQLAlchemyError:
            self._drop_connection()
            if is_fresh:
                raise
        return self._rows(token_id)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """End the threads and the connection; for an app that is taken down within a process."""
        self._reader.submit(self._drop_connection)
        self._reader.shutdown()
        self._writer.shutdown()

    def _touch(self, visit_id: int, at: datetime, every: timedelta) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(Visit).where(Visit.id == visit_id, Visit.seen_at <= at - every).values(seen_at=at)
            )


def _look_up() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ViewerToken.revoked_at.label("token_revoked_at"),
            ViewerToken.purpose,
            Visit.id.label("visit_id"),
            Visit.begun_at,
            Visit.seen_at,
            Visit.ended_at,
            Grant.permissions,
            Grant.released_at,
            Grant.expires_at,
            Grant.revoked_at,
            Grant.suspended_at,
            Study.orthanc_id,
            Study.study_instance_uid,
            Study.deleted_at,
            Archive.name.label("archive"),
        )
        .select_from(ViewerToken)
        .outerjoin(Visit, Visit.id == ViewerToken.visit_id)
        .join(Grant, Grant.id == func.coalesce(Visit.grant_id, ViewerToken.grant_id))
        .join(
            grant_study,
            and_(
                grant_study.c.grant_id == Grant.id,
                or_(ViewerToken.study_id.is_(None), grant_study.c.study_id == ViewerToken.study_id),
            ),
        )
        .join(Study, Study.id == grant_study.c.study_id)
        .join(Archive, Archive.id == Study.archive_id)
        .where(ViewerToken.id == bindparam("token_id"))
    )


_LOOK_UP = _look_up()
