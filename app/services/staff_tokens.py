"""Tokens of staff: what a person's viewer or a device carries to Orthanc, a signed reference to a row.

A person's token lives and dies with the session it was issued to; a device's until an admin revokes it. A viewer
carries its token in the address bar, so the one it is given may only look, whatever its person may do. Orthanc
Explorer 2 takes its token from the address, too, and keeps it in the browser: the one that it is given may change
studies if its person may, but it runs nothing, lasts EXPLORER_LIFE at most and is worth nothing in another archive.
Each kind has a visible prefix, by which a gate tells it from a patient's token, and a signature of its own: a prefix
put before another token makes nothing of it. What a token may do is the business of ``services.profiles``.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain.events import Event
from app.domain.staff import Role
from app.models import Staff, StaffSession, StaffToken
from app.services.audit import Audit
from app.services.own_transaction import own_transaction

MAX_NAME = 80
# A new one takes one click.
EXPLORER_LIFE = timedelta(hours=1)


class Kind(Enum):
    """Prefix and signature's purpose. Within ``[A-Za-z0-9._~-]``, as Stone needs it; a gate knows the prefixes."""

    LOOKING = ("staff~", "staff-viewer-token")  # a person's, for a viewer
    EXPLORER = ("staff~", "staff-explorer-token")  # a person's, for Orthanc Explorer 2 of one archive
    PERSON = ("staff~", "staff-token")  # with all that the person may do
    DEVICE = ("device~", "device-token")


class NotADevice(Exception):
    """People get no token that lasts, and a disabled account none at all."""


class Unusable(ValueError):
    """A name that can't be used; the message is a sentence."""


class StaffTokens:
    """Each call is a small transaction of its own, audit row included. Raises StoreUnavailable."""

    def __init__(self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit

    def issue(self, signed_in: StaffSession, *, may_change: bool = False, at: datetime) -> str:
        """A token for somebody who is signed in, under 100 characters of ``[A-Za-z0-9._~-]``. What is opened
        with it, and by whom, the caller has put on record before. ``may_change``: never for an address."""
        token_id = self._keep(signed_in, at)
        return _signed(self._crypto, Kind.PERSON if may_change else Kind.LOOKING, token_id)

    def issue_for_explorer(self, signed_in: StaffSession, archive: str, *, at: datetime) -> str:
        """A token for Orthanc Explorer 2 of that archive; shape and record as for ``issue``."""
        return _signed(self._crypto, Kind.EXPLORER, self._keep(signed_in, at), archive)

    def make(self, device: Staff, name: str = "", *, at: datetime, actor: str) -> str:
        """A token for a device, shown this once. ``name``: what an admin calls it ("console 2"). Raises
        NotADevice, Unusable."""
        name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
        if len(name) > MAX_NAME:
            raise Unusable(f"A token's name has at most {MAX_NAME} characters.")
        with self._transaction() as session:
            found = session.get_one(Staff, device.id)
            if Role.DEVICE not in found.role_set or found.disabled_at is not None:
                raise NotADevice
            token = StaffToken(id=secrets.token_urlsafe(16), staff_id=found.id, name=name, issued_at=at)
            session.add(token)
            self._audit.within(
                session, Event.STAFF_TOKEN_ISSUED, at=at, actor=actor, login=found.login, token=name
            )
        return _signed(self._crypto, Kind.DEVICE, token.id)

    def of(self, device: Staff) -> list[StaffToken]:
        """A device's tokens that are not revoked, newest first."""
        with self._own_session() as session:
            query = select(StaffToken).where(
                StaffToken.staff_id == device.id,
                StaffToken.session_id.is_(None),
                StaffToken.revoked_at.is_(None),
            )
            return list(session.scalars(query.order_by(StaffToken.issued_at.desc(), StaffToken.id)))

    def revoke(self, device: Staff, token_id: str, *, at: datetime, actor: str) -> bool:
        """Nothing more is stored with it. False: the device has no such token any more."""
        with self._transaction() as session:
            name = session.scalar(
                update(StaffToken)
                .where(
                    StaffToken.id == token_id,
                    StaffToken.staff_id == device.id,
                    StaffToken.session_id.is_(None),
                    StaffToken.revoked_at.is_(None),
                )
                .values(revoked_at=at)
                .returning(StaffToken.name)
            )
            if name is not None:
                self._audit.within(
                    session, Event.STAFF_TOKEN_REVOKED, at=at, actor=actor, login=device.login, token=name
                )
        return name is not None

    def _keep(self, signed_in: StaffSession, at: datetime) -> str:
        token = StaffToken(
            id=secrets.token_urlsafe(16), staff_id=signed_in.staff_id, session_id=signed_in.id, issued_at=at
        )
        with self._transaction() as session:
            session.add(token)
        return token.id

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the token can't be recorded")


def read(crypto: Crypto, token: str, archive: str) -> tuple[Kind, str] | None:
    """What a token of ours is to that archive, and the id of its row; None for anything else."""
    for kind in Kind:
        prefix, purpose = _signature(kind, archive)
        if token.startswith(prefix) and (found := crypto.unsign(purpose, token.removeprefix(prefix))):
            return kind, found
    return None


def _signed(crypto: Crypto, kind: Kind, token_id: str, archive: str = "") -> str:
    prefix, purpose = _signature(kind, archive)
    return prefix + crypto.sign(purpose, token_id)


def _signature(kind: Kind, archive: str) -> tuple[str, str]:
    prefix, purpose = kind.value
    return prefix, f"{purpose}:{archive}" if kind is Kind.EXPLORER else purpose
