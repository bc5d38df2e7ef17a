from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model


class TextBlock(Model):
    """Words that a few letters bring into a report: the clinic's, or one person's own."""

    __tablename__ = "text_block"
    __table_args__ = (
        Index("ix_text_block_own", "staff_id", "letters", unique=True),
        # NULLs differ from each other: the clinic's need an index of their own.
        Index(
            "ix_text_block_shared",
            "letters",
            unique=True,
            sqlite_where=text("staff_id IS NULL"),
            postgresql_where=text("staff_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # NULL: everybody's.
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    # 1 to 16 letters and digits, folded to lower case ("nlung").
    letters: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
