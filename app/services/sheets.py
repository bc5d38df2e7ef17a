"""Many access sheets at once: what printing them would do is known, and agreed to, before anything is printed.

Refuses to re-issue by the way: a study whose old sheet would die is left out until somebody has agreed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.config import Settings
from app.domain.grants import Kind, Standing
from app.models import Grant, Study, grant_study
from app.services.grants import Grants
from app.services.papers import Document, Effect, Papers, Wish

# Of one file: 100 sheets take the renderer 8 s and 210 MB, 200 would be near its limits (20 s, 384 MB).
MOST = 100
# Of one wish; what doesn't fit into the file is named.
LONGEST = 200


class Why(StrEnum):
    """Why a sheet is left out."""

    SUSPENDED = "suspended"
    GONE = "gone"  # not in the archive: it would open nothing
    GLYPHS = "glyphs"  # no font has its characters
    PRINTED = "printed"  # already, and only new ones were asked for
    TOO_MANY = "too-many"


@dataclass(frozen=True)
class Replaced:
    """A study whose sheet would be printed with a new code."""

    study: Study
    # The code that was printed before works until then; it doesn't any more once this is printed.
    is_alive: bool


@dataclass
class Plan:
    """``ready`` print as they are, ``replaced`` only with a new code, ``left_out`` not at all."""

    ready: list[Study] = field(default_factory=list)
    replaced: list[Replaced] = field(default_factory=list)
    left_out: list[tuple[Study, Why]] = field(default_factory=list)

    def is_settled(self, wish: Wish) -> bool:
        """Whether it can be printed without asking anybody."""
        is_agreed = not self.replaced or wish.agreed is Effect.REISSUES
        return bool(self.ready or self.replaced) and is_agreed and not self.left_out


class Sheets:
    def __init__(self, session: Session, grants: Grants, papers: Papers, settings: Settings) -> None:
        self._session = session
        self._grants = grants
        self._papers = papers
        self._settings = settings

    def of_day(self, at: datetime) -> list[Study]:
        """Studies with a code that became stable on the day of ``at`` in the clinic's time zone, oldest first."""
        zone = ZoneInfo(self._settings.time_zone)
        begin = datetime.combine(at.astimezone(zone).date(), time.min, zone)
        end = datetime.combine(begin.date() + timedelta(days=1), time.min, zone)
        has_code = exists(
            select(Grant.id)
            .join(grant_study)
            .where(
                grant_study.c.study_id == Study.id,
                Grant.kind == Kind.PATIENT,
                Grant.revoked_at.is_(None),
            )
        )
        query = select(Study).where(
            Study.stable_at >= begin, Study.stable_at < end, Study.deleted_at.is_(None), has_code
        )
        return list(self._session.scalars(query.order_by(Study.stable_at, Study.id).limit(LONGEST)))

    def plan(self, studies: Sequence[Study], wish: Wish, *, at: datetime, only_new: bool = False) -> Plan:
        """What printing these would do. ``only_new``: those printed before are left out."""
        plan = Plan()
        for study in studies:
            grant = self._grants.current(study)
            effect = self._papers.effect(study, at=at)
            if why := self._why_not(study, grant, effect, wish, only_new=only_new):
                plan.left_out.append((study, why))
            elif len(plan.ready) + len(plan.replaced) >= MOST:
                plan.left_out.append((study, Why.TOO_MANY))
            elif effect is Effect.REISSUES:
                plan.replaced.append(Replaced(study, grant is not None and _is_alive(grant, at)))
            else:
                plan.ready.append(study)
        return plan

    def print(self, studies: Sequence[Study], wish: Wish, *, at: datetime, actor: str) -> Document:
        """One file of the sheets of ``studies``, in their order. Raises as ``Papers.sheet`` does."""
        return self._papers.sheets(studies, wish, at=at, actor=actor)

    def _why_not(
        self, study: Study, grant: Grant | None, effect: Effect, wish: Wish, *, only_new: bool
    ) -> Why | None:
        if study.deleted_at is not None:
            return Why.GONE
        if effect is Effect.REFUSED:
            return Why.SUSPENDED
        if only_new and grant is not None and grant.printed_at is not None:
            return Why.PRINTED
        return Why.GLYPHS if self._papers.missing(study, wish) else None


def _is_alive(grant: Grant, at: datetime) -> bool:
    return grant.standing(at) is not Standing.EXPIRED
