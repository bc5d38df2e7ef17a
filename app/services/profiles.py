"""Who is asking Orthanc, and what may they do: the same table that the staff pages use (``domain.staff``).

Owns what a staff token, a device's token and a device's password are worth at this moment. A session that is locked
opens nothing in Orthanc either: the viewer in the next tab would show what the lock covers. Its tokens wait
for the password, as its pages do. People never come by password here: it would pass by the second factor.
Whoever is unknown, a patient with a viewer token too, is NOBODY; what that token opens is asked elsewhere.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain.staff import LOGIN, ORTHANC, RUNNING, Act, Role, acts_of
from app.models import Staff, StaffSession, StaffToken
from app.services import staff_tokens
from app.services.audit import Audit, StoreUnavailable
from app.services.rules import SiteRules
from app.services.staff_endings import alive
from app.services.staff_proof import StaffProof
from app.services.staff_sessions import locks_at
from app.services.staff_tokens import EXPLORER_LIFE, Kind

TOUCH_EVERY = timedelta(minutes=1)
# A device sends hundreds of files: while its password is one that was right lately, it costs no hash and no row,
# and strangers who try others can't make it wait.
RIGHT_FOR = timedelta(minutes=15)
MOST_RIGHT = 1000


@dataclass(frozen=True)
class Profile:
    """``login`` None: nobody that we know. ``acts``: of ``domain.staff.ORTHANC``."""

    login: str | None = None
    name: str = ""
    acts: frozenset[Act] = frozenset()
    is_unlimited: bool = False  # an admin's


NOBODY = Profile()


class _Right(NamedTuple):
    """A password that was right: whose, under which stored hash, until when that counts."""

    staff_id: int
    password_hash: str | None
    until: datetime

    def is_of(self, device: Staff, at: datetime) -> bool:
        return (self.staff_id, self.password_hash) == (device.id, device.password_hash) and at < self.until


class Profiles:
    """Own small transactions. Raises StoreUnavailable, and Busy for a device's password."""

    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, proof: StaffProof
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._proof = proof
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, _Right] = OrderedDict()
        self._lock = threading.Lock()

    def of_token(self, token: str, *, archive: str = "", at: datetime) -> Profile:
        """Whose token it is, at most one write a minute; its use keeps a person's session alive. ``archive``: the
        one that asks."""
        found = staff_tokens.read(self._crypto, token, archive)
        if found is None:
            return NOBODY
        kind, token_id = found
        try:
            with self._own_session.begin() as session:
                row = session.get(StaffToken, token_id)
                if row is None or row.revoked_at is not None:
                    return NOBODY
                if kind is Kind.DEVICE:
                    profile = self._of_device(session, row)
                elif kind is Kind.EXPLORER and at >= row.issued_at + EXPLORER_LIFE:
                    return NOBODY
                else:
                    profile = self._of_person(session, row, at, kind)
                if profile is not NOBODY:
                    _touch(session, row, at)
                return profile
        except SQLAlchemyError as error:
            raise StoreUnavailable("the token can't be looked up") from error

    def of_device(self, login: str, password: str, *, address: str, at: datetime) -> Profile:
        """A device by its password, counted as a sign-in is. A person is as unknown here as anybody: no answer
        tells whether it was their password, and no try makes them wait where they do sign in."""
        key = hmac.digest(self._key, f"{login}\0{password}".encode(errors="surrogatepass"), "sha256")
        with self._lock:
            right = self._right.get(key)
        try:
            with self._own_session() as session:
                device = _device_called(session, login)
            if device is None or right is None or not right.is_of(device, at):
                device = self._prove(device.login if device else "", password, address=address, at=at)
                if device is None:
                    return NOBODY
                self._remember(key, device, at)
        except SQLAlchemyError as error:
            raise StoreUnavailable("the sign-in can't be recorded") from error
        return _profile(device)

    def of_login(self, login: str) -> Profile | None:
        """What somebody is called, for Orthanc's own records: an account that is disabled has a name too. It
        opens nothing: nobody has proved to be that person. None: there is no such account."""
        if not LOGIN.fullmatch(login):
            return None
        try:
            with self._own_session() as session:
                person = session.scalar(select(Staff).where(Staff.login == login))
        except SQLAlchemyError as error:
            raise StoreUnavailable("the account can't be looked up") from error
        return Profile(person.login, person.name) if person else None

    # Within.

    def _of_person(self, session: Session, token: StaffToken, at: datetime, kind: Kind) -> Profile:
        query = select(StaffSession, Staff).join(Staff, Staff.id == StaffSession.staff_id)
        row = session.execute(query.where(StaffSession.id == token.session_id, *alive(at))).one_or_none()
        if row is None:
            return NOBODY
        signed_in: StaffSession = row.StaffSession
        person: Staff = row.Staff
        locks = locks_at(signed_in, SiteRules(session, self._audit).now())
        if locks is not None and at >= locks:
            return NOBODY
        profile = _profile(person, may_change=kind is not Kind.LOOKING and signed_in.may_change)
        if kind is Kind.EXPLORER:
            return replace(profile, acts=profile.acts - RUNNING, is_unlimited=False)
        return profile

    def _of_device(self, session: Session, token: StaffToken) -> Profile:
        account = session.get_one(Staff, token.staff_id)
        is_device = token.session_id is None and Role.DEVICE in account.role_set
        return _profile(account) if is_device else NOBODY

    def _prove(self, login: str, password: str, *, address: str, at: datetime) -> Staff | None:
        device = self._proof.password(login, password, address=address, at=at)
        if device is not None:
            with self._own_session.begin() as session:
                self._proof.forgive(session, device.id)
        return device

    def _remember(self, key: bytes, device: Staff, at: datetime) -> None:
        with self._lock:
            self._right[key] = _Right(device.id, device.password_hash, at + RIGHT_FOR)
            self._right.move_to_end(key)
            while len(self._right) > MOST_RIGHT:
                self._right.popitem(last=False)


def _device_called(session: Session, login: str) -> Staff | None:
    if not LOGIN.fullmatch(login):
        return None
    account = session.scalar(select(Staff).where(Staff.login == login))
    return account if account is not None and Role.DEVICE in account.role_set else None


def _profile(account: Staff, *, may_change: bool = True) -> Profile:
    if account.disabled_at is not None:
        return NOBODY
    acts = acts_of(account.role_set, may_change=may_change)
    return Profile(account.login, account.name, acts & ORTHANC, is_unlimited=acts == frozenset(Act))


def _touch(session: Session, token: StaffToken, at: datetime) -> None:
    """Conditional: requests that come at once write once a minute, none turns the clock back or undoes a lock."""
    if token.used_at is not None and at - token.used_at < TOUCH_EVERY:
        return
    is_due = or_(StaffToken.used_at.is_(None), StaffToken.used_at <= at - TOUCH_EVERY)
    session.execute(
        update(StaffToken)
        .where(StaffToken.id == token.id, is_due)
        .values(used_at=at)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(StaffSession)
        .where(
            StaffSession.id == token.session_id,
            StaffSession.seen_at <= at - TOUCH_EVERY,
            StaffSession.locked_at.is_(None),
        )
        .values(seen_at=at)
        .execution_options(synchronize_session=False)
    )
