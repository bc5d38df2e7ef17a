from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class RecoveryCode(Model):
    """One of the codes that take the place of a lost second factor, each once (NIST SP 800-63B-4, 4.2.1.1)."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("staff_id", "mac"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    # HMAC(pepper, account and code): 80 random bits need no slow hash.
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    pepper_kid: Mapped[str] = mapped_column(String(16))
    # NULL: not used.
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
