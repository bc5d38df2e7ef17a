"""What the staff's list of studies shows: everything the rows of a page need in a fixed number of statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, load_only

from app.domain import dicom
from app.domain.dicom import PersonName, parse_person_name
from app.domain.grants import Kind
from app.models import Archive, Grant, Report, Study, grant_study
from app.services import study_search
from app.services.study_search import EXPIRING, Wanted

PAGE_SIZE = 50
LARGEST_ID = 2**31 - 1  # of an INTEGER; PostgreSQL refuses to look for more
EVERYTHING = Wanted()


class Access(StrEnum):
    """Whether the patient's code opens the study; what stops the patient comes first."""

    GONE = "gone"  # the images aren't in the archive
    NONE = "none"  # no code
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    LOCKED = "locked"  # too many failed tries
    EXPIRING = "expiring"  # ends within a week
    OPEN = "open"


@dataclass(frozen=True)
class Row:
    """One study on the list. ``grant_ref`` and what follows: of the patient's grant."""

    id: int
    patient_name: PersonName
    patient_id: str
    birth_date: date | None
    birth_date_state: str
    study_date: date | None
    description: str
    accession_number: str
    referring_physician: PersonName
    modalities: str
    series_count: int
    instance_count: int
    stable_at: datetime
    is_deleted: bool
    archive: str
    has_draft: bool
    has_signed: bool
    access: Access
    grant_ref: str | None
    expires_at: datetime | None
    is_printed: bool
    openings: int
    shares: int  # codes that others hold and that open now

    @property
    def is_suspended(self) -> bool:
        return self.access is Access.SUSPENDED


@dataclass(frozen=True)
class Page:
    """``next_before`` continues the list (keyset on the id), None at the end; ``before`` of a page that isn't full
    tells how far the search has come. ``is_index_whole``: False while older studies have no words to find them by."""

    rows: Sequence[Row]
    next_before: int | None
    is_index_whole: bool = True

    @property
    def digest(self) -> str:
        """Differs when something on the page does."""
        return hashlib.sha256(repr([self.rows, self.next_before]).encode()).hexdigest()[:16]


class Worklist:
    def __init__(self, session: Session) -> None:
        self._session = session

    def study(self, study_id: int) -> Study | None:
        return self._session.get(Study, study_id) if study_id <= LARGEST_ID else None

    def studies(self, ids: Iterable[int]) -> list[Study]:
        """Those of ``ids`` that there are, newest first."""
        wanted = {one for one in ids if 0 < one <= LARGEST_ID}
        return list(
            self._session.scalars(select(Study).where(Study.id.in_(wanted)).order_by(Study.id.desc()))
        )

    def find(self, text: str) -> Study | None:
        """The study of this number, or of this StudyInstanceUID where only one has it."""
        if dicom.is_uid(text):
            found = self._session.scalars(select(Study).where(Study.study_instance_uid == text)).all()
            return found[0] if len(found) == 1 else None
        return self.study(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def page(self, wanted: Wanted = EVERYTHING, *, before: int | None = None, at: datetime) -> Page:
        """Stable studies in the order in which Studykey learnt of them, the newest first, below the id ``before``."""
        start = LARGEST_ID if before is None else min(before, LARGEST_ID)
        found = study_search.find(self._session, wanted, before=start, limit=PAGE_SIZE, at=at)
        is_whole = not wanted.text or not self._session.scalar(
            select(exists().where(Study.search_words == ""))
        )
        return Page(self._rows(found.ids, at), found.next_before, is_whole)

    def _rows(self, ids: list[int], at: datetime) -> list[Row]:
        studies = self._session.execute(
            select(Study, Archive.name)
            .join(Archive, Archive.id == Study.archive_id)
            .where(Study.id.in_(ids))
            .order_by(Study.id.desc())
        ).all()
        grants: dict[int, list[Grant]] = {study_id: [] for study_id in ids}
        for study_id, grant in self._session.execute(
            select(grant_study.c.study_id, Grant)
            .join(Grant, Grant.id == grant_study.c.grant_id)
            .where(grant_study.c.study_id.in_(ids), Grant.revoked_at.is_(None), Grant.kind != Kind.GROUP)
            .order_by(Grant.id.desc())
            .options(load_only(*_OF_GRANTS))
        ):
            grants[study_id].append(grant)
        signed: dict[int, set[bool]] = {study_id: set() for study_id in ids}
        for study_id, signed_at in self._session.execute(
            select(Report.study_id, Report.signed_at).where(Report.study_id.in_(ids))
        ):
            signed[study_id].add(signed_at is not None)
        return [_row(study, name, grants[study.id], signed[study.id], at) for study, name in studies]


_OF_GRANTS = (
    *(Grant.ref, Grant.kind, Grant.policy, Grant.expires_at, Grant.released_at, Grant.revoked_at),
    *(Grant.suspended_at, Grant.printed_at, Grant.openings, Grant.failures, Grant.failures_in_life),
)


def _row(study: Study, archive: str, grants: list[Grant], signed: set[bool], at: datetime) -> Row:
    # As Grants.current: the newest patient's grant that is not revoked, whoever issued it.
    current = next((grant for grant in grants if grant.kind == Kind.PATIENT), None)
    others = [grant for grant in grants if grant.kind != Kind.PATIENT]
    return Row(
        id=study.id,
        patient_name=parse_person_name(study.patient_name),
        patient_id=study.patient_id,
        birth_date=study.birth_date,
        birth_date_state=study.birth_date_state,
        study_date=study.study_date,
        description=study.description,
        accession_number=study.accession_number,
        referring_physician=parse_person_name(study.referring_physician),
        modalities=study.modalities.replace("\\", " "),
        series_count=study.series_count,
        instance_count=study.instance_count,
        stable_at=study.stable_at,
        is_deleted=study.deleted_at is not None,
        archive=archive,
        has_draft=False in signed,
        has_signed=True in signed,
        access=_access(study, current, at),
        grant_ref=current.ref if current else None,
        expires_at=current.expires_at if current else None,
        is_printed=current is not None and current.printed_at is not None,
        openings=current.openings if current else 0,
        shares=sum(not _has_ended(grant, at) for grant in others),
    )


def _access(study: Study, grant: Grant | None, at: datetime) -> Access:
    if study.deleted_at is not None:
        return Access.GONE
    if grant is None:
        return Access.NONE
    if grant.suspended_at is not None:
        return Access.SUSPENDED
    if _has_ended(grant, at):
        return Access.EXPIRED
    if grant.is_locked:
        return Access.LOCKED
    if grant.expires_at is not None and grant.expires_at <= at + EXPIRING:
        return Access.EXPIRING
    return Access.OPEN


def _has_ended(grant: Grant, at: datetime) -> bool:
    return grant.expires_at is not None and grant.expires_at <= at
