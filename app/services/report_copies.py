"""PDFs of signed reports that left Studykey, known by their digests: what /verify answers from.

Keeps no file and no name. Refuses nothing: a file that left twice is one row.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.report import Copy, FilePurpose, Source
from app.models import Report, ReportCopy, ReportFile


class ReportCopies:
    """Works within the caller's transaction, as its last write but the commit: hash and render before."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note(self, report: Report, pdf: bytes, purpose: Copy, *, at: datetime) -> str:
        """Remember that this file left: its SHA-256 (FIPS 180-4) in hex, for the details of the audit row.

        The same file again is no second row, whatever it is made for then. One PDF that was brought for two reports
        stands for the one signed last.
        """
        self._session.flush()  # a version that was just signed gets its id
        digest = hashlib.sha256(pdf).digest()
        copy = self._copy(digest)
        if copy is None:
            copy = ReportCopy(sha256=digest, report_id=report.id, purpose=purpose.value, made_at=at)
            try:
                with self._session.begin_nested():
                    self._session.add(copy)
            except IntegrityError:  # another process noted the same file meanwhile
                copy = self._copy(digest)
        if copy is not None and copy.report_id != report.id:
            copy.report_id = max((self._session.get_one(Report, copy.report_id), report), key=_recency).id
        return digest.hex()

    def known(self, sha256: bytes) -> Report | None:
        """The version that a file with this digest is a print or copy of; None: no file that left is like it."""
        copy = self._copy(sha256)
        return self._session.get_one(Report, copy.report_id) if copy is not None else None

    def file(self, report: Report) -> ReportFile | None:
        """The PDF that a version was signed for: as it came, where it was brought. None: from before they were kept."""
        is_brought = report.source == Source.BROUGHT
        purpose = FilePurpose.BROUGHT if is_brought else FilePurpose.SIGNED
        query = select(ReportFile).where(ReportFile.report_id == report.id, ReportFile.purpose == purpose)
        return self._session.scalars(query).one_or_none()

    def _copy(self, sha256: bytes) -> ReportCopy | None:
        query = select(ReportCopy).where(ReportCopy.sha256 == sha256)
        return self._session.scalars(query).one_or_none()


def _recency(report: Report) -> tuple[bool, datetime | None, int]:
    return report.signed_at is not None, report.signed_at, report.id
