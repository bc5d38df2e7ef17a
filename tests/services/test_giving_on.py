"""What a holder gives on: narrower, shorter, listed, revocable, and dead with what it comes from."""

from __future__ import annotations

import pytest

from app.domain.grants import Kind, Standing
from app.domain.permissions import Permission
from app.models import AuditEvent, Grant, Study
from app.services.giving_on import Problem, Wish
from app.services.grants import Paper
from app.services.visits import Ending, LiveVisit
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    ADDRESS,
    DAY,
    MINUTE,
    change_grant,
    fresh_clinic,
    paper_of,
    rows,
    second_study,
    study_in,
    visit,
)

DOCTOR = Wish("Dr Ludwig Moreno")


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def give(services: Services, live: LiveVisit, wish: Wish = DOCTOR) -> Paper:
    given = services.giving_on.give(live, live.studies[0], wish, at=services.clock(), address=ADDRESS)
    assert isinstance(given, Paper)
    services.session.commit()
    return given


def refused(services: Services, live: LiveVisit, wish: Wish) -> list[Problem]:
    given = services.giving_on.give(live, live.studies[0], wish, at=services.clock(), address=ADDRESS)
    assert not isinstance(given, Paper)
    return given


def standing(services: Services, grant: Grant) -> Standing:
    services.session.rollback()
    return services.session.get_one(Grant, grant.id).standing(services.clock())


def test_a_doctor_opens_the_study_with_a_code_and_a_password_of_their_own(
    services: Services, paper: Paper
) -> None:
    live, _ = visit(services, paper)

    given = give(services, live)

    assert (given.code, given.password) != (paper.code, paper.password)
    assert given.grant.policy == "code+password"
    opened, _ = visit(services, given)
    assert [study.id for study in opened.studies] == [live.studies[0].id]
    assert [one.ref for one in services.giving_on.given(live, live.studies[0], at=services.clock())] == [
        given.grant.ref
    ]


def test_who_gave_it_on_from_where_is_on_record(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)

    given = give(services, live)

    issued = [row for row in rows(services, AuditEvent) if row.event == "grant:issued"][-1]
    assert (issued.grant_id, issued.actor, issued.address) == (given.grant.id, "holder", ADDRESS)


def test_it_opens_one_study_even_where_the_code_opens_two(services: Services, paper: Paper) -> None:
    second_study(services, paper.grant)
    live, _ = visit(services, paper)

    given = give(services, live)

    assert len(live.studies) == 2
    opened, _ = visit(services, given)
    assert [study.id for study in opened.studies] == [live.studies[0].id]


def test_it_is_never_wider_than_what_it_comes_from(services: Services, paper: Paper) -> None:
    change_grant(services, paper.grant, permissions="view")
    live, _ = visit(services, paper)

    given = give(services, live, Wish("Dr Moreno", Permission.VIEW | Permission.REPORT | Permission.DOWNLOAD))

    assert given.grant.permissions == "view"
    assert refused(services, live, Wish("Dr Moreno", Permission.REPORT)) == [Problem.NO_PERMISSION]


def test_it_never_outlives_what_it_comes_from(services: Services, paper: Paper, clock: Clock) -> None:
    change_grant(services, paper.grant, expires_at=clock.now + 3 * DAY)
    live, _ = visit(services, paper)

    assert give(services, live, Wish("Dr Moreno", days=30)).grant.expires_at == clock.now + 3 * DAY
    assert give(services, live, Wish("Dr Moreno", days=1)).grant.expires_at == clock.now + DAY


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        (Wish("  "), Problem.NO_LABEL),
        (Wish("x" * 101), Problem.LONG_LABEL),
        (Wish("Dr Moreno", days=31), Problem.NO_SUCH_LIFE),
        (Wish("Dr Moreno", days=0), Problem.NO_SUCH_LIFE),
        (Wish("Dr Moreno", Permission.NONE), Problem.NO_PERMISSION),
    ],
)
def test_what_is_no_proper_wish_is_said(
    services: Services, paper: Paper, wish: Wish, problem: Problem
) -> None:
    live, _ = visit(services, paper)

    assert refused(services, live, wish) == [problem]


def test_ten_at_once_are_enough(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)
    for _ in range(10):
        give(services, live)

    assert refused(services, live, DOCTOR) == [Problem.TOO_MANY]


@pytest.mark.parametrize("kind", [Kind.PHYSICIAN, Kind.DELEGATE, Kind.LINK])
def test_whoever_was_given_theirs_cannot_give_it_on(services: Services, paper: Paper, kind: Kind) -> None:
    change_grant(services, paper.grant, kind=kind)
    live, _ = visit(services, paper)

    assert refused(services, live, DOCTOR) == [Problem.NOT_YOURS]
    assert services.giving_on.given(live, live.studies[0], at=services.clock()) == []


def test_it_dies_with_the_sheet_that_it_comes_from(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)
    given = give(services, live)

    again = services.grants.reissue(
        services.grants.by_ref(paper.grant.ref), at=services.clock(), actor="test"
    )  # type: ignore[arg-type]
    services.session.commit()

    assert standing(services, given.grant) is Standing.REVOKED
    assert standing(services, again.grant) is Standing.OPEN


def test_taking_it_back_ends_it_at_once(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)
    given = give(services, live)
    _, key = visit(services, given)

    assert services.giving_on.take_back(live, live.studies[0], given.grant.ref, at=services.clock())
    services.session.commit()

    assert services.visits.find(key, at=services.clock()) is Ending.CLOSED
    assert standing(services, paper.grant) is Standing.OPEN


def test_nobody_takes_back_what_isnt_theirs(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)
    other = paper_of(services, study_in(services))
    services.session.commit()
    theirs, _ = visit(services, other)
    given = give(services, theirs)

    assert not services.giving_on.take_back(live, live.studies[0], given.grant.ref, at=services.clock())
    assert not services.giving_on.take_back(live, live.studies[0], paper.grant.ref, at=services.clock())
    assert standing(services, given.grant) is Standing.OPEN


def test_stopping_all_ends_what_was_given_on_and_visits_elsewhere(services: Services, paper: Paper) -> None:
    live, mine = visit(services, paper)
    given = give(services, live)
    _, elsewhere = visit(services, paper)
    _, doctors = visit(services, given)

    ended = services.giving_on.stop_all(live, live.studies[0], own_code_too=False, at=services.clock())
    services.session.commit()

    assert ended == 1
    at = services.clock()
    assert services.visits.find(doctors, at=at) is Ending.CLOSED
    assert services.visits.find(elsewhere, at=at) is Ending.CLOSED
    assert isinstance(services.visits.find(mine, at=at), LiveVisit)
    assert standing(services, paper.grant) is Standing.OPEN


def test_stopping_all_can_end_the_code_itself(services: Services, paper: Paper) -> None:
    live, mine = visit(services, paper)

    services.giving_on.stop_all(live, live.studies[0], own_code_too=True, at=services.clock())
    services.session.commit()

    assert services.visits.find(mine, at=services.clock()) is Ending.CLOSED
    assert standing(services, paper.grant) is Standing.REVOKED


class TestSeveralCodes:
    """Another sheet's code, added during a visit."""

    @pytest.fixture
    def other(self, services: Services, paper: Paper) -> Paper:
        other = paper_of(services, study_in(services, description="Knee"))
        services.session.commit()
        return other

    def test_one_cookie_opens_both(self, services: Services, paper: Paper, other: Paper) -> None:
        live, key = visit(services, paper)

        services.visits.add(live, other.grant.id, address=ADDRESS, at=services.clock())

        found = services.visits.find(key, at=services.clock())
        assert isinstance(found, LiveVisit)
        assert [study.id for study in found.studies] == [
            paper.grant.studies[0].id,
            other.grant.studies[0].id,
        ]

    def test_the_same_code_twice_is_one_part(self, services: Services, paper: Paper) -> None:
        live, _ = visit(services, paper)

        assert services.visits.add(live, paper.grant.id, address=ADDRESS, at=services.clock()) == live

    def test_when_one_is_revoked_the_other_goes_on(
        self, services: Services, paper: Paper, other: Paper
    ) -> None:
        theirs = visit(services, other)[0].studies[0].id
        live, key = visit(services, paper)
        services.visits.add(live, other.grant.id, address=ADDRESS, at=services.clock())

        change_grant(services, services.session.get_one(Grant, paper.grant.id), revoked_at=services.clock())

        found = services.visits.find(key, at=services.clock())
        assert isinstance(found, LiveVisit)
        assert [study.id for study in found.studies] == [theirs]

    def test_being_done_ends_all_even_what_was_closed_just_then(
        self, services: Services, paper: Paper, other: Paper
    ) -> None:
        live, key = visit(services, paper)
        services.visits.add(live, other.grant.id, address=ADDRESS, at=services.clock())
        grant = services.session.get_one(Grant, other.grant.id)
        change_grant(services, grant, suspended_at=services.clock(), suspended_why="?")
        found = services.visits.find(key, at=services.clock())
        assert isinstance(found, LiveVisit)

        services.visits.end(found, address=ADDRESS, at=services.clock())
        change_grant(services, grant, suspended_at=None, suspended_why=None)

        assert services.visits.find(key, at=services.clock()) is Ending.SIGNED_OUT

    def test_the_use_of_one_keeps_all_alive(
        self, services: Services, paper: Paper, other: Paper, clock: Clock
    ) -> None:
        live, key = visit(services, paper)
        services.visits.add(live, other.grant.id, address=ADDRESS, at=services.clock())
        for _ in range(4):
            clock.now += 10 * MINUTE
            assert isinstance(services.visits.find(key, at=services.clock()), LiveVisit)
        clock.now += 16 * MINUTE
        assert services.visits.find(key, at=services.clock()) is Ending.IDLE

    def test_each_study_is_opened_through_its_own_code(
        self, services: Services, paper: Paper, other: Paper
    ) -> None:
        live, _ = visit(services, paper)
        both = services.visits.add(live, other.grant.id, address=ADDRESS, at=services.clock())
        study = services.session.get_one(Study, other.grant.studies[0].id)

        services.visits.note_look(both, study, address=ADDRESS, at=services.clock())

        assert rows(services, AuditEvent)[-1].grant_id == other.grant.id
        assert both.permissions_on(study) == Permission.from_names(other.grant.permissions)
