"""My studies: what a rule for a DICOM tag opens to somebody with an account, and to nobody else."""

from __future__ import annotations

import pytest

from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import AuditEvent, Staff, TagRuleMatch
from app.services.authorization import Gone
from app.services.tag_keys import Wanted
from app.services.token_facts import Facts
from tests.support.factories import rows, study_in
from tests.support.portal import Portal
from tests.support.staff import person, signed_in

NAME = "Practice Moreno"


@pytest.fixture
def rule_id(portal: Portal) -> int:
    moreno = person(portal.services, "moreno", Role.PHYSICIAN)
    person(portal.services, "anna", Role.RADIOLOGIST)
    rule, _paper = portal.services.tag_rules.make(
        NAME,
        Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",)),
        permissions=Permission.VIEW | Permission.REPORT,
        members=[moreno.id],
        at=portal.now,
        actor="staff:ada",
    )
    rule_id = rule.id
    portal.services.session.commit()
    return rule_id


def named(portal: Portal, **changes: object) -> int:
    told = {"referring_physician": "Moreno^Ludwig", "patient_name": "Berg^Ida"} | changes
    study_id = study_in(portal.services, **told).id
    portal.services.session.commit()
    return study_id


def test_a_physician_who_signs_in_sees_what_names_them_and_nothing_else(portal: Portal, rule_id: int) -> None:
    named(portal)
    moreno = signed_in(portal, Role.PHYSICIAN, login="moreno")

    assert moreno.get("/staff/").location == "/staff/mine"
    assert moreno.get("/staff/mine").location == f"/staff/mine/{rule_id}"
    page = moreno.get(f"/staff/mine/{rule_id}").text
    assert "Ida Berg" in page and "Erika Muster" not in page
    assert "Every study that names Ludwig Moreno as referring physician." in page
    assert moreno.get(f"/staff/study/{portal.study_id}").status_code == 404


def test_what_a_physician_opens_is_on_record_by_name_and_rule(portal: Portal, rule_id: int) -> None:
    study_id = named(portal)
    moreno = signed_in(portal, Role.PHYSICIAN, login="moreno")

    answer = moreno.post(f"/staff/mine/{rule_id}/{study_id}/viewer", narrow="0")

    assert answer.status_code == 303 and "token=" in answer.location
    last = rows(portal.services, AuditEvent)[-1]
    assert (last.event, last.actor, last.study_id, last.details) == (
        "viewer:opened",
        "staff:moreno",
        study_id,
        {"rule": NAME},
    )
    assert rows(portal.services, TagRuleMatch)[0].opened_at is not None
    assert moreno.get(f"/staff/mine/{rule_id}/{study_id}/look").status_code == 200
    assert rows(portal.services, AuditEvent)[-1].event == "look:opened"


def test_a_physician_opens_nothing_that_the_rule_does_not(portal: Portal, rule_id: int) -> None:
    moreno = signed_in(portal, Role.PHYSICIAN, login="moreno")
    here = f"/staff/mine/{rule_id}/{portal.study_id}"

    assert moreno.post(f"{here}/viewer").status_code == 404
    for path in ("look", "look/1/1.jpg", "report.pdf"):
        assert moreno.get(f"{here}/{path}").status_code == 404, path
    assert moreno.get("/staff/mine/999").status_code == 404


def test_another_persons_rule_is_nobodys_business(portal: Portal, rule_id: int) -> None:
    study_id = named(portal)
    anna = signed_in(portal, login="anna")

    assert anna.get(f"/staff/mine/{rule_id}").status_code == 404
    assert anna.post(f"/staff/mine/{rule_id}/{study_id}/viewer").status_code == 404
    assert "No rule opens studies to your account yet" in anna.get("/staff/mine").text
    assert "My studies" not in anna.get("/staff/").text


def test_a_search_stands_in_no_address(portal: Portal, rule_id: int) -> None:
    named(portal)
    named(portal, patient_name="Haus^Anna")
    moreno = signed_in(portal, Role.PHYSICIAN, login="moreno")

    answer = moreno.post(f"/staff/mine/{rule_id}/search", q="ida")

    assert "ida" not in answer.location.lower().removeprefix(f"/staff/mine/{rule_id}")
    page = moreno.get(answer.location).text
    assert "Ida Berg" in page and "Anna Haus" not in page


def test_a_rule_that_is_revoked_opens_nothing_to_its_members_either(portal: Portal, rule_id: int) -> None:
    study_id = named(portal)
    moreno = signed_in(portal, Role.PHYSICIAN, login="moreno")
    rule = portal.services.tag_rules.by_id(rule_id)
    assert rule is not None

    portal.services.tag_rules.end(rule, at=portal.now, actor="staff:ada")
    portal.services.session.commit()

    assert moreno.get(f"/staff/mine/{rule_id}").status_code == 404
    assert moreno.post(f"/staff/mine/{rule_id}/{study_id}/viewer").status_code == 404


@pytest.mark.parametrize("what", ["signs out", "is disabled", "is no member any more"])
def test_an_open_viewer_ends_when_who_opened_it(portal: Portal, rule_id: int, what: str) -> None:
    study_id = named(portal)
    moreno = signed_in(portal, Role.PHYSICIAN, login="moreno")
    answer = moreno.post(f"/staff/mine/{rule_id}/{study_id}/viewer", narrow="0")
    token = answer.location.partition("token=")[2]
    services = portal.services
    archive = services.settings.archives[0].name
    assert isinstance(services.authorization.look(archive, token, at=portal.now), Facts)

    if what == "signs out":
        moreno.post("/staff/sign-out")
    elif what == "is disabled":
        person_row = next(one for one in rows(services, Staff) if one.login == "moreno")
        services.staff.disable(person_row, at=portal.now, actor="staff:ada")
    else:
        rule = services.tag_rules.by_id(rule_id)
        assert rule is not None
        services.tag_rules.change(
            rule,
            name=NAME,
            back_days=None,
            may_give_on=False,
            announce_to="",
            members=[],
            at=portal.now,
            actor="staff:ada",
        )
        services.session.commit()

    services.authorization._facts._kept.clear()  # what is remembered for a second
    assert services.authorization.look(archive, token, at=portal.now) is Gone.INVALID
