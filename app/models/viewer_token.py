from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class ViewerToken(Model):
    """What the viewer carries to Orthanc during a visit: a signed reference to this row. It lives and dies
    with its visit, and opens one study."""

    __tablename__ = "viewer_token"

    # Random, 128 bits, URL-safe; worthless without the signature.
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: good as long as the visit and the grant are.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
