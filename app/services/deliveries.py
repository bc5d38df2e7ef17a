"""When signed reports go into the archive, beside the images they are about (docs/adr/0014).

One row of ``report_delivery`` is the job and its memory. The follower asks for one job at a time; whatever goes wrong
with it is kept as a sentence for staff and tried again, later each time. Refuses to store what isn't released. What is
done in the archive, and made sure of there, stands in ``services.archived_reports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from app.adapters.paper import PaperTemplates
from app.config import Settings
from app.domain.events import Event
from app.domain.modality import N_
from app.models import Report, ReportDelivery, Study
from app.services.archived_reports import NO_ANSWER, ArchivedReports, Job, Refused
from app.services.audit import Audit, StoreUnavailable
from app.services.release import Releases
from app.services.report_copies import ReportCopies
from app.services.rules import SiteRules
from app.services.site import Site

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
# How often a report that isn't released yet is looked at: a rule or a hand may release it earlier than foreseen.
RELEASE_EVERY = timedelta(minutes=5)
# After this many tries (some eight minutes) it is on record, and on the page of limits.
STUCK = 5

_UNFORESEEN = N_("The mistake is Studykey's: its log says more.")


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
        self._releases = releases
        self._copies = copies
        self._rules = rules
        self._audit = audit
        self._archived = ArchivedReports(session, orthancs, copies, site, templates, audit, settings)

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
        except Refused as refused:
            self._later(delivery_id, str(refused), at)
        except ArchiveUnreachable as error:
            log.warning("report not stored", delivery=delivery_id, archive=error.archive, why=error.why)
            self._later(delivery_id, NO_ANSWER, at)
        except (SQLAlchemyError, StoreUnavailable):
            raise
        except Exception as error:  # one that can't be delivered must not keep the others out
            log.error("report not stored", delivery=delivery_id, why=type(error).__name__)
            self._later(delivery_id, _UNFORESEEN, at)
        return True

    def _do(self, delivery: ReportDelivery, at: datetime) -> None:
        """Raises Refused, ArchiveUnreachable."""
        report = self._session.get_one(Report, delivery.report_id)
        study = self._session.get_one(Study, report.study_id)
        file = self._copies.file(report)
        if file is None or report.id != self._newest(study) or not self._rules.now().archive_reports:
            self._settle(delivery, due_at=None)
            return
        part = self._releases.of(study, at=at).report
        if not part.is_out:
            if delivery.orthanc_id is not None:
                self._archived.withdraw(self._archived.job(delivery, report, study), at=at)  # held back again
            soon = at + RELEASE_EVERY
            due_at = min(part.from_, soon) if part.from_ and part.from_ > at else soon
            self._settle(delivery, due_at=due_at)
            return
        if delivery.orthanc_id is None:
            self._archived.store(delivery, report, study, file, at=at)
        for older in self._older(report):
            self._archived.withdraw(older, at=at)
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
            self._audit.within(
                self._session,
                Event.REPORT_STORE_FAILED,
                at=at,
                actor="studykey",
                study_id=report.study_id,
                version=report.version,
                why=problem,
            )
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
        return [
            self._archived.job(delivery, older, study)
            for delivery, older in self._session.execute(query).all()
        ]
