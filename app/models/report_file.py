from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class ReportFile(Model):
    """A PDF that belongs to one version of a report, byte for byte."""

    __tablename__ = "report_file"
    __table_args__ = (UniqueConstraint("report_id", "purpose"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"))
    # domain.report.FilePurpose: "brought" (as somebody uploaded it, or as it stood in the study), or "signed" (a
    # written report as it was signed, without access block: what the archive and a download get).
    purpose: Mapped[str] = mapped_column(String(16))
    # File name as it was brought, cleaned. Empty: made here.
    name: Mapped[str] = mapped_column(Text, default="", server_default="")
    pages: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Up to domain.report.LARGEST_PDF; loaded only when asked for.
    pdf: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
