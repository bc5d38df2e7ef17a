from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class AuditEvent(Model):
    """One row of the audit trail: who did what to which study, when, with what outcome. Append-only."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # domain.events.Event
    event: Mapped[str] = mapped_column(String(32))
    # "staff:<name>", "holder", "archive:<name>" or "studykey" (the program itself).
    actor: Mapped[str] = mapped_column(String(80))
    # NULL: not from a network (command line, follower).
    address: Mapped[str | None] = mapped_column(String(48))
    # NULL: about no grant, study.
    grant_id: Mapped[int | None] = mapped_column(ForeignKey("access_grant.id"), index=True)
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"), index=True)
    # Small facts for the reader of the trail; never a secret.
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
