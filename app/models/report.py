from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Report(Model):
    """One version of the report on a study: a draft until it is signed, then never changed again."""

    __tablename__ = "report"
    __table_args__ = (
        UniqueConstraint("study_id", "version"),
        # Drafts: few, and asked for by the list of studies.
        Index(
            "ix_report_draft",
            "study_id",
            sqlite_where=text("signed_at IS NULL"),
            postgresql_where=text("signed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    # 1 for the first, one more for each amendment.
    version: Mapped[int]
    # domain.report.Source: written here, or a PDF that was brought (its bytes in report_file).
    source: Mapped[str] = mapped_column(String(16), default="written", server_default="written")
    # Where a brought one came from: a file's name, or the SOP Instance UID of what stands in the study. Empty: typed.
    origin: Mapped[str] = mapped_column(Text, default="", server_default="")
    # Language of its text and headings ("de"). Empty: the clinic's.
    language: Mapped[str] = mapped_column(String(16), default="", server_default="")
    # Headings other than the language's own, as JSON by section; kept here so that a template that changes later
    # changes nothing that was signed. Empty: the language's own.
    headings: Mapped[str] = mapped_column(Text, default="", server_default="")
    indication: Mapped[str] = mapped_column(Text, default="", server_default="")
    technique: Mapped[str] = mapped_column(Text, default="", server_default="")
    findings: Mapped[str] = mapped_column(Text)
    impression: Mapped[str] = mapped_column(Text)
    # Why it amends the version before it. NULL: version 1.
    reason: Mapped[str | None] = mapped_column(Text)
    # Counts the saves of a draft, so that of two people editing it neither overwrites the other unseen.
    revision: Mapped[int] = mapped_column(default=1)
    written_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: a draft. The name is kept as it was signed, whatever becomes of the account.
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    signed_name: Mapped[str | None] = mapped_column(Text)

    @property
    def is_signed(self) -> bool:
        return self.signed_at is not None
