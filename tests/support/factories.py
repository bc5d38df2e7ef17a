"""What most tests start from: an archive that is followed, a study in it, its grant and its paper."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from app import wiring
from app.adapters import keys
from app.adapters.crypto import Crypto
from app.adapters.hash_slots import HashSlots
from app.domain.access_code import AccessCode
from app.domain.password import Password
from app.domain.study import StudyRecord
from app.models import Archive, AuditEvent, Base, Grant, Study, db, grant_study
from app.services.grants import Paper
from app.services.proof import Claim
from app.services.visits import LiveVisit
from app.wiring import Services, Workers
from tests.support.clock import Clock
from tests.support.fake_orthanc import FakeOrthanc

BORN, NOT_BORN = date(1958, 3, 27), date(1958, 3, 28)
ADDRESS = "203.0.113.7"
WRONG_PASSWORD = Password("0000000000")
# Well-formed (its check symbol agrees), issued to nobody.
UNKNOWN_CODE = AccessCode("000000000017")

_numbers = itertools.count(1)
Row = TypeVar("Row", bound=Base)


def record(**changes: Any) -> StudyRecord:
    """A stable CT of a synthetic patient, as an archive tells it, updated at the tests' first moment."""
    number = next(_numbers)
    told = {
        "orthanc_id": f"{number:08x}-0a1b2c3d-0a1b2c3d-0a1b2c3d-0a1b2c3d",
        "study_instance_uid": f"1.2.826.0.1.3680043.2.1125.{number}",
        "patient_id": f"P{number:04}",
        "patient_name": "Muster^Erika",
        "birth_date_text": BORN.strftime("%Y%m%d"),
        "patient_sex": "F",
        "study_date": date(2026, 11, 20),
        "description": "Thorax",
        "accession_number": f"A{number:04}",
        "modalities": ("CT",),
        "body_part": "CHEST",
        "institution_name": "Test Clinic",
        "referring_physician": "Haus^Anna",
        "performing_physician": "",
        "reading_physicians": "",
        "responsible_organization": "",
        "series_count": 2,
        "instance_count": 60,
        "is_stable": True,
        "is_derived": False,
        "updated_at": Clock().now,
        "fingerprint": f"fingerprint-{number}",
    }
    return StudyRecord(**(told | changes))


def fake_archives(services: Services) -> dict[str, FakeOrthanc]:
    """Put a fake in place of each archive of the settings; all services share the mapping."""
    fakes = {archive.name: FakeOrthanc(archive, services.clock) for archive in services.settings.archives}
    services.orthancs.update(fakes)
    return fakes


def registered(services: Services, name: str = "main") -> Archive:
    """The archive, known since now and its gate seen closed."""
    services.archives.register(name)
    services.archives.probe(name, at=services.clock())
    return archive_row(services, name)


def archive_row(services: Services, name: str = "main") -> Archive:
    services.session.rollback()
    return services.session.scalars(select(Archive).where(Archive.name == name)).one()


def study_in(services: Services, name: str = "main", **changes: Any) -> Study:
    """A study taken in from the fake, with its automatic grant."""
    fake = services.orthancs[name]
    assert isinstance(fake, FakeOrthanc)
    told = fake.put(record(**{"updated_at": services.clock()} | changes))
    study = services.ingestion.take(archive_row(services, name), told.orthanc_id, at=services.clock())
    assert study is not None
    return study


def grants_of(services: Services, study_id: int) -> list[Grant]:
    services.session.rollback()
    return services.grants.of_study(services.session.get_one(Study, study_id))


def paper_of(services: Services, study: Study) -> Paper:
    """What the sheet of the study's patient shows."""
    grant = services.grants.current(study)
    assert grant is not None
    paper = services.grants.paper(grant, at=services.clock())
    assert paper is not None
    return paper


def fresh_clinic(services: Services, **changes: Any) -> tuple[Study, Paper]:
    """An archive, a study in it and its paper; nothing left open in the session."""
    fake_archives(services)
    registered(services)
    study = study_in(services, **changes)
    paper = paper_of(services, study)
    services.session.commit()
    return study, paper


def second_study(services: Services, grant: Grant, **changes: Any) -> Study:
    """One more study that ``grant`` opens."""
    study = study_in(services, **changes)
    services.session.execute(insert(grant_study).values(grant_id=grant.id, study_id=study.id))
    services.session.commit()
    return study


def claim(paper: Paper, *, born: date | None = BORN, password: Password | None = None) -> Claim:
    return Claim(paper.code, born, password, ADDRESS)


def visit(services: Services, paper: Paper) -> tuple[LiveVisit, str]:
    return services.visits.begin(paper.grant.id, address=ADDRESS, at=services.clock())


def change_grant(services: Services, grant: Grant, **changes: Any) -> None:
    """Set columns of a grant, committed: what time or staff did to it."""
    for name, value in changes.items():
        setattr(grant, name, value)
    services.session.commit()


def rows(services: Services, table: type[Row]) -> Sequence[Row]:
    """All rows of a table as they are committed, by primary key."""
    services.session.rollback()
    services.session.expire_all()
    return services.session.scalars(select(table).order_by(*table.__table__.primary_key.columns)).all()


def events(services: Services) -> list[str]:
    """The audit trail: names of what happened, oldest first."""
    return [row.event for row in rows(services, AuditEvent)]


def counts(services: Services) -> dict[str, int]:
    """How many rows each table has: for showing that nothing was written."""
    services.session.rollback()
    with services.session.get_bind().connect() as connection:  # type: ignore[union-attr]
        return {
            name: len(connection.execute(select(*table.primary_key.columns)).all())
            for name, table in Base.metadata.tables.items()
        }


def own_session(services: Services) -> sessionmaker[Session]:
    return sessionmaker(db.engine, expire_on_commit=False)


class CountingSlots(HashSlots):
    """Each hash takes one slot: how many were paid for."""

    def __init__(self, slots: int = 4) -> None:
        super().__init__(slots)
        self.taken = 0

    def one(self):  # type: ignore[no-untyped-def]
        self.taken += 1
        return super().one()


@dataclass(frozen=True)
class Elsewhere:
    """The same installation in another process: its own services, session and hash slots."""

    services: Services
    slots: CountingSlots

    def close(self) -> None:
        self.services.session.close()
        self.services.authorization.close()


def elsewhere(services: Services, crypto_type: type[Crypto] = Crypto) -> Elsewhere:
    slots = CountingSlots()
    crypto = crypto_type(keys.KeysFile(services.settings.keys_file), slots)
    workers = Workers(services.renderer, services.pdf_files)
    built = wiring.build(services.settings, Session(db.engine), db.engine, crypto, workers, services.clock)
    built.orthancs.update(services.orthancs)
    return Elsewhere(built, slots)


def reworded(study_record: StudyRecord, **changes: Any) -> StudyRecord:
    return replace(study_record, **changes)


MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
