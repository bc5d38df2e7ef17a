from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class AuditEvent(Model):
    """One row of the audit trail: who did what to which study, when, with what outcome.

    Append-only: written by services.audit alone. Triggers of the database refuse to change a row, and to delete
    one that the chain's ends don't call purged.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        # For the patient's log of a study, and for staff: every opening of a grant since a date.
        Index(None, "grant_id", "at"),
        Index(None, "study_id", "at"),
        # The few that say when the trail was verified.
        Index(
            "ix_audit_event_verified",
            "id",
            sqlite_where=text("event = 'audit:verified'"),
            postgresql_where=text("event = 'audit:verified'"),
        ),
    )

    # Numbered by the chain without a gap: a missing number is a missing row.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    # domain.events.Event
    event: Mapped[str] = mapped_column(String(32))
    # "staff:<name>", "holder", "archive:<name>" or "studykey" (the program itself).
    actor: Mapped[str] = mapped_column(String(80))
    # NULL: not from a network (command line, follower).
    address: Mapped[str | None] = mapped_column(String(48))
    # NULL: about no grant, study.
    grant_id: Mapped[int | None] = mapped_column(ForeignKey("access_grant.id"))
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    # Small facts for the reader of the trail; never a secret.
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # HMAC over this row and the MAC of the row before, and the id of the pepper it was made with. Both empty:
    # written before there was a chain.
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    kid: Mapped[str] = mapped_column(String(16))
