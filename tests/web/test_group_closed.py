"""What a rule for a DICOM tag does not open (any more): every page of both doors, whatever closed it and when."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import Archive, AuditEvent, Grant, Staff, Study, TagRule
from app.services.authorization import Gone
from app.services.grants import Paper
from app.services.tag_keys import Wanted
from app.services.token_facts import Facts
from tests.support.factories import rows, study_in
from tests.support.fake_orthanc import JPEG, FakeOrthanc
from tests.support.portal import Portal
from tests.support.staff import another_browser, person, signed_in

ALL = Permission.VIEW | Permission.REPORT | Permission.DOWNLOAD
CHANGES = {"name": "Practice Moreno", "may_give_on": True, "announce_to": ""}


def made(portal: Portal, value: str = "Moreno^Ludwig", login: str = "moreno") -> tuple[int, Paper]:
    rule, paper = portal.services.tag_rules.make(
        CHANGES["name"],
        Wanted("ReferringPhysicianName", How.NAME, (value,)),
        permissions=ALL,
        may_give_on=True,
        members=[person(portal.services, login, Role.PHYSICIAN).id],
        at=portal.now,
        actor="staff:ada",
    )
    rule_id = rule.id
    portal.services.session.commit()
    return rule_id, paper


def named(portal: Portal, **changes: object) -> int:
    told = {"referring_physician": "Moreno^Ludwig", "patient_name": "Berg^Ida"} | changes
    study_id = study_in(portal.services, **told).id
    portal.services.session.commit()
    return study_id


def come_in(portal: Portal, rule_id: int, paper: Paper) -> Portal:
    browser = another_browser(portal)
    browser.post("/", code=paper.code.grouped, password=paper.password.grouped, go="images")
    assert browser.post(f"/list/{rule_id}/understood").status_code == 303
    return browser


def addresses(portal: Portal, door: str, **values: object) -> list[tuple[str, str]]:
    """Every page of a door that is of one study."""
    found = []
    told = {"series": 1, "number": 1, "ref": "0" * 16} | values
    bound = portal.app.url_map.bind("localhost")
    for one in portal.app.url_map.iter_rules():
        if one.endpoint.startswith(f"{door}.") and "study_id" in one.arguments:
            path = bound.build(one.endpoint, {name: told[name] for name in one.arguments})
            found += [(method, path) for method in (one.methods or set()) & {"GET", "POST"}]
    assert len(found) > 3
    return found


def shut(browser: Portal, found: list[tuple[str, str]]) -> None:
    for method, path in found:
        ask = browser.get if method == "GET" else browser.post
        answer = ask(path)
        gone = answer.status_code in (403, 404) or (
            answer.status_code == 303 and "/sign-in" in (answer.location or "")
        )
        assert gone, (method, path, answer.status_code)
        assert "Ida Berg" not in answer.text and JPEG not in answer.data, path


def corrected(portal: Portal, rule_id: int, study_id: int) -> None:
    study = portal.services.session.get_one(Study, study_id)
    orthanc(portal).change(study.orthanc_id, referring_physician="Haus^Anna")
    take(portal, study)


def deleted(portal: Portal, rule_id: int, study_id: int) -> None:
    study = portal.services.session.get_one(Study, study_id)
    orthanc(portal).delete(study.orthanc_id)
    take(portal, study)


def ended(portal: Portal, rule_id: int, study_id: int) -> None:
    rule = portal.services.session.get_one(TagRule, rule_id)
    portal.services.tag_rules.end(rule, at=portal.now, actor="staff:ada")
    portal.services.session.commit()


def rotated(portal: Portal, rule_id: int, study_id: int) -> None:
    rule = portal.services.session.get_one(TagRule, rule_id)
    portal.services.tag_rules.rotate(rule, at=portal.now, actor="staff:ada")
    portal.services.session.commit()


def suspended(portal: Portal, rule_id: int, study_id: int) -> None:
    grant(portal, rule_id).suspended_at = portal.now
    portal.services.session.commit()


def expired(portal: Portal, rule_id: int, study_id: int) -> None:
    grant(portal, rule_id).expires_at = portal.now
    portal.services.session.commit()


def narrowed(portal: Portal, rule_id: int, study_id: int) -> None:
    study = portal.services.session.get_one(Study, study_id)
    orthanc(portal).change(study.orthanc_id, study_date=portal.now.date() - timedelta(days=9))
    take(portal, study)
    rule = portal.services.session.get_one(TagRule, rule_id)
    members = [one.id for one in portal.services.tag_rules.members(rule)]
    portal.services.tag_rules.change(
        rule, **CHANGES, back_days=7, members=members, at=portal.now, actor="staff:ada"
    )
    portal.services.session.commit()


CLOSING = [corrected, deleted, ended, rotated, suspended, expired, narrowed]


def orthanc(portal: Portal) -> FakeOrthanc:
    fake = portal.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    return fake


def take(portal: Portal, study: Study) -> None:
    archive = portal.services.session.scalars(select(Archive)).one()
    portal.services.ingestion.take(archive, study.orthanc_id, at=portal.now)
    portal.services.session.commit()


def grant(portal: Portal, rule_id: int) -> Grant:
    return portal.services.session.get_one(Grant, portal.services.session.get_one(TagRule, rule_id).grant_id)


def token_of(answer_location: str | None) -> str:
    return (answer_location or "").partition("token=")[2]


def opens(portal: Portal, token: str) -> bool:
    portal.services.authorization._facts._kept.clear()
    found = portal.services.authorization.look("main", token, at=portal.now)
    assert isinstance(found, Facts | Gone)
    return isinstance(found, Facts)


@pytest.mark.parametrize("close", CLOSING)
def test_a_groups_pages_and_its_viewer_are_shut(
    portal: Portal, close: Callable[[Portal, int, int], None]
) -> None:
    study_id = named(portal)
    rule_id, paper = made(portal)
    while portal.services.tag_matching.work(at=portal.now):
        pass
    browser = come_in(portal, rule_id, paper)
    token = token_of(browser.post(f"/study/{study_id}/viewer", narrow="0").location)
    assert browser.get(f"/study/{study_id}/look").status_code == 200
    assert browser.get(f"/study/{study_id}/look/1/1.jpg").status_code == 200
    assert opens(portal, token)
    portal.services.session.rollback()

    close(portal, rule_id, study_id)

    assert not opens(portal, token)
    shut(browser, addresses(portal, "patient", study_id=study_id))
    listed = browser.get(f"/list/{rule_id}")
    assert listed.status_code in (200, 403) and "Ida Berg" not in listed.text
    found = browser.post(f"/list/{rule_id}/search", q="ida")
    assert found.status_code == 403 or "Ida Berg" not in browser.get(found.location).text


@pytest.mark.parametrize("close", [one for one in CLOSING if one is not rotated])
def test_what_a_member_opened_is_shut(portal: Portal, close: Callable[[Portal, int, int], None]) -> None:
    study_id = named(portal)
    rule_id, _paper = made(portal)
    while portal.services.tag_matching.work(at=portal.now):
        pass
    browser, here = signed_in(portal, Role.PHYSICIAN, login="moreno"), f"/staff/mine/{rule_id}/{study_id}"
    token = token_of(browser.post(f"{here}/viewer", narrow="0").location)
    assert browser.get(f"{here}/look").status_code == 200
    assert browser.get(f"{here}/look/1/1.jpg").status_code == 200
    assert opens(portal, token)
    portal.services.session.rollback()

    close(portal, rule_id, study_id)

    assert not opens(portal, token)
    shut(browser, addresses(portal, "staff_mine", rule_id=rule_id, study_id=study_id))
    assert "Ida Berg" not in browser.get(f"/staff/mine/{rule_id}").text


@pytest.mark.parametrize("what", ["signs out", "is disabled", "is no member any more"])
def test_a_member_who_is_none_any_more_opens_nothing(portal: Portal, what: str) -> None:
    study_id = named(portal)
    rule_id, _paper = made(portal)
    while portal.services.tag_matching.work(at=portal.now):
        pass
    browser, here = signed_in(portal, Role.PHYSICIAN, login="moreno"), f"/staff/mine/{rule_id}/{study_id}"
    assert browser.get(f"{here}/look").status_code == 200
    if what == "signs out":
        browser.post("/staff/sign-out")
    elif what == "is disabled":
        moreno = next(one for one in rows(portal.services, Staff) if one.login == "moreno")
        portal.services.staff.disable(moreno, at=portal.now, actor="staff:ada")
    else:
        rule = portal.services.session.get_one(TagRule, rule_id)
        portal.services.tag_rules.change(
            rule, **CHANGES, back_days=None, members=[], at=portal.now, actor="staff:ada"
        )
        portal.services.session.commit()

    shut(browser, addresses(portal, "staff_mine", rule_id=rule_id, study_id=study_id))


def test_studies_of_another_rule_and_of_none_are_shut(portal: Portal) -> None:
    mine, theirs = named(portal), named(portal, referring_physician="Haus^Anna")
    rule_id, paper = made(portal)
    other_id, _other = made(portal, "Haus^Anna", "haus")
    while portal.services.tag_matching.work(at=portal.now):
        pass
    browser, member = come_in(portal, rule_id, paper), signed_in(portal, Role.PHYSICIAN, login="moreno")

    assert browser.get(f"/study/{mine}").status_code == 200
    for study_id in (theirs, portal.study_id, 2**31, 10**30):
        shut(browser, addresses(portal, "patient", study_id=study_id))
        shut(member, addresses(portal, "staff_mine", rule_id=rule_id, study_id=study_id))
        shut(member, addresses(portal, "staff_mine", rule_id=other_id, study_id=study_id))


def test_no_picture_is_shown_whose_look_is_not_on_record(portal: Portal) -> None:
    study_id = named(portal)
    rule_id, paper = made(portal)
    while portal.services.tag_matching.work(at=portal.now):
        pass
    browser, member = come_in(portal, rule_id, paper), signed_in(portal, Role.PHYSICIAN, login="moreno")
    here = f"/staff/mine/{rule_id}/{study_id}"
    before = len(rows(portal.services, AuditEvent))

    assert browser.get(f"/study/{study_id}/look/1/1.jpg").status_code == 404
    assert browser.get(f"/study/{study_id}/preview.jpg").status_code == 404
    assert "preview.jpg" not in browser.get(f"/study/{study_id}").text
    assert member.get(f"{here}/look/1/1.jpg").status_code == 404
    assert len(rows(portal.services, AuditEvent)) == before

    browser.get(f"/study/{study_id}/look")
    assert browser.get(f"/study/{study_id}/look/1/1.jpg").status_code == 200
    assert member.get(f"{here}/look/1/1.jpg").status_code == 404  # the group looked, this person didn't
    member.get(f"{here}/look")
    assert member.get(f"{here}/look/1/1.jpg").status_code == 200
    assert len(rows(portal.services, AuditEvent)) == before + 2


def test_what_somebody_searched_for_is_read_by_nobody_else(portal: Portal) -> None:
    rule_id, paper = made(portal)
    first = come_in(portal, rule_id, paper)
    address = first.post(f"/list/{rule_id}/search", q="secretname").location
    sealed = (address or "").partition("q=")[2]
    assert "secretname" in first.get(address).text

    for browser, path in (
        (come_in(portal, rule_id, paper), f"/list/{rule_id}"),
        (signed_in(portal, Role.PHYSICIAN, login="moreno"), f"/staff/mine/{rule_id}"),
        (signed_in(portal, Role.ADMIN, login="root"), "/staff/"),
    ):
        assert "secretname" not in browser.get(f"{path}?q={sealed}").text, path
    for broken in (sealed[:-2], sealed + "AA", "x.", ".", "é", base64.urlsafe_b64encode(b"k" * 40).decode()):
        assert first.get(f"/list/{rule_id}?q={broken}").status_code == 200


def test_an_account_finds_its_own_search_again_after_signing_in_again(portal: Portal) -> None:
    rule_id, _paper = made(portal)
    address = signed_in(portal, login="moreno").post(f"/staff/mine/{rule_id}/search", q="secretname").location

    assert "secretname" in signed_in(portal, login="moreno").get(address).text


@pytest.mark.parametrize(
    "place", ["20261120.-99999999999999999999", "20261120." + "9" * 5000, "99991231.1", "00010101.0", "٢"]
)
def test_no_place_in_a_list_is_an_error(portal: Portal, place: str) -> None:
    rule_id, paper = made(portal)

    assert come_in(portal, rule_id, paper).get(f"/list/{rule_id}?before={place}").status_code == 200


def test_a_groups_code_is_handed_on_by_those_alone_who_make_rules(portal: Portal) -> None:
    rule_id, _paper = made(portal)
    ref = grant(portal, rule_id).ref
    portal.services.session.rollback()

    for role in (Role.DESK, Role.RADIOLOGIST):
        browser = signed_in(portal, role, login=role.value)
        page = browser.get(f"/staff/grant/{ref}")
        assert page.status_code == 200 and f"/staff/grant/{ref}/code" not in page.text
        assert f"/staff/grant/{ref}/mail" not in page.text and f"/staff/grant/{ref}/extend" not in page.text
        for act in ("code", "extend", "mail"):
            assert browser.post(f"/staff/grant/{ref}/{act}", until="30").status_code == 404, act
        assert browser.get(f"/staff/grant/{ref}/revoke").status_code == 200  # ending it is everybody's
    admin = signed_in(portal, Role.ADMIN, login="root")
    assert admin.post(f"/staff/grant/{ref}/code").status_code == 200


def test_a_rule_that_opens_nothing_now_does_not_stand_before_one_that_does(portal: Portal) -> None:
    first_id, _paper = made(portal)
    moreno = portal.services.tag_rules.members(portal.services.session.get_one(TagRule, first_id))[0]
    rule, _other = portal.services.tag_rules.make(
        "Zurich",
        Wanted("ReferringPhysicianName", How.NAME, ("Haus^Anna",)),
        permissions=ALL,
        members=[moreno.id],
        at=portal.now,
        actor="staff:ada",
    )
    second_id = rule.id
    portal.services.session.commit()
    browser = signed_in(portal, login="moreno")
    assert browser.get("/staff/mine").location == f"/staff/mine/{first_id}"

    expired(portal, first_id, 0)

    assert browser.get("/staff/mine").location == f"/staff/mine/{second_id}"
    assert f"/staff/mine/{first_id}" not in browser.get(f"/staff/mine/{second_id}").text
