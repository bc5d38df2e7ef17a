"""What somebody typed into a report while somebody else was first: kept for its writer until the two are joined.

One a person and study. Never thrown away unasked: what comes to it from another of the writer's windows is added.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.models import ReportAside, Staff, Study

FIELDS = ("indication", "technique", "findings", "impression", "reason")


class ReportAsides:
    """Works within the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, study: Study, writer: Staff) -> ReportAside | None:
        query = select(ReportAside).where(ReportAside.study_id == study.id, ReportAside.staff_id == writer.id)
        return self._session.scalars(query).one_or_none()

    def keep(
        self, study: Study, typed: dict[str, str], *, by: Staff, at: datetime, replaces: bool
    ) -> ReportAside:
        """Keep what was typed. ``replaces``: the writer saw what is kept, and this is what became of it; otherwise
        it comes from a window that knew nothing of it, and nothing kept before is lost."""
        kept = self.of(study, by)
        if kept is None:
            kept = ReportAside(study_id=study.id, staff_id=by.id, **dict.fromkeys(FIELDS, ""))
            self._session.add(kept)
            replaces = True
        for name in FIELDS:
            setattr(kept, name, typed[name] if replaces else _both(getattr(kept, name), typed[name]))
        kept.saved_at = at
        self._session.flush()
        return kept

    def forget(self, study: Study, writer: Staff) -> None:
        """Its writer has joined it with the draft, or thrown it away."""
        self._session.execute(
            delete(ReportAside).where(ReportAside.study_id == study.id, ReportAside.staff_id == writer.id)
        )
        self._session.expire_all()


def _both(kept: str, typed: str) -> str:
    if kept in typed or not kept:
        return typed
    return kept if typed in kept else f"{kept}\n\n{typed}"
