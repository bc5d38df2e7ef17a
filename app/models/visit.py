from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Visit(Model):
    """What begins when a holder has proved a grant. Its cookie holds a random id; here is its SHA-256."""

    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    grant_id: Mapped[int] = mapped_column(ForeignKey("access_grant.id"), index=True)
    # The visit during which this sheet's code was added: one cookie, both studies. NULL: it stands alone, or leads.
    leader_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"), index=True)
    # Of somebody with an account whom a rule names: it ends with their session. NULL: begun with a code.
    staff_session_id: Mapped[int | None] = mapped_column(ForeignKey("staff_session.id"), index=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Last use, by a page or by the viewer; at most one write a minute.
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: not ended by anybody (idleness and the absolute limit are reckoned, not written).
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # services.live_visit.Ending. NULL while ended_at is.
    ended_why: Mapped[str | None] = mapped_column(String(16))
