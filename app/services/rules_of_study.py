"""Which rules for DICOM tags open a study at a moment, and who opened it through each of them last: for staff, and for
the study's patient.

One query by the index of matches, bounded, however long the trail. Refuses to change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only

from app.domain.grants import Standing
from app.domain.permissions import Permission
from app.models import AuditEvent, Grant, Staff, Study, TagRule, TagRuleMatch, TagRuleMember
from app.services import tag_matching
from app.services.openings import BY_HOLDERS

MOST = 50  # rules


@dataclass(frozen=True)
class Row:
    """A rule that names a study now. ``standing``: of its code; while that isn't open, neither code nor accounts open
    anything. ``members``: accounts that aren't disabled.

    ``first_at``: when it was first opened through the rule, ``last_at`` and ``last_by`` (as in the audit trail): last,
    since the group has its present code. None: not yet.
    """

    rule: TagRule
    grant_id: int
    permissions: Permission
    standing: Standing
    members: int
    matched_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    last_by: str

    @property
    def is_open(self) -> bool:
        return self.standing is Standing.OPEN


@dataclass(frozen=True)
class Found:
    """By name. ``is_more``: there are more than MOST."""

    rows: Sequence[Row]
    is_more: bool

    @property
    def open(self) -> list[Row]:
        """Those through which somebody can open it at this moment."""
        return [row for row in self.rows if row.is_open]


class RulesOfStudy:
    """Reads within the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, study: Study, *, at: datetime) -> Found:
        """None for a study that isn't in its archive any more, nor by a rule that doesn't look so far back."""
        if study.deleted_at is not None:
            return Found([], False)
        members = (
            select(func.count())
            .select_from(TagRuleMember)
            .join(Staff, Staff.id == TagRuleMember.staff_id)
            .where(TagRuleMember.rule_id == TagRule.id, Staff.disabled_at.is_(None))
            .correlate(TagRule)
            .scalar_subquery()
        )
        # "coalesce": down the index of the study, never of a group that opened thousands of others.
        last = (
            select(AuditEvent.id)
            .where(
                AuditEvent.study_id == study.id,
                func.coalesce(AuditEvent.grant_id, 0) == TagRule.grant_id,
                AuditEvent.event.in_(BY_HOLDERS),
            )
            .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
            .limit(1)
            .correlate(TagRule)
            .scalar_subquery()
        )
        opening = AuditEvent.__table__.alias("opening")
        columns = (
            Grant.permissions,
            Grant.released_at,
            Grant.expires_at,
            Grant.revoked_at,
            Grant.suspended_at,
        )
        query = (
            select(TagRule, TagRuleMatch, Grant, members.label("members"), opening.c.at, opening.c.actor)
            .join(TagRule, TagRule.id == TagRuleMatch.rule_id)
            .join(Grant, Grant.id == TagRule.grant_id)
            .outerjoin(opening, opening.c.id == last)
            .where(TagRuleMatch.study_id == study.id)
            .options(load_only(*columns))
            .order_by(TagRule.name, TagRule.id)
            .limit(MOST + 1)
        )
        found = self._session.execute(query.select_from(TagRuleMatch)).all()
        rows = [
            Row(
                rule,
                grant.id,
                Permission.from_names(grant.permissions),
                grant.standing(at),
                count,
                match.matched_at,
                match.opened_at,
                last_at,
                last_by or "",
            )
            for rule, match, grant, count, last_at, last_by in found[:MOST]
            if (since := tag_matching.since(rule, at)) is None or match.listed_on >= since
        ]
        return Found(rows, len(found) > MOST)
