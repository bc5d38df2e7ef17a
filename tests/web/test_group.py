"""The list of those whom a DICOM tag names: the warning, the list, its search, what it opens and what it never does."""

from __future__ import annotations

import html

import pytest
from werkzeug.test import TestResponse

from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import AuditEvent, Study, TagRule, TagRuleMatch
from app.services.grants import Paper
from app.services.tag_keys import Wanted
from tests.support.factories import archive_row, paper_of, record, rows, study_in
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal
from tests.support.staff import signed_in

NAME = "Practice Moreno"
VIEW = Permission.VIEW | Permission.REPORT


def rule_of(
    portal: Portal,
    *,
    value: str = "Moreno^Ludwig",
    name: str = NAME,
    permissions: Permission = VIEW,
    may_give_on: bool = False,
) -> tuple[int, Paper]:
    rule, paper = portal.services.tag_rules.make(
        name,
        Wanted("ReferringPhysicianName", How.NAME, (value,)),
        permissions=permissions,
        may_give_on=may_give_on,
        at=portal.now,
        actor="staff:ada",
    )
    rule_id = rule.id
    portal.services.session.commit()
    return rule_id, paper


def named(portal: Portal, **changes: object) -> int:
    told = {"referring_physician": "MORENO^LUDWIG^^Dr", "patient_name": "Haus^Anna"} | changes
    study_id = study_in(portal.services, **told).id
    portal.services.session.rollback()
    return study_id


def prove(portal: Portal, paper: Paper, **fields: str) -> TestResponse:
    return portal.post("/", code=paper.code.grouped, password=paper.password.grouped, go="images", **fields)


def come_in(portal: Portal, *, may_give_on: bool = False) -> str:
    """Past the warning: the address of the list."""
    rule_id, paper = rule_of(portal, may_give_on=may_give_on)
    assert prove(portal, paper).location == f"/list/{rule_id}"
    assert portal.post(f"/list/{rule_id}/understood").location == f"/list/{rule_id}"
    return f"/list/{rule_id}"


def corrected(portal: Portal, study_id: int, **changes: object) -> None:
    """The archive tells the study with other tags."""
    study = portal.services.session.get_one(Study, study_id)
    fake = portal.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    told = record(
        orthanc_id=study.orthanc_id,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        updated_at=portal.now,
        **changes,
    )
    fake.put(told)
    portal.services.ingestion.take(archive_row(portal.services), told.orthanc_id, at=portal.now)
    portal.services.session.commit()


def test_code_and_password_lead_to_the_warning_and_then_to_the_list(portal: Portal) -> None:
    named(portal)
    rule_id, paper = rule_of(portal)
    named(portal, patient_name="Berg^Ida")

    answer = prove(portal, paper)
    assert answer.location == f"/list/{rule_id}"
    warning = portal.get(answer.location)
    assert "only administrators and the physicians involved have access" in warning.text
    assert "Ida Berg" not in warning.text

    portal.post(f"/list/{rule_id}/understood")
    page = portal.get(f"/list/{rule_id}")
    assert NAME in page.text and "Every study that names Ludwig Moreno as referring physician." in page.text
    assert "Ida Berg" in page.text and "Erika Muster" not in page.text
    assert "No report yet" in page.text and "download" not in page.text.lower()
    assert portal.get("/").location == f"/list/{rule_id}"


def test_the_warning_comes_again_in_the_next_visit(portal: Portal) -> None:
    rule_id, paper = rule_of(portal)
    prove(portal, paper)
    portal.post(f"/list/{rule_id}/understood")
    assert "I understand" not in portal.get(f"/list/{rule_id}").text

    prove(portal, paper)

    assert "I understand" in portal.get(f"/list/{rule_id}").text


def test_what_was_opened_is_not_new_any_more_and_stands_in_the_trail_with_its_rule(portal: Portal) -> None:
    address = come_in(portal)
    study_id = named(portal)
    assert "New" in portal.get(address).text

    answer = portal.post(f"/study/{study_id}/viewer", narrow="0")

    assert "token=" in answer.location
    assert 'class="fresh"' not in portal.get(address).text
    last = rows(portal.services, AuditEvent)[-1]
    assert (last.event, last.study_id, last.details["rule"]) == ("viewer:opened", study_id, NAME)


def test_a_study_that_leaves_the_list_is_closed_in_words(portal: Portal) -> None:
    address = come_in(portal)
    study_id = named(portal)
    assert portal.get(f"/study/{study_id}").status_code == 200

    corrected(portal, study_id, referring_physician="Haus^Anna")

    assert "Anna Haus" not in portal.get(address).text
    for path in (f"/study/{study_id}", f"/study/{study_id}/look", f"/study/{study_id}/report.pdf"):
        answer = portal.get(path)
        assert answer.status_code == 404, path
        assert "This study isn't in your list" in answer.text
    assert portal.post(f"/study/{study_id}/viewer").status_code == 404
    assert not rows(portal.services, TagRuleMatch)


def test_what_never_was_in_the_list_looks_like_what_left_it(portal: Portal) -> None:
    come_in(portal)
    other = portal.get(f"/study/{portal.study_id}")
    unknown = portal.get("/study/999999999999")

    assert other.status_code == unknown.status_code == 404
    assert other.data == unknown.data


def test_what_was_searched_for_never_stands_in_an_address(portal: Portal) -> None:
    address = come_in(portal)
    named(portal, patient_name="Haus^Anna")
    named(portal, patient_name="Berg^Ida")

    answer = portal.post(f"{address}/search", q="ida berg")

    assert answer.status_code == 303 and "ida" not in answer.location.lower()
    page = portal.get(answer.location)
    assert "Ida Berg" in page.text and "Anna Haus" not in page.text
    assert 'value="ida berg"' in page.text


@pytest.mark.parametrize("typed", ["%", "*", "_", "?", "' OR 1=1 --", "<b>", "\\", "^", "%%%", "Muster"])
def test_no_sign_in_a_search_widens_what_is_shown(portal: Portal, typed: str) -> None:
    address = come_in(portal)
    named(portal)

    page = portal.get(portal.post(f"{address}/search", q=typed).location)

    assert "Erika Muster" not in page.text and "Anna Haus" not in page.text
    assert page.status_code == 200 and "<b>" not in page.text


@pytest.mark.parametrize("value", ["*", "%", "Moreno^*", "Moreno^%", "M?reno^Ludwig", "^", "Moreno\\Haus"])
def test_no_sign_in_a_tag_or_a_rule_widens_what_is_shown(portal: Portal, value: str) -> None:
    rule_id, paper = rule_of(portal, value=value)
    named(portal)
    named(portal, referring_physician="*^*")
    named(portal, referring_physician="%")
    prove(portal, paper)
    portal.post(f"/list/{rule_id}/understood")

    page = portal.get(f"/list/{rule_id}")

    assert "Anna Haus" not in page.text


def test_markup_in_names_is_shown_as_it_is(portal: Portal) -> None:
    rule_id, paper = rule_of(portal, name="<script>alert(1)</script>")
    named(portal, patient_name="<img src=x>^Ida", description="<b>Knee</b>")
    prove(portal, paper)
    assert "<script>alert" not in portal.get(f"/list/{rule_id}").text
    portal.post(f"/list/{rule_id}/understood")

    page = portal.get(f"/list/{rule_id}")

    assert "<script>alert" not in page.text and "<img src=x>" not in page.text and "<b>Knee" not in page.text
    assert "&lt;b&gt;Knee&lt;/b&gt;" in page.text


def test_another_rules_list_is_nobodys_business(portal: Portal) -> None:
    come_in(portal)
    other, _paper = rule_of(portal, value="Haus^Anna", name="Practice Haus")

    assert portal.get(f"/list/{other}").status_code == 404
    assert portal.post(f"/list/{other}/understood").status_code == 404
    assert portal.post(f"/list/{other}/search", q="x").status_code == 404


def test_the_list_says_what_it_opens_without_a_word_of_dicom(portal: Portal) -> None:
    rule, paper = portal.services.tag_rules.make(
        NAME,
        Wanted("RequestingPhysician", How.WORDS, ("Weber^Ute",)),
        permissions=VIEW,
        at=portal.now,
        actor="staff:ada",
    )
    rule_id = rule.id
    portal.services.session.commit()

    prove(portal, paper)

    said = portal.get(f"/list/{rule_id}").text
    assert "Every study that names Ute Weber as requesting physician." in said


def test_where_there_is_nothing_to_look_through_nothing_asks_for_a_search(portal: Portal) -> None:
    address = come_in(portal)
    named(portal)
    assert 'role="search"' not in portal.get(address).text

    named(portal, patient_name="Berg^Ida")

    assert 'role="search"' in portal.get(address).text


def test_a_rule_for_the_images_alone_shows_no_report(portal: Portal) -> None:
    rule_id, paper = rule_of(portal, permissions=Permission.VIEW)
    named(portal)
    prove(portal, paper)
    portal.post(f"/list/{rule_id}/understood")

    assert "report yet" not in portal.get(f"/list/{rule_id}").text


def test_a_list_of_many_comes_fifty_at_a_time(portal: Portal) -> None:
    address = come_in(portal)
    ids = [named(portal, patient_name=f"Berg^Ida{number:02}") for number in range(52)]

    first = portal.get(address).text
    older = html.unescape(first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0])
    second = portal.get(older).text

    assert first.count('action="/study/') == 50
    assert second.count('action="/study/') == 2 and f"/study/{ids[0]}/" in second
    assert portal.get(f"{address}?before=x.y").text.count('action="/study/') == 50


def test_a_sheet_and_a_list_stand_beside_each_other_in_one_visit(portal: Portal) -> None:
    rule_id, paper = rule_of(portal)
    study_id = named(portal)
    portal.prove(go="study")

    answer = prove(portal, paper, join="1")

    assert answer.location == "/studies"
    page = portal.get("/studies").text
    assert "Erika Muster" in page and f"/list/{rule_id}" in page
    portal.post(f"/list/{rule_id}/understood")
    assert f"/study/{study_id}" in portal.get(f"/list/{rule_id}").text
    assert portal.get(f"/study/{study_id}").status_code == 200
    assert portal.get(f"/study/{portal.study_id}").status_code == 200


def test_a_rule_that_ends_closes_its_list(portal: Portal) -> None:
    address = come_in(portal)
    rule = rows(portal.services, TagRule)[0]

    portal.services.tag_rules.end(rule, at=portal.now, actor="staff:ada")
    portal.services.session.commit()

    assert portal.get(address).status_code == 403


def test_the_patient_reads_whom_the_images_name_in_their_own_log(portal: Portal) -> None:
    come_in(portal)
    study_id = named(portal)
    sheet = paper_of(portal.services, portal.services.session.get_one(Study, study_id))
    portal.services.session.commit()
    portal.get(f"/study/{study_id}/look")

    portal.prove(code=sheet.code.grouped, go="study")

    log = portal.get(f"/study/{study_id}/openings").text
    assert NAME in log and "Named in the images as referring physician" in log
    assert "saw the images in the light look" in log
    stop = portal.get(f"/study/{study_id}/stop").text
    assert NAME in stop  # what goes on


def test_staff_read_the_rule_in_the_studys_story_and_in_the_audit(portal: Portal) -> None:
    come_in(portal)
    study_id = named(portal)
    portal.post(f"/study/{study_id}/viewer", narrow="0")
    admin = signed_in(portal, Role.ADMIN, login="root")

    story = admin.get(f"/staff/study/{study_id}").text
    trail = admin.get(f"/staff/audit?study={study_id}").text

    said = f"The images were opened in the viewer, by the rule {NAME}."
    assert said in story and said in trail


def test_a_colleague_is_let_in_where_the_rule_allows_it_and_nobody_is_stopped(portal: Portal) -> None:
    address = come_in(portal, may_give_on=True)
    study_id = named(portal)
    page = portal.get(f"/study/{study_id}").text
    assert "Let a colleague in" in page and "Stop all access" not in page
    assert f'href="{address}"' in page

    answer = portal.post(f"/study/{study_id}/share", label="Dr Haus", view="1", days="7", after="")

    assert answer.status_code == 200 and "Dr Haus" in answer.text
    assert portal.get(f"/study/{study_id}/stop").status_code == 404
    assert portal.post(f"/study/{study_id}/stop", own="close").status_code == 404
    assert portal.get(address).status_code == 200


def test_nobody_is_let_in_where_the_rule_says_nothing_of_it(portal: Portal) -> None:
    come_in(portal)
    study_id = named(portal)

    assert "Let a colleague in" not in portal.get(f"/study/{study_id}").text
    assert portal.get(f"/study/{study_id}/share").status_code == 404
