"""How fast somebody may try to sign in to an account: passwords and second factors share one counter.

A try is counted and committed before anything is compared, and taken back when it was right. Whoever knows a login can
make strangers to the account wait, but hardly the person: a network that has signed in to it lately waits a minute
at most (NIST SP 800-63B-4, 3.2.2 names earlier successful addresses).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import case, false, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.domain import staff as rules
from app.domain.limits import networks_of
from app.models import Staff, StaffSession
from app.services.own_transaction import own_transaction

# How long a network is known by a session that was proved from it; sessions are kept as long.
KNOWN_FOR = timedelta(days=30)
LONGEST_OF_KNOWN = timedelta(minutes=1)
_STEPS = range(1, 12)  # of more failures the delay is the same


class StaffThrottle:
    def __init__(self, own_session: sessionmaker[Session]) -> None:
        self._own_session = own_session

    def count(self, login: str, *, address: str, at: datetime) -> tuple[Staff | None, bool]:
        """Commit a try as a failure: (the account, whether it may try now). An unknown login costs the same
        statements. A try during a delay is not counted and never extends it. Raises StoreUnavailable."""
        with own_transaction(self._own_session, "the sign-in can't be recorded") as session:
            is_known = self._is_known(session, login, address, at)
            # When the last counted try was, and the minute after it.
            waited = Staff.next_try_at <= case(
                {n: at + max(rules.delay_after(n) - LONGEST_OF_KNOWN, timedelta(0)) for n in _STEPS},
                value=Staff.failures,
                else_=at + rules.delay_after(99) - LONGEST_OF_KNOWN,
            )
            counted = session.execute(
                update(Staff)
                .where(
                    Staff.login == login,
                    or_(
                        Staff.next_try_at.is_(None),
                        Staff.next_try_at <= at,
                        waited if is_known else false(),
                    ),
                )
                .values(
                    failures=Staff.failures + 1,
                    next_try_at=case(
                        {n: at + rules.delay_after(n) for n in _STEPS},
                        value=Staff.failures + 1,
                        else_=at + rules.delay_after(99),
                    ),
                )
                .returning(Staff.id)
            )
            may_try = counted.first() is not None
            return session.scalar(select(Staff).where(Staff.login == login)), may_try

    @staticmethod
    def _is_known(session: Session, login: str, address: str, at: datetime) -> bool:
        query = (
            select(StaffSession.address)
            .join(Staff, Staff.id == StaffSession.staff_id)
            .where(
                Staff.login == login,
                StaffSession.proved_at.is_not(None),
                StaffSession.begun_at > at - KNOWN_FOR,
                StaffSession.address != "",
            )
            .distinct()
        )
        here = _network(address)
        return here is not None and here in {_network(found) for found in session.scalars(query)}

    @staticmethod
    def forgive(session: Session, staff_id: int) -> None:
        """Every factor was right: nothing counts any more. In the caller's transaction."""
        session.execute(update(Staff).where(Staff.id == staff_id).values(failures=0, next_try_at=None))

    @staticmethod
    def take_back(session: Session, staff_id: int) -> None:
        """The first of two factors was right: only this try is taken back, or whoever has the password could
        guess second factors without end. In the caller's transaction."""
        session.execute(
            update(Staff)
            .where(Staff.id == staff_id, Staff.failures > 0)
            .values(failures=Staff.failures - 1, next_try_at=None)
        )


def _network(address: str) -> str | None:
    try:
        return networks_of(address).narrow
    except ValueError:
        return None
