from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class ReportDelivery(Model):
    """A signed version on its way into the archive, and what became of it: the job and its memory in one row."""

    __tablename__ = "report_delivery"
    # What is still to do: few.
    __table_args__ = (
        Index(
            "ix_report_delivery_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), unique=True)
    # Made from the report alone, so that a second try stores the same instance and not another.
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    # When the next try is due. NULL: nothing is left to do.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    # Why the last try failed, a sentence for staff. Empty: it didn't.
    problem: Mapped[str] = mapped_column(Text, default="")
    # NULL: not in the archive (yet, or any more).
    stored_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Orthanc's id of the instance. NULL: as above.
    orthanc_id: Mapped[str | None] = mapped_column(String(44))
