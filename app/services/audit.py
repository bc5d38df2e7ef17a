"""The audit trail: append-only rows of who did what to which study, when, with what outcome.

Refuses nothing and hides nothing, but never takes a secret: codes, passwords, birth dates, tokens stay out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.domain.events import Event
from app.models import AuditEvent


class StoreUnavailable(Exception):
    """A security row can't be written. Fail closed: no record, no guess, no token (503)."""


class Audit:
    def __init__(self, own_session: sessionmaker[Session]) -> None:
        self._own_session = own_session

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
        """Add a row to the caller's transaction: it stands when, and only when, what it tells of does."""
        session.add(
            AuditEvent(
                at=at,
                event=event,
                actor=actor,
                address=address,
                grant_id=grant_id,
                study_id=study_id,
                details=details,
            )
        )
