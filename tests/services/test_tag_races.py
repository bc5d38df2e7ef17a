"""Rules for DICOM tags when two things happen at once: what is opened afterwards, and by which code.

On SQLite writers queue up; on PostgreSQL (STUDYKEY_TEST_DATABASE) they really meet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import Grant, StaffSession, Study, TagRule, TagRuleMatch, ViewerToken, grant_study
from app.services.giving_on import Problem, Wish
from app.services.grants import Paper
from app.services.member_openings import NotTheirs
from app.services.tag_keys import Wanted
from app.wiring import Services
from tests.support.factories import (
    ADDRESS,
    Elsewhere,
    archive_row,
    elsewhere,
    fake_archives,
    own_session,
    registered,
    rows,
    study_in,
    visit,
)
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.people import account

MORENO = Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",))


@pytest.fixture(autouse=True)
def clinic(services: Services) -> None:
    fake_archives(services)
    registered(services)


@pytest.fixture
def other(services: Services) -> Iterator[Elsewhere]:
    """The same installation in another process."""
    found = elsewhere(services)
    yield found
    found.close()


@pytest.fixture
def rule_id(services: Services) -> int:
    rule, _paper = services.tag_rules.make(
        "Practice Moreno",
        MORENO,
        permissions=Permission.VIEW | Permission.REPORT,
        may_give_on=True,
        members=[account(services, "moreno", Role.PHYSICIAN).id],
        at=services.clock(),
        actor="staff:ada",
    )
    rule_id = rule.id
    services.session.commit()
    return rule_id


def named(services: Services) -> int:
    study_id = study_in(services, referring_physician="Moreno^Ludwig").id
    services.session.commit()
    return study_id


def rotated(services: Services, rule_id: int) -> Paper:
    rule = services.session.get_one(TagRule, rule_id)
    paper = services.tag_rules.rotate(rule, at=services.clock(), actor="staff:ada")
    assert paper is not None
    services.session.commit()
    return paper


def corrected(services: Services, study_id: int) -> None:
    study = services.session.get_one(Study, study_id)
    fake = services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    fake.change(study.orthanc_id, referring_physician="Haus^Anna")
    services.ingestion.take(archive_row(services), study.orthanc_id, at=services.clock())
    services.session.commit()


def opened(services: Services) -> dict[int, list[int]]:
    """By each group's grant that isn't revoked, the studies that the gate lets it have."""
    with own_session(services)() as session:
        groups = session.scalars(select(Grant).where(Grant.kind == "group", Grant.revoked_at.is_(None)))
        return {
            grant.id: list(
                session.scalars(
                    select(grant_study.c.study_id)
                    .where(grant_study.c.grant_id == grant.id)
                    .order_by("study_id")
                )
            )
            for grant in groups
        }


def meanwhile(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, act: Callable[[], object]) -> None:
    """``act`` happens once, while ``owner.name`` takes its time."""
    real, waiting = getattr(owner, name), [act]

    def slow(*arguments: object, **named: object) -> object:
        found = real(*arguments, **named)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(owner, name, slow)


def test_of_two_new_codes_at_once_the_later_opens_everything_and_the_other_nothing(
    services: Services, other: Elsewhere, rule_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_id = named(services)
    meanwhile(monkeypatch, services.grants, "prepare_again", lambda: rotated(other.services, rule_id))

    paper = rotated(services, rule_id)

    assert opened(services) == {paper.grant.id: [study_id]}


def test_a_rule_that_ends_while_somebody_makes_a_new_code_leaves_none(
    services: Services, other: Elsewhere, rule_id: int
) -> None:
    named(services)
    rule = services.session.get_one(TagRule, rule_id)
    rotated(other.services, rule_id)

    services.tag_rules.end(rule, at=services.clock(), actor="staff:ada")
    services.session.commit()

    assert opened(services) == {} and rows(services, TagRuleMatch) == []


def test_a_tag_that_is_corrected_while_a_new_code_is_made_is_closed_for_both(
    services: Services, other: Elsewhere, rule_id: int
) -> None:
    study_id = named(services)
    rule = services.session.get_one(TagRule, rule_id)
    paper = services.tag_rules.rotate(rule, at=services.clock(), actor="staff:ada")
    follower = threading.Thread(target=corrected, args=(other.services, study_id))
    follower.start()
    time.sleep(0.5)  # it waits for what isn't committed yet
    services.session.commit()
    follower.join(20)

    assert paper is not None and opened(services) == {paper.grant.id: []}
    assert rows(services, TagRuleMatch) == []


@pytest.mark.parametrize("what", ["tag", "code", "end"])
def test_nobody_is_let_in_by_who_loses_the_study_at_that_moment(
    services: Services, other: Elsewhere, rule_id: int, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    study_id = named(services)
    grant = services.grants.by_id(services.session.get_one(TagRule, rule_id).grant_id)
    paper = services.grants.paper(grant, at=services.clock())
    assert paper is not None
    services.session.commit()
    _, key = visit(services, paper)
    live = services.visits.find(key, study_id=study_id, at=services.clock())
    study = services.session.get_one(Study, study_id)

    def lose() -> None:
        if what == "tag":
            corrected(other.services, study_id)
        elif what == "code":
            rotated(other.services, rule_id)
        else:
            rule = other.services.session.get_one(TagRule, rule_id)
            other.services.tag_rules.end(rule, at=services.clock(), actor="staff:ada")
            other.services.session.commit()

    meanwhile(monkeypatch, services.grants, "prepare", lose)
    made = services.giving_on.give(live, study, Wish("Dr Haus"), at=services.clock(), address=ADDRESS)  # type: ignore[arg-type]

    assert made == [Problem.NOT_YOURS]


@pytest.mark.parametrize("what", ["signed out", "no member any more"])
def test_no_viewer_opens_for_who_has_just_left(services: Services, rule_id: int, what: str) -> None:
    study_id = named(services)
    rule, study = services.session.get_one(TagRule, rule_id), services.session.get_one(Study, study_id)
    person = services.tag_rules.members(rule)[0]
    signed_in = StaffSession(
        key=b"k" * 32, staff_id=person.id, begun_at=services.clock(), seen_at=services.clock()
    )
    services.session.add(signed_in)
    services.session.commit()
    asked = {"actor": "staff:moreno", "address": ADDRESS, "at": services.clock()}
    assert services.member_openings.viewer_token(rule, study, signed_in, **asked)
    if what == "signed out":
        signed_in.ended_at = services.clock()
    else:
        services.tag_rules.change(
            rule,
            name=rule.name,
            back_days=None,
            may_give_on=True,
            announce_to="",
            members=[],
            at=services.clock(),
            actor="staff:ada",
        )
    services.session.commit()

    with pytest.raises(NotTheirs):
        services.member_openings.viewer_token(rule, study, signed_in, **asked)

    assert len(rows(services, ViewerToken)) == 1
