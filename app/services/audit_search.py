"""The audit trail, read: page by page for an auditor's eyes, and whole for an export.

Nobody asks for a count of what was found, and no page looks through more than LOOK rows: a trail of millions
answers as fast as a short one, and says how far back it looked. What concerns a study or a grant has an index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, text, union_all
from sqlalchemy.orm import Session, sessionmaker

from app.domain import dicom
from app.domain.events import Event
from app.domain.grants import Kind
from app.models import Archive, AuditEvent, Grant, Staff, Study, grant_study
from app.services import study_search

PAGE_SIZE = 50
LOOK = 100_000  # rows looked through for one page: some 10 ms
BATCH = 2_000  # rows read at a time for an export
MAX_STUDIES = 20
LARGEST_ID = 2**31 - 1  # of an INTEGER; PostgreSQL refuses to look for more
# Rows stand in the order of their writing; a row's own moment may be that much earlier.
DISORDER = timedelta(days=1)
# Who can have done something, but for people and archives.
OTHERS = ("holder", "studykey", "unknown", "staff:command-line")

_COLUMNS = AuditEvent.__table__.columns


@dataclass(frozen=True)
class Wish:
    """What an auditor asks for: all of it at once; empty asks for everything. ``until`` is not part of it.

    ``study_ids`` None: whatever the study; with them, what concerns a grant of theirs as such too. ``grant_ids``
    None: whatever the grant.
    """

    events: frozenset[str] = field(default=frozenset())
    actors: frozenset[str] = field(default=frozenset())
    study_ids: tuple[int, ...] | None = None
    grant_ids: tuple[int, ...] | None = None
    address: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_indexed(self) -> bool:
        return self.study_ids is not None or self.grant_ids is not None


@dataclass(frozen=True)
class Entry:
    """A row for an auditor. ``grant`` is the grant's ref, ``study`` the StudyInstanceUID."""

    row_id: int
    at: datetime
    event: str
    actor: str
    address: str | None
    grant: str | None
    study: str | None
    details: dict[str, Any]
    mac: bytes
    study_id: int | None
    patient_name: str | None


@dataclass(frozen=True)
class Page:
    """Newest first. ``before`` continues it (None: nothing older); ``looked_back_to`` is where looking stopped
    before the page was full."""

    entries: Sequence[Entry]
    before: int | None
    looked_back_to: datetime | None = None


@dataclass(frozen=True)
class NamedStudy:
    """A study that an auditor named."""

    id: int
    study_instance_uid: str
    patient_name: str
    study_date: date | None


class AuditSearch:
    def __init__(self, own_session: sessionmaker[Session]) -> None:
        self._own_session = own_session

    def page(self, wish: Wish, *, before: int | None = None) -> Page:
        """The newest rows of a wish, or those older than row ``before``."""
        with self._own_session() as session:
            first, end = self._bounds(session, wish)
            end = min(end, before) if before is not None else end
            query = _rows(wish).limit(PAGE_SIZE + 1)
            if wish.is_indexed:
                # "+ 0": by the index of the study or grant and sorted, never down the whole trail.
                rows = session.execute(
                    query.where(_COLUMNS.id < end).order_by((_COLUMNS.id + 0).desc())
                ).all()
                return _page(rows, None)
            start = max(first, end - LOOK)
            window = query.where(_COLUMNS.id < end, _COLUMNS.id >= start).order_by(_COLUMNS.id.desc())
            rows = session.execute(window).all()
            if len(rows) > PAGE_SIZE or start <= first:
                return _page(rows, None)
            oldest = select(_COLUMNS.at).where(_COLUMNS.id >= start).order_by(_COLUMNS.id).limit(1)
            return _page(rows, start, session.scalar(oldest))

    def entries(self, wish: Wish, *, up_to: int | None = None) -> Iterator[Entry]:
        """All rows of a wish, oldest first, as they stand when they are reached; none newer than ``up_to``."""
        with self._own_session() as session:
            first, end = self._bounds(session, wish)
        end = min(end, up_to + 1) if up_to is not None else end
        key = _COLUMNS.id + 0 if wish.is_indexed else _COLUMNS.id
        query = _rows(wish).where(_COLUMNS.id < end).order_by(key).limit(BATCH)
        reached = first - 1
        while True:
            with self._own_session() as session:
                rows = session.execute(query.where(_COLUMNS.id > reached)).all()
            for row in rows:
                yield _entry(row)
                reached = row.id
            if len(rows) < BATCH:
                return

    def last_verification(self) -> Entry | None:
        """The newest row that tells of one."""
        # Written out, not a parameter: so the planner sees that the partial index has it.
        query = _rows(Wish()).where(text(f"audit_event.event = '{Event.AUDIT_VERIFIED.value}'"))
        with self._own_session() as session:
            row = session.execute(query.order_by(_COLUMNS.id.desc()).limit(1)).first()
        return _entry(row) if row is not None else None

    # What a person types, as the trail has it.

    def actors(self, who: str) -> frozenset[str]:
        """As the trail names somebody: given so ("holder", "staff:anna"), by login, or by an account's name."""
        who = dicom.clean_text(who)
        if not who or who in OTHERS or who.startswith(("staff:", "archive:")):
            return frozenset({who} - {""})
        named = {
            f"staff:{login}" for login, name in self.people().items() if name.casefold() == who.casefold()
        }
        return frozenset(named | {f"staff:{who.lower()}"})

    def people(self) -> dict[str, str]:
        """The name of each account by its login, in the order of the names."""
        with self._own_session() as session:
            found = session.execute(select(Staff.login, Staff.name)).all()
        return {
            row.login: row.name for row in sorted(found, key=lambda row: (row.name.casefold(), row.login))
        }

    def archives(self) -> list[str]:
        with self._own_session() as session:
            return list(session.scalars(select(Archive.name).order_by(Archive.name)))

    def studies(self, which: str, *, at: datetime) -> list[NamedStudy]:
        """The studies of this number, StudyInstanceUID or accession number; MAX_STUDIES at most."""
        which = dicom.clean_text(which)
        if not which:
            return []
        with self._own_session() as session:
            near = study_search.find(
                session, study_search.Wanted(which), before=LARGEST_ID, limit=10 * MAX_STUDIES, at=at
            )
            told: list[ColumnElement[bool]] = [Study.id.in_(near.ids) & (Study.accession_number == which)]
            if dicom.is_uid(which):  # by archive: the index has it in that order
                of_archives = Study.archive_id.in_(select(Archive.id))
                told.append(of_archives & (Study.study_instance_uid == which))
            if which.isascii() and which.isdigit() and len(which) < 11 and int(which) <= LARGEST_ID:
                told.append(Study.id == int(which))
            columns = (Study.id, Study.study_instance_uid, Study.patient_name, Study.study_date)
            query = select(*columns).where(or_(*told)).order_by(Study.id).limit(MAX_STUDIES)
            return [NamedStudy(*row) for row in session.execute(query)]

    def _bounds(self, session: Session, wish: Wish) -> tuple[int, int]:
        """The first row that can be of the wish's days, and the one after the last."""
        ends = select(func.min(_COLUMNS.id)), select(func.max(_COLUMNS.id))
        first, last = (session.scalar(one) or 0 for one in ends)
        start, end = first, last + 1
        if wish.since is not None:
            start = _reached(session, wish.since - DISORDER, first, last + 1)
        if wish.until is not None:
            end = _reached(session, wish.until + DISORDER, first, last + 1)
        return start, end


def _reached(session: Session, moment: datetime, low: int, high: int) -> int:
    """The first row at or after ``moment``, by halving: rows are as good as in the order of time."""
    while low < high:
        middle = (low + high) // 2
        at = session.scalar(select(_COLUMNS.at).where(_COLUMNS.id >= middle).order_by(_COLUMNS.id).limit(1))
        if at is not None and at < moment:
            low = middle + 1
        else:
            high = middle
    return low


def _rows(wish: Wish) -> Select[Any]:
    wanted: list[ColumnElement[bool]] = []
    if wish.events:
        wanted.append(_COLUMNS.event.in_(sorted(wish.events)))
    if wish.actors:
        wanted.append(_COLUMNS.actor.in_(sorted(wish.actors)))
    if wish.study_ids is not None:
        # A visit begins with a grant, not with a study. Two indexes, so two statements; "coalesce", so that no
        # index offers the many rows without a study instead.
        # That the list of a group was opened, or its code tried, says nothing of one of its studies.
        grants = (
            select(grant_study.c.grant_id)
            .join(Grant, Grant.id == grant_study.c.grant_id)
            .where(grant_study.c.study_id.in_(wish.study_ids), Grant.kind != Kind.GROUP)
        )
        found = union_all(
            select(_COLUMNS.id).where(_COLUMNS.study_id.in_(wish.study_ids)),
            select(_COLUMNS.id).where(
                _COLUMNS.grant_id.in_(grants), func.coalesce(_COLUMNS.study_id, 0) == 0
            ),
        )
        wanted.append(_COLUMNS.id.in_(found))
    if wish.grant_ids is not None:
        wanted.append(_COLUMNS.grant_id.in_(wish.grant_ids))
    if wish.address:
        wanted.append(_COLUMNS.address == wish.address)
    if wish.since is not None:
        wanted.append(_COLUMNS.at >= wish.since)
    if wish.until is not None:
        wanted.append(_COLUMNS.at < wish.until)
    return (
        select(*_COLUMNS, Grant.ref, Study.study_instance_uid, Study.patient_name)
        .outerjoin(Grant, Grant.id == _COLUMNS.grant_id)
        .outerjoin(Study, Study.id == _COLUMNS.study_id)
        .where(*wanted)
    )


def _page(rows: Sequence[Row[Any]], before: int | None, looked_back_to: datetime | None = None) -> Page:
    shown = [_entry(row) for row in rows[:PAGE_SIZE]]
    return Page(shown, shown[-1].row_id if len(rows) > PAGE_SIZE else before, looked_back_to)


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row_id=row.id,
        at=row.at,
        event=row.event,
        actor=row.actor,
        address=row.address,
        grant=row.ref,
        study=row.study_instance_uid,
        details=row.details,
        mac=row.mac,
        study_id=row.study_id,
        patient_name=row.patient_name,
    )
