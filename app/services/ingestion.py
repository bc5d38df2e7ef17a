"""Taking studies in from the archives: nudge, follower and reconciliation all end here.

Idempotent: a study that is told twice is one row and one automatic grant. What it refuses: studies that are
not stable yet (their signal or the next reconciliation brings them) and studies without a usable UID.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.adapters.orthanc import Orthanc
from app.domain import birth_date as birth_dates
from app.domain import dicom
from app.domain.events import Event
from app.domain.exclusion import LeftOut
from app.domain.modality import N_
from app.domain.study import StudyRecord
from app.models import Archive, Grant, Study
from app.services import deliveries
from app.services.audit import Audit
from app.services.grants import Grants
from app.services.rules import Rules, SiteRules
from app.services.search_words import words_of
from app.services.tag_matching import TagMatching

log = structlog.get_logger(__name__)

# Tags whose change means that the paper may be in the wrong hands.
IDENTITY = ("patient_id", "patient_name", "study_instance_uid")
_AMBIGUOUS = N_("Another patient's study in this archive has the same StudyInstanceUID.")
# Fingerprint of a row whose taking in isn't through: no archive tells it, so the study is read again.
_UNFINISHED = ""
_OTHER_PATIENT = N_("The patient's name or ID changed in the archive.")


class Ingestion:
    """Commits by itself after each step: what is known is kept, and hashing never holds a write lock."""

    def __init__(
        self,
        session: Session,
        orthancs: Mapping[str, Orthanc],
        grants: Grants,
        audit: Audit,
        rules: SiteRules,
        matching: TagMatching,
    ) -> None:
        self._session = session
        self._orthancs = orthancs
        self._grants = grants
        self._audit = audit
        self._rules = rules
        self._matching = matching

    def take(self, archive: Archive, orthanc_id: str, *, at: datetime) -> Study | None:
        """Bring the row of a stable study up to date and issue its automatic grant if one is due.

        None when there is nothing to take (gone, not stable, unusable). Raises ArchiveUnreachable, Busy.
        """
        record = self._orthancs[archive.name].study(orthanc_id)
        study = self._known(archive, orthanc_id)
        if record is None:
            if study is not None:
                self.gone(study, at=at)
            return None
        if not record.is_stable:
            return None
        if not dicom.is_uid(record.study_instance_uid):
            log.warning("study refused", archive=archive.name, orthanc_id=orthanc_id, why="unusable UID")
            return None
        actor = f"archive:{archive.name}"
        if study is None:
            study = self._add(archive, record, at=at, actor=actor)
        else:
            self._update(study, record, at=at, actor=actor)
        # What was in the archive before Studykey is no news to anybody.
        is_news = record.updated_at >= archive.registered_at
        self._matching.of_study(self._session, study, at=at, is_news=is_news)
        self._session.commit()
        if self._is_grant_due(archive, study, record):
            self._issue(study, at=at, actor=actor)
        self._suspend_if_ambiguous(archive, study.study_instance_uid, at=at, actor=actor)
        # Last of all: what was cut short before this is taken in again by the next reconciliation.
        study.fingerprint = record.fingerprint
        self._session.commit()
        return study

    def gone(self, study: Study, *, at: datetime) -> None:
        """The archive no longer has it: it stops being openable, its grant waits for its return."""
        if study.deleted_at is None:
            study.deleted_at = at
            self._audit.within(self._session, Event.STUDY_DELETED, at=at, actor="studykey", study_id=study.id)
        self._session.commit()

    def ambiguous(self, archive_name: str, study_instance_uid: str, *, at: datetime) -> None:
        """The gate met a UID that is not one study."""
        archive = self._session.scalars(select(Archive).where(Archive.name == archive_name)).one_or_none()
        if archive is None:
            return
        for study in self._with_uid(archive, study_instance_uid):
            self._grants.suspend(study, _AMBIGUOUS, at=at, actor=f"archive:{archive.name}")
        self._session.commit()

    def _known(self, archive: Archive, orthanc_id: str) -> Study | None:
        query = select(Study).where(Study.archive_id == archive.id, Study.orthanc_id == orthanc_id)
        return self._session.scalars(query).one_or_none()

    def _with_uid(self, archive: Archive, uid: str) -> list[Study]:
        query = select(Study).where(
            Study.archive_id == archive.id, Study.study_instance_uid == uid, Study.deleted_at.is_(None)
        )
        return list(self._session.scalars(query))

    def _add(self, archive: Archive, record: StudyRecord, *, at: datetime, actor: str) -> Study:
        study = Study(archive_id=archive.id, orthanc_id=record.orthanc_id, stable_at=at)
        study.fingerprint = _UNFINISHED
        _copy(record, study, at=at)
        try:
            with self._session.begin_nested():
                self._session.add(study)
        except IntegrityError:  # another process was first
            known = self._known(archive, record.orthanc_id)
            assert known is not None
            return known
        self._audit.within(self._session, Event.STUDY_STABLE, at=at, actor=actor, study_id=study.id)
        return study

    def _update(self, study: Study, record: StudyRecord, *, at: datetime, actor: str) -> None:
        was_born, was_deleted = study.birth_date, study.deleted_at is not None
        was = (study.patient_name, study.patient_id)
        is_other_patient = any(getattr(study, name) != getattr(record, name) for name in IDENTITY)
        has_changed = study.fingerprint not in (_UNFINISHED, record.fingerprint)
        _copy(record, study, at=at)
        study.deleted_at = None
        if was_deleted:
            deliveries.forget(self._session, study, at=at)
            self._audit.within(self._session, Event.STUDY_REVIVED, at=at, actor=actor, study_id=study.id)
        elif has_changed:
            self._audit.within(self._session, Event.STUDY_CHANGED, at=at, actor=actor, study_id=study.id)
        if is_other_patient:
            self._grants.suspend(study, _OTHER_PATIENT, at=at, actor=actor, was=was)
        elif study.birth_date != was_born:
            for grant in self._grants.of_study(study):
                self._grants.renew_birth_date(grant, at=at, actor=actor)

    def _is_grant_due(self, archive: Archive, study: Study, record: StudyRecord) -> bool:
        if record.is_derived or record.updated_at < archive.registered_at:
            return False  # anonymised copies and the backlog wait until somebody asks
        if self._left_out(self._rules.now(), study):
            return False
        issued = select(Grant.id).where(Grant.automatic_study_id == study.id)
        return self._session.scalar(issued) is None and not self._grants.of_study(study)

    @staticmethod
    def _left_out(rules: Rules, study: Study) -> LeftOut | None:
        return rules.left_out(
            modalities=study.modalities, patient_name=study.patient_name, patient_id=study.patient_id
        )

    def would_leave_out(self, rules: Rules, *, among: int = 200) -> list[tuple[Study, LeftOut]]:
        """Of the newest ``among`` studies those that would get no code by themselves under ``rules``."""
        newest = select(Study).order_by(Study.stable_at.desc(), Study.id.desc()).limit(among)
        found = [(study, self._left_out(rules, study)) for study in self._session.scalars(newest)]
        return [(study, why) for study, why in found if why]

    def _issue(self, study: Study, *, at: datetime, actor: str) -> None:
        try:
            self._grants.issue([study], at=at, actor=actor, automatic=True)
            self._session.commit()
        except IntegrityError:  # another process issued it meanwhile: that one stands
            self._session.rollback()

    def _suspend_if_ambiguous(self, archive: Archive, uid: str, *, at: datetime, actor: str) -> None:
        same_uid = self._with_uid(archive, uid)
        if len(same_uid) > 1:
            for study in same_uid:
                self._grants.suspend(study, _AMBIGUOUS, at=at, actor=actor)


def _copy(record: StudyRecord, study: Study, *, at: datetime) -> None:
    for name in (
        *IDENTITY,
        *("birth_date_text", "patient_sex", "study_date", "description", "accession_number", "body_part"),
        *("institution_name", "referring_physician", "performing_physician", "reading_physicians"),
        *("responsible_organization", "series_count", "instance_count"),
    ):
        setattr(study, name, getattr(record, name))
    study.modalities = "\\".join(record.modalities)
    others = dict(record.other_tags)
    study.other_tags = json.dumps(others, ensure_ascii=False, sort_keys=True) if others else ""
    study.archive_updated_at = record.updated_at
    state, born = birth_dates.judge(record.birth_date_text, study_date=record.study_date or at.date())
    study.birth_date_state, study.birth_date = state, born
    study.search_words = words_of(study)
