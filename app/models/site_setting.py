from __future__ import annotations

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model


class SiteSetting(Model):
    """One setting of the clinic that people change while Studykey runs; absent: the default."""

    __tablename__ = "site_setting"

    # A field of services.site.Site.
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    # NULL: the value is binary.
    text: Mapped[str | None] = mapped_column(Text)
    # The logo as PNG, checked and scaled. NULL for everything else.
    image: Mapped[bytes | None] = mapped_column(LargeBinary)
