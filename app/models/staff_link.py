from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, true
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class StaffLink(Model):
    """A signed link that an admin made for somebody: an invitation (or a new password), or signing in once."""

    __tablename__ = "staff_link"

    # Random, 128 bits, URL-safe; worthless without the signature.
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    # services.staff_links.Purpose
    purpose: Mapped[str] = mapped_column(String(16))
    # For signing in: False leaves only looking.
    may_change: Mapped[bool] = mapped_column(default=True, server_default=true())
    # The login of the admin who made it.
    made_by: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: not used yet; it works once.
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # NULL: not taken back.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
