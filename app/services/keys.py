"""Keys through their life: a new one takes over, the old one goes on reading, and goes when nothing needs it.

Owns who still needs a key. Refuses to take one out while a row does: what it proved would never open again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker
from sqlalchemy.sql.selectable import Select

from app.adapters import keys as keys_file
from app.adapters.keys import Key, Keyring
from app.config import Settings
from app.domain.events import Event
from app.models import (
    AuditChain,
    AuditEvent,
    Grant,
    RecoveryCode,
    Staff,
    StaffLink,
    StaffToken,
    ViewerToken,
    Visit,
)
from app.services.audit import Audit
from app.services.staff_endings import open_links, tokens_alive

# Work begun with a key before it was replaced has written its row by then.
SETTLES_AFTER = timedelta(minutes=5)


class NotRetired(Exception):
    """A key stays; the message is a sentence that says why."""


@dataclass(frozen=True)
class KeyInUse:
    """``needs``: how many rows of what can't do without it; only those that are some."""

    purpose: str
    key: Key
    is_newest: bool
    needs: dict[str, int]


class Keys:
    """Reads and replaces the keys file; running processes notice by themselves (``adapters.keys.KeysFile``)."""

    def __init__(self, own_session: sessionmaker[Session], audit: Audit, settings: Settings) -> None:
        self._own_session = own_session
        self._audit = audit
        self._settings = settings

    def every(self, *, at: datetime) -> list[KeyInUse]:
        """All keys, oldest first within their purpose. Raises KeysMissing."""
        ring = keys_file.read(self._settings.keys_file)
        with self._own_session() as session:
            return [
                KeyInUse(purpose, key, key == ring.newest(purpose), self._needs(session, ring, key.kid, at))
                for purpose in keys_file.PURPOSES
                for key in ring.keys[purpose]
            ]

    def rotate(self, purposes: Sequence[str], *, at: datetime, actor: str) -> list[Key]:
        """A new newest key for each purpose; every older key goes on reading. No grant, no visit ends.

        Raises KeysMissing, KeysUnwritable: then nothing was changed.
        """
        fresh = {purpose: keys_file.fresh(purpose, at=at) for purpose in purposes}

        def alter(ring: Keyring) -> Keyring:
            for purpose, key in fresh.items():
                ring = ring.with_new(purpose, key)
            return ring

        with self._own_session.begin() as session:
            for key in fresh.values():
                self._audit.within(session, Event.KEY_ROTATED, at=at, actor=actor, kid=key.kid)
            self._audit.write(session)  # no row, no key
            keys_file.change(self._settings.keys_file, alter)
        return list(fresh.values())

    def retire(self, kid: str, *, at: datetime, actor: str) -> None:
        """Take a key out for good. Raises NotRetired, KeysMissing, KeysUnwritable."""
        with self._own_session.begin() as session:

            def alter(ring: Keyring) -> Keyring:
                self._refuse(session, ring, kid, at)
                return ring.without(kid)

            self._audit.within(session, Event.KEY_RETIRED, at=at, actor=actor, kid=kid)
            self._audit.write(session)
            keys_file.change(self._settings.keys_file, alter)

    def _refuse(self, session: Session, ring: Keyring, kid: str, at: datetime) -> None:
        try:
            purpose = ring.purpose_of(kid)
        except KeyError:
            raise NotRetired(f"There is no key {kid}. studykey keys list shows them.") from None
        if ring.newest(purpose).kid == kid:
            raise NotRetired(
                f"{kid} is the newest of its purpose: studykey keys rotate {purpose} comes first."
            )
        replaced_at = _replaced_at(ring, kid)
        if replaced_at is not None and at < replaced_at + SETTLES_AFTER:
            until = replaced_at + SETTLES_AFTER
            raise NotRetired(
                f"{kid} was replaced a moment ago, and work begun before may still use it:"
                f" try again after {until:%H:%M:%S} UTC."
            )
        if needs := self._needs(session, ring, kid, at):
            rows = ", ".join(f"{count:,} {what}" for what, count in needs.items())
            raise NotRetired(f"{kid} is still needed by {rows}. It can go when they are gone.")

    def _needs(self, session: Session, ring: Keyring, kid: str, at: datetime) -> dict[str, int]:
        """How many rows of each kind need a key; for the newest, so far."""
        purpose = ring.purpose_of(kid)
        queries: dict[str, Select[int]] = {}
        if purpose == "pepper":
            # Revoked and expired ones too: that they are is said to their holder alone, after proof.
            queries["grants"] = _count(Grant.pepper_kid == kid)
            queries["audit rows"] = _count(AuditEvent.kid == kid)
            queries["ends of the audit trail"] = _count(AuditChain.kid == kid)
            queries["staff accounts (renewed as they sign in)"] = _count(Staff.pepper_kid == kid)
            is_left = RecoveryCode.used_at.is_(None)
            queries["recovery codes (their owners make new ones)"] = _count(
                RecoveryCode.pepper_kid == kid, is_left
            )
        elif purpose == "sealing":
            is_open = Grant.sealed_until > at
            queries["papers that can be printed again"] = _count(Grant.sealing_kid == kid, is_open)
            queries["second factors (renewed as they are used)"] = _count(Staff.totp_kid == kid)
        elif purpose == "signing":
            queries["open viewers"] = self._open_viewers(ring, kid, at)
            queries["links of accounts"] = _signed(ring, kid, StaffLink.made_at, *open_links(at))
            queries["tokens of devices and staff"] = _signed(
                ring, kid, StaffToken.issued_at, *tokens_alive(at)
            )
        found = {what: session.scalar(query) or 0 for what, query in queries.items()}
        return {what: count for what, count in found.items() if count}

    def _open_viewers(self, ring: Keyring, kid: str, at: datetime) -> Select[int]:
        """Viewer tokens that live and may carry this key's signature."""
        query = (
            _count(
                ViewerToken.revoked_at.is_(None),
                Visit.ended_at.is_(None),
                Visit.begun_at > at - self._settings.visit_limit,
                Visit.seen_at > at - self._settings.visit_idle,
            )
            .select_from(ViewerToken)
            .join(Visit, Visit.id == ViewerToken.visit_id)
        )
        return query.where(*_made_with(ring, kid, ViewerToken.issued_at))


def _signed(
    ring: Keyring, kid: str, made_at: InstrumentedAttribute[datetime], *conditions: ColumnElement[bool]
) -> Select[int]:
    return _count(*conditions, *_made_with(ring, kid, made_at))


def _made_with(
    ring: Keyring, kid: str, made_at: InstrumentedAttribute[datetime]
) -> list[ColumnElement[bool]]:
    """Conditions of the rows that may carry a signing key's signature, by their age: rows don't name it."""
    within = []
    begun_at, replaced_at = ring.get("signing", kid).made_at, _replaced_at(ring, kid)
    if begun_at is not None:
        within.append(made_at >= begun_at - SETTLES_AFTER)
    if replaced_at is not None:
        within.append(made_at <= replaced_at + SETTLES_AFTER)
    return within


def _count(*conditions: ColumnElement[Any]) -> Select[int]:
    return select(func.count()).where(*conditions)


def _replaced_at(ring: Keyring, kid: str) -> datetime | None:
    """When the next key of its purpose was made. None: it is the newest, or the file doesn't tell."""
    keys = ring.keys[ring.purpose_of(kid)]
    place = [key.kid for key in keys].index(kid)
    return keys[place + 1].made_at if place + 1 < len(keys) else None
