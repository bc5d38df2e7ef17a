"""Looking through the audit trail: what an auditor asks for is found, however long the trail; nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.events import Event
from app.domain.staff import Role
from app.services.audit_search import Wish
from app.services.grants import Paper
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, fresh_clinic, second_study, visit

MODULE = "app.services.audit_search"


def write(services: Services, clock: Clock, count: int = 10, actor: str = "staff:anna") -> None:
    for number in range(count):
        services.audit.record(
            Event.SITE_CHANGED, at=services.clock(), actor=actor, address=ADDRESS, number=number
        )
        clock.forward(minutes=1)


def found(services: Services, wish: Wish, *, before: int | None = None) -> list[int]:
    return [entry.row_id for entry in services.audit_search.page(wish, before=before).entries]


def names(services: Services, wish: Wish) -> list[str]:
    """Oldest first, and the same whether it is looked at or written out."""
    shown = [entry.event for entry in services.audit_search.page(wish).entries]
    assert [entry.event for entry in services.audit_search.entries(wish)] == shown[::-1]
    return shown[::-1]


def test_pages_go_from_the_newest_row_to_the_first(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.PAGE_SIZE", 4)
    write(services, clock)

    first = services.audit_search.page(Wish())
    second = services.audit_search.page(Wish(), before=first.before)
    third = services.audit_search.page(Wish(), before=second.before)

    assert [entry.row_id for page in (first, second, third) for entry in page.entries] == [*range(10, 0, -1)]
    assert third.before is None
    assert third.looked_back_to is None


def test_an_empty_trail_has_one_empty_page(services: Services) -> None:
    page = services.audit_search.page(Wish())

    assert (page.entries, page.before, page.looked_back_to) == ([], None, None)
    assert list(services.audit_search.entries(Wish())) == []


def test_a_long_look_stops_and_says_how_far_back_it_got(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = clock.now
    write(services, clock, 1, actor="staff:rare")
    write(services, clock, 9)
    monkeypatch.setattr(f"{MODULE}.LOOK", 5)
    wish = Wish(actors=frozenset({"staff:rare"}))

    page = services.audit_search.page(wish)

    assert (page.entries, page.looked_back_to) == ([], begin + timedelta(minutes=5))
    assert found(services, wish, before=page.before) == [1]


def test_an_export_reads_batch_by_batch_and_no_further_than_it_should(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.BATCH", 3)
    write(services, clock)

    assert [one.row_id for one in services.audit_search.entries(Wish())] == list(range(1, 11))
    assert [one.row_id for one in services.audit_search.entries(Wish(), up_to=7)] == list(range(1, 8))


def test_days_are_found_among_rows_that_are_not_quite_in_their_order(
    services: Services, clock: Clock
) -> None:
    begin = clock.now
    for hours in (0, 50, 49, 100, 99, 150):
        services.audit.record(Event.SITE_CHANGED, at=begin + timedelta(hours=hours), actor="studykey")

    wish = Wish(since=begin + timedelta(hours=49), until=begin + timedelta(hours=100))

    assert found(services, wish) == [5, 3, 2]
    assert [one.row_id for one in services.audit_search.entries(wish)] == [2, 3, 5]


class TestOneStudy:
    @pytest.fixture
    def paper(self, services: Services, clock: Clock) -> Paper:
        paper = fresh_clinic(services)[1]
        write(services, clock, 2)
        visit(services, paper)
        return paper

    def test_a_visit_counts_as_an_opening_of_each_study_of_its_grant(
        self, services: Services, paper: Paper
    ) -> None:
        first = paper.grant.studies[0].id
        second = second_study(services, services.session.merge(paper.grant)).id
        openings = frozenset({"visit:begun"})

        for study_id in (first, second):
            assert names(services, Wish(study_ids=(study_id,), events=openings)) == ["visit:begun"]
        assert names(services, Wish(study_ids=(first + second,), events=openings)) == []

    def test_the_rows_of_one_grant_can_be_read_alone(self, services: Services, paper: Paper) -> None:
        assert names(services, Wish(grant_ids=(paper.grant.id,))) == ["grant:issued", "visit:begun"]

    def test_a_study_is_named_by_number_uid_or_accession_number(
        self, services: Services, paper: Paper
    ) -> None:
        study = paper.grant.studies[0]

        for name in (str(study.id), study.study_instance_uid, study.accession_number):
            (one,) = services.audit_search.studies(name, at=services.clock())
            assert one.id == study.id
        for name in ("", "nothing", "1.2.3", "99999999999999999999", "²"):
            assert services.audit_search.studies(name, at=services.clock()) == []


def test_filters_have_to_be_true_together(services: Services, clock: Clock) -> None:
    write(services, clock, 2)
    services.audit.record(Event.STAFF_REFUSED, at=clock.now, actor="staff:anna", address="198.51.100.1")

    anna = frozenset({"staff:anna"})
    assert found(services, Wish(actors=anna)) == [3, 2, 1]
    assert found(services, Wish(actors=anna, events=frozenset({"staff:refused"}))) == [3]
    assert found(services, Wish(actors=anna, address=ADDRESS)) == [2, 1]
    assert found(services, Wish(events=frozenset({"staff:refused"}), address=ADDRESS)) == []


@pytest.mark.parametrize(
    ("typed", "actors"),
    [
        ("", set()),
        ("holder", {"holder"}),
        ("staff:anna", {"staff:anna"}),
        ("archive:main", {"archive:main"}),
        ("ANNA", {"staff:anna"}),
        ("Gone", {"staff:gone"}),
        ("dr ann haus", {"staff:dr ann haus", "staff:anna", "staff:anna2"}),
    ],
)
def test_people_are_found_by_login_and_by_name(services: Services, typed: str, actors: set[str]) -> None:
    for login in ("anna", "anna2"):
        services.staff.add(
            login=login,
            name="Dr Ann Haus",
            roles=[Role.DESK],
            password="correct horse battery",
            at=services.clock(),
            actor="test",
        )
    services.session.commit()

    assert services.audit_search.actors(typed) == actors


def test_the_last_verification_is_the_newest_one(services: Services, clock: Clock) -> None:
    assert services.audit_search.last_verification() is None
    for rows in (1, 2):
        services.audit.record(Event.AUDIT_VERIFIED, at=clock.now, actor="staff:anna", rows=rows)
    write(services, clock)

    last = services.audit_search.last_verification()

    assert last is not None
    assert last.details == {"rows": 2}
