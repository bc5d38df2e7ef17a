from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Attempt(Model):
    """One well-formed try to prove a grant. Written and committed before anything is compared."""

    __tablename__ = "attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # The network it came from: an IPv4 address or an IPv6 /64.
    network: Mapped[str] = mapped_column(String(48), index=True)
    # NULL: the code is unknown.
    grant_id: Mapped[int | None] = mapped_column(ForeignKey("access_grant.id"), index=True)
    # services.proof.Outcome. NULL: never finished (the process died), which counts as a failure.
    outcome: Mapped[str | None] = mapped_column(String(16))
