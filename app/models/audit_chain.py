from __future__ import annotations

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.audit_chain import Head
from app.models.base import Model


class AuditChain(Model):
    """The two ends of the audit trail's chain, in the one row of this table. Whoever adds rows to the trail
    updates it first, which makes the chain's writers go one after the other."""

    __tablename__ = "audit_chain"

    # Always 1.
    id: Mapped[int] = mapped_column(primary_key=True)
    # The newest row; 0 and nothing before the first.
    last_id: Mapped[int]
    last_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    # The newest row that was purged, on which the oldest kept row stands; 0 and nothing before the first purge.
    purged_id: Mapped[int]
    purged_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    # MAC over both ends, and the id of the pepper it was made with. NULL: no row was chained yet.
    seal: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    kid: Mapped[str | None] = mapped_column(String(16))

    @property
    def last(self) -> Head:
        return Head(self.last_id, self.last_mac)

    @property
    def purged(self) -> Head:
        return Head(self.purged_id, self.purged_mac)
