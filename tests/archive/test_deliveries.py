"""A signed report in a real Orthanc: the same bytes, in the study it is about, once, and only while it counts."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import requests
from pydicom import dcmread
from sqlalchemy import select

from app.demo import studies
from app.demo.studies import SyntheticStudy
from app.domain.events import Event
from app.models import AuditEvent, Report, ReportDelivery, Study
from app.services.reports import Outcome, Text
from app.wiring import Services
from tests.support.clinic import SERVICE, Clinic, eventually
from tests.support.databases import Databases
from tests.support.signed import PDF, archive_reports, radiologist, signed

pytestmark = pytest.mark.no_database

QUICK = {"STUDYKEY_RECONCILE_SECONDS": "2", "STUDYKEY_FOLLOW_SECONDS": "0.5"}
AMENDED = PDF + b"% amended\n"
ODD_NAME = "Łukasz^Zażółć=山田^太郎"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    with databases.fresh() as url:
        clinic = Clinic(tmp_path_factory.mktemp("deliveries"), url, **QUICK)
        try:
            clinic.orthanc.start()
            clinic.start_studykey()
            with clinic.services() as services:
                archive_reports(services)
            clinic.receive_all(*map(_study, range(1, 8)))
            yield clinic
        finally:
            clinic.close()


def _study(number: int) -> SyntheticStudy:
    return studies.study(
        patient_id=f"DEMO-D{number}", patient_name=ODD_NAME, label=f"delivery {number}", slices=1
    )


def _row(services: Services, study: SyntheticStudy) -> Study:
    query = select(Study).where(Study.study_instance_uid == study.study_instance_uid)
    return services.session.scalars(query).one()


def _delivery_row(services: Services, study: SyntheticStudy, version: int = 1) -> ReportDelivery:
    study_id = _row(services, study).id
    query = select(ReportDelivery).join(Report)
    return services.session.scalars(query.where(Report.study_id == study_id, Report.version == version)).one()


def _delivery(clinic: Clinic, study: SyntheticStudy, version: int = 1) -> ReportDelivery:
    with clinic.services() as services:
        found = _delivery_row(services, study, version)
        services.session.expunge(found)
        return found


def _sign(clinic: Clinic, study: SyntheticStudy, pdf: bytes = PDF) -> None:
    with clinic.services() as services:
        signed(services, _row(services, study), pdf)


def _stored(clinic: Clinic, study: SyntheticStudy, version: int = 1) -> str:
    """Orthanc's id of the instance, once nothing is left to do."""

    def look() -> str | None:
        row = _delivery(clinic, study, version)
        return row.orthanc_id if row.due_at is None else None

    return eventually(look, what="storing")


def _documents(clinic: Clinic, study: SyntheticStudy) -> list[str]:
    with clinic.services() as services:
        orthanc_id = _row(services, study).orthanc_id
    found = clinic.as_studykey(f"/studies/{orthanc_id}/series").json()
    return [
        one for series in found if series["MainDicomTags"]["Modality"] == "DOC" for one in series["Instances"]
    ]


def test_what_is_in_the_archive_is_byte_for_byte_what_was_signed(clinic: Clinic) -> None:
    study = _study(1)

    _sign(clinic, study)
    instance = _stored(clinic, study)

    assert clinic.as_studykey(f"/instances/{instance}/pdf").content.removesuffix(b"\0") == PDF
    assert _documents(clinic, study) == [instance]
    tags = dcmread(io.BytesIO(clinic.as_studykey(f"/instances/{instance}/file").content))
    assert tags.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert (tags.PatientID, str(tags.PatientName), tags.Modality) == ("DEMO-D1", ODD_NAME, "DOC")
    assert tags.EncapsulatedDocument[: tags.EncapsulatedDocumentLength] == PDF
    assert (tags.VerificationFlag, tags.BurnedInAnnotation) == ("VERIFIED", "YES")


def test_our_own_document_is_no_change_that_anybody_is_told_and_issues_no_code(clinic: Clinic) -> None:
    study = _study(2)
    paper = clinic.paper(study.study_instance_uid)
    _sign(clinic, study)
    _stored(clinic, study)

    def is_counted() -> bool:
        with clinic.services() as services:
            return _row(services, study).modalities == "CT\\DOC"

    eventually(is_counted, what="taking the document in")
    with clinic.services() as services:
        about = select(AuditEvent).where(AuditEvent.study_id == _row(services, study).id)
        told = {row.event for row in services.session.scalars(about)}
        grants = [grant.ref for grant in services.grants.of_study(_row(services, study))]
    assert Event.REPORT_STORED in told
    assert Event.STUDY_CHANGED not in told
    assert len(grants) == 1
    assert clinic.paper(study.study_instance_uid).code == paper.code


def test_an_amendment_takes_the_place_of_what_it_amends(clinic: Clinic) -> None:
    study = _study(3)
    _sign(clinic, study)
    first = _stored(clinic, study)

    _sign(clinic, study, AMENDED)
    second = _stored(clinic, study, 2)

    assert second != first
    assert _documents(clinic, study) == [second]
    assert clinic.as_studykey(f"/instances/{second}/pdf").content.removesuffix(b"\0") == AMENDED
    assert _delivery(clinic, study, 1).orthanc_id is None


def test_stored_twice_is_one_instance(clinic: Clinic) -> None:
    study = _study(4)
    _sign(clinic, study)
    first = _stored(clinic, study)

    with clinic.services() as services:  # as if the process had died before it could write it down
        row = _delivery_row(services, study)
        row.orthanc_id, row.stored_at, row.due_at = None, None, services.clock()

    assert _stored(clinic, study) == first
    assert _documents(clinic, study) == [first]


def test_an_archive_that_is_away_gets_the_report_later(clinic: Clinic) -> None:
    study = _study(5)
    clinic.orthanc.kill()
    _sign(clinic, study)
    eventually(lambda: _delivery(clinic, study).tries, what="a try")
    assert _delivery(clinic, study).problem

    clinic.orthanc.start()
    with clinic.services() as services:  # nobody waits half a minute here
        _delivery_row(services, study).due_at = services.clock()

    instance = _stored(clinic, study)

    assert _documents(clinic, study) == [instance]
    assert not _delivery(clinic, study).problem


def test_a_study_deleted_and_sent_again_gets_its_report_back(clinic: Clinic) -> None:
    study = _study(6)
    _sign(clinic, study)
    instance = _stored(clinic, study)
    with clinic.services() as services:
        orthanc_id = _row(services, study).orthanc_id
    requests.delete(f"{clinic.orthanc.url}/studies/{orthanc_id}", auth=SERVICE, timeout=10).raise_for_status()

    def is_gone() -> bool:
        with clinic.services() as services:
            return _row(services, study).deleted_at is not None

    eventually(is_gone, what="noticing")
    clinic.send(study)

    assert eventually(lambda: _documents(clinic, study), what="storing again") == [instance]


def test_what_is_written_and_signed_here_is_what_viewers_and_verify_know(clinic: Clinic) -> None:
    study = _study(7)
    with clinic.services() as services:
        anna, row, at = radiologist(services), _row(services, study), services.clock()
        text = Text(findings="The lungs are clear.", impression="No fracture.")
        reports = services.reports
        pdf = services.papers.signed_pdf(row, reports.as_signed(row, text, by=anna, at=at), at=at)
        assert reports.sign(row, text, revision=0, by=anna, at=at, pdf=pdf) is Outcome.DONE

    instance = _stored(clinic, study)

    archived = clinic.as_studykey(f"/instances/{instance}/pdf").content
    assert archived.removesuffix(b"\0") == pdf
    file = {"pdf": ("report.pdf", pdf)}
    assert (
        "Genuine, unchanged and current"
        in requests.post(f"{clinic.portal}/verify", files=file, timeout=10).text
    )
