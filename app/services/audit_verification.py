"""Whether the audit trail is whole: every row, both ends of the chain, and heads that were kept outside.

Reads only. A walk can be done at once (``verify``) or in steps, each a request of its own: between them it travels
through the auditor's browser, signed, so that what is put on record at the end is what was really checked.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain import audit_chain
from app.domain.audit_chain import Head
from app.domain.modality import N_
from app.models import AuditChain, AuditEvent
from app.services.audit import Audit, StoreUnavailable

PAGE = 2_000  # rows read at a time
STEP = 20_000  # rows checked in one request: about a second
WALK_LASTS = timedelta(hours=1)
MAX_FINDINGS = 20

_COLUMNS = AuditEvent.__table__.columns


class Fault(StrEnum):
    """What can be wrong with the trail."""

    BEFORE_THE_BEGINNING = "before-the-beginning"
    MISSING = "missing"
    MISSING_ROWS = "missing-rows"
    CHANGED = "changed"
    NO_KEY = "no-key"
    CUT_OFF = "cut-off"
    CUT_OFF_ROWS = "cut-off-rows"
    BEHIND_THE_END = "behind-the-end"
    NOT_THE_END = "not-the-end"
    ENDS_CHANGED = "ends-changed"
    HEAD_BEYOND = "head-beyond"
    HEAD_OF_ANOTHER = "head-of-another"


# Marked for the catalogues: pages translate them, the command line shows them as they are.
SENTENCES = {
    Fault.BEFORE_THE_BEGINNING: N_("it stands before the beginning of the chain"),
    Fault.MISSING: N_("it is missing"),
    Fault.MISSING_ROWS: N_("rows %(first)s to %(last)s are missing"),
    Fault.CHANGED: N_("it was changed, or the row before it was exchanged"),
    Fault.NO_KEY: N_("its key %(kid)s is not in the keys file"),
    Fault.CUT_OFF: N_("it is missing: the end was cut off"),
    Fault.CUT_OFF_ROWS: N_("rows %(first)s to %(last)s are missing: the end was cut off"),
    Fault.BEHIND_THE_END: N_("it stands behind the end of the chain, row %(last)s"),
    Fault.NOT_THE_END: N_("it is not the row that the chain ended with"),
    Fault.ENDS_CHANGED: N_(
        "the chain's ends were changed: rows may be missing at the end, or at the beginning"
    ),
    Fault.HEAD_BEYOND: N_(
        "a head kept outside names row %(first)s, the trail ends with row %(last)s: its end was cut off, or an"
        " older copy was restored"
    ),
    Fault.HEAD_OF_ANOTHER: N_("a head kept outside names another row of this number"),
}


@dataclass(frozen=True)
class Finding:
    """What is wrong; ``row_id`` where it begins, ``first``, ``last`` and ``kid`` what the sentence names."""

    row_id: int
    fault: Fault
    first: int = 0
    last: int = 0
    kid: str = ""

    @property
    def why(self) -> str:
        """The sentence in English."""
        return SENTENCES[self.fault] % asdict(self)


@dataclass
class Verification:
    """``checked`` rows up to ``head``; ``unchained`` ones are of before there was a chain."""

    head: Head
    checked: int = 0
    unchained: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Walk:
    """A verification under way: as far as ``result.head``. ``stands_on`` None: the row before is missing."""

    result: Verification
    stands_on: bytes | None
    is_done: bool = False


class AuditVerification:
    def __init__(self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit

    def verify(
        self, outside: Iterable[Head] = (), *, progress: Callable[[int], object] = int
    ) -> Verification:
        """Check every row, both ends, and heads that were kept ``outside``; what is wrong, oldest row first.

        Studykey may go on writing meanwhile. Stops after MAX_FINDINGS. ``progress`` is told of rows checked.
        Raises StoreUnavailable when the chain has lost its ends.
        """
        walk = self.begin()
        while not walk.is_done:
            self.go_on(walk, progress)
        return self.finish(walk, outside)

    def begin(self) -> Walk:
        """Stand before the first row. Raises StoreUnavailable when the chain has lost its ends."""
        ends = self.ends()
        result = Verification(ends.purged)
        with self._own_session() as session:
            stray = select(_COLUMNS.id, _COLUMNS.mac).where(_COLUMNS.id <= ends.purged_id)
            for row in session.execute(stray.order_by(_COLUMNS.id)):
                if row.mac:
                    result.findings.append(Finding(row.id, Fault.BEFORE_THE_BEGINNING))
                else:
                    result.unchained += 1
        return Walk(result, ends.purged.mac, len(result.findings) >= MAX_FINDINGS)

    def go_on(self, walk: Walk, progress: Callable[[int], object] = int) -> None:
        """Check the next STEP rows, page by page."""
        goal = walk.result.checked + STEP
        while not walk.is_done and walk.result.checked < goal:
            page = self._page(_COLUMNS.id > walk.result.head.row_id)
            for row in page:
                self._take(walk, row)
            progress(len(page))
            del walk.result.findings[MAX_FINDINGS:]
            walk.is_done = not page or len(walk.result.findings) >= MAX_FINDINGS

    def finish(self, walk: Walk, outside: Iterable[Head] = ()) -> Verification:
        """Check the ends and the heads kept outside, after the last row."""
        result = walk.result
        if len(result.findings) < MAX_FINDINGS:
            self._check_ends(result)
            result.findings += [found for head in outside if (found := self.contradiction(head))]
        del result.findings[MAX_FINDINGS:]
        return result

    def _take(self, walk: Walk, row: Row[Any]) -> None:
        here, findings = walk.result.head, walk.result.findings
        if row.id != here.row_id + 1:
            purged = self.ends().purged  # meanwhile?
            if here.row_id < purged.row_id < row.id:
                here, walk.stands_on = purged, purged.mac
        if row.id != here.row_id + 1:
            findings.append(_missing(here.row_id + 1, row.id - 1, Fault.MISSING, Fault.MISSING_ROWS))
            walk.stands_on = None
        if walk.stands_on is not None and (found := self._fault(row, walk.stands_on)) is not None:
            findings.append(found)
        walk.result.head, walk.stands_on = Head(row.id, row.mac), row.mac
        walk.result.checked += 1

    def _fault(self, row: Row[Any], stands_on: bytes) -> Finding | None:
        facts = dict(row._mapping)
        row_id, mac, kid = facts.pop("id"), facts.pop("mac"), facts.pop("kid")
        message = audit_chain.row_message(stands_on, row_id=row_id, **facts)
        try:
            is_right = hmac.compare_digest(self._crypto.audit_mac(kid, message), mac)
        except KeyError:
            return Finding(row_id, Fault.NO_KEY, kid=kid)
        return None if is_right else Finding(row_id, Fault.CHANGED)

    def _check_ends(self, result: Verification) -> None:
        seen, findings = result.head, result.findings
        ends = self.ends()  # read after the rows: it can't be behind them
        if ends.last_id > seen.row_id and not self._page(_COLUMNS.id > seen.row_id):
            findings.append(_missing(seen.row_id + 1, ends.last_id, Fault.CUT_OFF, Fault.CUT_OFF_ROWS))
        elif ends.last_id < seen.row_id:
            findings.append(Finding(ends.last_id + 1, Fault.BEHIND_THE_END, last=ends.last_id))
        elif ends.last_id == seen.row_id and ends.last_mac != seen.mac:
            findings.append(Finding(seen.row_id, Fault.NOT_THE_END))
        try:
            is_sealed = self._audit.is_sealed(ends)
        except StoreUnavailable:
            findings.append(Finding(ends.last_id, Fault.NO_KEY, kid=ends.kid or ""))
        else:
            if not is_sealed:
                findings.append(Finding(ends.last_id, Fault.ENDS_CHANGED))

    def contradiction(self, head: Head) -> Finding | None:
        """Why a head that was kept outside can't be of this trail; None when it can."""
        ends = self.ends()
        if head.row_id > ends.last_id:
            return Finding(head.row_id, Fault.HEAD_BEYOND, first=head.row_id, last=ends.last_id)
        if head.row_id < ends.purged_id or head.row_id == 0:
            return None  # purged since
        if head.row_id == ends.purged_id:
            mac: bytes | None = ends.purged_mac
        else:
            with self._own_session() as session:
                mac = session.scalar(select(_COLUMNS.mac).where(_COLUMNS.id == head.row_id))
        return None if mac == head.mac else Finding(head.row_id, Fault.HEAD_OF_ANOTHER)

    def ends(self) -> AuditChain:
        """Raises StoreUnavailable when the chain has lost them."""
        with self._own_session() as session:
            ends = session.scalars(select(AuditChain)).one_or_none()
        if ends is None:
            raise StoreUnavailable("the audit trail has lost its ends")
        return ends

    def _page(self, condition: ColumnElement[bool]) -> list[Row[Any]]:
        with self._own_session() as session:
            query = select(*_COLUMNS).where(condition).order_by(_COLUMNS.id).limit(PAGE)
            return list(session.execute(query).all())


def signed(walk: Walk, crypto: Crypto, *, by: str, at: datetime) -> str:
    """A walk as its auditor's browser keeps it between two steps."""
    result = walk.result
    facts = {
        "by": by,
        "at": at.timestamp(),
        "head": str(result.head),
        "stands_on": None if walk.stands_on is None else walk.stands_on.hex(),
        "checked": result.checked,
        "unchained": result.unchained,
        "findings": [asdict(found) for found in result.findings],
        "is_done": walk.is_done,
    }
    return crypto.sign(_PURPOSE, json.dumps(facts))


def unsigned(text: str, crypto: Crypto, *, by: str, at: datetime) -> Walk | None:
    """The walk; None for anything that we didn't sign for this auditor within the last hour."""
    value = crypto.unsign(_PURPOSE, text)
    facts = json.loads(value) if value is not None else None
    if facts is None or facts["by"] != by or at.timestamp() - facts["at"] > WALK_LASTS.total_seconds():
        return None
    findings = [Finding(**found | {"fault": Fault(found["fault"])}) for found in facts["findings"]]
    head, stands_on = Head.parse(facts["head"]), facts["stands_on"]
    result = Verification(head, facts["checked"], facts["unchained"], findings)
    return Walk(result, None if stands_on is None else bytes.fromhex(stands_on), facts["is_done"])


_PURPOSE = "audit-verification"


def _missing(first: int, last: int, one: Fault, several: Fault) -> Finding:
    return Finding(first, one if first == last else several, first=first, last=last)
