"""A report made elsewhere: brought to a study as a PDF, or out of the study itself, and what to look at before signing.

The PDF is kept byte for byte; nothing here changes one. What somebody wrote is never thrown away: where a PDF takes a
draft's place, its text is kept for whoever wrote it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.adapters.orthanc_documents import OrthancDocuments
from app.adapters.pdf_files import Inspection, PdfFiles, Refusal, StructuredReport
from app.domain.dicom import clean_text, parse_person_name
from app.domain.grants import Policy
from app.domain.report import FilePurpose, Source
from app.domain.report_checks import names_somebody, shows_any, shows_birth_date
from app.domain.study import ListedDocument
from app.models import Report, ReportDelivery, ReportFile, Staff, Study
from app.services.archives import Archives
from app.services.grants import Grants
from app.services.report_asides import ReportAsides
from app.services.reports import Outcome, Reports, Text
from app.services.site import PAPER_LANGUAGES

LONGEST_NAME = 120


class Caution(StrEnum):
    """What whoever signs should look at."""

    NOT_THIS_PATIENT = "not-this-patient"  # neither name nor ID stand in its text
    NO_NAME = "no-name"  # the ID does, the name doesn't
    BIRTH_DATE = "birth-date"  # it stands beside the code that asks for it
    NO_TEXT = "no-text"  # a scan: nothing of this could be looked for
    SIGNED = "signed"  # digitally; the print with the access block can't carry that
    MENDED = "mended"  # its index was wrong


@dataclass(frozen=True)
class Brought:
    """A PDF that was looked at and is taken."""

    name: str  # as the browser sends it; cleaned here
    pdf: bytes = field(repr=False)
    inspection: Inspection
    origin: str = ""  # SOP Instance UID where it stood in the study; empty: the name


class Bringing:
    """Works within the caller's transaction."""

    def __init__(
        self,
        session: Session,
        reports: Reports,
        grants: Grants,
        files: PdfFiles,
        archives: Archives,
        orthancs: Mapping[str, OrthancDocuments],
    ) -> None:
        self._session = session
        self._reports = reports
        self._grants = grants
        self._files = files
        self._archives = archives
        self._orthancs = orthancs
        self._asides = ReportAsides(session)

    def look(self, pdf: bytes) -> Inspection | Refusal:
        """Raises RenderersBusy."""
        return self._files.inspect(pdf)

    def preview(self, pdf: bytes) -> bytes:
        """The first page as a PNG. Raises RenderingFailed, RenderersBusy."""
        return self._files.preview(pdf)

    def draft(self, study: Study) -> tuple[Report, ReportFile] | None:
        """The brought draft with its PDF."""
        query = (
            select(Report, ReportFile)
            .join(ReportFile, ReportFile.report_id == Report.id)
            .where(Report.study_id == study.id, Report.signed_at.is_(None), Report.source == Source.BROUGHT)
            .where(ReportFile.purpose == FilePurpose.BROUGHT)
        )
        found = self._session.execute(query).first()
        return (found[0], found[1]) if found else None

    def bring(
        self, study: Study, brought: Brought, *, revision: int, agreed: bool, by: Staff, at: datetime
    ) -> Outcome:
        """Make it the draft, in place of another that was brought. ``revision``: of the draft that was seen, 0 for
        none. ``agreed``: it may take the place of a written draft, whose text is then kept for its writer.

        CONFLICT where the draft is another by now, or a written one and nobody agreed.
        """
        draft = self._reports.draft(study)
        if draft is None:
            if revision:
                return Outcome.CONFLICT
            draft = self._begun(study, by=by, at=at)
            if draft is None:
                return Outcome.CONFLICT
        elif draft.revision != revision or (draft.source == Source.WRITTEN and not agreed):
            return Outcome.CONFLICT
        elif draft.source == Source.WRITTEN and any(Text.of(draft).typed.values()):
            writer = self._session.get_one(Staff, draft.written_by_id)
            self._asides.keep(study, Text.of(draft).typed, by=writer, at=at, replaces=False)
        if not self._filled(draft, brought, by=by, at=at):
            return Outcome.CONFLICT
        self._session.execute(delete(ReportFile).where(ReportFile.report_id == draft.id))
        self._session.add(
            ReportFile(
                report_id=draft.id,
                purpose=FilePurpose.BROUGHT.value,
                name=cleaned_name(brought.name),
                pages=brought.inspection.pages,
                sha256=hashlib.sha256(brought.pdf).digest(),
                pdf=brought.pdf,
                made_at=at,
            )
        )
        self._session.flush()
        return Outcome.DONE

    def _begun(self, study: Study, *, by: Staff, at: datetime) -> Report | None:
        draft = self._reports.unsigned(study, Text())
        draft.written_by_id, draft.saved_at = by.id, at
        try:
            with self._session.begin_nested():
                self._session.add(draft)
        except IntegrityError:
            return None
        return draft

    def _filled(self, draft: Report, brought: Brought, *, by: Staff, at: datetime) -> bool:
        changed = self._session.execute(
            update(Report)
            .where(Report.id == draft.id, Report.revision == draft.revision, Report.signed_at.is_(None))
            .values(
                **Text(language=spoken(brought.inspection.language)).values(),
                source=Source.BROUGHT.value,
                origin=brought.origin or cleaned_name(brought.name),
                revision=Report.revision + 1,
                written_by_id=by.id,
                saved_at=at,
            )
            .returning(Report.id)
        )
        return changed.first() is not None

    def warnings(self, study: Study, inspection: Inspection) -> list[Caution]:
        """What to look at before signing, the gravest first."""
        found, text = [], inspection.text
        if not text.strip():
            found.append(Caution.NO_TEXT)
        else:
            is_named = names_somebody(text, parse_person_name(study.patient_name))
            has_id = shows_any(text, [study.patient_id])
            if not is_named:
                found.append(Caution.NO_NAME if has_id else Caution.NOT_THIS_PATIENT)
            grant = self._grants.current(study)
            asks = grant is None or Policy(grant.policy).asks_birth_date
            if study.birth_date and asks and shows_birth_date(text, study.birth_date):
                found.append(Caution.BIRTH_DATE)
        if inspection.is_mended:
            found.append(Caution.MENDED)
        if inspection.is_signed:
            found.append(Caution.SIGNED)
        return found

    # What stands in the study itself.

    def documents(self, study: Study) -> list[ListedDocument]:
        """Reports among the images, but those that Studykey stored there. Raises ArchiveUnreachable."""
        if study.deleted_at is not None:
            return []
        ours = select(ReportDelivery.sop_instance_uid).join(Report, Report.id == ReportDelivery.report_id)
        known = set(self._session.scalars(ours.where(Report.study_id == study.id)))
        listed = self._orthanc(study).documents(study.orthanc_id)
        return [one for one in listed if one.sop_instance_uid not in known]

    def pdf_of(self, study: Study, document: ListedDocument) -> bytes | None:
        """What an encapsulated PDF holds. Raises ArchiveUnreachable."""
        found = self._orthanc(study).instance_pdf(document.instance_id)
        # The byte that made its length even (PS3.5 section 6.2, VR OB) is none of the PDF's.
        return found[1].removesuffix(b"\0") if found else None

    def words_of(self, study: Study, document: ListedDocument) -> StructuredReport | None:
        """What a structured report says; None where it can't be read. Raises ArchiveUnreachable, RenderersBusy."""
        file = self._orthanc(study).instance_file(document.instance_id)
        return self._files.read(file) if file else None

    def write(
        self, study: Study, words: StructuredReport, *, revision: int, by: Staff, at: datetime
    ) -> Outcome:
        """Begin a written draft with a structured report's words. CONFLICT where a draft exists."""
        if self._reports.draft(study) is not None:
            return Outcome.CONFLICT
        outcome = self._reports.save(study, Text().saying(words.texts), revision=revision, by=by, at=at)
        draft = self._reports.draft(study)
        if outcome is Outcome.DONE and draft is not None:
            draft.origin = words.sop_instance_uid
        return outcome

    def _orthanc(self, study: Study) -> OrthancDocuments:
        return self._orthancs[self._archives.name_of(study)]


def cleaned_name(name: str) -> str:
    """A file's name without folders and invisible signs, its ending kept."""
    last = clean_text(name.replace("\\", "/").rpartition("/")[2])
    return last if len(last) <= LONGEST_NAME else f"{last[: LONGEST_NAME - 5]}….pdf"


def spoken(language: str) -> str:
    """A language of ours for what a PDF says of itself ("de-CH"); empty: the clinic's."""
    first = language.replace("_", "-").split("-")[0].lower()
    return first if first in PAPER_LANGUAGES else ""
