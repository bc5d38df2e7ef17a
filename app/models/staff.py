from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Staff(Model):
    """A person with an account."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    # What they type to sign in: lower case, no spaces.
    login: Mapped[str] = mapped_column(String(64), unique=True)
    # How they are shown, and how a report is signed.
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16))
    # argon2id, encoded.
    password_hash: Mapped[str] = mapped_column(String(160))
    pepper_kid: Mapped[str] = mapped_column(String(16))
    failures: Mapped[int] = mapped_column(default=0)
    # NULL: a try is welcome now.
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: may sign in.
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
