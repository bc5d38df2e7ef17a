"""Passwords of accounts: which ones are refused, how one is kept, and what ends when it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain import staff_password
from app.domain.events import Event
from app.domain.staff_password import Weakness
from app.models import Staff, StaffSession
from app.services.audit import Audit
from app.services.site import Site
from app.services.staff_endings import end_sessions, revoke_links


class WeakPassword(ValueError):
    """The password is refused; the message is a sentence."""

    def __init__(self, weakness: Weakness) -> None:
        super().__init__(staff_password.SENTENCES[weakness])
        self.weakness = weakness


@dataclass(frozen=True)
class Hashed:
    """A password that may be kept, as it is kept."""

    kid: str
    encoded: str = field(repr=False)


class StaffPasswords:
    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, settings: Settings
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._settings = settings

    def refuse_weak(self, login: str, password: str) -> None:
        """Raises WeakPassword."""
        with self._own_session() as session:
            clinic = Site(session, self._audit, self._settings).facts().name
        weakness = staff_password.weakness_of(password, login=login, clinic=clinic)
        if weakness is not None:
            raise WeakPassword(weakness)

    def hashed(self, login: str, password: str) -> Hashed:
        """Before any transaction is open: a hash takes its time. Raises WeakPassword, Busy."""
        self.refuse_weak(login, password)
        kid = self._crypto.pepper_kid
        return Hashed(kid, self._crypto.hash_password(staff_password.normalised(password), kid=kid))

    def keep_within(
        self,
        session: Session,
        person: Staff,
        hashed: Hashed,
        *,
        at: datetime,
        actor: str,
        address: str | None = None,
        keep: int | None = None,
        **details: Any,
    ) -> None:
        """In the caller's transaction. All sessions end but the one whose id is ``keep``, and so do open links:
        whoever had the old password may have made or begun them."""
        session.execute(
            update(Staff)
            .where(Staff.id == person.id)
            .values(pepper_kid=hashed.kid, password_hash=hashed.encoded, failures=0, next_try_at=None)
        )
        ended = end_sessions(session, person.id, StaffSession.id != (keep or -1), at=at)
        revoke_links(session, person.id, at=at)
        self._audit.within(
            session,
            Event.STAFF_CHANGED,
            at=at,
            actor=actor,
            address=address,
            login=person.login,
            password="changed",  # noqa: S106 - that it was, not which
            sessions=ended,
            **details,
        )
