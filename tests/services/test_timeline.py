"""The story of a study and of a grant, out of the audit trail."""

from __future__ import annotations

import pytest

from app.domain.events import Event
from app.models import Grant, Study
from app.services.grants import Paper
from app.services.timeline import PAGE_SIZE, Page
from app.wiring import Services
from tests.support.factories import ADDRESS, claim, fresh_clinic, rows, second_study, study_in, visit


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def study_of(services: Services, number: int = 0) -> Study:
    return rows(services, Study)[number]


def story(services: Services, study: Study, before: int | None = None) -> Page:
    return services.timeline.of_study(study, services.grants.of_study(study), before=before)


def test_the_newest_comes_first_and_a_visit_belongs_to_the_studies_of_its_grant(
    services: Services, paper: Paper
) -> None:
    live, _ = visit(services, paper)
    services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())

    told = [entry.event for entry in story(services, study_of(services)).entries]

    assert told == ["viewer:opened", "visit:begun", "grant:issued", "study:stable"]


def test_another_studys_story_stays_its_own(services: Services, paper: Paper) -> None:
    other = study_in(services)
    services.session.commit()
    visit(services, paper)

    assert [entry.event for entry in story(services, other).entries] == ["grant:issued", "study:stable"]


def test_a_proof_that_opens_is_told_once_and_one_that_does_not_is_told(
    services: Services, paper: Paper
) -> None:
    services.proof.check(claim(paper), at=services.clock())
    visit(services, paper)
    services.proof.check(claim(paper, born=None), at=services.clock())

    told = [entry.event for entry in story(services, study_of(services)).entries][:3]

    assert told == ["grant:refused", "visit:begun", "grant:issued"]


def test_of_a_grant_with_several_studies_each_act_is_told_once(services: Services, paper: Paper) -> None:
    grant = rows(services, Grant)[0]
    second = second_study(services, grant)
    live, _ = visit(services, paper)
    for study in live.studies:
        services.visits.note_look(live, study, address=ADDRESS, at=services.clock())
    both = services.grants.by_ref(grant.ref)
    assert both is not None and second.id in {study.id for study in both.studies}
    services.grants.revoke(both, at=services.clock(), actor="staff:anna")
    services.session.commit()

    revoked = services.grants.by_ref(grant.ref)
    assert revoked is not None
    told = [entry.event for entry in services.timeline.of_grant(revoked).entries]

    assert told == ["grant:revoked", "look:opened", "look:opened", "visit:begun", "grant:issued"]


def test_the_story_goes_on_where_the_page_before_ended(services: Services, paper: Paper) -> None:
    study = study_of(services)
    for _ in range(PAGE_SIZE):
        services.audit.record(Event.STAFF_VIEWED, at=services.clock(), actor="staff:anna", study_id=study.id)

    first = story(services, study)
    last = story(services, study, first.next_before)

    assert len(first.entries) == PAGE_SIZE and first.next_before == first.entries[-1].id
    assert [entry.event for entry in last.entries] == ["grant:issued", "study:stable"]
    assert last.next_before is None


@pytest.mark.parametrize("before", [0, -1, 2**70])
def test_no_place_in_the_story_is_an_error(services: Services, paper: Paper, before: int) -> None:
    story(services, study_of(services), before)


def test_people_are_named_and_those_without_an_account_are_not(services: Services, paper: Paper) -> None:
    services.staff.add(
        login="anna",
        name="Dr Anna",
        roles=["viewer"],
        password="correct horse battery",
        at=services.clock(),
        actor="x",
    )
    assert services.timeline.names(["staff:anna", "staff:gone", "holder", "archive:main"]) == {
        "anna": "Dr Anna"
    }


def test_other_studies_are_those_of_the_same_archive_and_id_newest_first(
    services: Services, paper: Paper
) -> None:
    from datetime import date

    mine = study_of(services)
    for year in (2019, 2024, 2021):
        study_in(services, patient_id=mine.patient_id, study_date=date(year, 1, 1))
    study_in(services, patient_id="somebody else's")
    mine = study_of(services)

    years = [study.study_date.year for study in services.timeline.others(mine) if study.study_date]

    assert years == [2024, 2021, 2019]


def test_without_a_patient_id_nobody_is_the_same_patient(services: Services, paper: Paper) -> None:
    one = study_in(services, patient_id="")
    study_in(services, patient_id="")

    assert services.timeline.others(one) == []
