"""The audit trail as a whole: its head, inside and outside of the database, how it stands, and its purge.

Nothing here changes a row. What a purge takes off the front is noted under the chain's seal, so that the rest
still stands on what went before. Checking it is services.audit_verification, reading it services.audit_search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.head_file import HeadFile
from app.domain.audit_chain import Head
from app.models import AuditChain, AuditEvent
from app.services.audit import Audit, StoreUnavailable
from app.services.audit_verification import AuditVerification, Finding, Verification

log = structlog.get_logger(__name__)

BATCH = 1_000  # rows purged in one transaction: other writers wait that long

_COLUMNS = AuditEvent.__table__.columns


class ChainBroken(Exception):
    """The trail was changed by somebody else, so it is not purged: it is evidence now."""


@dataclass(frozen=True)
class State:
    """How the trail stands without reading it: its ``rows`` and newest one, and what is wrong at its ends.

    ``kept`` is the head in the instance folder; None: none yet, or its file can't be read (``is_unreadable``).
    """

    rows: int
    head: Head
    is_sealed: bool
    kept: Head | None
    is_unreadable: bool
    contradiction: Finding | None

    @property
    def is_sound(self) -> bool:
        return self.is_sealed and not self.is_unreadable and self.contradiction is None


class AuditTrail:
    def __init__(
        self,
        own_session: sessionmaker[Session],
        audit: Audit,
        verification: AuditVerification,
        head_file: HeadFile,
    ) -> None:
        self._own_session = own_session
        self._audit = audit
        self._verification = verification
        self._head_file = head_file

    def head(self) -> Head:
        """The newest row. Raises StoreUnavailable when the chain has lost its ends."""
        return self._ends().last

    def size(self) -> int:
        """How many rows the chain says it has."""
        ends = self._ends()
        return ends.last_id - ends.purged_id

    def kids(self) -> set[str]:
        """Ids of the peppers that the chain needs: they can't be retired yet. Reads the whole trail."""
        with self._own_session() as session:
            used = [
                *session.scalars(select(AuditEvent.kid).distinct()),
                *session.scalars(select(AuditChain.kid)),
            ]
        return {kid for kid in used if kid}

    def verify(
        self, outside: Iterable[Head] = (), *, progress: Callable[[int], object] = int
    ) -> Verification:
        """``AuditVerification.verify``: every row at once."""
        return self._verification.verify(outside, progress=progress)

    def state(self) -> State:
        """What can be seen without reading the rows. Raises StoreUnavailable when the chain has lost its ends."""
        ends = self._ends()
        try:
            is_sealed = self._audit.is_sealed(ends)
        except StoreUnavailable:
            is_sealed = False
        kept, is_unreadable = None, False
        try:
            kept = self._head_file.read()
        except (OSError, ValueError):
            is_unreadable = True
        contradiction = self._verification.contradiction(kept) if kept else None
        rows = ends.last_id - ends.purged_id
        return State(rows, ends.last, is_sealed, kept, is_unreadable, contradiction)

    # The head outside of the database.

    def kept_head(self) -> Head | None:
        """The head in the instance folder. Raises ValueError, OSError."""
        return self._head_file.read()

    def keep_head(self) -> None:
        """Bring the head in the instance folder up to date; where the trail doesn't hold the one that is
        there, raise the alarm and leave it. A file that can't be written is logged."""
        try:
            kept, newest = self._head_file.read(), self.head()
            if kept is not None and (found := self._verification.contradiction(kept)) is not None:
                log.error("ALARM: the audit trail was changed", why=found.why, file=str(self._head_file.path))
            elif kept != newest:
                self._head_file.write(newest)
        except (OSError, ValueError) as error:
            log.error("the head of the audit trail can't be kept", why=str(error))

    # Purging.

    def purge(self, *, before: datetime) -> Iterator[int]:
        """Take rows older than ``before`` off the front, batch by batch; yields how many went each time.

        Rows are in the order of their writing: one that is young enough keeps all behind it. Raises ChainBroken.
        """
        with self._own_session() as session:
            youngest = select(_COLUMNS.id).where(_COLUMNS.at >= before).order_by(_COLUMNS.id).limit(1)
            first_kept = session.scalar(youngest)
            if first_kept is None:
                first_kept = (session.scalar(select(func.max(_COLUMNS.id))) or 0) + 1
        while True:
            with self._own_session.begin() as session:
                gone = self._purge_batch(session, first_kept - 1, before)
            if not gone:
                return
            yield gone

    def _purge_batch(self, session: Session, up_to: int, before: datetime) -> int:
        ends = self._audit.lock(session)
        if not self._audit.is_sealed(ends):
            raise ChainBroken("the ends of the audit trail were changed")
        target = min(ends.purged_id + BATCH, up_to)
        if target <= ends.purged_id:  # only rows of before the chain, if any
            table = AuditEvent.__table__
            old = delete(AuditEvent).where(table.c.id <= ends.purged_id, table.c.at < before)
            return _count(session, old)
        mac = session.scalar(select(_COLUMNS.mac).where(_COLUMNS.id == target))
        if mac is None:
            raise ChainBroken(f"row {target} is missing")
        # The ends first: the database refuses to delete a row that they don't call purged.
        self._audit.keep_ends(session, ends.last, Head(target, mac), is_whole=True)
        return _count(session, delete(AuditEvent).where(_COLUMNS.id <= target))

    def _ends(self) -> AuditChain:
        return self._verification.ends()


def _count(session: Session, statement: Any) -> int:
    removed: int = session.execute(statement, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
    return removed
