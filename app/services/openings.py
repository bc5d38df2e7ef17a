"""Who opened a study and when, for its holder's eyes: out of the audit trail, newest first, page by page.

Whoever holds a patient's or a guardian's code sees everybody's openings; anybody else sees their own. Refuses network
addresses and the names of staff: the clinic has them, and answers for its people itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.grants import Kind
from app.models import AuditEvent, Grant, Study
from app.services.giving_on import ACTOR, GIVERS
from app.services.grants import Grants
from app.services.live_visit import LiveVisit
from app.services.rule_codes import RuleCodes
from app.services.worklist import LARGEST_ID

ROWS = 60  # of the trail, for one page
# What one person does within this time is one opening: as long as a visit lasts by default.
TOGETHER = timedelta(hours=1)

BY_HOLDERS = (
    Event.VIEWER_OPENED,
    Event.LOOK_OPENED,
    Event.REPORT_READ,
    Event.STUDY_DOWNLOADED,
)
BY_STAFF = (Event.STAFF_VIEWED, Event.REPORT_DOWNLOADED)


@dataclass
class Opening:
    """What somebody did with a study at one go. ``grant`` None: staff of the clinic. ``acts`` in their order."""

    began_at: datetime
    last_at: datetime
    grant: Grant | None = field(repr=False)
    acts: list[Event] = field(default_factory=list)
    # Of a group: the tag by which a rule opens the study ("ReferringPhysicianName").
    tag: str = ""


@dataclass(frozen=True)
class Page:
    """Newest first. ``before`` continues it, None at the end. ``is_everybody``: not only the reader's own."""

    openings: Sequence[Opening]
    before: int | None
    is_everybody: bool


class Openings:
    """Reads within the caller's transaction; writes nothing."""

    def __init__(self, session: Session, grants: Grants, codes: RuleCodes) -> None:
        self._session = session
        self._grants = grants
        self._codes = codes

    def of(self, live: LiveVisit, study: Study, *, before: int | None = None) -> Page:
        """What the holder of this visit may know of who opened ``study``."""
        parts = live.parts_of(study)
        is_everybody = any(part.kind in GIVERS for part in parts)
        if is_everybody:
            grant_ids = [grant.id for grant in self._grants.of_study(study)]
        else:
            grant_ids = [part.grant.id for part in parts]
        query = (
            select(AuditEvent)
            .where(_wanted(study, grant_ids, is_everybody))
            .order_by(AuditEvent.id.desc())
            .limit(ROWS + 1)
        )
        if before is not None:
            query = query.where(AuditEvent.id < min(before, LARGEST_ID))
        rows = list(self._session.scalars(query))
        shown = rows[:ROWS]
        more = shown[-1].id if len(rows) > ROWS else None
        return Page(self._openings(shown), more, is_everybody)

    def has_looked(self, study: Study, grant_id: int, *, actor: str = ACTOR, since: datetime) -> bool:
        """Whether it is on record that ``actor`` opened the light look of a study with a grant."""
        query = select(AuditEvent.id).where(
            AuditEvent.study_id == study.id,
            AuditEvent.at >= since,
            AuditEvent.event == Event.LOOK_OPENED,
            AuditEvent.grant_id == grant_id,
            AuditEvent.actor == actor,
        )
        return self._session.scalar(query.limit(1)) is not None

    def _openings(self, rows: Sequence[AuditEvent]) -> list[Opening]:
        ids = {row.grant_id for row in rows if row.grant_id is not None}
        # Without their studies: nobody asks for those here.
        found = self._session.scalars(select(Grant).where(Grant.id.in_(ids)))
        grants = {grant.id: grant for grant in found}
        groups = [grant.id for grant in grants.values() if grant.kind == Kind.GROUP]
        rules = {grant_id: self._codes.rule_of(grant_id) for grant_id in groups}
        tags = {grant_id: rule.tag for grant_id, rule in rules.items() if rule is not None}
        openings: list[Opening] = []
        for row in rows:
            event = Event(row.event)
            grant = None if event in BY_STAFF or row.grant_id is None else grants.get(row.grant_id)
            last = openings[-1] if openings else None
            if last is not None and _is_of(last, row, grant):
                last.began_at = row.at
                if event not in last.acts:
                    last.acts.insert(0, event)
            else:
                openings.append(
                    Opening(row.at, row.at, grant, [event], tags.get(grant.id, "") if grant else "")
                )
        return openings


def _wanted(study: Study, grant_ids: Sequence[int], is_everybody: bool) -> ColumnElement[bool]:
    """Each alternative has an index of its own. A visit begins with a grant, not with a study."""
    # Of any code that a rule has had: a new one doesn't hide what was opened before.
    is_group = exists().where(Grant.id == AuditEvent.grant_id, Grant.kind == Kind.GROUP)
    came_in = and_(
        AuditEvent.grant_id.in_(grant_ids),
        AuditEvent.event == Event.VISIT_BEGUN,
        AuditEvent.study_id.is_(None),
        # That a group's list was opened says nothing of this study.
        not_(is_group),
    )
    of_study = AuditEvent.study_id == study.id
    # With an account, whom a rule lets in opens a study by name, for the group all the same.
    is_holder = or_(AuditEvent.actor == ACTOR, is_group)
    by_holders = and_(of_study, AuditEvent.event.in_(BY_HOLDERS), is_holder)
    if not is_everybody:
        return or_(came_in, and_(by_holders, AuditEvent.grant_id.in_(grant_ids)))
    by_staff = and_(of_study, AuditEvent.event.in_(BY_STAFF), AuditEvent.actor.startswith("staff:"))
    return or_(came_in, by_holders, by_staff)


def _is_of(opening: Opening, row: AuditEvent, grant: Grant | None) -> bool:
    """Whether a row, older than all of an opening, is part of it: a visit begins once."""
    has_begun = opening.acts[0] == Event.VISIT_BEGUN
    return opening.grant is grant and not has_begun and opening.last_at - row.at <= TOGETHER
