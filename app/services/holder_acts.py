"""What a holder does in a visit: only with what is released to them, and on record.

Works in the caller's transaction, so that the deed and its row in the audit trail stand or fall together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.models import Study
from app.services import tag_matching
from app.services.audit import Audit
from app.services.live_visit import Part
from app.services.release import Releases
from app.services.rules import SiteRules


class NotReleased(Exception):
    """The images of this study aren't released to this holder (any more): no token, no look."""


def note(
    session: Session,
    audit: Audit,
    event: Event,
    part: Part,
    study_id: int | None,
    *,
    address: str,
    at: datetime,
    **details: Any,
) -> None:
    """What a holder does, on record with the rule that opens the study, where one does; it isn't new to the rule's
    group any more."""
    if part.rule is not None:
        details["rule"] = part.rule.name
        if study_id is not None:
            tag_matching.note_opening(session, part.rule, study_id, at=at)
    audit.within(
        session,
        event,
        at=at,
        actor="holder",
        address=address,
        grant_id=part.grant.id,
        study_id=study_id,
        **details,
    )


def check_release(session: Session, audit: Audit, part: Part, study: Study, *, at: datetime) -> None:
    """As the database has it now, not as the visit was read. Raises NotReleased."""
    now = session.scalars(
        select(Study).where(Study.id == study.id).with_for_update(read=True, of=Study)
    ).one()
    releases = Releases(session, SiteRules(session, audit), audit)
    if not releases.seen_by(part.kind, [now], at=at)[now.id].images.is_out:
        raise NotReleased
