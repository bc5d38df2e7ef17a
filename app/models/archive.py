from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Archive(Model):
    """An Orthanc server that Studykey follows. Addresses and secrets stand in the settings, not here."""

    __tablename__ = "archive"

    id: Mapped[int] = mapped_column(primary_key=True)
    # As in STUDYKEY_ARCHIVES; also the user name of its gate on the internal door.
    name: Mapped[str] = mapped_column(String(64), unique=True)
    # Studies last updated before this moment are the backlog: rows, no grants.
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Sequence number in Orthanc's /changes up to which the follower has read.
    change_cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    # NULL: never reconciled.
    reconciled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Set by the gate's nudge, read by the follower. NULL: never nudged.
    nudged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # domain.guard.GateState: what the last probe without a token saw.
    gate_state: Mapped[str] = mapped_column(String(16), default="unknown")
    # NULL: never probed.
    gate_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
