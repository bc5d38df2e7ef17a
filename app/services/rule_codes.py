"""The rules for DICOM tags that an auditor names, and every code that each has had.

A rule's row names the code of today alone; which one it took the place of stands in the audit trail, in rows that were
written together. Reads within the caller's transaction.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain import dicom
from app.domain.events import Event
from app.models import AuditEvent, Grant, TagRule
from app.services.worklist import LARGEST_ID

MOST_RULES = 20  # of one name
MOST_CODES = 200  # of one rule, the newest


class RuleCodes:
    def __init__(self, session: Session) -> None:
        self._session = session

    def named(self, which: str) -> list[TagRule]:
        """The rules of this number or name, ended ones too, the newest first; MOST_RULES at most."""
        which = dicom.clean_text(which)
        if not which:
            return []
        is_number = which.isascii() and which.isdigit() and len(which) < 11 and int(which) <= LARGEST_ID
        ids = [int(which)] if is_number else []
        names = self._session.execute(select(TagRule.id, TagRule.name))
        ids += [row.id for row in names if row.name.casefold() == which.casefold()]
        query = select(TagRule).where(TagRule.id.in_(ids)).order_by(TagRule.id.desc()).limit(MOST_RULES)
        return list(self._session.scalars(query))

    def of(self, rule: TagRule) -> list[int]:
        """The ids of its grants, the newest first; none whose rows were purged from the trail."""
        found = [rule.grant_id]
        while len(found) < MOST_CODES and (before := self._before(found[-1])) is not None:
            found.append(before)
        return found

    def rule_of(self, grant_id: int) -> TagRule | None:
        """The rule that has this grant, or had it once."""
        for _ in range(MOST_CODES):
            found = self._session.scalars(select(TagRule).where(TagRule.grant_id == grant_id)).one_or_none()
            if found is not None:
                return found
            replaced = select(AuditEvent.details).where(
                AuditEvent.grant_id == grant_id, AuditEvent.event == Event.GRANT_REISSUED
            )
            by = (self._session.scalar(replaced.limit(1)) or {}).get("by")
            after = self._session.scalar(select(Grant.id).where(Grant.ref == by)) if by else None
            if after is None:
                return None
            grant_id = after
        return None

    def _before(self, grant_id: int) -> int | None:
        """The grant in whose place this one was made; None for a rule's first."""
        beginning = (
            select(AuditEvent.id, AuditEvent.event, AuditEvent.details)
            .where(
                AuditEvent.grant_id == grant_id,
                AuditEvent.event.in_((Event.GRANT_ISSUED, Event.RULE_MADE, Event.RULE_CHANGED)),
            )
            .order_by(AuditEvent.at, AuditEvent.id)
            .limit(2)
        )
        rows = self._session.execute(beginning).all()
        # A code that took another's place begins with these two, in one transaction (TagRules.rotate).
        if len(rows) < 2 or rows[1].event != Event.RULE_CHANGED or rows[1].details.get("what") != "code":
            return None
        ref = self._session.scalar(select(Grant.ref).where(Grant.id == grant_id))
        between = select(AuditEvent.grant_id, AuditEvent.details).where(
            AuditEvent.id > rows[0].id, AuditEvent.id < rows[1].id, AuditEvent.event == Event.GRANT_REISSUED
        )
        return next(
            (row.grant_id for row in self._session.execute(between) if row.details.get("by") == ref), None
        )
