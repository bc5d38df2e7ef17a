"""Who opened a study, for its holder's eyes: everybody for the patient, nobody but themselves for the others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.events import Event
from app.domain.grants import Kind
from app.models import Grant
from app.services.giving_on import Wish
from app.services.grants import Paper
from app.services.openings import ROWS, Opening
from app.services.visits import LiveVisit
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, MINUTE, fresh_clinic, paper_of, study_in, visit

HOUR = timedelta(hours=1)


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def look(services: Services, live: LiveVisit) -> None:
    services.visits.note_look(live, live.studies[0], address=ADDRESS, at=services.clock())


def seen(services: Services, live: LiveVisit) -> list[Opening]:
    services.session.rollback()
    return list(services.openings.of(live, live.studies[0]).openings)


def test_what_one_person_does_at_one_go_is_one_opening(
    services: Services, paper: Paper, clock: Clock
) -> None:
    live, _ = visit(services, paper)
    began = services.clock()
    clock.now += MINUTE
    look(services, live)
    look(services, live)

    (one,) = seen(services, live)

    assert one.grant is not None and one.grant.id == paper.grant.id
    assert (one.began_at, one.last_at) == (began, began + MINUTE)
    assert one.acts == [Event.VISIT_BEGUN, Event.LOOK_OPENED]


def test_coming_back_is_another_opening(services: Services, paper: Paper, clock: Clock) -> None:
    first, _ = visit(services, paper)
    look(services, first)
    clock.now += 2 * MINUTE
    second, _ = visit(services, paper)

    assert [one.acts[-1] for one in seen(services, second)] == [Event.VISIT_BEGUN, Event.LOOK_OPENED]


@pytest.mark.parametrize("kind", [Kind.PHYSICIAN, Kind.DELEGATE, Kind.LINK])
def test_whoever_is_not_the_patient_sees_their_own_openings_alone(
    services: Services, paper: Paper, kind: Kind
) -> None:
    patient, _ = visit(services, paper)
    look(services, patient)
    study = services.session.merge(patient.studies[0], load=True)
    theirs = services.grants.prepare([study], at=services.clock(), kind=kind, label="Dr Ludwig Moreno")
    services.grants.keep(theirs, at=services.clock(), actor="staff:anna")
    services.session.commit()
    live, _ = visit(services, theirs)

    assert {one.grant.id for one in seen(services, live) if one.grant} == {theirs.grant.id}
    assert {one.grant.id for one in seen(services, patient) if one.grant} == {paper.grant.id, theirs.grant.id}


def test_staff_stand_there_without_a_name(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)
    services.audit.record(
        Event.STAFF_VIEWED, at=services.clock(), actor="staff:anna", study_id=live.studies[0].id
    )

    assert seen(services, live)[0].grant is None


def test_another_study_s_openings_are_not_told(services: Services, paper: Paper) -> None:
    other = paper_of(services, study_in(services))
    services.session.commit()
    look(services, visit(services, other)[0])

    live, _ = visit(services, paper)

    assert len(seen(services, live)) == 1


def test_who_was_let_in_is_told_after_the_access_has_ended(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)
    given = services.giving_on.give(
        live, live.studies[0], Wish("Dr Ludwig Moreno"), at=services.clock(), address=ADDRESS
    )
    assert isinstance(given, Paper)
    services.session.commit()
    look(services, visit(services, given)[0])
    services.giving_on.stop_all(live, live.studies[0], own_code_too=False, at=services.clock())
    services.session.commit()

    assert "Dr Ludwig Moreno" in {one.grant.label for one in seen(services, live) if one.grant}


def test_a_page_holds_so_much_and_the_next_one_goes_on(
    services: Services, paper: Paper, clock: Clock
) -> None:
    live, _ = visit(services, paper)
    for _ in range(ROWS + 5):
        clock.now += 2 * HOUR
        look(services, live)
    study = live.studies[0]

    first = services.openings.of(live, study)
    second = services.openings.of(live, study, before=first.before)

    assert (len(first.openings), len(second.openings)) == (ROWS, 6)
    assert second.before is None


class TestStopping:
    def test_it_says_before_what_ends_and_what_goes_on(self, services: Services, paper: Paper) -> None:
        live, _ = visit(services, paper)
        study = live.studies[0]
        given = services.giving_on.give(
            live, study, Wish("Dr Ludwig Moreno"), at=services.clock(), address=ADDRESS
        )
        assert isinstance(given, Paper)
        physician = services.grants.prepare(
            given.grant.studies, at=services.clock(), kind=Kind.PHYSICIAN, label="Dr Haus"
        )
        services.grants.keep(physician, at=services.clock(), actor="staff:anna")
        services.session.commit()

        reach = services.giving_on.reach(live, study, at=services.clock())

        def labels(grants: list[Grant]) -> list[str]:
            return [grant.label for grant in grants]

        assert labels(reach.given) == ["Dr Ludwig Moreno"]
        assert labels(reach.goes_on) == ["Dr Haus"]
        assert [grant.id for grant in reach.own] == [paper.grant.id]

    def test_staff_are_told_what_dies_with_a_code(self, services: Services, paper: Paper) -> None:
        live, _ = visit(services, paper)
        services.giving_on.give(
            live, live.studies[0], Wish("Dr Ludwig Moreno", days=1), at=services.clock(), address=ADDRESS
        )
        services.session.commit()
        grant = services.grants.by_id(paper.grant.id)

        assert [one.label for one in services.grants.ends_with(grant, at=services.clock())] == [
            "Dr Ludwig Moreno"
        ]
        assert services.grants.ends_with(grant, at=services.clock() + 25 * HOUR) == []


def test_how_long_a_visit_goes_on_can_be_asked_without_using_it(
    services: Services, paper: Paper, clock: Clock
) -> None:
    _live, key = visit(services, paper)
    clock.now += 10 * MINUTE

    for _ in range(2):
        left = services.visits.left(key, at=services.clock())
        assert (left.idle, left.limit) == (5 * MINUTE, 50 * MINUTE)  # type: ignore[union-attr]
    found = services.visits.find(key, at=services.clock())
    assert isinstance(found, LiveVisit) and found.left is not None
    assert (found.left.idle, found.left.limit) == (15 * MINUTE, 50 * MINUTE)
