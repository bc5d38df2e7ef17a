"""Reports: writing, signing, amending. A signed version never changes; an amendment is a new version.

Of two people who write the same draft nobody overwrites the other: whoever comes second keeps what they typed beside
it (services.report_asides) until they have joined the two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.report import Copy, FilePurpose, Source
from app.models import Report, ReportAside, ReportFile, Staff, Study
from app.services import deliveries
from app.services.audit import Audit
from app.services.report_asides import ReportAsides
from app.services.report_copies import ReportCopies
from app.services.report_text import MAX_TEXT as MAX_TEXT
from app.services.report_text import Text as Text


class Outcome(StrEnum):
    DONE = "done"
    # Somebody else saved or signed meanwhile; nothing was overwritten, and what was typed is kept aside.
    CONFLICT = "conflict"
    EMPTY = "empty"  # there is nothing to sign
    NO_REASON = "no-reason"  # an amendment says why
    TOO_LONG = "too-long"


class Reports:
    """Works within the caller's transaction."""

    def __init__(self, session: Session, audit: Audit) -> None:
        self._session = session
        self._audit = audit
        self._asides = ReportAsides(session)
        self._copies = ReportCopies(session)

    def versions(self, study: Study) -> list[Report]:
        """All versions, newest first."""
        query = select(Report).where(Report.study_id == study.id).order_by(Report.version.desc())
        return list(self._session.scalars(query))

    def draft(self, study: Study) -> Report | None:
        return next((report for report in self.versions(study) if not report.is_signed), None)

    def signed(self, study: Study) -> Report | None:
        """The version that stands: the newest signed one."""
        return next((report for report in self.versions(study) if report.is_signed), None)

    def signed_among(self, study_ids: Sequence[int]) -> set[int]:
        """Which of these studies have a signed report."""
        query = select(Report.study_id).where(Report.study_id.in_(study_ids), Report.signed_at.is_not(None))
        return set(self._session.scalars(query))

    def newest_signed(self, studies: Sequence[Study]) -> dict[int, Report]:
        """The versions that stand, by the study's id: a patient's prior reports."""
        query = (
            select(Report)
            .where(Report.study_id.in_([study.id for study in studies]), Report.signed_at.is_not(None))
            .order_by(Report.version)
        )
        return {report.study_id: report for report in self._session.scalars(query)}

    def aside(self, study: Study, writer: Staff) -> ReportAside | None:
        """What is kept for this writer until they have joined it with the draft."""
        return self._asides.of(study, writer)

    def forget_aside(self, study: Study, writer: Staff) -> None:
        """Its writer has thrown it away."""
        self._asides.forget(study, writer)

    def writer(self, report: Report) -> str:
        """Who wrote this version last, by name."""
        return self._session.get_one(Staff, report.written_by_id).name

    def brought(self, study: Study) -> dict[int, ReportFile]:
        """The PDFs that were brought, by their version's id; without their bytes."""
        query = (
            select(ReportFile)
            .join(Report, Report.id == ReportFile.report_id)
            .where(Report.study_id == study.id, ReportFile.purpose == FilePurpose.BROUGHT)
        )
        return {file.report_id: file for file in self._session.scalars(query)}

    def save(
        self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime, joins: bool = False
    ) -> Outcome:
        """Save the draft; the first save begins it (after a signed version: an amendment).

        ``revision``: the one that the writer saw, 0 where there was no draft. CONFLICT when it moved on; what was
        typed is then kept aside. ``joins``: the writer saw what was kept aside, and this is what became of it.
        """
        text = text.cleaned()
        if max(map(len, text.typed.values())) > MAX_TEXT:
            return Outcome.TOO_LONG
        if not self._saved(study, text, revision=revision, by=by, at=at):
            self._asides.keep(study, text.typed, by=by, at=at, replaces=joins)
            return Outcome.CONFLICT
        if joins:
            self._asides.forget(study, by)
        return Outcome.DONE

    def keep_aside(self, study: Study, text: Text, *, by: Staff, at: datetime) -> Outcome:
        """Save what is being joined, without touching the draft: DONE, or TOO_LONG."""
        text = text.cleaned()
        if max(map(len, text.typed.values())) > MAX_TEXT:
            return Outcome.TOO_LONG
        self._asides.keep(study, text.typed, by=by, at=at, replaces=True)
        return Outcome.DONE

    def discard(self, study: Study, *, revision: int, by: Staff, at: datetime) -> Outcome:
        """Throw the draft away, for good. CONFLICT when it isn't the one that was seen."""
        draft = self.draft(study)
        if draft is None or draft.revision != revision:
            return Outcome.CONFLICT
        seen = (Report.id == draft.id, Report.revision == revision, Report.signed_at.is_(None))
        self._session.execute(delete(ReportFile).where(ReportFile.report_id == draft.id))
        if self._session.execute(delete(Report).where(*seen).returning(Report.id)).first() is None:
            return Outcome.CONFLICT
        self._session.expire_all()
        self._note(Event.REPORT_DISCARDED, study, draft.version, by=by, at=at)
        return Outcome.DONE

    def unsigned(self, study: Study, text: Text) -> Report:
        """The next version with this text as it would be, for rendering; the database knows nothing of it."""
        before, text = self.signed(study), text.cleaned()
        return Report(
            study_id=study.id,
            version=before.version + 1 if before else 1,
            source=Source.WRITTEN.value,
            reason=text.reason if before else None,
            **text.values(),
        )

    def as_signed(self, study: Study, text: Text, *, by: Staff, at: datetime) -> Report:
        """The next version as it will read once ``sign`` is called with the same: what is rendered for it."""
        report = self.unsigned(study, text)
        report.signed_at, report.signed_by_id, report.signed_name = at, by.id, by.name
        return report

    def signable(self, study: Study, text: Text) -> Outcome:
        """DONE, EMPTY or NO_REASON: whether this text could be signed."""
        text = text.cleaned()
        if not (text.findings or text.impression):
            return Outcome.EMPTY
        return Outcome.NO_REASON if self.signed(study) is not None and not text.reason else Outcome.DONE

    def sign(
        self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime, pdf: bytes, pages: int = 1
    ) -> Outcome:
        """Save and sign what is on the writer's screen. ``pdf`` is how it reads, rendered before: its bytes are kept,
        and its SHA-256 stands in the audit trail."""
        signable = self.signable(study, text)
        if signable is not Outcome.DONE:
            return signable
        is_amendment = self.signed(study) is not None
        saved = self.save(study, text, revision=revision, by=by, at=at)
        if saved is not Outcome.DONE:
            return saved
        draft = self.draft(study)
        assert draft is not None
        self._session.refresh(draft)
        draft.signed_at, draft.signed_by_id, draft.signed_name = at, by.id, by.name
        self._session.add(
            ReportFile(
                report_id=draft.id,
                purpose=FilePurpose.SIGNED.value,
                pages=pages,
                sha256=hashlib.sha256(pdf).digest(),
                pdf=pdf,
                made_at=at,
            )
        )
        deliveries.expect(self._session, draft, at=at)
        digest = self._copies.note(draft, pdf, Copy.DOWNLOAD, at=at)
        event = Event.REPORT_AMENDED if is_amendment else Event.REPORT_SIGNED
        self._note(event, study, draft.version, by=by, at=at, sha256=digest)
        return Outcome.DONE

    def sign_brought(
        self, study: Study, *, revision: int, reason: str, language: str, by: Staff, at: datetime
    ) -> Outcome:
        """Sign for the PDF that was brought, as it is. ``language``: of its text, empty: the clinic's."""
        is_amendment = self.signed(study) is not None
        reason = Text(reason=reason).cleaned().reason
        if is_amendment and not reason:
            return Outcome.NO_REASON
        if len(reason) > MAX_TEXT:
            return Outcome.TOO_LONG
        draft = self.draft(study)
        if draft is None or draft.source != Source.BROUGHT:
            return Outcome.CONFLICT
        seen = (Report.id == draft.id, Report.revision == revision, Report.signed_at.is_(None))
        signed = {"signed_at": at, "signed_by_id": by.id, "signed_name": by.name, "language": language}
        change = update(Report).where(*seen).values(**signed, reason=reason if is_amendment else None)
        if self._session.execute(change.returning(Report.id)).first() is None:
            return Outcome.CONFLICT
        self._session.refresh(draft)
        file = self._copies.file(draft)
        assert file is not None
        deliveries.expect(self._session, draft, at=at)
        digest = self._copies.note(draft, file.pdf, Copy.DOWNLOAD, at=at)
        event = Event.REPORT_AMENDED if is_amendment else Event.REPORT_SIGNED
        self._note(event, study, draft.version, by=by, at=at, sha256=digest)
        return Outcome.DONE

    def _saved(self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime) -> bool:
        draft = self.draft(study)
        if draft is None:
            return self._begun(study, text, revision=revision, by=by, at=at)
        changed = self._session.execute(
            update(Report)
            .where(
                Report.id == draft.id,
                Report.revision == revision,
                Report.signed_at.is_(None),
                Report.source == Source.WRITTEN,
            )
            .values(
                **text.values(),
                reason=text.reason if draft.version > 1 else None,
                revision=Report.revision + 1,
                written_by_id=by.id,
                saved_at=at,
            )
            .returning(Report.id)
        )
        return changed.first() is not None

    def _begun(self, study: Study, text: Text, *, revision: int, by: Staff, at: datetime) -> bool:
        if revision != 0:
            return False  # the draft that the writer saw was signed or thrown away meanwhile
        draft = self.unsigned(study, text)
        draft.written_by_id, draft.saved_at = by.id, at
        try:
            with self._session.begin_nested():
                self._session.add(draft)
        except IntegrityError:
            return False
        return True

    def _note(
        self, event: Event, study: Study, version: int, *, by: Staff, at: datetime, **details: Any
    ) -> None:
        self._audit.within(
            self._session,
            event,
            at=at,
            actor=f"staff:{by.login}",
            study_id=study.id,
            version=version,
            **details,
        )
