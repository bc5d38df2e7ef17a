from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Alarm(Model):
    """Whether an alarm has been told of, so that of all processes exactly one tells of it and of its end."""

    __tablename__ = "alarm"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    # NULL: quiet.
    raised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
