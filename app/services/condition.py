"""What keeps people out at the moment, and how the parts of the installation stand: for the page of limits.

Reads only, and only by indexes or small tables: the page asks every few seconds. Networks are services.limits'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session, selectinload, sessionmaker

from app.domain.grants import THROTTLE, Policy
from app.models import Alarm, Archive, Grant, Lease, Report, ReportDelivery, Staff, Study
from app.models.grant import FAILING
from app.services import deliveries, follower, limits

MOST_GRANTS = 100


@dataclass(frozen=True)
class HeldBack:
    """A grant with more failures than are free. Locked ones stay so until staff unlock them."""

    ref: str
    label: str
    studies: Sequence[Study]
    failures: int
    failures_in_life: int
    is_locked: bool
    wait: timedelta


@dataclass(frozen=True)
class Account:
    login: str
    name: str
    failures: int
    wait: timedelta


@dataclass(frozen=True)
class Undelivered:
    """A report that doesn't get into its archive; ``due_at`` None: it isn't tried any more."""

    study_id: int
    patient_name: str
    problem: str
    tries: int
    due_at: datetime | None


class Condition:
    def __init__(self, own_session: sessionmaker[Session]) -> None:
        self._own_session = own_session

    def alarm_since(self) -> datetime | None:
        """When the alarm about guessing was raised; None while it is quiet."""
        with self._own_session() as session:
            return session.scalar(select(Alarm.raised_at).where(Alarm.name == limits.ATTACK))

    def grants(self, *, at: datetime) -> list[HeldBack]:
        """Those that could open something and have failed too often, the longest wait first; MOST_GRANTS at most."""
        query = (
            select(Grant)
            .where(text(f"({FAILING})"), Grant.revoked_at.is_(None))
            .where(or_(Grant.expires_at.is_(None), Grant.expires_at > at))
            .options(selectinload(Grant.studies))
            .order_by(Grant.next_try_at.desc(), Grant.id)
            .limit(MOST_GRANTS)
        )
        with self._own_session() as session:
            return [_held_back(grant, at) for grant in session.scalars(query)]

    def accounts(self, *, at: datetime) -> list[Account]:
        """Those that have to wait before they may try to sign in."""
        query = select(Staff).where(Staff.next_try_at > at, Staff.disabled_at.is_(None)).order_by(Staff.login)
        with self._own_session() as session:
            return [
                Account(one.login, one.name, one.failures, one.next_try_at - at)
                for one in session.scalars(query)
                if one.next_try_at is not None
            ]

    def follows(self, *, at: datetime) -> bool:
        """Whether a process follows the archives now."""
        with self._own_session() as session:
            query = select(Lease.name).where(Lease.name == follower.LEASE, Lease.expires_at > at)
            return session.scalar(query) is not None

    def archives(self, names: Sequence[str]) -> dict[str, Archive | None]:
        """Those of the settings; None for one that was never reached."""
        with self._own_session() as session:
            known = {one.name: one for one in session.scalars(select(Archive).where(Archive.name.in_(names)))}
        return {name: known.get(name) for name in sorted(names)}

    def undelivered(self) -> list[Undelivered]:
        """Reports that failed too often to be a hiccup, the worst first; MOST_GRANTS at most."""
        query = (
            select(
                Study.id,
                Study.patient_name,
                ReportDelivery.problem,
                ReportDelivery.tries,
                ReportDelivery.due_at,
            )
            .join(Report, Report.study_id == Study.id)
            .join(ReportDelivery, ReportDelivery.report_id == Report.id)
            .where(ReportDelivery.due_at.is_not(None), ReportDelivery.tries >= deliveries.STUCK)
            .order_by(ReportDelivery.tries.desc(), ReportDelivery.id)
            .limit(MOST_GRANTS)
        )
        with self._own_session() as session:
            return [Undelivered(*row) for row in session.execute(query)]


def _held_back(grant: Grant, at: datetime) -> HeldBack:
    is_locked = (
        grant.failures >= THROTTLE.locks_at(Policy(grant.policy))
        or grant.failures_in_life >= THROTTLE.lock_in_life
    )
    wait = max(timedelta(0), grant.next_try_at - at) if grant.next_try_at else timedelta(0)
    return HeldBack(
        ref=grant.ref,
        label=grant.label,
        studies=list(grant.studies),
        failures=grant.failures,
        failures_in_life=grant.failures_in_life,
        is_locked=is_locked,
        wait=wait,
    )
