"""The studies that a rule opens, as its holder's list shows them: newest first, by index, with a search.

What is shown is what the rule matches at that moment. Refuses to go beyond the rule: a search narrows its list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from app.domain import search
from app.models import Study, TagRule, TagRuleMatch
from app.services import tag_matching
from app.services.study_index import IN_INDEX, Asked
from app.services.tag_matching import ALL

PAGE_SIZE = 50
WALK = 5_000  # newest studies of a list that are looked at before the index of words is asked
RARE = 2_000  # studies that have the words of a search: fewer are looked up
_place = tuple_(TagRuleMatch.listed_on, TagRuleMatch.study_id)  # in the list
_NEWEST_FIRST = (TagRuleMatch.listed_on.desc(), TagRuleMatch.study_id.desc())


@dataclass(frozen=True)
class Row:
    study: Study
    is_new: bool  # nobody opened it through the rule yet


@dataclass(frozen=True)
class Page:
    """Newest first; ``next_before`` continues it, None at the end."""

    rows: Sequence[Row]
    next_before: tuple[date, int] | None


class RuleStudies:
    """Reads within the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def one(self, rule: TagRule, study_id: int, *, at: datetime) -> Study | None:
        """A study that the rule opens now; None for any other."""
        query = tag_matching.opened_by(rule, at).where(TagRuleMatch.study_id == study_id)
        found = self._session.execute(query).one_or_none()
        return found.Study if found else None

    def page(
        self, rule: TagRule, *, text: str = "", before: tuple[date, int] | None = None, at: datetime
    ) -> Page:
        """The studies that a rule opens, those that have all words of ``text`` (services.study_index)."""
        below = () if before is None else (_place < before,)
        query = tag_matching.opened_by(rule, at).where(*below).order_by(*_NEWEST_FIRST)
        if text.strip():
            asked = search.asked(text)
            if not asked:
                return Page([], None)  # only signs were typed
            last_near = (
                select(TagRuleMatch.listed_on, TagRuleMatch.study_id)
                .where(TagRuleMatch.rule_id == rule.id, *below)
                .order_by(*_NEWEST_FIRST)
                .offset(WALK)
                .limit(1)
            )
            found = self._with_words(query, asked, self._session.execute(last_near).one_or_none())
        else:
            found = self._session.execute(query.limit(PAGE_SIZE + 1)).all()
        rows = [Row(row.Study, row.TagRuleMatch.opened_at is None) for row in found[:PAGE_SIZE]]
        last = found[PAGE_SIZE - 1].TagRuleMatch if len(found) > PAGE_SIZE else None
        return Page(rows, (last.listed_on, last.study_id) if last else None)

    def _with_words(self, query: Any, asked: list[Asked], edge: Any) -> Sequence[Any]:
        """What is frequent stands among the newest, down to ``edge``, so they are looked at first; then the index of
        words is asked."""
        has_words = _has_words(asked)
        near = query.where(has_words, _place > tuple(edge)) if edge else query.where(has_words)
        found = self._session.execute(near.limit(PAGE_SIZE + 1)).all()
        if edge is None or len(found) > PAGE_SIZE:
            return found
        hits = IN_INDEX[self._session.get_bind().dialect.name](asked, ALL).limit(RARE + 1)
        ids = self._session.scalars(hits).all()
        far = query.where(Study.id.in_(ids) if len(ids) <= RARE else has_words)
        return self._session.execute(far.limit(PAGE_SIZE + 1)).all()


def _has_words(asked: list[Asked]) -> ColumnElement[bool]:
    stored = literal(" ").concat(Study.search_words)
    return and_(*(or_(*(stored.like(f"% {word}%") for word in one)) for one in asked))
