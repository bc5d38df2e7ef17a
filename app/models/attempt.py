from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Attempt(Model):
    """One well-formed try to prove a grant. Written and committed before anything is compared; what the
    limits count."""

    __tablename__ = "attempt"
    # Each question of services.limits is one range of one of these.
    __table_args__ = (
        Index(None, "network", "at"),
        Index(None, "wide_network", "at"),
        Index(None, "grant_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # The network it came from: an IPv4 address or an IPv6 /64.
    network: Mapped[str] = mapped_column(String(48))
    # The wider network around it: /24 or /48. Empty: tried before there were limits for these.
    wide_network: Mapped[str] = mapped_column(String(48), default="", server_default="")
    # NULL: the code is unknown.
    grant_id: Mapped[int | None] = mapped_column(ForeignKey("access_grant.id"))
    # services.proof.Outcome. NULL: not finished yet, or never (the process died), which counts as a failure.
    outcome: Mapped[str | None] = mapped_column(String(16))
    # Its network had failed before, so it took one of the site's tries of this second.
    is_under_cap: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Staff reset the limits of its network: it counts no more.
    is_forgiven: Mapped[bool] = mapped_column(default=False, server_default=false())
