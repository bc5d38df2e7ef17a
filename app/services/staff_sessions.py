"""Signed-in browsers of people with an account: from the password to signing out.

One place, ``begin_within``, turns a proved identity into a session, whoever proved it: a password, a link, later an
identity provider. Owns what a cookie's key stands for, the second factor's place in it, and the lock. Refuses devices:
they have tokens. Comparing is the business of ``services.staff_proof``.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain.events import Event
from app.domain.staff import Role, acts_of
from app.models import Staff, StaffSession
from app.services.audit import Audit
from app.services.own_transaction import own_transaction
from app.services.rules import SiteRules
from app.services.second_factor import SecondFactor
from app.services.staff_endings import SESSION_IDLE, SESSION_LIMIT, alive, end_sessions
from app.services.staff_found import Found, Locked, NeedsSecondFactor, SignedIn, locks_at
from app.services.staff_proof import StaffProof

__all__ = ["Found", "Locked", "NeedsSecondFactor", "SignedIn", "StaffSessions", "alive", "locks_at"]

PENDING_LIFE = timedelta(minutes=10)  # to find the telephone
TOUCH_EVERY = timedelta(minutes=1)
MAX_BROWSER = 200


class StaffSessions:
    """Each call is a small transaction of its own, audit row included. Raises StoreUnavailable, Busy."""

    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, second_factor: SecondFactor
    ) -> None:
        self._own_session = own_session
        self._audit = audit
        self._second_factor = second_factor
        self._proof = StaffProof(own_session, crypto, audit, second_factor)

    # In.

    def sign_in(
        self, login: str, password: str, *, address: str, browser: str = "", at: datetime
    ) -> str | None:
        """The key for the cookie, or None: unknown, wrong, disabled or to wait, all the same. What the key opens,
        and whether a second factor comes first, is said by ``find``."""
        person = self._proof.password(login, password, address=address, at=at)
        if person is None:
            return None
        renewed = self._proof.renewed(person, password)
        with self._transaction() as session:
            key = None
            if self._proof.keep_renewed(session, person, renewed):
                key = self.begin_within(session, person.id, address=address, browser=browser, at=at)
            if key is None:
                self._proof.refused(session, person, address=address, at=at)
            return key

    def begin_for(
        self, person: Staff, *, may_change: bool = True, address: str, browser: str = "", at: datetime
    ) -> str | None:
        """A session for somebody whose identity was proved elsewhere. None: disabled, or a device."""
        with self._transaction() as session:
            return self.begin_within(
                session, person.id, may_change=may_change, address=address, browser=browser, at=at
            )

    def begin_within(
        self,
        session: Session,
        staff_id: int,
        *,
        may_change: bool = True,
        address: str,
        browser: str,
        at: datetime,
    ) -> str | None:
        """``begin_for`` in the caller's transaction. With a second factor set or asked for, the session opens
        nothing until that is right."""
        person = session.get(Staff, staff_id, populate_existing=True, with_for_update=True)
        if person is None or person.disabled_at is not None or Role.DEVICE in person.role_set:
            return None
        is_half = person.totp_sealed is not None or self._second_factor.is_required_within(session, person)
        if is_half:
            self._proof.take_back(session, staff_id)
        else:
            self._proof.forgive(session, staff_id)
            self._note(session, Event.STAFF_SIGNED_IN, person, address=address, at=at)
        key = secrets.token_urlsafe(32)
        session.add(
            StaffSession(
                key=_digest(key),
                staff_id=staff_id,
                begun_at=at,
                proved_at=None if is_half else at,
                seen_at=at,
                may_change=may_change,
                address=address,
                browser="".join(c for c in browser[:MAX_BROWSER] if c.isprintable()),
            )
        )
        return key

    def prove_second_factor(self, key: str | None, typed: str, *, address: str, at: datetime) -> bool:
        """The code of the app, or a recovery code: right, the session opens. Counted as a password is."""
        found = self.find(key, at=at)
        if not isinstance(found, NeedsSecondFactor) or found.must_enrol:
            return False
        if not self._proof.count(found.person, address=address, at=at):
            return False
        with self._transaction() as session:
            used = self._proof.second_factor(session, found.person, typed, address=address, at=at)
            return used is not None and self._open(session, found, used, address=address, at=at)

    def enrol(
        self, key: str | None, secret: str, typed: str, *, address: str, at: datetime
    ) -> list[str] | None:
        """For a session that has to set up its second factor first: keep it, and open the session. The recovery
        codes, shown this once; None: the code isn't the secret's, or there is nothing to set up."""
        found = self.find(key, at=at)
        if not isinstance(found, NeedsSecondFactor) or not found.must_enrol:
            return None
        person = found.person
        with self._transaction() as session:
            codes = self._second_factor.confirm_within(
                session, person, secret, typed, at=at, actor=_actor(person), address=address
            )
            if codes is not None:
                self._open(session, found, "app", address=address, at=at)
            return codes

    # While it goes on.

    def find(self, key: str | None, *, at: datetime, touches: bool = True) -> Found | None:
        """What a cookie's key stands for at this moment. Use keeps it alive; ``touches`` False (a page that
        refreshes by itself) doesn't."""
        if not key:
            return None
        with self._transaction() as session:
            query = select(StaffSession, Staff).join(Staff, Staff.id == StaffSession.staff_id)
            row = session.execute(query.where(StaffSession.key == _digest(key))).one_or_none()
            if row is None:
                return None
            signed_in: StaffSession = row.StaffSession
            person: Staff = row.Staff
            if signed_in.ended_at is not None or person.disabled_at is not None:
                return None
            if at >= signed_in.begun_at + SESSION_LIMIT or at >= signed_in.seen_at + SESSION_IDLE:
                return None
            if signed_in.proved_at is None:
                if at >= signed_in.begun_at + PENDING_LIFE:
                    return None
                return NeedsSecondFactor(person, signed_in, person.totp_sealed is None)
            locks = locks_at(signed_in, SiteRules(session, self._audit).now())
            if locks is not None and at >= locks:
                return Locked(person, signed_in, person.password_hash is not None)
            if touches and at - signed_in.seen_at >= TOUCH_EVERY:
                _touch(session, signed_in.id, at)
            return SignedIn(person, signed_in, acts_of(person.role_set, may_change=signed_in.may_change))

    def stay(self, key: str | None, *, at: datetime) -> None:
        """Somebody is at work on a page that asks for nothing. Written down to the second, not once a minute as use
        is: the page and this place have to agree on when it locks."""
        found = self.find(key, at=at, touches=False)
        if isinstance(found, SignedIn):
            with self._transaction() as session:
                session.execute(
                    update(StaffSession)
                    .where(
                        StaffSession.id == found.session.id,
                        StaffSession.seen_at < at,
                        StaffSession.locked_at.is_(None),
                    )
                    .values(seen_at=at)
                )

    def lock(self, key: str | None, *, address: str, at: datetime) -> None:
        """Somebody leaves a shared computer: nothing opens until the password is typed."""
        found = self.find(key, at=at, touches=False)
        if not isinstance(found, SignedIn):
            return
        with self._transaction() as session:
            locked = session.execute(
                update(StaffSession)
                .where(StaffSession.id == found.session.id, StaffSession.locked_at.is_(None))
                .values(locked_at=at)
                .returning(StaffSession.id)
            )
            if locked.first() is not None:
                self._note(session, Event.STAFF_LOCKED, found.person, address=address, at=at)

    def unlock(self, key: str | None, password: str, *, address: str, at: datetime) -> bool:
        """The password opens a locked session again; counted as a sign-in is."""
        found = self.find(key, at=at, touches=False)
        if not isinstance(found, Locked) or not found.can_unlock:
            return False
        if self._proof.password(found.person.login, password, address=address, at=at) is None:
            return False
        with self._transaction() as session:
            opened = session.execute(
                update(StaffSession)
                .where(StaffSession.id == found.session.id, StaffSession.ended_at.is_(None))
                .values(locked_at=None, seen_at=at)
                .returning(StaffSession.id)
            )
            if opened.first() is None:
                return False
            self._proof.forgive(session, found.person.id)
            self._note(session, Event.STAFF_UNLOCKED, found.person, address=address, at=at)
        return True

    def check_password(self, person: Staff, password: str, *, address: str, at: datetime) -> bool:
        """Whether somebody who is signed in is still the person: before their password or second factor is
        changed. Counted as a sign-in is."""
        if self._proof.password(person.login, password, address=address, at=at) is None:
            return False
        with self._transaction() as session:
            self._proof.forgive(session, person.id)
        return True

    def remove_second_factor(self, person: Staff, typed: str, *, address: str, at: datetime) -> bool:
        """One's own, with one of its codes; counted as a sign-in is."""
        if not self._proof.count(person, address=address, at=at):
            return False
        with self._transaction() as session:
            if self._proof.second_factor(session, person, typed, address=address, at=at) is None:
                return False
            self._proof.forgive(session, person.id)
            self._second_factor.remove_within(session, person, at=at, actor=_actor(person), address=address)
        return True

    # Out.

    def of(self, person: Staff, *, at: datetime) -> list[StaffSession]:
        """Those that go on, locked or not, newest first."""
        with self._own_session() as session:
            query = select(StaffSession).where(StaffSession.staff_id == person.id, *alive(at))
            return list(session.scalars(query.order_by(StaffSession.begun_at.desc(), StaffSession.id.desc())))

    def sign_out(self, key: str | None, *, address: str, at: datetime) -> None:
        found = self.find(key, at=at, touches=False)
        if found is not None:
            self.end(found.person, found.session.id, at=at, actor=_actor(found.person), address=address)

    def end(
        self, person: Staff, session_id: int, *, at: datetime, actor: str, address: str | None = None
    ) -> bool:
        """End one session of that person. False: there is none that goes on."""
        where = StaffSession.id == (session_id if 0 < session_id < 1 << 31 else -1)
        return self._end(person, where, at=at, actor=actor, address=address) > 0

    def end_others(self, key: str | None, *, address: str, at: datetime) -> int:
        """End all of one's sessions but this one: how many."""
        found = self.find(key, at=at)
        if not isinstance(found, SignedIn):
            return 0
        where = StaffSession.id != found.session.id
        return self._end(found.person, where, at=at, actor=_actor(found.person), address=address)

    def end_all(self, person: Staff, *, at: datetime, actor: str, address: str | None = None) -> int:
        """How many there were."""
        where = StaffSession.staff_id == person.id
        return self._end(person, where, at=at, actor=actor, address=address)

    # Within.

    def _end(
        self,
        person: Staff,
        where: ColumnElement[bool],
        *,
        at: datetime,
        actor: str,
        address: str | None,
    ) -> int:
        with self._transaction() as session:
            ended = end_sessions(session, person.id, where, at=at)
            if ended:
                self._audit.within(
                    session,
                    Event.STAFF_SIGNED_OUT,
                    at=at,
                    actor=actor,
                    address=address,
                    login=person.login,
                    sessions=ended,
                )
            return ended

    def _open(
        self, session: Session, found: NeedsSecondFactor, used: str, *, address: str, at: datetime
    ) -> bool:
        opened = session.execute(
            update(StaffSession)
            .where(
                StaffSession.id == found.session.id,
                StaffSession.proved_at.is_(None),
                StaffSession.ended_at.is_(None),
            )
            .values(proved_at=at, seen_at=at)
            .returning(StaffSession.id)
        )
        if opened.first() is None:
            return False
        self._proof.forgive(session, found.person.id)
        self._note(session, Event.STAFF_SIGNED_IN, found.person, address=address, at=at, second_factor=used)
        return True

    def _note(
        self, session: Session, event: Event, person: Staff, *, address: str, at: datetime, **details: Any
    ) -> None:
        self._audit.within(session, event, at=at, actor=_actor(person), address=address, **details)

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the sign-in can't be recorded")


def _touch(session: Session, session_id: int, at: datetime) -> None:
    """Conditional: pages that load at once write once a minute, none turns the clock back or undoes a lock."""
    session.execute(
        update(StaffSession)
        .where(
            StaffSession.id == session_id,
            StaffSession.seen_at <= at - TOUCH_EVERY,
            StaffSession.locked_at.is_(None),
        )
        .values(seen_at=at)
        .execution_options(synchronize_session=False)
    )


def _actor(person: Staff) -> str:
    return f"staff:{person.login}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
