"""Proving who somebody is: a password, then perhaps a second factor, each counted before it is compared.

Owns the throttle's place around both, and the renewal of old verifiers. What a proof opens is the business of
``services.staff_sessions``. An unknown login costs the same hash and gets the same answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.adapters.hash_slots import Busy
from app.domain.events import Event
from app.domain.staff import LOGIN
from app.domain.staff_password import normalised
from app.models import Staff
from app.services.audit import Audit
from app.services.own_transaction import own_transaction
from app.services.second_factor import SecondFactor
from app.services.staff_throttle import StaffThrottle

# A flood of sign-ins stands behind the patients in the queue for hashes.
SIGN_IN_RANK = 1


class StaffProof:
    """What is right stays counted until the caller's transaction forgives it. Raises StoreUnavailable, Busy."""

    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, second_factor: SecondFactor
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._second_factor = second_factor
        self._throttle = StaffThrottle(own_session)

    def password(self, login: str, password: str, *, address: str, at: datetime) -> Staff | None:
        """Whose password it is. None: unknown, wrong, disabled or to wait, all the same."""
        login = login.strip().lower()
        if not LOGIN.fullmatch(login):
            login = ""  # nobody's; PostgreSQL refuses some of what a person can type (NUL)
        person, may_try = self._throttle.count(login, address=address, at=at)
        with self._crypto.turn(SIGN_IN_RANK):
            if person is None or person.password_hash is None or person.pepper_kid is None:
                self._crypto.waste_a_hash()
                is_right = False
            else:
                typed = normalised(password)
                is_right = self._crypto.verify_password(person.pepper_kid, person.password_hash, typed)
        if person is None or not is_right or not may_try or person.disabled_at is not None:
            self._record_refusal(person, address=address, at=at)
            return None
        return person

    def second_factor(
        self, session: Session, person: Staff, typed: str, *, address: str, at: datetime
    ) -> str | None:
        """Which factor was right, "app" or "recovery code", used up in the caller's transaction. None: neither,
        or to wait; it is noted there. ``count`` comes before."""
        used = self._second_factor.use_within(session, person.id, typed, at=at)
        if used is None:
            self.refused(session, person, address=address, at=at, factor="second")
        return used

    def count(self, person: Staff, *, address: str, at: datetime) -> bool:
        """Commit a try at the second factor as a failure. False: it has to wait, and nothing is compared."""
        _, may_try = self._throttle.count(person.login, address=address, at=at)
        if not may_try:
            self._record_refusal(person, address=address, at=at, factor="second")
        return may_try

    def forgive(self, session: Session, staff_id: int) -> None:
        self._throttle.forgive(session, staff_id)

    def take_back(self, session: Session, staff_id: int) -> None:
        self._throttle.take_back(session, staff_id)

    def renewed(self, person: Staff, password: str) -> dict[str, str | None]:
        """The columns of the same password under the newest pepper, so that older ones can be retired."""
        kid = self._crypto.pepper_kid
        if person.pepper_kid != kid:
            try:
                hashed = self._crypto.hash_password(normalised(password), kid=kid)
                return {"pepper_kid": kid, "password_hash": hashed}
            except Busy:  # at the next sign-in, then
                pass
        return {"pepper_kid": person.pepper_kid, "password_hash": person.password_hash}

    def keep_renewed(self, session: Session, person: Staff, renewed: dict[str, str | None]) -> bool:
        """False: the password was changed while this one was compared, so that it is none any more."""
        kept = session.execute(
            update(Staff)
            .where(Staff.id == person.id, Staff.password_hash == person.password_hash)
            .values(renewed)
            .returning(Staff.id)
            .execution_options(synchronize_session=False)
        )
        return kept.first() is not None

    def refused(
        self, session: Session, person: Staff | None, *, address: str, at: datetime, **details: Any
    ) -> None:
        actor = f"staff:{person.login}" if person else "unknown"
        self._audit.within(session, Event.STAFF_REFUSED, at=at, actor=actor, address=address, **details)

    def _record_refusal(self, person: Staff | None, *, address: str, at: datetime, **details: Any) -> None:
        with own_transaction(self._own_session, "the refusal can't be recorded") as session:
            self.refused(session, person, address=address, at=at, **details)
