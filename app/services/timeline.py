"""What happened to a study or a grant, newest first, out of the audit trail; and a patient's other studies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.models import AuditEvent, Grant, Staff, Study
from app.services.proof import Outcome
from app.services.worklist import LARGEST_ID

PAGE_SIZE = 30
PRIORS = 10
# Of one act on a grant with several studies the trail has a row a study; what is done in one study stands alone.
_OF_ONE_STUDY = (
    Event.VIEWER_OPENED,
    Event.LOOK_OPENED,
    Event.REPORT_READ,
    Event.STUDY_DOWNLOADED,
    Event.SHEET_PRINTED,
    Event.REPORT_PRINTED,
)
_STAFF = "staff:"


@dataclass(frozen=True)
class Entry:
    """A row of the trail. ``grant_id``: through which grant, None for none."""

    id: int
    at: datetime
    event: str
    actor: str
    details: dict[str, Any]
    grant_id: int | None


@dataclass(frozen=True)
class Page:
    """``next_before`` continues with what is older (the id of the last row), None at the end. ``names``: of the
    staff that occur, by login."""

    entries: Sequence[Entry]
    next_before: int | None
    names: dict[str, str]


class Timeline:
    """Reads within the caller's transaction; writes nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_study(self, study: Study, grants: Iterable[Grant], *, before: int | None = None) -> Page:
        """What happened to a study, and to its grants as such (a visit begins with a grant, not a study)."""
        through = and_(AuditEvent.grant_id.in_([grant.id for grant in grants]), AuditEvent.study_id.is_(None))
        return self._page(or_(AuditEvent.study_id == study.id, through), before)

    def of_grant(self, grant: Grant, *, before: int | None = None) -> Page:
        """What happened to a grant, each act once."""
        # A group's has no studies of its own: its acts name none.
        first = min((study.id for study in grant.studies), default=None)
        once = or_(
            AuditEvent.study_id.is_(None),
            AuditEvent.study_id == first if first is not None else false(),
            AuditEvent.event.in_(_OF_ONE_STUDY),
        )
        return self._page(and_(AuditEvent.grant_id == grant.id, once), before)

    def names(self, actors: Iterable[str]) -> dict[str, str]:
        """Names of the staff among ``actors`` ("staff:<login>"), by login."""
        logins = {actor.removeprefix(_STAFF) for actor in actors if actor.startswith(_STAFF)}
        if not logins:
            return {}
        found = self._session.execute(select(Staff.login, Staff.name).where(Staff.login.in_(logins)))
        return {row.login: row.name for row in found}

    def others(self, study: Study) -> list[Study]:
        """Other studies of the same patient (the same archive's PatientID), the newest ten."""
        if not study.patient_id:
            return []
        query = (
            select(Study)
            .where(
                Study.archive_id == study.archive_id,
                Study.patient_id == study.patient_id,
                Study.id != study.id,
            )
            .order_by(Study.study_date.desc().nulls_last(), Study.id.desc())
            .limit(PRIORS)
        )
        return list(self._session.scalars(query))

    def _page(self, about: ColumnElement[bool], before: int | None) -> Page:
        query = select(AuditEvent).where(about).order_by(AuditEvent.id.desc()).limit(PAGE_SIZE + 1)
        if before is not None:
            query = query.where(AuditEvent.id < min(before, LARGEST_ID))
        rows = list(self._session.scalars(query))
        entries = [
            Entry(row.id, row.at, row.event, row.actor, row.details, row.grant_id)
            for row in rows[:PAGE_SIZE]
            if not _is_said_twice(row)
        ]
        more = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
        return Page(entries, more, self.names(entry.actor for entry in entries))


def _is_said_twice(row: AuditEvent) -> bool:
    """A proof that opens is followed by the visit that it begins."""
    return row.event == Event.GRANT_PROVED and row.details.get("outcome") == Outcome.OPENED
