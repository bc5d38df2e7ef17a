"""What the staff's list of studies shows: everything a row needs in one statement, never more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from app.domain import dicom
from app.domain.dicom import PersonName, parse_person_name
from app.domain.grants import Kind
from app.models import Archive, Grant, Study, grant_study

PAGE_SIZE = 50
LARGEST_ID = 2**31 - 1  # of an INTEGER; PostgreSQL refuses to look for more


@dataclass(frozen=True)
class Row:
    """One study on the list."""

    id: int
    patient_name: PersonName
    patient_id: str
    birth_date: date | None
    birth_date_state: str
    study_date: date | None
    description: str
    accession_number: str
    modalities: str
    series_count: int
    instance_count: int
    stable_at: datetime
    is_deleted: bool
    archive: str
    grant_ref: str | None
    is_suspended: bool


@dataclass(frozen=True)
class Page:
    """``next_before`` continues the list (keyset): (stable_at, id) of the last row, None at the end."""

    rows: Sequence[Row]
    next_before: tuple[datetime, int] | None


class Worklist:
    def __init__(self, session: Session) -> None:
        self._session = session

    def study(self, study_id: int) -> Study | None:
        return self._session.get(Study, study_id) if study_id <= LARGEST_ID else None

    def find(self, text: str) -> Study | None:
        """The study of this number, or of this StudyInstanceUID where only one has it."""
        if dicom.is_uid(text):
            found = self._session.scalars(select(Study).where(Study.study_instance_uid == text)).all()
            return found[0] if len(found) == 1 else None
        return self.study(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def page(self, *, search: str = "", before: tuple[datetime, int] | None = None) -> Page:
        """Stable studies, newest first. ``search``: words that all have to occur in name, ID, accession
        number or description, or a date (YYYYMMDD or YYYY-MM-DD) of the study."""
        query = _rows().order_by(Study.stable_at.desc(), Study.id.desc()).limit(PAGE_SIZE + 1)
        for word in dicom.clean_text(search).split()[:8]:
            query = query.where(_matches(word))
        if before is not None:
            query = query.where(tuple_(Study.stable_at, Study.id) < tuple_(*before))
        found = self._session.execute(query).all()
        rows = [
            Row(
                id=study.id,
                patient_name=parse_person_name(study.patient_name),
                patient_id=study.patient_id,
                birth_date=study.birth_date,
                birth_date_state=study.birth_date_state,
                study_date=study.study_date,
                description=study.description,
                accession_number=study.accession_number,
                modalities=study.modalities.replace("\\", " "),
                series_count=study.series_count,
                instance_count=study.instance_count,
                stable_at=study.stable_at,
                is_deleted=study.deleted_at is not None,
                archive=archive,
                grant_ref=ref,
                is_suspended=suspended_at is not None,
            )
            for study, archive, ref, suspended_at in found[:PAGE_SIZE]
        ]
        is_more = len(found) > PAGE_SIZE
        return Page(rows, (rows[-1].stable_at, rows[-1].id) if is_more else None)


def _rows() -> Select[Study, str, str, datetime | None]:
    # As Grants.current: the newest patient's grant that is not revoked, whoever issued it.
    newest = (
        select(func.max(Grant.id))
        .join(grant_study)
        .where(grant_study.c.study_id == Study.id, Grant.revoked_at.is_(None), Grant.kind == Kind.PATIENT)
        .scalar_subquery()
    )
    return (
        select(Study, Archive.name, Grant.ref, Grant.suspended_at)
        .join(Archive, Archive.id == Study.archive_id)
        .outerjoin(Grant, Grant.id == newest)
    )


def _matches(word: str) -> ColumnElement[bool]:
    """A word of a search; ``autoescape`` keeps % and _ from being wildcards."""
    in_text = or_(
        *(
            func.lower(column).contains(word.lower(), autoescape=True)
            for column in (Study.patient_name, Study.patient_id, Study.accession_number, Study.description)
        )
    )
    day = dicom.parse_date(word.replace("-", "").replace(".", ""))
    return or_(in_text, Study.study_date == day) if day else in_text
