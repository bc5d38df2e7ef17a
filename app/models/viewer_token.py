from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class ViewerToken(Model):
    """What a viewer carries to Orthanc: a signed reference to this row. It lives and dies with its visit or, made
    for somebody through Orthanc, with its grant."""

    __tablename__ = "viewer_token"
    __table_args__ = (CheckConstraint("(visit_id IS NULL) <> (grant_id IS NULL)", name="one_holder"),)

    # Random, 128 bits, URL-safe; worthless without the signature.
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    # NULL: held by a grant itself.
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"), index=True)
    # NULL: held by a visit.
    grant_id: Mapped[int | None] = mapped_column(ForeignKey("access_grant.id"), index=True)
    # NULL: opens every study of its grant.
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    # domain.share_links.LinkType. Empty: of a visit.
    purpose: Mapped[str] = mapped_column(String(40), default="", server_default="")
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: good as long as its visit and its grant are.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
