"""Finding studies, newest first, whatever is asked: a few statements of bounded cost each.

What is frequent stands among the newest few thousand studies, so they are looked at first. Where that isn't enough,
the narrowest thing that is asked for (words, days, a rare state) leads to candidates by its index. Nobody looks at more
than DEPTH candidates at once: then a page ends early and tells where the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from app.domain import birth_date, search
from app.domain.grants import Kind
from app.models import Grant, Report, Study, grant_study
from app.services import study_index
from app.services.study_index import Asked

WALK = 2_000  # newest studies that are looked at before an index is asked
DEPTH = 10_000  # candidates that are looked at for one page
EXPIRING = timedelta(days=7)
Source = Callable[[int], Select[int]]


class State(StrEnum):
    """What a list can be narrowed to."""

    NO_REPORT = "no-report"
    DRAFT = "draft"
    SIGNED = "signed"
    NOT_PRINTED = "not-printed"
    OPENED = "opened"
    EXPIRING = "expiring"
    SUSPENDED = "suspended"
    NO_BIRTH_DATE = "no-birth-date"


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for. ``modality``: a code; ``days``: the first and the last StudyDate."""

    text: str = ""
    state: State | None = None
    modality: str = ""
    days: tuple[date, date] | None = None

    def __bool__(self) -> bool:
        return bool(self.text or self.state or self.modality or self.days)


@dataclass(frozen=True)
class Found:
    """Ids, newest first; ``next_before`` goes on behind them, None at the end. With fewer ids than were asked for
    it means that nothing more was found so far."""

    ids: list[int]
    next_before: int | None


def find(session: Session, wanted: Wanted, *, before: int, limit: int, at: datetime) -> Found:
    """At most ``limit`` studies that are wanted, of those with ids below ``before``."""
    asked = search.asked(wanted.text)
    if wanted.text and not asked:
        return Found([], None)  # only signs were typed
    conditions = _conditions(wanted, asked, at)
    if not conditions:
        return _look(session, _all(before), conditions, limit, depth=limit + 1)
    source, is_rare = _source(session, wanted, asked, at)
    if source is None:
        return _look(session, _all(before), conditions, limit, depth=DEPTH)
    near = Found([], before)
    if not is_rare:
        near = _look(session, _all(before), conditions, limit, depth=WALK)
        if len(near.ids) == limit or near.next_before is None:
            return near
    assert near.next_before is not None
    far = _look(session, source(near.next_before), conditions, limit - len(near.ids), depth=DEPTH)
    return Found(near.ids + far.ids, far.next_before)


def _look(
    session: Session, source: Select[int], conditions: list[ColumnElement[bool]], limit: int, *, depth: int
) -> Found:
    """Those of the ``depth`` newest candidates for which every condition holds."""
    newest = source.limit(depth).subquery("newest")
    query = select(newest.c.id)
    if conditions:
        # A scalar subquery, not a join: a planner could find a join worth reading the whole table for.
        query = query.where(select(and_(*conditions)).where(Study.id == newest.c.id).scalar_subquery())
    ids = list(session.scalars(query.order_by(newest.c.id.desc()).limit(limit + 1)))
    if len(ids) > limit:
        return Found(ids[:limit], ids[limit - 1])
    count, lowest = session.execute(select(func.count(), func.min(newest.c.id)).select_from(newest)).one()
    return Found(ids, lowest if count == depth else None)


def _all(before: int) -> Select[int]:
    return select(Study.id).where(Study.id < before).order_by(Study.id.desc())


def _source(session: Session, wanted: Wanted, asked: list[Asked], at: datetime) -> tuple[Source | None, bool]:
    """The narrowest way to candidates, and whether they are surely few."""
    if wanted.state in _RARE:
        return _RARE[wanted.state](at), True
    indexed = [one for one in asked if any(_is_telling(word) for word in one)]
    if wanted.modality:
        indexed.append((wanted.modality.lower(),))
    if indexed:
        dialect = session.get_bind().dialect.name
        return partial(study_index.IN_INDEX[dialect], indexed), False
    if wanted.days:
        return partial(_of_days, wanted.days), False
    if wanted.state is State.NO_BIRTH_DATE:
        return _without_birth_date, False
    return None, False


def _is_telling(word: str) -> bool:
    """One letter begins too many words, unless it is a whole name (金)."""
    return len(word) > 1 or not word.isascii()


# The other ways to candidates.


def _of_days(days: tuple[date, date], before: int) -> Select[int]:
    return (
        select(Study.id).where(Study.study_date.between(*days), Study.id < before).order_by(Study.id.desc())
    )


def _without_birth_date(before: int) -> Select[int]:
    return (
        select(Study.id)
        .where(Study.birth_date_state.in_(_UNUSABLE), Study.id < before)
        .order_by(Study.id.desc())
    )


def _drafts(_at: datetime) -> Source:
    return lambda before: (
        select(Report.study_id.label("id"))
        .where(Report.signed_at.is_(None), Report.study_id < before)
        .order_by(Report.study_id.desc())
    )


def _of_grants(*conditions: ColumnElement[bool]) -> Source:
    def of_grants(before: int) -> Select[int]:
        # The few grants first: by an order or a range of study_id, SQLite would be led to read all of them.
        hits = (
            select(grant_study.c.study_id.label("id"))
            .join(Grant, Grant.id == grant_study.c.grant_id)
            .where(
                Grant.revoked_at.is_(None),
                Grant.kind != Kind.GROUP,  # thousands of studies, and no patient's
                *conditions,
                grant_study.c.study_id + 0 < before,
            )
            .cte("hit")
            .prefix_with("MATERIALIZED")
        )
        return select(hits.c.id).distinct().order_by(hits.c.id.desc())

    return of_grants


def _suspended(_at: datetime) -> Source:
    return _of_grants(Grant.suspended_at.is_not(None))


def _expiring(at: datetime) -> Source:
    return _of_grants(Grant.expires_at > at, Grant.expires_at <= at + EXPIRING)


_RARE: dict[State | None, Callable[[datetime], Source]] = {
    State.DRAFT: _drafts,
    State.SUSPENDED: _suspended,
    State.EXPIRING: _expiring,
}
_UNUSABLE = [state.value for state in birth_date.State if state is not birth_date.State.VALID]


# What has to hold of a study.


def _conditions(wanted: Wanted, asked: list[Asked], at: datetime) -> list[ColumnElement[bool]]:
    stored = literal(" ").concat(Study.search_words)
    conditions = [or_(*(stored.like(f"% {word}%") for word in one)) for one in asked]
    if wanted.modality:
        codes = literal("\\").concat(Study.modalities).concat("\\")
        conditions.append(codes.contains(f"\\{wanted.modality}\\", autoescape=True))
    if wanted.days:
        conditions.append(Study.study_date.between(*wanted.days))
    if wanted.state:
        conditions.append(_in_state(wanted.state, at))
    return conditions


def _in_state(state: State, at: datetime) -> ColumnElement[bool]:
    report = select(Report.id).where(Report.study_id == Study.id)
    match state:
        case State.NO_REPORT:
            return ~report.exists()
        case State.DRAFT:
            return report.where(Report.signed_at.is_(None)).exists()
        case State.SIGNED:
            return report.where(Report.signed_at.is_not(None)).exists()
        case State.NO_BIRTH_DATE:
            return Study.birth_date_state.in_(_UNUSABLE)
        case State.NOT_PRINTED:
            return _access(Grant.printed_at.is_(None))
        case State.OPENED:
            return _access(Grant.openings > 0)
        case State.SUSPENDED:
            return _access(Grant.suspended_at.is_not(None))
        case State.EXPIRING:
            return _access(Grant.expires_at > at, Grant.expires_at <= at + EXPIRING)


def _access(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of the patient's grant that counts: as Grants.current, the newest that is not revoked."""
    newest = (
        select(func.max(Grant.id))
        .join(grant_study)
        .where(grant_study.c.study_id == Study.id, Grant.revoked_at.is_(None), Grant.kind == Kind.PATIENT)
        .correlate(Study)
        .scalar_subquery()
    )
    return select(Grant.id).where(Grant.id == newest, *conditions).exists()
