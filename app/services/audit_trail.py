"""The audit trail, read: its head, whether its chain is whole, its rows for an auditor; and its purge.

Nothing here changes a row. What a purge takes off the front is noted under the chain's seal, so that the rest
still stands on what went before.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.adapters.head_file import HeadFile
from app.domain import audit_chain
from app.domain.audit_chain import Head
from app.models import AuditChain, AuditEvent, Grant, Study
from app.services.audit import Audit, StoreUnavailable

log = structlog.get_logger(__name__)

PAGE = 2_000  # rows read at a time
BATCH = 1_000  # rows purged in one transaction: other writers wait that long
MAX_FINDINGS = 20

_COLUMNS = AuditEvent.__table__.columns


class ChainBroken(Exception):
    """The trail was changed by somebody else, so it is not purged: it is evidence now."""


@dataclass(frozen=True)
class Finding:
    """What is wrong, in a sentence; ``row_id`` where it begins."""

    row_id: int
    why: str


@dataclass
class Verification:
    """``checked`` rows up to ``head``; ``unchained`` ones are of before there was a chain."""

    head: Head
    checked: int = 0
    unchained: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A row for an auditor. ``grant`` is the grant's ref, ``study`` the StudyInstanceUID."""

    row_id: int
    at: datetime
    event: str
    actor: str
    address: str | None
    grant: str | None
    study: str | None
    details: dict[str, Any]
    mac: bytes


class AuditTrail:
    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, head_file: HeadFile
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
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

    # Verifying.

    def verify(
        self, outside: Iterable[Head] = (), *, progress: Callable[[int], object] = int
    ) -> Verification:
        """Check every row, both ends, and heads that were kept ``outside``; what is wrong, oldest row first.

        Studykey may go on writing meanwhile. Stops after MAX_FINDINGS. ``progress`` is told of rows checked.
        Raises StoreUnavailable when the chain has lost its ends.
        """
        ends = self._ends()
        result = Verification(ends.last)
        with self._own_session() as session:
            stray = select(_COLUMNS.id, _COLUMNS.mac).where(_COLUMNS.id <= ends.purged_id)
            for row in session.execute(stray.order_by(_COLUMNS.id)):
                if row.mac:
                    result.findings.append(Finding(row.id, "it stands before the beginning of the chain"))
                else:
                    result.unchained += 1
        self._walk(ends.purged, result, progress)
        if len(result.findings) < MAX_FINDINGS:
            self._check_ends(result)
            for head in outside:
                if (why := self._contradiction(head)) is not None:
                    result.findings.append(Finding(head.row_id, why))
        del result.findings[MAX_FINDINGS:]
        return result

    def _walk(self, start: Head, result: Verification, progress: Callable[[int], object]) -> None:
        """Every row after ``start``; leaves the last one in ``result.head``."""
        here: Head = start
        stands_on: bytes | None = start.mac  # None: the row before is missing
        while len(result.findings) < MAX_FINDINGS:
            page = self._page(_COLUMNS.id > here.row_id)
            for row in page:
                if row.id != here.row_id + 1:
                    purged = self._ends().purged  # meanwhile?
                    if here.row_id < purged.row_id < row.id:
                        here, stands_on = purged, purged.mac
                if row.id != here.row_id + 1:
                    result.findings.append(Finding(here.row_id + 1, _missing(here.row_id + 1, row.id - 1)))
                    stands_on = None
                if stands_on is not None and (why := self._fault(row, stands_on)) is not None:
                    result.findings.append(Finding(row.id, why))
                here, stands_on = Head(row.id, row.mac), row.mac
                result.checked += 1
            progress(len(page))
            if not page:
                break
        result.head = here

    def _fault(self, row: Row[Any], stands_on: bytes) -> str | None:
        facts = dict(row._mapping)
        row_id, mac, kid = facts.pop("id"), facts.pop("mac"), facts.pop("kid")
        message = audit_chain.row_message(stands_on, row_id=row_id, **facts)
        try:
            is_right = hmac.compare_digest(self._crypto.audit_mac(kid, message), mac)
        except KeyError:
            return f"its key {kid} is not in the keys file"
        return None if is_right else "it was changed, or the row before it was exchanged"

    def _check_ends(self, result: Verification) -> None:
        seen = result.head
        ends = self._ends()  # read after the rows: it can't be behind them
        if ends.last_id > seen.row_id and not self._page(_COLUMNS.id > seen.row_id):
            why = _missing(seen.row_id + 1, ends.last_id) + ": the end was cut off"
            result.findings.append(Finding(seen.row_id + 1, why))
        elif ends.last_id < seen.row_id:
            why = f"it stands behind the end of the chain, row {ends.last_id}"
            result.findings.append(Finding(ends.last_id + 1, why))
        elif ends.last_id == seen.row_id and ends.last_mac != seen.mac:
            result.findings.append(Finding(seen.row_id, "it is not the row that the chain ended with"))
        try:
            is_sealed = self._audit.is_sealed(ends)
        except StoreUnavailable as unknown_key:
            result.findings.append(Finding(ends.last_id, f"{unknown_key}"))
        else:
            if not is_sealed:
                why = "the chain's ends were changed: rows may be missing at the end, or at the beginning"
                result.findings.append(Finding(ends.last_id, why))

    def _contradiction(self, head: Head) -> str | None:
        """Why a head that was kept outside can't be of this trail; None when it can."""
        ends = self._ends()
        if head.row_id > ends.last_id:
            return (
                f"a head kept outside names row {head.row_id}, the trail ends with row {ends.last_id}: "
                "its end was cut off, or an older copy was restored"
            )
        if head.row_id < ends.purged_id or head.row_id == 0:
            return None  # purged since
        if head.row_id == ends.purged_id:
            mac: bytes | None = ends.purged_mac
        else:
            with self._own_session() as session:
                mac = session.scalar(select(_COLUMNS.mac).where(_COLUMNS.id == head.row_id))
        return None if mac == head.mac else "a head kept outside names another row of this number"

    # The head outside of the database.

    def kept_head(self) -> Head | None:
        """The head in the instance folder. Raises ValueError, OSError."""
        return self._head_file.read()

    def keep_head(self) -> None:
        """Bring the head in the instance folder up to date; where the trail doesn't hold the one that is
        there, raise the alarm and leave it. A file that can't be written is logged."""
        try:
            kept, newest = self._head_file.read(), self.head()
            if kept is not None and (why := self._contradiction(kept)) is not None:
                log.error("ALARM: the audit trail was changed", why=why, file=str(self._head_file.path))
            elif kept != newest:
                self._head_file.write(newest)
        except (OSError, ValueError) as error:
            log.error("the head of the audit trail can't be kept", why=str(error))

    # Reading it out.

    def entries(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        grant: Grant | None = None,
        before_row: int | None = None,
    ) -> Iterator[Entry]:
        """Rows from ``since`` to before ``until``, oldest first, as they stand when they are reached."""
        wanted = [
            *([AuditEvent.at >= since] if since else []),
            *([AuditEvent.at < until] if until else []),
            *([AuditEvent.grant_id == grant.id] if grant else []),
            *([AuditEvent.id < before_row] if before_row else []),
        ]
        query = (
            select(*_COLUMNS, Grant.ref, Study.study_instance_uid)
            .outerjoin(Grant, Grant.id == AuditEvent.grant_id)
            .outerjoin(Study, Study.id == AuditEvent.study_id)
            .where(*wanted)
            .order_by(AuditEvent.id)
            .limit(PAGE)
        )
        reached = 0
        while True:
            with self._own_session() as session:
                page = session.execute(query.where(AuditEvent.id > reached)).all()
            for row in page:
                yield Entry(
                    row_id=row.id,
                    at=row.at,
                    event=row.event,
                    actor=row.actor,
                    address=row.address,
                    grant=row.ref,
                    study=row.study_instance_uid,
                    details=row.details,
                    mac=row.mac,
                )
                reached = row.id
            if len(page) < PAGE:
                return

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
            raise ChainBroken(_missing(target, target))
        # The ends first: the database refuses to delete a row that they don't call purged.
        self._audit.keep_ends(session, ends.last, Head(target, mac), is_whole=True)
        return _count(session, delete(AuditEvent).where(_COLUMNS.id <= target))

    def _page(self, condition: ColumnElement[bool]) -> list[Row[Any]]:
        with self._own_session() as session:
            query = select(*_COLUMNS).where(condition).order_by(_COLUMNS.id).limit(PAGE)
            return list(session.execute(query).all())

    def _ends(self) -> AuditChain:
        with self._own_session() as session:
            ends = session.scalars(select(AuditChain)).one_or_none()
        if ends is None:
            raise StoreUnavailable("the audit trail has lost its ends")
        return ends


def _count(session: Session, statement: Any) -> int:
    removed: int = session.execute(statement, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
    return removed


def _missing(first: int, last: int) -> str:
    return "it is missing" if first == last else f"rows {first} to {last} are missing"
