"""What is thrown away, and when: sealed secrets, old attempts, what visits and sessions leave, old audit.

Refuses to touch an expired grant's verifiers while its audit stands: whoever holds the paper is told "expired",
and the trail can still be read against the grant.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Select, delete, exists, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.config import Settings
from app.domain.events import Event
from app.models import Attempt, AuditEvent, Grant, StaffLink, StaffSession, StaffToken, ViewerToken, Visit
from app.services.audit import Audit
from app.services.audit_trail import AuditTrail, ChainBroken
from app.services.staff_throttle import KNOWN_FOR

log = structlog.get_logger(__name__)

# Limits look back an hour; staff who look into an alarm look back weeks.
ATTEMPTS_KEPT = timedelta(days=30)
# Until then a late click is told why the visit is over.
ENDED_KEPT = timedelta(days=1)
BATCH = 500  # rows of one transaction: other writers wait that long


class Purge:
    """Works in many small transactions of its own, so that nobody waits long for a lock."""

    def __init__(
        self, own_session: sessionmaker[Session], audit: Audit, trail: AuditTrail, settings: Settings
    ) -> None:
        self._own_session = own_session
        self._audit = audit
        self._trail = trail
        self._settings = settings

    def run(self, *, at: datetime) -> Iterator[tuple[str, int]]:
        """Purge what is due; yields (what, how many rows) after each transaction. Interrupted, it is taken up
        again by the next run. Raises StoreUnavailable, SQLAlchemyError."""
        visits_over = at - self._settings.visit_limit - ENDED_KEPT
        audit_over = at - self._settings.audit_life
        old_visits = select(Visit.id).where(Visit.begun_at < visits_over)
        yield from self._each(
            "sealed secrets",
            select(Grant.id).where(Grant.sealed_until <= at),
            lambda ids: (
                update(Grant)
                .where(Grant.id.in_(ids))
                .values(sealed=None, sealing_kid=None, sealed_until=None)
            ),
        )
        yield from self._each(
            "attempts",
            select(Attempt.id).where(Attempt.at < at - ATTEMPTS_KEPT),
            lambda ids: delete(Attempt).where(Attempt.id.in_(ids)),
        )
        yield from self._each(
            "viewer tokens",
            select(ViewerToken.id).where(ViewerToken.visit_id.in_(old_visits)),
            lambda ids: delete(ViewerToken).where(ViewerToken.id.in_(ids)),
        )
        yield from self._each("visits", old_visits, lambda ids: delete(Visit).where(Visit.id.in_(ids)))
        # They tell which networks an account is used from.
        old_sessions = select(StaffSession.id).where(StaffSession.begun_at < at - KNOWN_FOR - ENDED_KEPT)
        yield from self._each(
            "staff tokens",
            select(StaffToken.id).where(StaffToken.session_id.in_(old_sessions)),
            lambda ids: delete(StaffToken).where(StaffToken.id.in_(ids)),
        )
        yield from self._each(
            "staff sessions", old_sessions, lambda ids: delete(StaffSession).where(StaffSession.id.in_(ids))
        )
        yield from self._each(
            "staff links",
            select(StaffLink.id).where(StaffLink.expires_at < at - ENDED_KEPT),
            lambda ids: delete(StaffLink).where(StaffLink.id.in_(ids)),
        )
        yield from self._audit_rows(audit_over, at)
        yield from self._verifiers(audit_over)

    def _each(
        self, what: str, found: Select[Any], change: Callable[[Sequence[Any]], Any]
    ) -> Iterator[tuple[str, int]]:
        """Look first, without a lock; then change what was found, batch by batch."""
        with self._own_session() as session:
            ids = session.scalars(found).all()
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            with self._own_session.begin() as session:
                session.execute(change(batch), execution_options={"synchronize_session": False})
            yield what, len(batch)

    def _audit_rows(self, before: datetime, at: datetime) -> Iterator[tuple[str, int]]:
        gone = 0
        try:
            for rows in self._trail.purge(before=before):
                gone += rows
                yield "audit rows", rows
        except ChainBroken as broken:
            log.error("ALARM: the audit trail is not purged: see studykey audit verify", why=str(broken))
        if gone:
            self._audit.record(
                Event.AUDIT_PURGED, at=at, actor="studykey", rows=gone, before=before.isoformat()
            )

    def _verifiers(self, before: datetime) -> Iterator[tuple[str, int]]:
        """Expired grants without audit forget their verifiers; the row stays, so that the study's next signal
        doesn't issue a grant anew. No audit row in the same transaction: it would wait for grants."""
        is_audited = exists().where(AuditEvent.grant_id == Grant.id)
        query = select(Grant.id).where(Grant.expires_at < before, Grant.pepper_kid != "", ~is_audited)
        with self._own_session() as session:
            ids = session.scalars(query).all()
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            with self._own_session.begin() as session:
                session.execute(update(Grant), [_forgotten(grant_id) for grant_id in batch])
            yield "verifiers", len(batch)


def _forgotten(grant_id: int) -> dict[str, Any]:
    """A grant that nothing proves: its index is random and not the code's."""
    return {
        "id": grant_id,
        "code_index": secrets.token_bytes(32),
        "password_hash": "",
        "birth_date_mac": None,
        "pepper_kid": "",
    }
