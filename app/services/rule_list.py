"""The rules for DICOM tags as staff list them, in one query. Refuses to change anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session, load_only

from app.domain import search
from app.domain.grants import Standing
from app.models import Grant, Study, TagRule, TagRuleMatch, TagRuleMember
from app.services.tag_matching import ALL

PAGE_SIZE = 50
MOST_COUNTED = 1_000  # matches; beyond that "more than"
# Goes on, all studies were looked at, and none matches.
_IDLE = and_(
    TagRule.ended_at.is_(None),
    TagRule.match_below.is_(None),
    ~exists().where(TagRuleMatch.rule_id == TagRule.id),
)


@dataclass(frozen=True)
class Row:
    """``count``: studies that it opens, ``MOST_COUNTED`` + 1 for more. ``progress``: of the background matching in
    percent, None when it is through."""

    rule: TagRule
    grant_ref: str
    standing: Standing
    opened_at: datetime | None
    count: int
    members: int
    progress: int | None


@dataclass(frozen=True)
class Page:
    """Those that go on first, each newest first; ``next_before`` continues it, None at the end."""

    rows: Sequence[Row]
    next_before: int | None


class RuleList:
    """Reads within the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self,
        *,
        ended: bool = False,
        idle: bool = False,
        text: str = "",
        before: int | None = None,
        at: datetime,
    ) -> Page:
        """The rules that go on, or those that have ended, newest first. ``idle``: of those that go on, the ones that
        match no study. ``text``: words of which each begins one of the rule's name or values."""
        is_wanted = _IDLE if idle else TagRule.ended_at.is_not(None) if ended else TagRule.ended_at.is_(None)
        query = _query().where(is_wanted).order_by(TagRule.id.desc()).limit(PAGE_SIZE + 1)
        if text:
            query = query.where(TagRule.id.in_(self._with_words(text, before)))
        if before is not None:
            query = query.where(TagRule.id < before)
        rows = self._rows(query, at)
        return Page(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].rule.id if len(rows) > PAGE_SIZE else None)

    def one(self, rule_id: int, *, at: datetime) -> Row | None:
        return next(iter(self._rows(_query().where(TagRule.id == rule_id), at)), None)

    def has_ended_ones(self) -> bool:
        return (
            self._session.scalar(select(TagRule.id).where(TagRule.ended_at.is_not(None)).limit(1)) is not None
        )

    def idle_ones(self) -> int:
        """How many rules go on and match no study: most of them are misspelled."""
        return self._session.scalar(select(func.count()).select_from(TagRule).where(_IDLE)) or 0

    def _with_words(self, text: str, before: int | None) -> list[int]:
        """Rules are few and their texts short, so they are read and folded here, as words of studies are."""
        asked = search.words(text)
        query = select(TagRule.id, TagRule.name, TagRule.wanted)
        if before is not None:
            query = query.where(TagRule.id < before)
        return [
            row.id
            for row in self._session.execute(query)
            if asked and _begin(asked, search.words(f"{row.name} {' '.join(json.loads(row.wanted))}"))
        ]

    def _rows(self, query: Select[Any], at: datetime) -> list[Row]:
        newest = self._session.scalar(select(func.max(Study.id))) or 0
        return [
            Row(rule, grant.ref, grant.standing(at), grant.opened_at, count, members, _progress(rule, newest))
            for rule, grant, count, members in self._session.execute(query)
        ]


def _begin(asked: list[str], words: list[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in asked)


def _query() -> Select[Any]:
    some = select(TagRuleMatch.study_id).where(TagRuleMatch.rule_id == TagRule.id).correlate(TagRule)
    count = select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery()).scalar_subquery()
    members = (
        select(func.count())
        .select_from(TagRuleMember)
        .where(TagRuleMember.rule_id == TagRule.id)
        .correlate(TagRule)
        .scalar_subquery()
    )
    columns = (
        Grant.ref,
        Grant.opened_at,
        Grant.expires_at,
        Grant.released_at,
        Grant.revoked_at,
        Grant.suspended_at,
    )
    return (
        select(TagRule, Grant, count, members)
        .join(Grant, Grant.id == TagRule.grant_id)
        .options(load_only(*columns))
    )


def _progress(rule: TagRule, newest: int) -> int | None:
    """The newest studies are matched first: how far down the numbers it has come."""
    if rule.match_below is None:
        return None
    if rule.match_below >= ALL or not newest:
        return 0
    return max(0, min(99, 100 - 100 * rule.match_below // (newest + 1)))
