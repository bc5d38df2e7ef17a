"""Staff accounts and their sessions: adding, signing in and out.

A sign-in is counted before the password is compared, as an attempt of a patient is; an unknown login costs
the same hash and gets the same answer.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import case, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.adapters.hash_slots import Busy
from app.domain import staff as rules
from app.domain.events import Event
from app.domain.staff import Role
from app.models import Staff, StaffSession
from app.services.audit import Audit, StoreUnavailable

SESSION_IDLE = timedelta(minutes=30)
SESSION_LIMIT = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
# A flood of sign-ins stands behind the patients in the queue for hashes.
SIGN_IN_RANK = 1


class LoginTaken(Exception):
    """There is an account of this login already."""


class StaffAccounts:
    def __init__(
        self, session: Session, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit
    ) -> None:
        self._session = session
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit

    def add(
        self, *, login: str, name: str, roles: Iterable[Role], password: str, at: datetime, actor: str
    ) -> Staff:
        """Add an account. Raises LoginTaken; ValueError (a sentence) for an unusable login or password."""
        login = login.strip().lower()
        if not rules.LOGIN.fullmatch(login):
            raise ValueError("A login has letters a-z, digits, dots, hyphens and underscores, 64 at most.")
        if not rules.MIN_PASSWORD_LENGTH <= len(password) <= rules.MAX_PASSWORD_LENGTH:
            raise ValueError(f"A password has {rules.MIN_PASSWORD_LENGTH} characters or more.")
        names = rules.names_of(roles)
        kid = self._crypto.pepper_kid
        person = Staff(
            login=login,
            name=name.strip() or login,
            roles=names,
            pepper_kid=kid,
            password_hash=self._crypto.hash_password(password, kid=kid),
            added_at=at,
        )
        try:
            with self._session.begin_nested():
                self._session.add(person)
        except IntegrityError:
            raise LoginTaken(f"There is an account {login} already.") from None
        self._audit.within(self._session, Event.STAFF_ADDED, at=at, actor=actor, login=login, roles=names)
        return person

    def sign_in(self, login: str, password: str, *, address: str, at: datetime) -> str | None:
        """The key for the session cookie, or None: unknown, wrong, disabled or to wait, all the same.

        Raises StoreUnavailable, Busy.
        """
        login = login.strip().lower()
        if not rules.LOGIN.fullmatch(login):
            login = ""  # nobody's; PostgreSQL refuses some of what a person can type (NUL)
        try:
            person, may_try = self._record(login, at)
        except SQLAlchemyError as error:
            raise StoreUnavailable("the sign-in can't be recorded") from error
        with self._crypto.turn(SIGN_IN_RANK):
            if person is None or person.password_hash is None or person.pepper_kid is None:
                self._crypto.waste_a_hash()
                is_right = False
            else:
                is_right = self._crypto.verify_password(person.pepper_kid, person.password_hash, password)
        if person is None or not is_right or not may_try or person.disabled_at is not None:
            actor = f"staff:{person.login}" if person else "unknown"
            self._audit.record(Event.STAFF_REFUSED, at=at, actor=actor, address=address)
            return None
        renewed = self._renewed(person, password)
        key = secrets.token_urlsafe(32)
        try:
            self._let_in(person, key, renewed, address=address, at=at)
        except SQLAlchemyError as error:
            raise StoreUnavailable("the sign-in can't be recorded") from error
        return key

    def _let_in(
        self, person: Staff, key: str, renewed: dict[str, str | None], *, address: str, at: datetime
    ) -> None:
        with self._own_session.begin() as session:
            session.execute(update(Staff).where(Staff.id == person.id).values(failures=0, next_try_at=None))
            # Of a password that was changed meanwhile, the new one stays.
            session.execute(
                update(Staff)
                .where(Staff.id == person.id, Staff.password_hash == person.password_hash)
                .values(renewed)
            )
            session.add(
                StaffSession(key=_digest(key), staff_id=person.id, begun_at=at, proved_at=at, seen_at=at)
            )
            self._audit.within(
                session, Event.STAFF_SIGNED_IN, at=at, actor=f"staff:{person.login}", address=address
            )

    def _renewed(self, person: Staff, password: str) -> dict[str, str | None]:
        """The columns of the same password under the newest pepper, so that older ones can be retired."""
        kid = self._crypto.pepper_kid
        if person.pepper_kid != kid:
            try:
                return {"pepper_kid": kid, "password_hash": self._crypto.hash_password(password, kid=kid)}
            except Busy:  # at the next sign-in, then
                pass
        return {"pepper_kid": person.pepper_kid, "password_hash": person.password_hash}

    def _record(self, login: str, at: datetime) -> tuple[Staff | None, bool]:
        """Commit the attempt as a failure to be taken back on success."""
        with self._own_session.begin() as session:
            counted = session.execute(
                update(Staff)
                .where(Staff.login == login, or_(Staff.next_try_at.is_(None), Staff.next_try_at <= at))
                .values(
                    failures=Staff.failures + 1,
                    next_try_at=case(
                        {n: at + rules.delay_after(n) for n in range(1, 12)},
                        value=Staff.failures + 1,
                        else_=at + rules.delay_after(99),
                    ),
                )
                .returning(Staff.id)
            )
            may_try = counted.first() is not None
            return session.scalar(select(Staff).where(Staff.login == login)), may_try

    def find(self, key: str | None, *, at: datetime) -> Staff | None:
        """Whose session a cookie names, while it goes on. Use keeps it alive."""
        if not key:
            return None
        with self._own_session.begin() as session:
            query = select(StaffSession, Staff).join(Staff, Staff.id == StaffSession.staff_id)
            row = session.execute(query.where(StaffSession.key == _digest(key))).one_or_none()
            if row is None or row.StaffSession.ended_at or row.Staff.disabled_at:
                return None
            signed_in: StaffSession = row.StaffSession
            if at >= signed_in.begun_at + SESSION_LIMIT or at >= signed_in.seen_at + SESSION_IDLE:
                return None
            if at - signed_in.seen_at >= TOUCH_EVERY:
                signed_in.seen_at = at
            person: Staff = row.Staff
            return person

    def sign_out(self, key: str, *, address: str, at: datetime) -> None:
        person = self.find(key, at=at)
        if person is None:
            return
        with self._own_session.begin() as session:
            session.execute(update(StaffSession).where(StaffSession.key == _digest(key)).values(ended_at=at))
            self._audit.within(
                session, Event.STAFF_SIGNED_OUT, at=at, actor=f"staff:{person.login}", address=address
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
