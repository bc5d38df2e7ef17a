"""A visit of those whom a DICOM tag names: what its code opens now, what is given on of it, who learns of it."""

from __future__ import annotations

import pytest

from app.domain.grants import Kind, Standing
from app.domain.permissions import Permission
from app.domain.tag_match import How
from app.models import AuditEvent, Grant, Study, TagRule, TagRuleMatch
from app.services.audit_search import Wish
from app.services.authorization import Question
from app.services.giving_on import Problem
from app.services.giving_on import Wish as Given
from app.services.grants import Paper
from app.services.tag_keys import Wanted
from app.services.visits import LiveVisit
from app.wiring import Services
from tests.support.factories import (
    ADDRESS,
    archive_row,
    fake_archives,
    paper_of,
    record,
    registered,
    rows,
    study_in,
    visit,
)
from tests.support.fake_orthanc import FakeOrthanc

MORENO = Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",))
VIEW = Permission.VIEW | Permission.REPORT


@pytest.fixture(autouse=True)
def clinic(services: Services) -> None:
    fake_archives(services)
    registered(services)


def made(services: Services, *, may_give_on: bool = False, back_days: int | None = None) -> Paper:
    _rule, paper = services.tag_rules.make(
        "Practice Moreno",
        MORENO,
        permissions=VIEW,
        may_give_on=may_give_on,
        back_days=back_days,
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()
    return paper


def named(services: Services, **changes: object) -> Study:
    study = study_in(services, **{"referring_physician": "Moreno^Ludwig"} | changes)
    services.session.commit()
    return study


def corrected(services: Services, study: Study) -> None:
    """The archive tells it with another referring physician."""
    fake = services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    told = record(
        orthanc_id=study.orthanc_id,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        updated_at=services.clock(),
        referring_physician="Haus^Anna",
    )
    fake.put(told)
    services.ingestion.take(archive_row(services), told.orthanc_id, at=services.clock())
    services.session.commit()


def asking(services: Services, key: str, study_id: int | None) -> LiveVisit:
    found = services.visits.find(key, study_id=study_id, at=services.clock())
    assert isinstance(found, LiveVisit)
    return found


def is_granted(services: Services, token: str, study: Study) -> bool:
    question = Question("main", "get", "study", token, study.orthanc_id, study.study_instance_uid)
    return services.authorization.answer(question, at=services.clock()).is_granted


def test_a_groups_visit_has_the_study_that_is_asked_for_and_no_other(services: Services) -> None:
    paper = made(services)
    study, other = named(services), named(services)
    stranger = study_in(services, referring_physician="Haus^Anna")
    services.session.commit()
    live, key = visit(services, paper)

    assert live.studies == [] and [part.grant.id for part in live.groups] == [paper.grant.id]
    found = asking(services, key, study.id)
    assert [one.id for one in found.studies] == [study.id]
    assert found.permissions_on(study) == VIEW
    assert found.part_to(study, Permission.VIEW).kind is Kind.GROUP
    assert found.parts_of(other) == []
    for nothing in (stranger.id, 10**20, 0, None):
        assert asking(services, key, nothing).studies == []


def test_a_study_older_than_the_rule_reaches_back_is_not_opened(services: Services) -> None:
    paper = made(services, back_days=1)
    old = named(services, study_date=services.clock().date().replace(year=2025))
    _, key = visit(services, paper)

    assert asking(services, key, old.id).studies == []


def test_a_viewers_token_is_refused_once_the_tag_is_corrected(services: Services) -> None:
    paper, study = made(services), named(services)
    other = named(services)
    _, key = visit(services, paper)
    live = asking(services, key, study.id)
    token = services.visits.issue_viewer_token(live, study, address=ADDRESS, at=services.clock())
    assert is_granted(services, token, study) and not is_granted(services, token, other)
    services.clock.now += services.settings.answer_memory * 2  # type: ignore[attr-defined]

    corrected(services, study)

    assert not is_granted(services, token, study)
    assert asking(services, key, study.id).studies == []


def test_an_opening_is_on_record_with_its_rule_and_the_study_is_not_new_any_more(services: Services) -> None:
    paper, study = made(services), named(services)
    _, key = visit(services, paper)

    services.visits.note_look(asking(services, key, study.id), study, address=ADDRESS, at=services.clock())

    last = rows(services, AuditEvent)[-1]
    assert (last.event, last.grant_id, last.study_id) == ("look:opened", paper.grant.id, study.id)
    assert last.details == {"rule": "Practice Moreno"}
    assert rows(services, TagRuleMatch)[0].opened_at == services.clock()


def test_the_patient_sees_whom_the_images_name_and_as_what(services: Services) -> None:
    paper, study = made(services), named(services)
    own = paper_of(services, study)
    services.session.commit()
    _, key = visit(services, paper)
    services.visits.note_look(asking(services, key, study.id), study, address=ADDRESS, at=services.clock())
    patient, _ = visit(services, own)

    openings = services.openings.of(patient, study).openings

    by_group = [one for one in openings if one.grant is not None and one.grant.kind == Kind.GROUP]
    assert [(one.grant and one.grant.label, one.tag) for one in by_group] == [
        ("Practice Moreno", "ReferringPhysicianName")
    ]


def test_those_whom_a_tag_names_see_only_their_own_openings_of_a_study(services: Services) -> None:
    paper, study = made(services, may_give_on=True), named(services)
    patient, _ = visit(services, paper_of(services, study))
    services.visits.note_look(patient, study, address=ADDRESS, at=services.clock())
    _, key = visit(services, paper)

    page = services.openings.of(asking(services, key, study.id), study)

    assert not page.is_everybody and not page.openings
    assert not services.giving_on.is_owner(asking(services, key, study.id), study)


def test_an_auditor_who_asks_for_a_study_meets_its_openings_and_not_the_whole_group(
    services: Services,
) -> None:
    paper, study = made(services), named(services)
    _, key = visit(services, paper)
    live = asking(services, key, study.id)
    services.visits.note_look(live, study, address=ADDRESS, at=services.clock())

    found = services.audit_search.page(Wish(study_ids=(study.id,))).entries

    assert "look:opened" in [entry.event for entry in found]
    assert "visit:begun" not in [entry.event for entry in found]


@pytest.mark.parametrize("may_give_on", [True, False])
def test_a_study_is_given_on_only_where_the_rule_says_so(services: Services, may_give_on: bool) -> None:
    paper, study = made(services, may_give_on=may_give_on), named(services)
    _, key = visit(services, paper)
    live = asking(services, key, study.id)

    given = services.giving_on.give(live, study, Given("Dr Haus"), at=services.clock(), address=ADDRESS)

    if not may_give_on:
        assert given == [Problem.NOT_YOURS]
        return
    assert isinstance(given, Paper)
    services.session.commit()
    assert given.grant.parent_id == paper.grant.id and given.grant.kind == Kind.DELEGATE
    assert [one.id for one in services.giving_on.given(live, study, at=services.clock())] == [given.grant.id]


def test_what_was_given_on_ends_when_the_study_names_somebody_else(services: Services) -> None:
    paper, study = made(services, may_give_on=True), named(services)
    other = named(services)
    _, key = visit(services, paper)
    grants = []
    for one in (study, other):
        live = asking(services, key, one.id)
        given = services.giving_on.give(live, one, Given("Dr Haus"), at=services.clock(), address=ADDRESS)
        assert isinstance(given, Paper)
        grants.append(given.grant.id)
        services.session.commit()

    corrected(services, study)

    standing = [services.session.get_one(Grant, one).standing(services.clock()) for one in grants]
    assert standing == [Standing.REVOKED, Standing.OPEN]
    assert [row.details for row in rows(services, AuditEvent) if row.event == "grant:revoked"] == [
        {"why": "tag"}
    ]


def test_what_was_given_on_ends_with_the_rule(services: Services) -> None:
    paper, study = made(services, may_give_on=True), named(services)
    _, key = visit(services, paper)
    live = asking(services, key, study.id)
    given = services.giving_on.give(live, study, Given("Dr Haus"), at=services.clock(), address=ADDRESS)
    assert isinstance(given, Paper)
    grant_id = given.grant.id
    services.session.commit()

    services.tag_rules.end(rows(services, TagRule)[0], at=services.clock(), actor="staff:ada")
    services.session.commit()

    assert services.session.get_one(Grant, grant_id).standing(services.clock()) is Standing.REVOKED
