"""What a rule for a DICOM tag would open, looked at before it is saved; and which values a tag has.

What it counts is what the group's list shows afterwards: the same keys, the same comparison in full, the same days.
Refuses to match by likeness: what only nearly matches is shown beside, for somebody to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.domain import search, tag_match
from app.domain.tag_likeness import Likeness
from app.domain.tag_match import How
from app.models import Study, StudyTagKey, TagValue
from app.services import tag_keys
from app.services.tag_keys import NAMES, PLACES, Wanted

SHOWN_BEFORE = 20  # studies of a preview
BATCH = 2_000  # studies that are compared at a time
MOST_NEAR = 30  # values that nearly match
MOST_VALUES = 20_000  # of a tag that are looked through
MOST_OFFERED = 20  # values while somebody types


@dataclass(frozen=True)
class Near:
    """A value that nearly matches, and how many studies have it."""

    value: str
    studies: int


@dataclass(frozen=True)
class Preview:
    """What a rule would open now: how many studies, the newest of them, and what it would leave out by little.

    ``is_filling``: the tags of older studies are still being read, so that there may be more.
    """

    count: int
    newest: Sequence[Study]
    near: Sequence[Near]
    is_filling: bool = False


class RulePreview:
    """Reads within the caller's transaction; writes nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, wanted: Wanted, *, since: date | None = None) -> Preview:
        """``since``: the first day that the rule would show; None: all."""
        is_filling = self._session.scalar(select(exists().where(Study.tag_keys_at.is_(None))))
        newest = self._newest(wanted, since)
        return Preview(self._count(wanted, since), newest, self._near(wanted, since), bool(is_filling))

    def tags(self) -> list[str]:
        """Tags beyond the five that some study has, by keyword."""
        told = self._session.scalars(select(TagValue.tag).distinct().order_by(TagValue.tag))
        return [tag for tag in told if tag not in NAMES and tag not in PLACES]

    def offered(self, tag: str, text: str) -> list[str]:
        """Values of a tag that have the words of ``text`` at the beginning of their own, in any order."""
        asked = search.words(text)[: search.MAX_ASKED]
        found = (value for value in self._values(tag) if _begins_words_of(value, asked))
        return sorted(list(found)[:200], key=str.casefold)[:MOST_OFFERED]

    def _values(self, tag: str) -> list[str]:
        query = select(TagValue.value).where(TagValue.tag == tag).order_by(TagValue.id.desc())
        return list(self._session.scalars(query.limit(MOST_VALUES)))

    def _candidates(self, wanted: Wanted, since: date | None) -> Select[Any]:
        by_index = select(StudyTagKey.study_id).where(StudyTagKey.key.in_(wanted.keys()))
        query = select(Study.id).where(Study.id.in_(by_index), Study.deleted_at.is_(None))
        if since is None:
            return query
        begin = datetime.combine(since, time.min, UTC)  # as services.tag_matching.listed
        undated = and_(Study.study_date.is_(None), Study.stable_at >= begin)
        return query.where(or_(Study.study_date >= since, undated))

    def _count(self, wanted: Wanted, since: date | None) -> int:
        candidates = self._candidates(wanted, since)
        if wanted.is_indexed:
            return self._session.scalar(select(func.count()).select_from(candidates.subquery())) or 0
        kept = _column(wanted)
        query = select(kept, func.count()).where(Study.id.in_(candidates)).group_by(kept)
        return sum(count for text, count in self._session.execute(query) if _has(wanted, text))

    def _newest(self, wanted: Wanted, since: date | None) -> list[Study]:
        day = func.coalesce(Study.study_date, func.date(Study.stable_at))
        query = (
            select(Study.id, _column(wanted).label("kept"))
            .where(Study.id.in_(self._candidates(wanted, since)))
            .order_by(day.desc(), Study.id.desc())
        )
        found: list[int] = []
        for start in range(0, MOST_VALUES, BATCH):
            batch = self._session.execute(query.offset(start).limit(BATCH)).all()
            found += [row.id for row in batch if _has(wanted, row.kept)]
            if len(found) >= SHOWN_BEFORE or len(batch) < BATCH:
                break
        shown = found[:SHOWN_BEFORE]
        studies = {one.id: one for one in self._session.scalars(select(Study).where(Study.id.in_(shown)))}
        return [studies[one] for one in shown]

    def _near(self, wanted: Wanted, since: date | None) -> list[Near]:
        likeness = Likeness(wanted.values)
        asked = {how: _asked(wanted.values, how) for how in How}
        near: dict[tuple[str, ...], str] = {}  # one of several spellings that are added together
        for value in self._values(wanted.tag):
            if len(near) < MOST_NEAR and _is_near(value, wanted.how, asked, likeness):
                near.setdefault(tuple(tag_match.rule_keys(value, wanted.how)), value)
        counted = [
            Near(value, self._count(Wanted(wanted.tag, wanted.how, (value,)), since))
            for value in near.values()
        ]
        return sorted((one for one in counted if one.studies), key=lambda one: -one.studies)


def _begins_words_of(value: str, asked: Sequence[str]) -> bool:
    found = search.words(value)
    return all(any(word.startswith(one) for word in found) for one in asked)


def _column(wanted: Wanted) -> InstrumentedAttribute[str]:
    """Where a study has the tag."""
    column: InstrumentedAttribute[str] = getattr(Study, tag_keys.kept_in(wanted.tag))
    return column


def _has(wanted: Wanted, kept: str) -> bool:
    return bool(wanted.matching_in(tag_keys.text_in(wanted.tag, kept)))


def _is_near(value: str, how: How, asked: Mapping[How, set[str]], likeness: Likeness) -> bool:
    """Whether people may want this value too: it doesn't match, and is spelled alike."""
    if not asked[how].isdisjoint(tag_match.keys(value, how)):
        return False
    is_other_spelling = how is How.EXACT and any(
        not asked[one].isdisjoint(tag_match.keys(value, one)) for one in (How.WORDS, How.NAME)
    )
    return is_other_spelling or likeness.is_near(value)


def _asked(values: Iterable[str], how: How) -> set[str]:
    return {key for value in values for key in tag_match.rule_keys(value, how)}
