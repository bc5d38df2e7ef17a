"""Accounts of people and devices: adding, changing, disabling, passwords.

Refuses to take away the last admin who can sign in, and passwords that are guessed first. Sessions, second factors
and links have rooms of their own (``services.staff_sessions``, ``second_factor``, ``staff_links``).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from app.domain import staff as rules
from app.domain.events import Event
from app.domain.staff import Role
from app.models import Staff
from app.services.audit import Audit
from app.services.own_transaction import own_transaction
from app.services.staff_endings import end_sessions, revoke_links
from app.services.staff_passwords import StaffPasswords, WeakPassword

__all__ = ["LastAdmin", "LoginTaken", "StaffAccounts", "Unusable", "WeakPassword"]

MAX_NAME = 120


class LoginTaken(Exception):
    """There is an account of this login already."""


class Unusable(ValueError):
    """A login, name or choice of roles that can't be used; the message is a sentence."""


class LastAdmin(Exception):
    """Nobody could change accounts and settings any more."""


class StaffAccounts:
    """Each call is a small transaction of its own, audit row included. Raises StoreUnavailable, Busy."""

    def __init__(
        self,
        own_session: sessionmaker[Session],
        audit: Audit,
        passwords: StaffPasswords,
    ) -> None:
        self._own_session = own_session
        self._audit = audit
        self._passwords = passwords

    def add(
        self,
        *,
        login: str,
        name: str,
        roles: Iterable[Role],
        password: str | None,
        at: datetime,
        actor: str,
    ) -> Staff:
        """Add an account; without a password it takes a link to sign in. Raises LoginTaken, Unusable,
        WeakPassword."""
        login = login.strip().lower()
        if not rules.LOGIN.fullmatch(login):
            raise Unusable("A login has letters a-z, digits, dots, hyphens and underscores, 64 at most.")
        person = Staff(login=login, name=_name(name) or login, roles=_names(roles), added_at=at)
        if password is not None:
            hashed = self._passwords.hashed(login, password)
            person.pepper_kid, person.password_hash = hashed.kid, hashed.encoded
        with self._transaction() as session:
            try:
                with session.begin_nested():
                    session.add(person)
            except IntegrityError:
                raise LoginTaken(f"There is an account {login} already.") from None
            self._note(session, Event.STAFF_ADDED, person, at=at, actor=actor, roles=person.roles)
        return person

    def change(
        self,
        person: Staff,
        *,
        name: str | None = None,
        roles: Iterable[Role] | None = None,
        at: datetime,
        actor: str,
    ) -> Staff:
        """Another name or other roles, from the next page on. Raises LastAdmin, Unusable."""
        wanted: dict[str, str] = {}
        if name is not None:
            wanted["name"] = _name(name) or person.login
        if roles is not None:
            wanted["roles"] = _names(roles)
        with self._transaction() as session:
            admins = _lock_admins(session)
            found = session.get_one(Staff, person.id)
            changed = {column: value for column, value in wanted.items() if getattr(found, column) != value}
            if "roles" in changed and Role.DEVICE in found.role_set ^ rules.roles_from(changed["roles"]):
                raise Unusable("A device stays a device, and a person a person: add another account.")
            for column, value in changed.items():
                setattr(found, column, value)
            if changed:
                session.flush()
                _refuse_no_admin(session, found, admins)
                self._note(session, Event.STAFF_CHANGED, found, at=at, actor=actor, **changed)
        return found

    def disable(self, person: Staff, *, at: datetime, actor: str) -> Staff:
        """At once: sessions end and links open nothing; enabling brings neither back. Raises LastAdmin."""
        with self._transaction() as session:
            admins = _lock_admins(session)
            found = session.get_one(Staff, person.id)
            if found.disabled_at is None:
                found.disabled_at = at
                session.flush()
                _refuse_no_admin(session, found, admins)
                ended = end_sessions(session, found.id, at=at)
                revoked = revoke_links(session, found.id, at=at)
                self._note(
                    session, Event.STAFF_DISABLED, found, at=at, actor=actor, sessions=ended, links=revoked
                )
        return found

    def enable(self, person: Staff, *, at: datetime, actor: str) -> Staff:
        with self._transaction() as session:
            found = session.get_one(Staff, person.id)
            if found.disabled_at is not None:
                found.disabled_at, found.failures, found.next_try_at = None, 0, None
                self._note(session, Event.STAFF_ENABLED, found, at=at, actor=actor)
        return found

    def set_password(
        self, person: Staff, password: str, *, at: datetime, actor: str, keep: int | None = None
    ) -> None:
        """All sessions end but the one whose id is ``keep``, and so do open links. Raises WeakPassword."""
        hashed = self._passwords.hashed(person.login, password)
        with self._transaction() as session:
            self._passwords.keep_within(session, person, hashed, at=at, actor=actor, keep=keep)

    def refuse_weak(self, person: Staff, password: str) -> None:
        """For whoever has something to do before the password is set. Raises WeakPassword."""
        self._passwords.refuse_weak(person.login, password)

    # Who there is.

    def by_login(self, login: str) -> Staff | None:
        login = login.strip().lower()
        if not rules.LOGIN.fullmatch(login):
            return None
        with self._own_session() as session:
            return session.scalar(select(Staff).where(Staff.login == login))

    def by_id(self, staff_id: int) -> Staff | None:
        if not 0 < staff_id < 1 << 31:
            return None
        with self._own_session() as session:
            return session.get(Staff, staff_id)

    def all(self) -> list[Staff]:
        """People and devices, by login."""
        with self._own_session() as session:
            return list(session.scalars(select(Staff).order_by(Staff.login)))

    # Within.

    def _note(
        self, session: Session, event: Event, person: Staff, *, at: datetime, actor: str, **details: Any
    ) -> None:
        self._audit.within(session, event, at=at, actor=actor, login=person.login, **details)

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the account can't be written")


def _is_admin() -> tuple[ColumnElement[bool], ...]:
    """Conditions of the accounts that can sign in and do everything."""
    return (
        or_(Staff.roles == Role.ADMIN, Staff.roles.startswith(f"{Role.ADMIN},")),  # domain.staff.names_of
        Staff.disabled_at.is_(None),
        or_(Staff.password_hash.is_not(None), Staff.subject.is_not(None)),
    )


def _lock_admins(session: Session) -> set[int]:
    """Two admins who demote each other at once come one after the other (SQLite has one writer anyway)."""
    return set(session.scalars(select(Staff.id).where(*_is_admin()).order_by(Staff.id).with_for_update()))


def _refuse_no_admin(session: Session, changed: Staff, before: set[int]) -> None:
    """Raises LastAdmin."""
    if changed.id in before and not session.scalar(
        select(func.count()).select_from(Staff).where(*_is_admin())
    ):
        raise LastAdmin


def _name(text: str) -> str:
    """As it is shown and printed: one line of printable text. Raises Unusable."""
    name = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(name) > MAX_NAME:
        raise Unusable(f"A name has {MAX_NAME} characters at most.")
    return name


def _names(roles: Iterable[Role]) -> str:
    try:
        return rules.names_of(roles)
    except ValueError as error:
        raise Unusable(str(error)) from None
