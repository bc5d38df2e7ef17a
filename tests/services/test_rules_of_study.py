"""Which rules open a study now, and who opened it through them: for staff, and for its patient."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import event

from app.domain.events import Event
from app.domain.grants import Standing
from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import Study, TagRule, db
from app.services import rules_of_study
from app.services.grants import Paper
from app.services.rules_of_study import Found
from app.services.tag_keys import Wanted
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, DAY, MINUTE, fake_archives, registered, study_in, visit
from tests.support.people import account

MORENO = Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",))
VIEW = Permission.VIEW | Permission.REPORT


@pytest.fixture(autouse=True)
def clinic(services: Services) -> None:
    fake_archives(services)
    registered(services)


def made(
    services: Services,
    name: str = "Dr Ludwig Moreno",
    wanted: Wanted = MORENO,
    *,
    members: tuple[int, ...] = (),
    back_days: int | None = None,
) -> tuple[int, Paper]:
    rule, paper = services.tag_rules.make(
        name,
        wanted,
        permissions=VIEW,
        members=members,
        back_days=back_days,
        at=services.clock(),
        actor="staff:ada",
    )
    rule_id = rule.id
    services.session.commit()
    return rule_id, paper


def named(services: Services, **changes: object) -> Study:
    study = study_in(services, **{"referring_physician": "MORENO^LUDWIG^^Dr"} | changes)
    services.session.commit()
    return study


def of(services: Services, study: Study) -> Found:
    services.session.rollback()
    return services.rules_of_study.of(services.session.get_one(Study, study.id), at=services.clock())


def rule_of(services: Services, rule_id: int) -> TagRule:
    services.session.rollback()
    return services.session.get_one(TagRule, rule_id)


def opened(services: Services, paper: Paper, study: Study) -> None:
    """By whoever has the code of the group."""
    _, key = visit(services, paper)
    live = services.visits.find(key, study_id=study.id, at=services.clock())
    services.visits.note_look(live, study, address=ADDRESS, at=services.clock())  # type: ignore[arg-type]


def test_a_study_has_the_rules_that_name_it_by_name(services: Services) -> None:
    made(services)
    made(services, "Clinic", Wanted("InstitutionName", How.WORDS, ("Test Clinic",)))
    made(services, "Dr Anna Haus", Wanted("ReferringPhysicianName", How.NAME, ("Haus^Anna",)))
    study = named(services)

    found = of(services, study)

    assert [row.rule.name for row in found.rows] == ["Clinic", "Dr Ludwig Moreno"]
    assert [row.rule.name for row in found.open] == ["Clinic", "Dr Ludwig Moreno"]
    assert not found.is_more
    row = found.rows[1]
    assert (row.permissions, row.standing, row.members) == (VIEW, Standing.OPEN, 0)
    assert (row.matched_at, row.first_at, row.last_at, row.last_by) == (services.clock(), None, None, "")


def test_a_study_that_no_tag_gives_to_anybody_has_none(services: Services) -> None:
    made(services)

    assert of(services, study_in(services)).rows == []


def test_what_a_rule_opens_no_more_is_not_told(services: Services, clock: Clock) -> None:
    ended, _ = made(services, "Ended")
    made(services, "Thirty days", back_days=30)
    study = named(services, study_date=date(2026, 11, 1))
    assert [row.rule.name for row in of(services, study).rows] == ["Ended", "Thirty days"]

    services.tag_rules.end(rule_of(services, ended), at=services.clock(), actor="staff:ada")
    services.session.commit()
    clock.now += 40 * DAY

    assert of(services, study).rows == []


def test_a_study_that_left_its_archive_is_opened_by_nothing(services: Services) -> None:
    made(services)
    study = named(services)
    services.session.get_one(Study, study.id).deleted_at = services.clock()
    services.session.commit()

    assert of(services, study).rows == []


def test_a_code_that_does_not_work_stands_there_and_opens_nothing(services: Services) -> None:
    _, paper = made(services)
    study = named(services)
    services.grants.revoke(services.grants.by_id(paper.grant.id), at=services.clock(), actor="staff:ada")
    services.session.commit()

    found = of(services, study)

    assert [row.standing for row in found.rows] == [Standing.REVOKED]
    assert found.open == []


def test_the_last_opening_is_told_with_who_it_was(services: Services, clock: Clock) -> None:
    person = account(services, "moreno", Role.PHYSICIAN)
    rule_id, paper = made(services, members=(person.id,))
    study, other = named(services), named(services)
    opened(services, paper, study)
    first = services.clock()
    clock.now += MINUTE
    opened(services, paper, other)
    row = of(services, study).rows[0]
    assert (row.first_at, row.last_at, row.last_by) == (first, first, "holder")

    services.member_openings.note_look(
        rule_of(services, rule_id), study, actor="staff:moreno", address=ADDRESS, at=services.clock()
    )

    row = of(services, study).rows[0]
    assert (row.first_at, row.last_at, row.last_by) == (first, services.clock(), "staff:moreno")
    assert row.members == 1


def test_that_staff_looked_is_no_opening_through_the_rule(services: Services) -> None:
    made(services)
    study = named(services)
    services.audit.record(Event.STAFF_VIEWED, at=services.clock(), actor="staff:anna", study_id=study.id)

    assert of(services, study).rows[0].last_at is None


def test_an_account_that_is_disabled_is_not_counted(services: Services) -> None:
    people = [account(services, login, Role.PHYSICIAN) for login in ("moreno", "haus")]
    made(services, members=tuple(person.id for person in people))
    study = named(services)
    services.staff.disable(people[0], at=services.clock(), actor="staff:ada")

    assert of(services, study).rows[0].members == 1


def test_that_it_was_opened_is_still_told_after_the_code_was_made_anew(services: Services) -> None:
    rule_id, paper = made(services)
    study = named(services)
    opened(services, paper, study)

    services.tag_rules.rotate(rule_of(services, rule_id), at=services.clock() + MINUTE, actor="staff:ada")
    services.session.commit()

    row = of(services, study).rows[0]
    assert (row.first_at, row.last_at) == (services.clock(), None)


def test_so_many_are_told_and_that_there_are_more(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_of_study, "MOST", 2)
    for name in ("A", "B", "C"):
        made(services, name)
    study = named(services)

    found = of(services, study)

    assert ([row.rule.name for row in found.rows], found.is_more) == (["A", "B"], True)


def test_all_of_it_is_one_query(services: Services) -> None:
    for name in ("A", "B", "C"):
        made(services, name)
    study = named(services)
    services.session.rollback()
    found = services.session.get_one(Study, study.id)
    asked: list[str] = []

    def note(*args: object) -> None:
        asked.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        rows = services.rules_of_study.of(found, at=services.clock()).rows
        assert [(row.rule.name, row.standing, row.permissions) for row in rows][0] == ("A", "open", VIEW)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)

    assert len(asked) == 1


def test_a_study_without_a_date_counts_from_its_arrival(services: Services, clock: Clock) -> None:
    made(services, back_days=30)
    study = named(services, study_date=None)

    assert len(of(services, study).rows) == 1
    clock.now += timedelta(days=31)
    assert of(services, study).rows == []
