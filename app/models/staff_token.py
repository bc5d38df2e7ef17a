from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class StaffToken(Model):
    """What a person's viewer or a device carries to Orthanc: a signed reference to this row."""

    __tablename__ = "staff_token"

    # Random, 128 bits, URL-safe; worthless without the signature.
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    # It lives as long as this session. NULL: a device's, until it is revoked.
    session_id: Mapped[int | None] = mapped_column(ForeignKey("staff_session.id"), index=True)
    # What an admin calls it ("CT 1"). Empty: a person's.
    name: Mapped[str] = mapped_column(Text, default="", server_default="")
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # At most one write a minute. NULL: never used.
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # NULL: good as long as account and session are.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
