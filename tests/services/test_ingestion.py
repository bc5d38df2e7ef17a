"""Ingestion: each stable study once, with one grant, whatever is told how often and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from app.adapters.crypto import Crypto
from app.adapters.hash_slots import Busy
from app.domain.access_code import AccessCode
from app.domain.grants import Policy
from app.domain.password import Password
from app.models import AuditEvent, Grant, Study
from app.services.grants import Paper
from app.services.proof import Outcome
from app.services.visits import Ending
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    DAY,
    NOT_BORN,
    UNKNOWN_CODE,
    archive_row,
    claim,
    elsewhere,
    events,
    fake_archives,
    grants_of,
    paper_of,
    record,
    registered,
    rows,
    study_in,
    visit,
)
from tests.support.fake_orthanc import FakeOrthanc


@pytest.fixture
def orthanc(services: Services) -> FakeOrthanc:
    fake = fake_archives(services)["main"]
    registered(services)
    return fake


def take(services: Services, orthanc_id: str) -> Study | None:
    return services.ingestion.take(archive_row(services), orthanc_id, at=services.clock())


def opens(services: Services, paper: Paper, **typed: object) -> Outcome:
    services.session.rollback()
    return services.proof.check(claim(paper, **typed), at=services.clock()).outcome  # type: ignore[arg-type]


def test_a_stable_study_gets_a_row_a_grant_and_two_lines_in_the_audit_trail(
    services: Services, orthanc: FakeOrthanc
) -> None:
    told = orthanc.put(record(modalities=("CT", "SR"), referring_physician="Haus^Anna"))

    study = take(services, told.orthanc_id)

    assert study is not None
    assert (study.patient_name, study.modalities, study.referring_physician, study.fingerprint) == (
        "Muster^Erika",
        "CT\\SR",
        "Haus^Anna",
        told.fingerprint,
    )
    assert [grant.automatic_study_id for grant in grants_of(services, study.id)] == [study.id]
    assert events(services) == ["study:stable", "grant:issued"]


def test_the_sheet_opens_the_study_for_ninety_days(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    paper = paper_of(services, study_in(services))
    assert opens(services, paper) is Outcome.OPENED
    clock.forward(days=90)
    assert opens(services, paper) is Outcome.EXPIRED


def test_a_study_told_twice_is_one_row_and_one_grant(services: Services, orthanc: FakeOrthanc) -> None:
    told = orthanc.put(record())
    for _ in range(3):
        take(services, told.orthanc_id)

    assert len(rows(services, Study)) == len(rows(services, Grant)) == 1
    assert events(services) == ["study:stable", "grant:issued"]


def test_more_instances_update_the_study_and_leave_the_paper_alone(
    services: Services, orthanc: FakeOrthanc
) -> None:
    paper = paper_of(services, study_in(services))
    orthanc.change(paper.grant.studies[0].orthanc_id, instance_count=120, series_count=4)

    study = take(services, paper.grant.studies[0].orthanc_id)

    assert study is not None
    assert (study.instance_count, study.series_count) == (120, 4)
    assert len(grants_of(services, study.id)) == 1
    assert opens(services, paper) is Outcome.OPENED
    assert "study:changed" in events(services)


def test_the_backlog_gets_rows_but_no_grants_until_something_new_comes(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    old = orthanc.put(record(updated_at=services.clock() - DAY))
    study = take(services, old.orthanc_id)
    assert study is not None
    assert grants_of(services, study.id) == []

    clock.forward(hours=1)
    orthanc.change(old.orthanc_id, instance_count=61)
    take(services, old.orthanc_id)

    assert len(grants_of(services, study.id)) == 1


def test_a_study_of_the_very_second_of_registration_is_no_backlog(
    services: Services, orthanc: FakeOrthanc
) -> None:
    study = study_in(services, updated_at=archive_row(services).registered_at)

    assert len(grants_of(services, study.id)) == 1


def test_an_anonymised_copy_gets_no_automatic_grant(services: Services, orthanc: FakeOrthanc) -> None:
    study = study_in(services, is_derived=True)

    assert grants_of(services, study.id) == []


@pytest.mark.parametrize(
    "told",
    [
        {"is_stable": False},
        {"study_instance_uid": ""},
        {"study_instance_uid": "1.2.3&token=x"},
        {"study_instance_uid": "1.02.3"},
        {"study_instance_uid": "1." + "2" * 64},
    ],
    ids=str,
)
def test_what_is_not_stable_or_has_no_usable_uid_is_not_taken_in(
    services: Services, orthanc: FakeOrthanc, told: dict[str, object]
) -> None:
    assert take(services, orthanc.put(record(**told)).orthanc_id) is None
    assert rows(services, Study) == []


def test_a_study_that_is_still_growing_keeps_what_was_known(services: Services, orthanc: FakeOrthanc) -> None:
    study = study_in(services)
    orthanc.change(study.orthanc_id, is_stable=False, instance_count=999)

    assert take(services, study.orthanc_id) is None
    assert rows(services, Study)[0].instance_count == 60


def test_a_deleted_study_that_comes_back_opens_with_the_same_paper(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    gone = orthanc.delete(study.orthanc_id)
    assert take(services, gone.orthanc_id) is None
    assert rows(services, Study)[0].deleted_at is not None

    clock.forward(hours=2)
    orthanc.put(gone)
    take(services, gone.orthanc_id)

    assert rows(services, Study)[0].deleted_at is None
    assert len(rows(services, Grant)) == 1
    assert opens(services, paper) is Outcome.OPENED
    assert events(services)[2:4] == ["study:deleted", "study:revived"]


def test_a_study_deleted_twice_is_told_once(services: Services, orthanc: FakeOrthanc) -> None:
    study = study_in(services)
    orthanc.delete(study.orthanc_id)
    take(services, study.orthanc_id)
    take(services, study.orthanc_id)

    assert events(services).count("study:deleted") == 1


@pytest.mark.parametrize("changed", [{"patient_id": "P9999"}, {"patient_name": "Anders^Erika"}])
def test_another_patients_name_or_id_suspends_the_grant_until_staff_confirm(
    services: Services, orthanc: FakeOrthanc, changed: dict[str, object]
) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    _, key = visit(services, paper)
    orthanc.change(study.orthanc_id, **changed)

    take(services, study.orthanc_id)

    assert opens(services, paper) is Outcome.SUSPENDED
    assert services.visits.find(key, at=services.clock()) is Ending.CLOSED
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None and grant.suspended_why
    services.grants.confirm(grant, at=services.clock(), actor="staff:clerk")
    services.session.commit()
    assert opens(services, paper) is Outcome.OPENED


def test_new_paper_does_not_open_a_suspended_study(services: Services, orthanc: FakeOrthanc) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    orthanc.change(study.orthanc_id, patient_name="Anders^Erika")
    take(services, study.orthanc_id)
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None

    fresh = services.grants.reissue(grant, at=services.clock(), actor="staff:clerk")
    services.session.commit()

    assert opens(services, fresh) is Outcome.SUSPENDED


def test_a_corrected_birth_date_replaces_the_old_one_and_ends_visits(
    services: Services, orthanc: FakeOrthanc
) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    _, key = visit(services, paper)
    orthanc.change(study.orthanc_id, birth_date_text=NOT_BORN.strftime("%Y%m%d"))

    take(services, study.orthanc_id)

    assert services.visits.find(key, at=services.clock()) is Ending.CLOSED
    assert opens(services, paper) is Outcome.REFUSED
    assert opens(services, paper, born=NOT_BORN) is Outcome.OPENED


def test_a_suspended_study_opens_after_confirmation_for_the_birth_date_that_it_has_now(
    services: Services, orthanc: FakeOrthanc
) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    orthanc.change(study.orthanc_id, patient_id="P9999", birth_date_text=NOT_BORN.strftime("%Y%m%d"))
    take(services, study.orthanc_id)
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None
    services.grants.confirm(grant, at=services.clock(), actor="staff:clerk")
    services.session.commit()

    assert opens(services, paper) is Outcome.REFUSED
    assert opens(services, paper, born=NOT_BORN) is Outcome.OPENED
    told = [(row.event, row.actor) for row in rows(services, AuditEvent) if row.grant_id == grant.id]
    assert ("grant:suspended", "archive:main") in told
    assert ("grant:confirmed", "staff:clerk") in told


def test_a_corrected_birth_date_lifts_no_suspension(services: Services, orthanc: FakeOrthanc) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    orthanc.change(study.orthanc_id, patient_name="Anders^Erika")
    take(services, study.orthanc_id)
    orthanc.change(study.orthanc_id, birth_date_text=NOT_BORN.strftime("%Y%m%d"))
    take(services, study.orthanc_id)

    assert opens(services, paper, born=NOT_BORN) is Outcome.SUSPENDED


def test_a_patients_name_that_is_changed_back_still_waits_for_staff(
    services: Services, orthanc: FakeOrthanc
) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    for name in ("Anders^Erika", "Muster^Erika"):
        orthanc.change(study.orthanc_id, patient_name=name)
        take(services, study.orthanc_id)

    assert opens(services, paper) is Outcome.SUSPENDED


def test_a_birth_date_that_is_lost_asks_for_the_password(services: Services, orthanc: FakeOrthanc) -> None:
    study = study_in(services)
    paper = paper_of(services, study)
    orthanc.change(study.orthanc_id, birth_date_text="UNKNOWN")
    take(services, study.orthanc_id)

    assert opens(services, paper) is Outcome.REFUSED
    assert opens(services, paper, born=None, password=paper.password) is Outcome.OPENED


def test_a_birth_date_that_turns_up_does_not_outdate_the_sheet_with_a_password(
    services: Services, orthanc: FakeOrthanc
) -> None:
    study = study_in(services, birth_date_text="19000101")
    paper = paper_of(services, study)
    orthanc.change(study.orthanc_id, birth_date_text=NOT_BORN.strftime("%Y%m%d"))
    take(services, study.orthanc_id)

    assert opens(services, paper, born=None, password=paper.password) is Outcome.OPENED
    assert opens(services, paper, born=NOT_BORN) is Outcome.REFUSED  # a date never takes a password's place


@pytest.mark.parametrize("value", ["", "UNKNOWN", "19000101", "1958", "19580300", "20271231", "00000000"])
def test_no_unusable_birth_date_ever_opens_anything(
    services: Services, orthanc: FakeOrthanc, value: str
) -> None:
    study = study_in(services, birth_date_text=value)
    paper = paper_of(services, study)

    assert study.birth_date is None and paper.grant.policy == Policy.PASSWORD
    for born in (None, date.min, date(1900, 1, 1), date(1958, 1, 1)):
        assert opens(services, paper, born=born) is Outcome.REFUSED


def test_two_patients_under_one_uid_are_both_held_back(services: Services, orthanc: FakeOrthanc) -> None:
    first = study_in(services)
    paper = paper_of(services, first)
    second = study_in(services, study_instance_uid=first.study_instance_uid, patient_id="P9998")

    assert opens(services, paper) is Outcome.SUSPENDED
    assert grants_of(services, second.id)[0].suspended_at is not None
    assert events(services).count("grant:suspended") == 2


def test_the_gates_word_that_a_uid_is_two_studies_holds_them_back(
    services: Services, orthanc: FakeOrthanc
) -> None:
    study = study_in(services)
    paper = paper_of(services, study)

    services.ingestion.ambiguous("main", study.study_instance_uid, at=services.clock())

    assert opens(services, paper) is Outcome.SUSPENDED


def test_the_same_uid_in_two_archives_is_no_mix_up(services: Services, orthanc: FakeOrthanc) -> None:
    settings = replace(services.settings.archives[0], name="second")
    services.orthancs["second"] = FakeOrthanc(settings, services.clock)
    registered(services, "second")
    first = study_in(services)
    second = study_in(services, "second", study_instance_uid=first.study_instance_uid)

    assert [
        grant.suspended_at for grant in grants_of(services, first.id) + grants_of(services, second.id)
    ] == [
        None,
        None,
    ]


def test_two_issuers_at_once_make_one_grant(services: Services, orthanc: FakeOrthanc) -> None:
    told = orthanc.put(record())
    other = elsewhere(services)

    class Racing(Crypto):
        """While this one hashes for its grant, another process takes the same study in."""

        def hash_password(self, password: Password | str, *, kid: str | None = None) -> str:
            race = other.services
            race.ingestion.take(archive_row(race), told.orthanc_id, at=services.clock())
            return super().hash_password(password, kid=kid)

    slow = elsewhere(services, Racing)
    study = slow.services.ingestion.take(archive_row(slow.services), told.orthanc_id, at=services.clock())
    assert study is not None
    slow.close()
    other.close()

    assert len(rows(services, Study)) == len(rows(services, Grant)) == 1
    assert events(services) == ["study:stable", "grant:issued"]


def test_two_readers_at_once_make_one_row(services: Services, orthanc: FakeOrthanc) -> None:
    told = orthanc.put(record())
    other = elsewhere(services)
    known = services.ingestion._known

    def then_another_is_first(*args: object) -> Study | None:
        found = known(*args)  # type: ignore[arg-type]
        services.ingestion._known = known  # type: ignore[method-assign]
        other.services.ingestion.take(archive_row(other.services), told.orthanc_id, at=services.clock())
        return found

    services.ingestion._known = then_another_is_first  # type: ignore[method-assign]
    take(services, told.orthanc_id)
    other.close()

    assert len(rows(services, Study)) == len(rows(services, Grant)) == 1


class NoSlotFree(Crypto):
    def code_indexes(self, code: AccessCode) -> dict[str, bytes]:
        raise Busy


def test_a_study_that_was_cut_short_before_its_grant_is_taken_in_again(
    services: Services, orthanc: FakeOrthanc
) -> None:
    told = orthanc.put(record())
    busy = elsewhere(services, NoSlotFree)
    with pytest.raises(Busy):
        busy.services.ingestion.take(archive_row(busy.services), told.orthanc_id, at=services.clock())
    busy.close()

    assert rows(services, Study)[0].fingerprint != told.fingerprint, "the reconciliation would pass it over"


def test_two_studies_never_share_a_code(services: Services, orthanc: FakeOrthanc) -> None:
    papers = [paper_of(services, study_in(services)) for _ in range(5)]

    assert len({paper.code for paper in papers} | {UNKNOWN_CODE}) == 6
    assert len({paper.password for paper in papers}) == 5
