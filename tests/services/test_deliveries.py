"""Reports on their way into the archive: once, only when released, never with another patient's images."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from pydicom import Dataset, dcmread

from app.adapters.encapsulated_pdf import study_of
from app.domain.dicom import clean_text
from app.domain.events import Event
from app.domain.report import Source
from app.models import AuditEvent, ReportDelivery, Study
from app.services.deliveries import LONGEST_WAIT, RELEASE_EVERY
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import events, fake_archives, paper_of, record, registered, rows, study_in
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.signed import PDF, archive_reports, signed

HOSTILE = "<script>alert(1)</script>\u202e\x00^=\\x"


@pytest.fixture
def orthanc(services: Services) -> FakeOrthanc:
    fake = fake_archives(services)["main"]
    registered(services)
    archive_reports(services)
    return fake


@pytest.fixture
def study(services: Services, orthanc: FakeOrthanc) -> Study:
    return taken_in(services)


def taken_in(services: Services, **changes: object) -> Study:
    """A study whose Orthanc id is what Orthanc makes of its tags."""
    told = record(**changes)
    ids = {"PatientID": told.patient_id, "StudyInstanceUID": told.study_instance_uid}
    study = study_in(
        services,
        **(
            changes
            | {
                "orthanc_id": study_of(ids),
                "patient_id": told.patient_id,
                "study_instance_uid": told.study_instance_uid,
            }
        ),
    )
    services.session.commit()
    return study


def work(services: Services, clock: Clock, **passes: float) -> None:
    clock.forward(**(passes or {"seconds": 1}))
    while services.deliveries.work(at=clock.now):
        pass


def deliveries(services: Services) -> list[ReportDelivery]:
    return list(rows(services, ReportDelivery))


def stored(orthanc: FakeOrthanc) -> list[Dataset]:
    return [dcmread(io.BytesIO(one)) for one in orthanc.instances.values()]


def test_a_signed_report_is_stored_beside_its_images(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    report = signed(services, study)

    work(services, clock)

    (made,) = stored(orthanc)
    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == PDF
    assert (made.PatientID, made.StudyInstanceUID) == (study.patient_id, study.study_instance_uid)
    assert (made.Modality, made.VerificationFlag, made.BurnedInAnnotation) == ("DOC", "VERIFIED", "YES")
    assert made.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    (row,) = deliveries(services)
    assert (row.due_at, row.problem, row.orthanc_id) == (None, "", made.SOPInstanceUID)
    assert services.report_copies.known(services.report_copies.file(report).sha256) == report  # type: ignore[union-attr]
    assert Event.REPORT_STORED in events(services)


def test_what_was_brought_is_stored_as_it_came(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study, PDF + b"brought", source=Source.BROUGHT)

    work(services, clock)

    (made,) = stored(orthanc)
    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == PDF + b"brought"


def test_a_second_try_stores_the_same_instance(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    work(services, clock)
    (row,) = deliveries(services)
    row.orthanc_id, row.stored_at, row.due_at = None, None, clock.now
    services.session.commit()

    work(services, clock)

    assert len(stored(orthanc)) == 1


def test_where_the_clinic_didnt_ask_for_it_nothing_is_stored(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    services.rules.set({"archive_reports": "no"}, at=clock.now, actor="test")
    signed(services, study)

    work(services, clock)

    assert stored(orthanc) == []
    assert deliveries(services)[0].due_at is None
    assert services.deliveries.of(study) is None


def test_what_isnt_released_waits_and_is_stored_when_it_is(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    services.rules.set({"release_report": "at-signing+2h"}, at=clock.now, actor="test")
    services.session.commit()
    signed(services, study)

    work(services, clock)
    assert (stored(orthanc), deliveries(services)[0].problem) == ([], "")

    work(services, clock, hours=2, minutes=2)
    assert len(stored(orthanc)) == 1


def test_what_is_held_back_again_leaves_the_archive_and_comes_back_with_the_release(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    work(services, clock)

    services.releases.hold(study, at=clock.now, actor="test")
    services.deliveries.recheck(study, at=clock.now)
    services.session.commit()
    work(services, clock)
    assert stored(orthanc) == []
    assert Event.REPORT_WITHDRAWN in events(services)

    services.releases.undo(study, at=clock.now, actor="test")
    services.session.commit()
    work(services, clock, seconds=RELEASE_EVERY.total_seconds())
    assert len(stored(orthanc)) == 1


def test_an_amendment_is_stored_before_what_it_amends_is_deleted(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    work(services, clock)
    signed(services, study, PDF + b"2")

    work(services, clock)

    (made,) = stored(orthanc)
    assert made.InstanceNumber == 2
    first, second = deliveries(services)
    assert (first.orthanc_id, first.stored_at) == (None, None)
    assert second.orthanc_id == made.SOPInstanceUID


def test_of_two_versions_signed_at_once_only_the_newest_is_stored(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    signed(services, study, PDF + b"2")

    work(services, clock)

    assert [made.InstanceNumber for made in stored(orthanc)] == [2]


def test_what_isnt_as_we_stored_it_is_left_alone(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    work(services, clock)
    ((uid, file),) = orthanc.instances.items()
    orthanc.instances[uid] = file.replace(b"not really", b"not ours !")
    signed(services, study, PDF + b"2")

    work(services, clock)

    assert len(stored(orthanc)) == 2
    assert "left there" in deliveries(services)[0].problem


def test_an_archive_that_doesnt_answer_is_asked_again_later_each_time(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    orthanc.is_unreachable = True

    waits = []
    for _ in range(12):
        clock.now = max(clock.now, deliveries(services)[0].due_at or clock.now)
        services.deliveries.work(at=clock.now)
        waits.append((deliveries(services)[0].due_at or clock.now) - clock.now)

    assert waits[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert waits[-1] == LONGEST_WAIT
    assert events(services).count(Event.REPORT_STORE_FAILED) == 1
    (stuck,) = services.condition.undelivered()
    assert (stuck.study_id, stuck.tries) == (study.id, 12)
    assert "doesn't answer" in stuck.problem

    orthanc.is_unreachable = False
    work(services, clock, hours=1)
    assert len(stored(orthanc)) == 1
    assert services.condition.undelivered() == []


@pytest.mark.parametrize("change", [{"patient_name": "Other^Name"}, {"patient_id": "OTHER"}])
def test_a_study_that_became_somebody_elses_gets_no_report(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock, change: dict[str, str]
) -> None:
    signed(services, study)
    orthanc.change(study.orthanc_id, **change)

    work(services, clock)

    assert stored(orthanc) == []
    assert "name or ID changed" in deliveries(services)[0].problem


def test_a_suspended_access_keeps_the_report_out(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    services.grants.suspend(study, "Something is odd.", at=clock.now, actor="test")
    signed(services, study)

    work(services, clock)
    assert stored(orthanc) == []
    assert "suspended" in deliveries(services)[0].problem

    services.grants.confirm(paper_of(services, study).grant, at=clock.now, actor="test")
    services.session.commit()
    work(services, clock, minutes=1)
    assert len(stored(orthanc)) == 1


def test_a_uid_that_is_two_studies_gets_no_report(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    orthanc.put(record(study_instance_uid=study.study_instance_uid))
    signed(services, study)

    work(services, clock)

    assert stored(orthanc) == []
    assert "same StudyInstanceUID" in deliveries(services)[0].problem


def test_hostile_tags_are_cleaned_and_never_lead_into_another_study(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    # As it is taken in, a study's row is clean; what the archive tells later is not.
    clean = clean_text(HOSTILE)
    study = taken_in(services, patient_name=clean, description=clean, birth_date_text="UNKNOWN")
    orthanc.records[study.orthanc_id] = record(
        orthanc_id=study.orthanc_id,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        patient_name=study.patient_name,
        description=HOSTILE,
        birth_date_text="UNKNOWN",
    )
    signed(services, study)

    work(services, clock)

    (made,) = stored(orthanc)
    assert made.PatientBirthDate == ""
    assert not set("\u202e\x00\\") & set(str(made.StudyDescription))


def test_our_own_document_is_no_change_to_the_study(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    signed(services, study)
    work(services, clock)

    archive = registered(services)
    services.ingestion.take(archive, study.orthanc_id, at=clock.now)

    assert Event.STUDY_CHANGED not in events(services)


def test_a_job_that_fails_in_a_way_nobody_foresaw_keeps_no_other_out(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    other = taken_in(services)
    signed(services, study)
    signed(services, other)
    orthanc.poison.add(study.orthanc_id)

    work(services, clock)

    assert [made.StudyInstanceUID for made in stored(orthanc)] == [other.study_instance_uid]
    assert "mistake is Studykey's" in deliveries(services)[0].problem


def test_the_audit_row_says_which_file_it_was(
    services: Services, orthanc: FakeOrthanc, study: Study, clock: Clock
) -> None:
    report = signed(services, study)
    work(services, clock)

    (row,) = [one for one in rows(services, AuditEvent) if one.event == Event.REPORT_STORED]
    file = services.report_copies.file(report)
    assert file is not None
    assert row.details == {"version": 1, "sha256": file.sha256.hex()}
