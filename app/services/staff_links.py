"""Signed links for people with an account: to choose a password, or to sign in once without one.

Owns who gets one and that each works exactly once. The token stands in the address's fragment, so that no log sees
it; showing what it is for uses nothing (mail scanners fetch links), only a form does.
"""

from __future__ import annotations

import re
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain.events import Event
from app.domain.staff import Role
from app.models import Staff, StaffLink
from app.services.audit import Audit
from app.services.own_transaction import own_transaction
from app.services.staff_endings import open_links, revoke_links
from app.services.staff_passwords import StaffPasswords
from app.services.staff_sessions import StaffSessions

TOKEN_PURPOSE = "staff-link"
_ID = re.compile(r"[A-Za-z0-9_-]{22}")


class Purpose(StrEnum):
    INVITATION = "invitation"  # choose a password for a new account
    PASSWORD = "password"  # choose another one
    SIGN_IN = "sign-in"  # once, without a password


LIVES = {
    Purpose.INVITATION: timedelta(days=7),
    Purpose.PASSWORD: timedelta(hours=24),
    Purpose.SIGN_IN: timedelta(hours=24),
}


class NotForThem(Exception):
    """A disabled account and a device get no link."""


@dataclass(frozen=True)
class LinkLook:
    """What the page of a link shows before it is used."""

    person: Staff = field(repr=False)
    purpose: Purpose
    may_change: bool
    expires_at: datetime


class StaffLinks:
    """Each call is a small transaction of its own, audit row included. Raises StoreUnavailable."""

    def __init__(
        self,
        own_session: sessionmaker[Session],
        crypto: Crypto,
        audit: Audit,
        passwords: StaffPasswords,
        sessions: StaffSessions,
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._passwords = passwords
        self._sessions = sessions

    def make(
        self,
        person: Staff,
        purpose: Purpose,
        *,
        may_change: bool = True,
        by: str,
        at: datetime,
        actor: str,
    ) -> str:
        """The token for ``<base URL>/staff/join#<token>``, of ``[A-Za-z0-9._~-]`` only; it is not kept, and can't
        be shown again. ``may_change`` counts for signing in; ``by``: the login of who makes it. Raises NotForThem."""
        link = StaffLink(
            id=secrets.token_urlsafe(16),
            staff_id=person.id,
            purpose=purpose,
            may_change=may_change,
            made_by=by[:80],
            made_at=at,
            expires_at=at + LIVES[purpose],
        )
        with self._transaction() as session:
            found = session.get_one(Staff, person.id)
            if found.disabled_at is not None or Role.DEVICE in found.role_set:
                raise NotForThem
            session.add(link)
            self._audit.within(
                session,
                Event.STAFF_LINK_MADE,
                at=at,
                actor=actor,
                login=found.login,
                purpose=purpose,
                may_change=may_change,
            )
        return self._crypto.sign(TOKEN_PURPOSE, link.id)

    def look(self, token: str, *, at: datetime) -> LinkLook | None:
        """What a link is for. None: not ours, used, taken back, expired, or its account is disabled."""
        link_id = self._crypto.unsign(TOKEN_PURPOSE, token)
        if link_id is None:
            return None
        with self._transaction() as session:
            query = select(StaffLink, Staff).join(Staff, Staff.id == StaffLink.staff_id)
            row = session.execute(query.where(StaffLink.id == link_id, *open_links(at))).one_or_none()
            if row is None or row.Staff.disabled_at is not None:
                return None
            link = row.StaffLink
            return LinkLook(row.Staff, Purpose(link.purpose), link.may_change, link.expires_at)

    def use_for_password(
        self, token: str, password: str, *, address: str, browser: str = "", at: datetime
    ) -> str | None:
        """Set the password and sign in: the key for the cookie. None: the link opens nothing (any more). All other
        sessions and links of the account end. Raises WeakPassword (then the link still works), Busy."""
        look = self.look(token, at=at)
        if look is None or look.purpose is Purpose.SIGN_IN:
            return None
        hashed = self._passwords.hashed(look.person.login, password)
        with self._transaction() as session:
            link = self._use(session, token, at, Purpose.INVITATION, Purpose.PASSWORD)
            if link is None:
                return None
            actor = f"staff:{look.person.login}"
            self._passwords.keep_within(
                session, look.person, hashed, at=at, actor=actor, address=address, link=link.purpose
            )
            return self._sessions.begin_within(
                session, link.staff_id, address=address, browser=browser, at=at
            )

    def use_to_sign_in(self, token: str, *, address: str, browser: str = "", at: datetime) -> str | None:
        """The key for the cookie. None: the link opens nothing (any more)."""
        with self._transaction() as session:
            link = self._use(session, token, at, Purpose.SIGN_IN)
            if link is None:
                return None
            return self._sessions.begin_within(
                session,
                link.staff_id,
                may_change=link.may_change,
                address=address,
                browser=browser,
                at=at,
            )

    def open_ones(self, person: Staff, *, at: datetime) -> list[StaffLink]:
        """The links that still work, newest first."""
        with self._own_session() as session:
            query = select(StaffLink).where(StaffLink.staff_id == person.id, *open_links(at))
            return list(session.scalars(query.order_by(StaffLink.made_at.desc(), StaffLink.id)))

    def revoke(self, person: Staff, link_id: str, *, at: datetime, actor: str) -> bool:
        """Take back a link of that person. False: none that still works."""
        if not _ID.fullmatch(link_id):
            return False
        with self._transaction() as session:
            if not revoke_links(session, person.id, StaffLink.id == link_id, at=at):
                return False
            self._audit.within(
                session, Event.STAFF_LINK_REVOKED, at=at, actor=actor, login=person.login, links=1
            )
            return True

    def _use(self, session: Session, token: str, at: datetime, *purposes: Purpose) -> StaffLink | None:
        """The link, used up in the caller's transaction: of two at once, one gets it."""
        link_id = self._crypto.unsign(TOKEN_PURPOSE, token)
        if link_id is None:
            return None
        used = session.execute(
            update(StaffLink)
            .where(
                StaffLink.id == link_id,
                StaffLink.purpose.in_(purposes),
                StaffLink.staff_id.in_(select(Staff.id).where(Staff.disabled_at.is_(None))),
                *open_links(at),
            )
            .values(used_at=at)
            .returning(StaffLink.id)
            .execution_options(synchronize_session=False)
        )
        return session.get(StaffLink, link_id) if used.first() is not None else None

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the link can't be recorded")
