"""The second factor of an account: an authenticator app (TOTP), and ten recovery codes for when it is lost.

Owns setting it up, checking it exactly once, and taking it away. Throttling and sessions are the business of
``services.staff_sessions``. The secret is sealed under a key outside of the database and bound to its account.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters import totp
from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain import recovery_code
from app.domain.events import Event
from app.models import RecoveryCode, Staff
from app.services.audit import Audit
from app.services.own_transaction import own_transaction
from app.services.rules import SiteRules
from app.services.site import Site

log = structlog.get_logger(__name__)


class AlreadySet(Exception):
    """The account has a second factor; it has to be taken away first, which takes a code or an admin."""


class NotSet(Exception):
    """The account has no second factor."""


@dataclass(frozen=True)
class Enrolment:
    """What an app is told: the secret (base32) and the ``otpauth:`` address for its camera."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactor:
    """Each call is a small transaction of its own. Raises StoreUnavailable."""

    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, settings: Settings
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._settings = settings

    def is_required(self, person: Staff) -> bool:
        """Whether the clinic's rules ask a second factor of one of the person's roles."""
        with self._own_session() as session:
            return self.is_required_within(session, person)

    def is_required_within(self, session: Session, person: Staff) -> bool:
        wanted = SiteRules(session, self._audit).now().second_factor_roles
        return not person.role_set.isdisjoint(wanted)

    def is_set(self, person: Staff) -> bool:
        with self._own_session() as session:
            query = select(Staff.id).where(Staff.id == person.id, Staff.totp_sealed.is_not(None))
            return session.scalar(query) is not None

    def remaining(self, person: Staff) -> int:
        """How many recovery codes are left."""
        with self._own_session() as session:
            query = select(func.count()).where(
                RecoveryCode.staff_id == person.id, RecoveryCode.used_at.is_(None)
            )
            return session.scalar(query) or 0

    # Setting up and taking away.

    def begin(self, person: Staff, secret: str = "") -> Enrolment:
        """A fresh secret, or the one of a form whose code was wrong. Nothing is stored: the form carries it until a
        code proves that an app has it."""
        if not totp.is_secret(secret):
            secret = totp.fresh_secret()
        with self._own_session() as session:
            clinic = Site(session, self._audit, self._settings).facts().name
        return Enrolment(secret, totp.uri(secret, account=person.login, issuer=clinic))

    def confirm(
        self, person: Staff, secret: str, typed: str, *, at: datetime, actor: str, address: str | None = None
    ) -> list[str] | None:
        """Keep the secret: the recovery codes, shown this once. None: the code isn't the secret's.

        Raises AlreadySet.
        """
        with own_transaction(self._own_session, "the second factor can't be kept") as session:
            return self.confirm_within(session, person, secret, typed, at=at, actor=actor, address=address)

    def confirm_within(
        self,
        session: Session,
        person: Staff,
        secret: str,
        typed: str,
        *,
        at: datetime,
        actor: str,
        address: str | None,
    ) -> list[str] | None:
        step = totp.matching_step(secret, typed, at=at) if totp.is_secret(secret) else None
        if step is None:
            return None
        kid, sealed = self._crypto.seal_text(_context(person.id), secret)
        kept = session.execute(
            update(Staff)
            .where(Staff.id == person.id, Staff.totp_sealed.is_(None))
            .values(totp_sealed=sealed, totp_kid=kid, totp_step=step)
            .returning(Staff.id)
        )
        if kept.first() is None:
            raise AlreadySet
        self._note(session, person, "set up", at=at, actor=actor, address=address)
        return self._fresh_codes(session, person)

    def renew_recovery_codes(self, person: Staff, *, at: datetime, actor: str) -> list[str]:
        """Ten new ones, shown this once; the old ones are worth nothing. Raises NotSet."""
        with own_transaction(self._own_session, "the recovery codes can't be kept") as session:
            found = session.execute(  # a write: two who renew come one after the other
                update(Staff)
                .where(Staff.id == person.id, Staff.totp_sealed.is_not(None))
                .values(totp_step=Staff.totp_step)
                .returning(Staff.id)
            )
            if found.first() is None:
                raise NotSet
            self._note(session, person, "new recovery codes", at=at, actor=actor)
            return self._fresh_codes(session, person)

    def remove(self, person: Staff, *, at: datetime, actor: str) -> None:
        """Without a code: an admin's help for somebody who lost app and recovery codes."""
        with own_transaction(self._own_session, "the second factor can't be taken away") as session:
            self.remove_within(session, person, at=at, actor=actor, address=None)

    def remove_within(
        self, session: Session, person: Staff, *, at: datetime, actor: str, address: str | None
    ) -> None:
        removed = session.execute(
            update(Staff)
            .where(Staff.id == person.id, Staff.totp_sealed.is_not(None))
            .values(totp_sealed=None, totp_kid=None)  # the step stays: no code of before works again
            .returning(Staff.id)
        )
        if removed.first() is not None:
            session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == person.id))
            self._note(session, person, "removed", at=at, actor=actor, address=address)

    # Checking.

    def use_within(self, session: Session, staff_id: int, typed: str, *, at: datetime) -> str | None:
        """Which of the two was right, "app" or "recovery code"; it is used up. None: neither.

        In the caller's transaction, which has to commit before anything opens.
        """
        if totp.read(typed) is not None:
            return "app" if self._use_app(session, staff_id, typed, at) else None
        symbols = recovery_code.read(typed)
        if symbols is not None and self._use_recovery_code(session, staff_id, symbols, at):
            return "recovery code"
        return None

    def _use_app(self, session: Session, staff_id: int, typed: str, at: datetime) -> bool:
        person = session.get_one(Staff, staff_id)
        if person.totp_sealed is None or person.totp_kid is None:
            return False
        try:
            secret = self._crypto.unseal_text(_context(staff_id), person.totp_kid, person.totp_sealed)
        except (KeyError, ValueError):  # taken out of the file, or of another account: it must be seen
            log.error("a second factor can't be read", staff=person.login, kid=person.totp_kid)
            return False
        step = totp.matching_step(secret, typed, at=at)
        if step is None:
            return False
        values: dict[str, object] = {"totp_step": step}
        if person.totp_kid != self._crypto.sealing_kid:  # so that older keys can be retired
            values["totp_kid"], values["totp_sealed"] = self._crypto.seal_text(_context(staff_id), secret)
        used = session.execute(
            update(Staff)
            .where(Staff.id == staff_id, Staff.totp_step < step, Staff.totp_sealed == person.totp_sealed)
            .values(values)
            .returning(Staff.id)
            .execution_options(synchronize_session=False)
        )
        return used.first() is not None

    def _use_recovery_code(self, session: Session, staff_id: int, symbols: str, at: datetime) -> bool:
        query = select(RecoveryCode).where(RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None))
        for code in session.scalars(query).all():
            if hmac.compare_digest(code.mac, self._mac(code.pepper_kid, staff_id, symbols)):
                used = session.execute(
                    update(RecoveryCode)
                    .where(RecoveryCode.id == code.id, RecoveryCode.used_at.is_(None))
                    .values(used_at=at)
                    .returning(RecoveryCode.id)
                    .execution_options(synchronize_session=False)
                )
                return used.first() is not None
        return False

    def _mac(self, kid: str, staff_id: int, symbols: str) -> bytes:
        try:
            return self._crypto.recovery_mac(kid, staff_id, symbols)
        except KeyError:
            log.error("a pepper is missing", kid=kid)
            return b""

    def _fresh_codes(self, session: Session, person: Staff) -> list[str]:
        kid = self._crypto.pepper_kid
        codes = [recovery_code.fresh() for _ in range(recovery_code.HOW_MANY)]
        session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == person.id))
        session.add_all(
            RecoveryCode(
                staff_id=person.id, mac=self._crypto.recovery_mac(kid, person.id, code), pepper_kid=kid
            )
            for code in codes
        )
        return [recovery_code.grouped(code) for code in codes]

    def _note(
        self,
        session: Session,
        person: Staff,
        what: str,
        *,
        at: datetime,
        actor: str,
        address: str | None = None,
    ) -> None:
        self._audit.within(
            session,
            Event.STAFF_CHANGED,
            at=at,
            actor=actor,
            address=address,
            login=person.login,
            second_factor=what,
        )


def _context(staff_id: int) -> str:
    return f"totp:{staff_id}"
