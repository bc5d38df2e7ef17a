"""The signed report as a file for staff, without the access block: what may be passed on."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.report import Copy
from app.models import Report, Study
from app.services.audit import Audit
from app.services.paper_wishes import Document
from app.services.papers import Papers
from app.services.report_copies import ReportCopies


class ReportDownloads:
    """Works within the caller's transaction, which has nothing written yet: the audit row comes first."""

    def __init__(self, session: Session, copies: ReportCopies, papers: Papers, audit: Audit) -> None:
        self._session = session
        self._copies = copies
        self._papers = papers
        self._audit = audit

    def take(self, study: Study, version: int, *, at: datetime, actor: str) -> Document | None:
        """A signed version, byte for byte as it was signed; one from before files were kept is printed anew. None:
        there is no such version, or it isn't signed. Raises StoreUnavailable, and what rendering raises."""
        query = select(Report).where(
            Report.study_id == study.id, Report.version == version, Report.signed_at.is_not(None)
        )
        report = self._session.scalars(query).one_or_none()
        if report is None:
            return None
        file = self._copies.file(report)
        pdf = file.pdf if file else self._papers.signed_pdf(study, report, at=at)
        self._audit.record(
            Event.REPORT_DOWNLOADED,
            at=at,
            actor=actor,
            study_id=study.id,
            version=version,
            sha256=hashlib.sha256(pdf).hexdigest(),
        )
        self._copies.note(report, pdf, Copy.DOWNLOAD, at=at)
        return Document(f"report-{study.id}-{version}.pdf", pdf)
