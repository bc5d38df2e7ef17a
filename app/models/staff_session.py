from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, true
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class StaffSession(Model):
    """A signed-in browser. Its cookie holds a random id; here is its SHA-256."""

    __tablename__ = "staff_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When the last factor was right. NULL: the second one is still missing, and nothing is open.
    proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: not locked by hand (the lock after idleness is reckoned, not written).
    locked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # False: by a link that says "may only look".
    may_change: Mapped[bool] = mapped_column(default=True, server_default=true())
    # Where it began, and which browser (shortened), so that its owner knows it again.
    address: Mapped[str] = mapped_column(String(48), default="", server_default="")
    browser: Mapped[str] = mapped_column(String(200), default="", server_default="")
    # NULL: not signed out (idleness is reckoned, not written).
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
