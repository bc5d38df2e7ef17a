from __future__ import annotations

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model


class ReportTemplate(Model):
    """What a report begins with: headings and first words, for a modality or for all."""

    __tablename__ = "report_template"
    __table_args__ = (UniqueConstraint("modality", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    # DICOM code string ("CT"). Empty: any.
    modality: Mapped[str] = mapped_column(String(16), default="", server_default="")
    # As writers choose it ("Chest, low dose"). Empty: the one that a new report of the modality begins with.
    name: Mapped[str] = mapped_column(String(80), default="", server_default="")
    # Language of headings and texts. Empty: the clinic's.
    language: Mapped[str] = mapped_column(String(16), default="", server_default="")
    # Empty headings: the language's own.
    indication_heading: Mapped[str] = mapped_column(Text, default="", server_default="")
    technique_heading: Mapped[str] = mapped_column(Text, default="", server_default="")
    findings_heading: Mapped[str] = mapped_column(Text, default="", server_default="")
    impression_heading: Mapped[str] = mapped_column(Text, default="", server_default="")
    # What stands in the fields of a new report.
    indication: Mapped[str] = mapped_column(Text, default="", server_default="")
    technique: Mapped[str] = mapped_column(Text, default="", server_default="")
    findings: Mapped[str] = mapped_column(Text, default="", server_default="")
    impression: Mapped[str] = mapped_column(Text, default="", server_default="")
