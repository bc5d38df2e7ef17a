"""Signed reports within an archive: put beside their images, and taken out again (docs/adr/0014).

Knows what to make sure of before and after. Refuses to guess whose study it is, and to delete what Studykey didn't
store there itself, recognised by id and bytes. When it is time for either is the business of ``services.deliveries``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import encapsulated_pdf
from app.adapters.encapsulated_pdf import Document
from app.adapters.orthanc import Orthanc
from app.adapters.paper import PaperTemplates
from app.config import Settings
from app.domain.events import Event
from app.domain.modality import N_
from app.domain.report import Copy
from app.domain.study import StudyRecord
from app.models import Archive, Grant, Report, ReportDelivery, ReportFile, Study, grant_study
from app.services.audit import Audit
from app.services.report_copies import ReportCopies
from app.services.site import PAPER_LANGUAGES, Site

log = structlog.get_logger(__name__)

NO_ANSWER = N_("The archive doesn't answer, or didn't take the report.")
_TITLE = N_("Radiology report")
_TITLE_OF_VERSION = N_("Radiology report, version %(version)s")
_GONE = N_("The study is no longer in the archive.")
_OTHER_PATIENT = N_("The patient's name or ID changed in the archive.")
_AMBIGUOUS = N_("Another patient's study in this archive has the same StudyInstanceUID.")
_SUSPENDED = N_("An access to this study is suspended: check whose study it is, and open it again.")
_ELSEWHERE = N_("The patient's ID has characters with which the report would end up in another study.")
_NOT_OURS = N_(
    "What the archive keeps in place of an older version isn't what Studykey stored; it was left there."
)


class Refused(Exception):
    """It can't be stored now; the message is a sentence for staff."""


@dataclass(frozen=True)
class Job:
    """What is known of a delivery before anybody is asked; no row of the session."""

    delivery_id: int
    study_id: int
    archive: str
    version: int
    sop_instance_uid: str
    instance_id: str | None
    sha256: bytes


class ArchivedReports:
    """Commits by itself: nothing is held open while an archive is waited for."""

    def __init__(
        self,
        session: Session,
        orthancs: Mapping[str, Orthanc],
        copies: ReportCopies,
        site: Site,
        templates: PaperTemplates,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._session = session
        self._orthancs = orthancs
        self._copies = copies
        self._site = site
        self._templates = templates
        self._audit = audit
        self._settings = settings

    def store(
        self, delivery: ReportDelivery, report: Report, study: Study, file: ReportFile, *, at: datetime
    ) -> None:
        """Add a signed version to its study. Raises Refused, ArchiveUnreachable."""
        self._look_whose(study)
        orthanc = self._orthanc(study)
        document = self._document(report, study, file.pdf)
        orthanc_id, known = study.orthanc_id, study.fingerprint
        identity = (study.patient_id, study.patient_name)
        delivery.sop_instance_uid = document.sop_instance_uid
        self._session.commit()

        before, told = orthanc.study(orthanc_id), orthanc.main_tags(orthanc_id)
        if before is None or told is None:
            raise Refused(_GONE)
        if (before.patient_id, before.patient_name) != identity:
            raise Refused(_OTHER_PATIENT)
        if orthanc.studies_with_uid(before.study_instance_uid) != (orthanc_id,):
            raise Refused(_AMBIGUOUS)
        if encapsulated_pdf.study_of(told) != orthanc_id:
            raise Refused(_ELSEWHERE)
        stored = orthanc.store(encapsulated_pdf.encapsulate(document, told))
        if stored.study_id != orthanc_id:
            orthanc.delete_instance(stored.instance_id)
            raise Refused(_ELSEWHERE)
        after = orthanc.study(orthanc_id)

        delivery.stored_at, delivery.orthanc_id = at, stored.instance_id
        digest = self._copies.note(report, document.pdf, Copy.ARCHIVE, at=at)
        _expect_change(study, before, after, known)
        self._note(Event.REPORT_STORED, report.study_id, report.version, at, sha256=digest)
        self._session.commit()

    def _look_whose(self, study: Study) -> None:
        """What the database knows already. Raises Refused."""
        if study.deleted_at is not None:
            raise Refused(_GONE)
        suspended = (
            select(Grant.id)
            .join(grant_study)
            .where(grant_study.c.study_id == study.id)
            .where(Grant.suspended_at.is_not(None), Grant.revoked_at.is_(None))
        )
        if self._session.scalars(suspended).first() is not None:
            raise Refused(_SUSPENDED)

    def withdraw(self, job: Job, *, at: datetime) -> None:
        """Delete what we stored. What isn't there any more is fine; what isn't ours any more stays.

        Raises ArchiveUnreachable.
        """
        orthanc = self._orthancs[job.archive]
        study = self._session.get_one(Study, job.study_id)
        orthanc_id, known = study.orthanc_id, study.fingerprint
        self._session.commit()
        assert job.instance_id is not None
        before = orthanc.study(orthanc_id)
        found, is_ours = orthanc.instance_pdf(job.instance_id), True
        if found is not None:
            uid, pdf = found
            is_ours = uid == job.sop_instance_uid and _is_same(pdf, job.sha256)
            if is_ours:
                orthanc.delete_instance(job.instance_id)
        after = orthanc.study(orthanc_id)

        delivery = self._session.get_one(ReportDelivery, job.delivery_id)
        delivery.stored_at = delivery.orthanc_id = delivery.due_at = None
        delivery.problem = "" if is_ours else _NOT_OURS
        if is_ours:
            _expect_change(study, before, after, known)
            self._note(Event.REPORT_WITHDRAWN, job.study_id, job.version, at)
        else:
            log.warning("an instance was left in the archive", archive=job.archive, instance=job.instance_id)
        self._session.commit()

    def job(self, delivery: ReportDelivery, report: Report, study: Study) -> Job:
        file = self._copies.file(report)
        return Job(
            delivery_id=delivery.id,
            study_id=study.id,
            archive=self._archive(study),
            version=report.version,
            sop_instance_uid=delivery.sop_instance_uid,
            instance_id=delivery.orthanc_id,
            sha256=file.sha256 if file else b"",
        )

    def _archive(self, study: Study) -> str:
        return self._session.get_one(Archive, study.archive_id).name

    def _orthanc(self, study: Study) -> Orthanc:
        """Raises Refused for an archive that the settings don't name any more."""
        orthanc = self._orthancs.get(self._archive(study))
        if orthanc is None:
            raise Refused(NO_ANSWER)
        return orthanc

    def _document(self, report: Report, study: Study, pdf: bytes) -> Document:
        assert report.signed_at is not None
        site = self._site.facts()
        language = report.language if report.language in PAPER_LANGUAGES else site.language
        translate = self._templates.translator(language)
        title = (
            translate(_TITLE_OF_VERSION) % {"version": report.version}
            if report.version > 1
            else translate(_TITLE)
        )
        return Document(
            pdf=pdf,
            study_instance_uid=study.study_instance_uid,
            version=report.version,
            title=title,
            series=translate(_TITLE),
            signed_at=report.signed_at.astimezone(ZoneInfo(self._settings.time_zone)),
            institution=site.name,
        )

    def _note(self, event: Event, study_id: int, version: int, at: datetime, **details: Any) -> None:
        self._audit.within(
            self._session, event, at=at, actor="studykey", study_id=study_id, version=version, **details
        )


def _is_same(pdf: bytes, sha256: bytes) -> bool:
    """An archive may give the byte back that made the length even (PS3.5 section 6.2, VR OB)."""
    return any(hashlib.sha256(one).digest() == sha256 for one in (pdf, pdf.removesuffix(b"\0")))


def _expect_change(study: Study, before: StudyRecord | None, after: StudyRecord | None, known: str) -> None:
    """The archive will say that the study changed. It was us, and unless something else changed too it is no news."""
    if before is not None and after is not None and before.fingerprint == known:
        study.fingerprint = after.fingerprint
