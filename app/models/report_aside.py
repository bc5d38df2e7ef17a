from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class ReportAside(Model):
    """What somebody typed while somebody else saved the same draft first: kept until its writer has joined the two."""

    __tablename__ = "report_aside"
    __table_args__ = (UniqueConstraint("study_id", "staff_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    indication: Mapped[str] = mapped_column(Text)
    technique: Mapped[str] = mapped_column(Text)
    findings: Mapped[str] = mapped_column(Text)
    impression: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
