"""Limits per network and for the whole site, shared by all processes through the database.

Everything is read from the attempts themselves: there is no counter that could disagree with them, forget to
come down after a success, or be purged too early (attempts older than an hour count nowhere). An attempt is
inserted and counted in one transaction; SQLite lets one writer in at a time, on PostgreSQL an advisory lock
for each network does the same, so a hundred tries at once over any number of processes are a hundred.
A network never has more than some twenty failures in its window (a hundred for the wider one), and each
question is one range of an index. Fails closed: no answer from the database, no try.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from app.domain.events import Event
from app.domain.limits import NARROW, SITE, WIDE, Failure, Networks, networks_of, rank_of
from app.models import Alarm, Attempt, Staff
from app.services.audit import Audit
from app.services.staff_throttle import StaffThrottle

log = structlog.get_logger(__name__)

REFUSED = "refused"  # services.proof.Outcome.REFUSED
ATTACK = "attack"
WATCH_EVERY = timedelta(seconds=5)


class TooManyFailures(Exception):
    """This network has to wait; nothing was compared or counted. Answer 429 with Retry-After."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(f"wait {retry_after}")
        self.retry_after = retry_after


@dataclass(frozen=True)
class NetworkState:
    """A network that failed lately, as staff see it."""

    network: str
    failures: int
    wait: timedelta


@dataclass(frozen=True)
class SiteState:
    """``unknown_codes``: failures with a code that nobody holds, within the last five minutes."""

    unknown_codes: int

    @property
    def is_alarm(self) -> bool:
        return self.unknown_codes > SITE.alarm_failures


class Limits:
    def __init__(self, own_session: sessionmaker[Session], audit: Audit) -> None:
        self._own_session = own_session
        self._audit = audit
        self._watched_at: datetime | None = None

    # An attempt.

    def check(self, networks: Networks, *, is_second_chance: bool, at: datetime) -> int:
        """Before any hash is paid for: the rank of a network that may try. Raises TooManyFailures."""
        with self._own_session() as session:
            return self._judge(session, networks, is_second_chance, at)

    def admit(self, session: Session, attempt: Attempt, *, is_second_chance: bool) -> None:
        """Add the attempt to the caller's transaction and count it, if its network may still try.

        Raises TooManyFailures; the caller's transaction has to be rolled back then.
        """
        networks = Networks(attempt.network, attempt.wide_network)
        session.add(attempt)
        session.flush()  # on SQLite this makes us the one writer
        self._lock(session, attempt.wide_network, attempt.network)
        rank = self._judge(session, networks, is_second_chance, attempt.at, but=attempt)
        attempt.is_under_cap = rank > 0

    def _judge(
        self,
        session: Session,
        networks: Networks,
        is_second_chance: bool,
        at: datetime,
        but: Attempt | None = None,
    ) -> int:
        own = but.id if but else None
        here = session.execute(
            select(Attempt.id, Attempt.at, Attempt.outcome, Attempt.grant_id).where(
                Attempt.network == networks.narrow,
                Attempt.at > at - NARROW.window,
                Attempt.is_forgiven.is_(False),
            )
        ).all()
        failures = [row for row in here if row.outcome in (None, REFUSED) and row.id != own]
        wait = NARROW.wait([Failure(row.at, row.outcome is not None) for row in failures], at=at)
        around = session.execute(
            select(Attempt.id, Attempt.at, Attempt.outcome)
            .where(Attempt.wide_network == networks.wide, *_counts(at - WIDE.window))
            .order_by(Attempt.at.desc())
            .limit(2 * WIDE.failures)
        ).all()
        wide = [Failure(row.at, row.outcome is not None) for row in around if row.id != own]
        wait = max(wait, WIDE.wait(wide, at=at))
        if wait:
            raise TooManyFailures(wait)
        refused = sum(row.outcome == REFUSED for row in failures)
        people = {row.grant_id for row in here if row.outcome not in (None, REFUSED)}
        rank = rank_of(refused, len(people), is_second_chance=is_second_chance)
        if rank:
            if but:
                self._lock(session, "site")
            self._take_one_of_the_sites(session, at, own)
        return rank

    def _take_one_of_the_sites(self, session: Session, at: datetime, own: int | None) -> None:
        query = select(func.count()).where(
            Attempt.at > at - SITE.cap_window, Attempt.is_under_cap, Attempt.id != (own or -1)
        )
        if session.scalar(query) >= SITE.cap_tries:  # type: ignore[operator]
            raise TooManyFailures(SITE.cap_wait)

    @staticmethod
    def _lock(session: Session, *names: str) -> None:
        """One transaction at a time for each name, always in the order wide, narrow, site (no deadlock)."""
        if session.get_bind().dialect.name == "postgresql":
            for name in names:
                session.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
                    {"name": f"limit {name}"},
                )

    # The whole site.

    def site(self, *, at: datetime) -> SiteState:
        with self._own_session() as session:
            query = select(func.count()).where(
                Attempt.grant_id.is_(None),
                Attempt.at > at - SITE.alarm_window,
                Attempt.is_forgiven.is_(False),
            )
            return SiteState(session.scalar(query) or 0)

    def watch(self, *, at: datetime) -> None:
        """Raise or end the alarm: log and audit trail, once each, whichever process sees it first.

        Looks at most once in five seconds, so that a flood doesn't pay for it at every try.
        """
        if self._watched_at is not None and abs(at - self._watched_at) < WATCH_EVERY:
            return
        self._watched_at = at
        state = self.site(at=at)
        if not self._turn(state.is_alarm, state, at):
            return
        if state.is_alarm:
            log.error("ALARM: somebody is guessing access codes", unknown_codes_in_5_min=state.unknown_codes)
        else:
            log.warning("the guessing of access codes has ended")

    def _turn(self, is_alarm: bool, state: SiteState, at: datetime) -> bool:
        """Whether we are the one who turned the alarm on or off."""
        before = Alarm.raised_at.is_(None) if is_alarm else Alarm.raised_at.is_not(None)
        turned = update(Alarm).where(Alarm.name == ATTACK, before).returning(Alarm.name)
        event = Event.ATTACK_BEGUN if is_alarm else Event.ATTACK_ENDED
        try:
            with self._own_session.begin() as session:
                if session.scalar(select(Alarm.name).where(Alarm.name == ATTACK)) is None:
                    if not is_alarm:
                        return False
                    session.add(Alarm(name=ATTACK, raised_at=at))
                    session.flush()
                elif session.scalar(turned.values(raised_at=at if is_alarm else None)) is None:
                    return False
                self._audit.within(
                    session, event, at=at, actor="studykey", unknown_codes_in_5_min=state.unknown_codes
                )
        except IntegrityError:
            return False  # another process was first
        return True

    # What staff see and do.

    def networks(self, *, at: datetime) -> list[NetworkState]:
        """The networks that failed within their window, those with most failures first."""
        found = []
        with self._own_session() as session:
            for column, limit in ((Attempt.network, NARROW), (Attempt.wide_network, WIDE)):
                query = select(column, Attempt.at, Attempt.outcome).where(*_counts(at - limit.window))
                failures: dict[str, list[Failure]] = {}
                for name, moment, outcome in session.execute(query.where(column != "")):
                    failures.setdefault(name, []).append(Failure(moment, outcome is not None))
                found += [
                    NetworkState(name, len(those), limit.wait(those, at=at))
                    for name, those in failures.items()
                ]
        return sorted(found, key=lambda state: (-state.wait, -state.failures, state.network))

    def reset(self, network: str | None, *, at: datetime, actor: str) -> int:
        """Forgive the failures of a network (an address, a /64, /24 or /48) or, with None, of all.

        How many there were. A grant's own delay and lock stay (``grants.unlock``). Raises ValueError for
        what is no network.
        """
        where = list(_counts(at - WIDE.window))
        if network is not None:
            name = network.strip()
            if "/" not in name:
                name = networks_of(name).narrow
            where.append(or_(Attempt.network == name, Attempt.wide_network == name))
        with self._own_session.begin() as session:
            forgiven = session.execute(
                update(Attempt).where(*where).values(is_forgiven=True).returning(Attempt.id)
            ).all()
            self._audit.within(
                session,
                Event.LIMITS_RESET,
                at=at,
                actor=actor,
                network=network or "all",
                failures=len(forgiven),
            )
        return len(forgiven)

    def reset_account(self, login: str, *, at: datetime, actor: str) -> bool:
        """Forgive the failures of an account: its next sign-in waits for nothing. False: there is no such account."""
        with self._own_session.begin() as session:
            staff_id = session.scalar(select(Staff.id).where(Staff.login == login))
            if staff_id is None:
                return False
            StaffThrottle.forgive(session, staff_id)
            self._audit.within(session, Event.LIMITS_RESET, at=at, actor=actor, account=login)
        return True


def _counts(since: datetime) -> tuple[ColumnElement[bool], ...]:
    """What counts as a failure: refused, not finished yet or never, and not forgiven."""
    return (
        Attempt.at > since,
        or_(Attempt.outcome.is_(None), Attempt.outcome == REFUSED),
        Attempt.is_forgiven.is_(False),
    )
