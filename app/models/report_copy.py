from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class ReportCopy(Model):
    """A PDF of a signed report that left Studykey, known by its digest alone: whoever holds it can ask what it is."""

    __tablename__ = "report_copy"

    id: Mapped[int] = mapped_column(primary_key=True)
    # SHA-256 (FIPS 180-4) of the whole file.
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), index=True)
    # domain.report.Copy: printed, for the archive, downloaded.
    purpose: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
