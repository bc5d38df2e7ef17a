"""The audit trail: append-only rows of who did what to which study, when, with what outcome.

Refuses nothing and hides nothing, but never takes a secret: codes, passwords, birth dates, tokens stay out. Rows are
chained (domain.audit_chain) as the last thing of the transaction that they belong to: see docs/adr/0007.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import structlog
from sqlalchemy import Table, bindparam
from sqlalchemy import event as events
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from app.adapters.crypto import Crypto
from app.domain import audit_chain
from app.domain.audit_chain import Head
from app.domain.events import Event
from app.models import AuditChain, AuditEvent

log = structlog.get_logger(__name__)

_WAITING = "studykey.audit"


class StoreUnavailable(Exception):
    """A security row can't be written. Fail closed: no record, no guess, no token (503)."""


class Audit:
    def __init__(self, own_session: sessionmaker[Session], crypto: Crypto) -> None:
        self._own_session = own_session
        self._crypto = crypto

    def record(
        self,
        event: Event,
        *,
        at: datetime,
        actor: str,
        address: str | None = None,
        grant_id: int | None = None,
        study_id: int | None = None,
        **details: Any,
    ) -> None:
        """Write a row that stands whatever becomes of the request: committed before the outcome is known.

        Raises StoreUnavailable. On SQLite it waits for other writers: call it before the page's own writes.
        """
        try:
            with self._own_session.begin() as session:
                self.within(
                    session,
                    event,
                    at=at,
                    actor=actor,
                    address=address,
                    grant_id=grant_id,
                    study_id=study_id,
                    **details,
                )
        except SQLAlchemyError as error:
            raise StoreUnavailable("the audit trail can't be written") from error

    def within(
        self,
        session: Session,
        event: Event,
        *,
        at: datetime,
        actor: str,
        address: str | None = None,
        grant_id: int | None = None,
        study_id: int | None = None,
        **details: Any,
    ) -> None:
        """Add a row to the caller's transaction: it stands when, and only when, what it tells of does.

        It is written when the caller commits, which fails without it: SQLAlchemyError, or StoreUnavailable when
        the chain can't go on. A row noted within a savepoint outlives the savepoint's rollback: note it after.
        """
        session.connection()  # a transaction has to be there, for its rollback to take the row back
        waiting: _Waiting = session.info.setdefault(_WAITING, _Waiting(self))
        waiting.rows.append(
            {
                "at": at,
                "event": event.value,
                "actor": actor,
                "address": address,
                "grant_id": grant_id,
                "study_id": study_id,
                "details": audit_chain.as_stored(details),
            }
        )

    def write(self, session: Session) -> None:
        """Write now what was noted, for a caller who goes on to do something that no rollback takes back.

        All other writers of the trail wait until the caller commits. Raises SQLAlchemyError, StoreUnavailable.
        """
        waiting: _Waiting | None = session.info.get(_WAITING)
        if waiting is not None:
            session.flush()
            self.chain(session, waiting.rows)
            del session.info[_WAITING]

    def chain(self, session: Session, rows: list[dict[str, Any]]) -> None:
        """Write rows at the end of the chain. The chain's own row stays locked until the caller commits.

        Raises SQLAlchemyError, StoreUnavailable.
        """
        ends = self.lock(session)
        is_whole, last = self.is_sealed(ends), ends.last
        kid = self._crypto.pepper_kid
        for row in rows:
            number = last.row_id + 1
            message = audit_chain.row_message(last.mac, row_id=number, **row)
            last = Head(number, self._crypto.audit_mac(kid, message))
            row.update(id=number, mac=last.mac, kid=kid)
        session.execute(_ADD, rows)
        self.keep_ends(session, last, ends.purged, is_whole=is_whole)

    def lock(self, session: Session) -> AuditChain:
        """The chain's ends, detached; until the caller's transaction ends nobody else extends the chain.

        A write, not a read: it waits for other writers and sees what they committed, on SQLite too.
        """
        found = session.execute(_LOCK).one_or_none()
        if found is None:
            raise StoreUnavailable("the audit trail has lost its ends")
        return AuditChain(**found._mapping)

    def is_sealed(self, ends: AuditChain) -> bool:
        """Whether the chain's ends are as Studykey left them. Raises StoreUnavailable for a key it lacks."""
        if ends.seal is None or ends.kid is None:
            return ends.last == ends.purged and not ends.last_mac  # no row was ever chained
        try:
            seal = self._crypto.audit_mac(ends.kid, audit_chain.ends_message(ends.last, ends.purged))
        except KeyError:
            raise StoreUnavailable(f"the key {ends.kid} of the audit trail is not in the keys file") from None
        return hmac.compare_digest(seal, ends.seal)

    def keep_ends(self, session: Session, last: Head, purged: Head, *, is_whole: bool) -> None:
        """Seal the chain's ends. Broken ones stay so, for ``audit verify`` to find: the trail goes on, for
        what happens now has to be on record all the more, but nothing repairs what was done to it."""
        kid, seal = self._crypto.pepper_kid, b""
        if is_whole:
            seal = self._crypto.audit_mac(kid, audit_chain.ends_message(last, purged))
        else:
            log.error("ALARM: the ends of the audit trail were changed by somebody else")
        session.execute(
            _KEEP,
            {
                "last_id": last.row_id,
                "last_mac": last.mac,
                "purged_id": purged.row_id,
                "purged_mac": purged.mac,
                "kid": kid,
                "seal": seal,
            },
        )


# Of tables, not of models: these run while everybody else waits.
_ENDS, _ROWS = cast(Table, AuditChain.__table__), cast(Table, AuditEvent.__table__)
_LOCK = _ENDS.update().values(last_id=_ENDS.c.last_id).returning(*_ENDS.c)
_ADD = _ROWS.insert()
_KEEP = _ENDS.update().values({column: bindparam(column.name) for column in _ENDS.c if column.name != "id"})


@dataclass
class _Waiting:
    """Rows of a session that its commit will write."""

    audit: Audit
    rows: list[dict[str, Any]] = field(default_factory=list)


@events.listens_for(Session, "before_commit")
def _write_waiting(session: Session) -> None:
    """The latest moment: all other writes are done, so no lock is waited for while the chain's is held."""
    if session.in_nested_transaction():
        return
    waiting: _Waiting | None = session.info.get(_WAITING)
    if waiting is not None:
        waiting.audit.write(session)


@events.listens_for(Session, "after_transaction_end")
def _forget_waiting(session: Session, transaction: SessionTransaction) -> None:
    """Rolled back, or closed without a commit: what the rows told of didn't happen."""
    if transaction.parent is None:
        session.info.pop(_WAITING, None)
