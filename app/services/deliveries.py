"""Signed reports on their way into the archive, beside the images they are about (docs/adr/0014).

One row of ``report_delivery`` is the job and its memory. The follower asks for one job at a time; whatever goes wrong
with it is kept as a sentence for staff and tried again, later each time. Refuses to store what isn't released, and to
guess whose study it is. Deletes from an archive only what it stored there itself, recognised by id and bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.adapters import encapsulated_pdf
from app.adapters.encapsulated_pdf import Document
from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from app.adapters.paper import PaperTemplates
from app.config import Settings
from app.domain.events import Event
from app.domain.modality import N_
from app.domain.report import Copy
from app.domain.study import StudyRecord
from app.models import Archive, Grant, Report, ReportDelivery, ReportFile, Study, grant_study
from app.services.audit import Audit, StoreUnavailable
from app.services.release import Releases
from app.services.report_copies import ReportCopies
from app.services.rules import SiteRules
from app.services.site import PAPER_LANGUAGES, Site

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
# How often a report that isn't released yet is looked at: a rule or a hand may release it earlier than foreseen.
RELEASE_EVERY = timedelta(minutes=5)
# After this many tries (some eight minutes) it is on record, and on the page of limits.
STUCK = 5

_TITLE = N_("Radiology report")
_TITLE_OF_VERSION = N_("Radiology report, version %(version)s")
_NO_ANSWER = N_("The archive doesn't answer, or didn't take the report.")
_UNFORESEEN = N_("The mistake is Studykey's: its log says more.")
_GONE = N_("The study is no longer in the archive.")
_OTHER_PATIENT = N_("The patient's name or ID changed in the archive.")
_AMBIGUOUS = N_("Another patient's study in this archive has the same StudyInstanceUID.")
_SUSPENDED = N_("An access to this study is suspended: check whose study it is, and open it again.")
_ELSEWHERE = N_("The patient's ID has characters with which the report would end up in another study.")
_NOT_OURS = N_(
    "What the archive keeps in place of an older version isn't what Studykey stored; it was left there."
)


class _Refused(Exception):
    """It can't be stored now; the message is a sentence for staff."""


def expect(session: Session, report: Report, *, at: datetime) -> None:
    """A version was signed: whether, and when, it goes into the archive is the follower's to find out."""
    session.flush()
    if session.scalar(select(ReportDelivery.id).where(ReportDelivery.report_id == report.id)) is None:
        session.add(ReportDelivery(report_id=report.id, sop_instance_uid="", due_at=at))


def forget(session: Session, study: Study, *, at: datetime) -> None:
    """The study came back into its archive: what was stored there went with it."""
    ids = select(Report.id).where(Report.study_id == study.id)
    session.execute(
        update(ReportDelivery)
        .where(ReportDelivery.report_id.in_(ids), ReportDelivery.orthanc_id.is_not(None))
        .values(orthanc_id=None, stored_at=None, due_at=at)
    )


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


class Deliveries:
    """Commits by itself: nothing is held open while an archive is waited for."""

    def __init__(
        self,
        session: Session,
        orthancs: Mapping[str, Orthanc],
        releases: Releases,
        copies: ReportCopies,
        rules: SiteRules,
        site: Site,
        templates: PaperTemplates,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._session = session
        self._orthancs = orthancs
        self._releases = releases
        self._copies = copies
        self._rules = rules
        self._site = site
        self._templates = templates
        self._audit = audit
        self._settings = settings

    def of(self, study: Study) -> ReportDelivery | None:
        """What becomes of the version that stands; None before anything was signed, or where nothing is stored."""
        delivery = self._of(study)
        if delivery is None or delivery.orthanc_id is not None or self._rules.now().archive_reports:
            return delivery
        return None

    def _of(self, study: Study) -> ReportDelivery | None:
        query = (
            select(ReportDelivery)
            .join(Report, Report.id == ReportDelivery.report_id)
            .where(Report.study_id == study.id)
            .order_by(Report.version.desc())
            .limit(1)
        )
        return self._session.scalars(query).one_or_none()

    def recheck(self, study: Study, *, at: datetime) -> None:
        """Something about the study's release changed: look at its newest version now."""
        if (delivery := self._of(study)) is not None and self._rules.now().archive_reports:
            delivery.due_at = at

    def work(self, *, at: datetime) -> bool:
        """Do the job that is due longest; whether there was one. At most some requests to one archive."""
        due = (
            select(ReportDelivery)
            .where(ReportDelivery.due_at <= at)
            .order_by(ReportDelivery.due_at, ReportDelivery.id)
            .limit(1)
        )
        delivery = self._session.scalars(due).one_or_none()
        if delivery is None:
            self._session.rollback()
            return False
        delivery_id = delivery.id
        try:
            self._do(delivery, at)
        except _Refused as refused:
            self._later(delivery_id, str(refused), at)
        except ArchiveUnreachable as error:
            log.warning("report not stored", delivery=delivery_id, archive=error.archive, why=error.why)
            self._later(delivery_id, _NO_ANSWER, at)
        except (SQLAlchemyError, StoreUnavailable):
            raise
        except Exception as error:  # one that can't be delivered must not keep the others out
            log.error("report not stored", delivery=delivery_id, why=type(error).__name__)
            self._later(delivery_id, _UNFORESEEN, at)
        return True

    def _do(self, delivery: ReportDelivery, at: datetime) -> None:
        """Raises _Refused, ArchiveUnreachable."""
        report = self._session.get_one(Report, delivery.report_id)
        study = self._session.get_one(Study, report.study_id)
        file = self._copies.file(report)
        if file is None or report.id != self._newest(study) or not self._rules.now().archive_reports:
            self._settle(delivery, due_at=None)
            return
        part = self._releases.of(study, at=at).report
        if not part.is_out:
            if delivery.orthanc_id is not None:
                self._withdraw(self._job(delivery, report, study), at)  # held back again
            soon = at + RELEASE_EVERY
            due_at = min(part.from_, soon) if part.from_ and part.from_ > at else soon
            self._settle(delivery, due_at=due_at)
            return
        if delivery.orthanc_id is None:
            self._store(delivery, report, study, file, at)
        for older in self._older(report):
            self._withdraw(older, at)
        self._settle(delivery, due_at=None)

    def _settle(self, delivery: ReportDelivery, *, due_at: datetime | None) -> None:
        delivery.due_at, delivery.problem, delivery.tries = due_at, "", 0
        self._session.commit()

    def _later(self, delivery_id: int, problem: str, at: datetime) -> None:
        self._session.rollback()
        delivery = self._session.get_one(ReportDelivery, delivery_id)
        delivery.problem, delivery.tries = problem, delivery.tries + 1
        delivery.due_at = at + min(FIRST_WAIT * 2 ** min(delivery.tries - 1, 20), LONGEST_WAIT)
        if delivery.tries == STUCK:
            report = self._session.get_one(Report, delivery.report_id)
            self._note(Event.REPORT_STORE_FAILED, report.study_id, report.version, at, why=problem)
        self._session.commit()

    def _store(
        self, delivery: ReportDelivery, report: Report, study: Study, file: ReportFile, at: datetime
    ) -> None:
        self._look_whose(study)
        orthanc = self._orthanc(study)
        document = self._document(report, study, file.pdf)
        orthanc_id, known = study.orthanc_id, study.fingerprint
        identity = (study.patient_id, study.patient_name)
        delivery.sop_instance_uid = document.sop_instance_uid
        self._session.commit()

        before, told = orthanc.study(orthanc_id), orthanc.main_tags(orthanc_id)
        if before is None or told is None:
            raise _Refused(_GONE)
        if (before.patient_id, before.patient_name) != identity:
            raise _Refused(_OTHER_PATIENT)
        if orthanc.studies_with_uid(before.study_instance_uid) != (orthanc_id,):
            raise _Refused(_AMBIGUOUS)
        if encapsulated_pdf.study_of(told) != orthanc_id:
            raise _Refused(_ELSEWHERE)
        stored = orthanc.store(encapsulated_pdf.encapsulate(document, told))
        if stored.study_id != orthanc_id:
            orthanc.delete_instance(stored.instance_id)
            raise _Refused(_ELSEWHERE)
        after = orthanc.study(orthanc_id)

        delivery.stored_at, delivery.orthanc_id = at, stored.instance_id
        digest = self._copies.note(report, document.pdf, Copy.ARCHIVE, at=at)
        _expect_change(study, before, after, known)
        self._note(Event.REPORT_STORED, report.study_id, report.version, at, sha256=digest)
        self._session.commit()

    def _look_whose(self, study: Study) -> None:
        """What the database knows already. Raises _Refused."""
        if study.deleted_at is not None:
            raise _Refused(_GONE)
        suspended = (
            select(Grant.id)
            .join(grant_study)
            .where(grant_study.c.study_id == study.id)
            .where(Grant.suspended_at.is_not(None), Grant.revoked_at.is_(None))
        )
        if self._session.scalars(suspended).first() is not None:
            raise _Refused(_SUSPENDED)

    def _withdraw(self, job: Job, at: datetime) -> None:
        """Delete what we stored. What isn't there any more is fine; what isn't ours any more stays."""
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

    def _newest(self, study: Study) -> int | None:
        query = (
            select(Report.id)
            .where(Report.study_id == study.id, Report.signed_at.is_not(None))
            .order_by(Report.version.desc())
            .limit(1)
        )
        return self._session.scalar(query)

    def _older(self, report: Report) -> list[Job]:
        """Versions before this one that still stand in the archive."""
        query = (
            select(ReportDelivery, Report)
            .join(Report, Report.id == ReportDelivery.report_id)
            .where(Report.study_id == report.study_id, Report.version < report.version)
            .where(ReportDelivery.orthanc_id.is_not(None))
        )
        study = self._session.get_one(Study, report.study_id)
        return [self._job(delivery, older, study) for delivery, older in self._session.execute(query).all()]

    def _job(self, delivery: ReportDelivery, report: Report, study: Study) -> Job:
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
        """Raises _Refused for an archive that the settings don't name any more."""
        orthanc = self._orthancs.get(self._archive(study))
        if orthanc is None:
            raise _Refused(_NO_ANSWER)
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
