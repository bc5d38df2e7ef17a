"""Openings by rules, read: by staff on a study's page, by the patient in their own log, by auditors in the trail."""

from __future__ import annotations

import html
import json
import re

import pytest
from werkzeug.test import TestResponse

from app.domain.events import Event
from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import AuditEvent, Study, TagRule
from app.services.grants import Paper
from app.services.tag_keys import Wanted
from tests.support.factories import MINUTE, paper_of, rows, study_in
from tests.support.portal import Portal
from tests.support.staff import another_browser, person, signed_in

NAME = "Practice Moreno"
MORENO = Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",))
VIEW = Permission.VIEW | Permission.REPORT


def rule_of(
    portal: Portal, name: str = NAME, wanted: Wanted = MORENO, *, members: tuple[int, ...] = ()
) -> tuple[int, Paper]:
    rule, paper = portal.services.tag_rules.make(
        name, wanted, permissions=VIEW, members=members, at=portal.now, actor="staff:ada"
    )
    rule_id = rule.id
    portal.services.session.commit()
    return rule_id, paper


def named(portal: Portal, **changes: object) -> int:
    told = {"referring_physician": "MORENO^LUDWIG^^Dr"} | changes
    study_id = study_in(portal.services, **told).id
    portal.services.session.rollback()
    return study_id


def opened(portal: Portal, paper: Paper, study_id: int) -> None:
    """By whoever has the code of the group."""
    browser = another_browser(portal)
    browser.post("/", code=paper.code.grouped, password=paper.password.grouped, go="images")
    assert browser.get(f"/study/{study_id}/look").status_code == 200


def patient(portal: Portal, study_id: int) -> Portal:
    """A browser in which the study's patient is."""
    sheet = paper_of(portal.services, portal.services.session.get_one(Study, study_id))
    portal.services.session.commit()
    browser = another_browser(portal)
    assert browser.prove(code=sheet.code.grouped, go="study").status_code == 303
    return browser


def rotate(portal: Portal, rule_id: int) -> Paper:
    rule = portal.services.session.get_one(TagRule, rule_id)
    paper = portal.services.tag_rules.rotate(rule, at=portal.now, actor="staff:ada")
    portal.services.session.commit()
    assert paper is not None
    return paper


def in_words(text: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", text)).split())


def part(answer: TestResponse) -> str:
    """The part of a study's page that tells of rules."""
    assert answer.status_code == 200
    found = re.search(r'<section [^>]*id="rules">(.*?)</section>', answer.text, re.S)
    return in_words(found[1]) if found else ""


class TestStaff:
    def test_a_study_that_no_rule_opens_says_nothing_of_rules(self, portal: Portal) -> None:
        rule_of(portal)

        assert part(signed_in(portal, Role.ADMIN).get(f"/staff/study/{portal.study_id}")) == ""

    def test_each_rule_says_whom_it_opens_the_study_to_and_why(self, portal: Portal) -> None:
        member = person(portal.services, "moreno", Role.PHYSICIAN)
        rule_of(portal, members=(member.id,))
        study_id = named(portal)

        said = part(signed_in(portal, Role.ADMIN).get(f"/staff/study/{study_id}"))

        for words in (
            f"{NAME} works",
            "Referring physician: Dr LUDWIG MORENO",
            "images, report",
            "whoever has its code and 1 account",
            "Opened not yet",
        ):
            assert words in said, said

    def test_of_several_physicians_only_whom_the_rule_means_is_named(self, portal: Portal) -> None:
        rule_of(portal, wanted=Wanted("NameOfPhysiciansReadingStudy", How.NAME, ("Moreno^Ludwig",)))
        study_id = named(portal, reading_physicians="Haus^Anna\\Moreno^Ludwig")

        said = part(signed_in(portal, Role.ADMIN).get(f"/staff/study/{study_id}"))

        assert "Ludwig Moreno" in said and "Haus" not in said

    def test_who_opened_it_last_is_named(self, portal: Portal) -> None:
        member = person(portal.services, "moreno", Role.PHYSICIAN, name="Dr Ludwig Moreno")
        rule_id, paper = rule_of(portal, members=(member.id,))
        study_id = named(portal)
        admin = signed_in(portal, Role.ADMIN)
        opened(portal, paper, study_id)
        assert "with the code" in part(admin.get(f"/staff/study/{study_id}"))

        theirs = signed_in(portal, login="moreno")
        assert theirs.get(f"/staff/mine/{rule_id}/{study_id}/look").status_code == 200

        assert "by Dr Ludwig Moreno" in part(admin.get(f"/staff/study/{study_id}"))

    def test_an_opening_with_an_earlier_code_is_not_forgotten(self, portal: Portal) -> None:
        rule_id, paper = rule_of(portal)
        study_id = named(portal)
        opened(portal, paper, study_id)
        rotate(portal, rule_id)

        said = part(signed_in(portal, Role.ADMIN).get(f"/staff/study/{study_id}"))

        assert "with an earlier code" in said and "not yet" not in said

    @pytest.mark.parametrize(
        ("role", "leads"),
        [(Role.ADMIN, True), (Role.RADIOLOGIST, False), (Role.DESK, False), (Role.VIEWER, False)],
    )
    def test_the_rule_is_a_link_only_for_those_who_may_follow_it(
        self, portal: Portal, role: Role, leads: bool
    ) -> None:
        rule_id, _ = rule_of(portal)
        study_id = named(portal)

        answer = signed_in(portal, role).get(f"/staff/study/{study_id}")

        assert NAME in part(answer)
        assert (f'href="/staff/rules/{rule_id}"' in answer.text) is leads

    def test_markup_in_a_name_or_a_tag_is_shown_as_it_is(self, portal: Portal) -> None:
        rule_of(portal, "<script>alert(1)</script>", Wanted("InstitutionName", How.EXACT, ("<b>Ward</b>",)))
        study_id = named(portal, institution_name="<b>Ward</b>")

        answer = signed_in(portal, Role.ADMIN).get(f"/staff/study/{study_id}")
        log = patient(portal, study_id).get(f"/study/{study_id}/openings")

        for page in (answer, log):
            assert "<script>alert" not in page.text and "<b>Ward" not in page.text
            assert "&lt;script&gt;alert(1)" in page.text


class TestThePatient:
    def test_the_log_says_whom_the_clinic_lets_open_it(self, portal: Portal) -> None:
        rule_of(portal)
        study_id = named(portal)

        log = in_words(patient(portal, study_id).get(f"/study/{study_id}/openings").text)

        assert "Those whom this examination names may open it:" in log
        assert f"{NAME} Named in the images as referring physician" in log
        assert "May: see the images, read the report" in log and "Not opened yet." in log

    def test_without_such_a_rule_the_log_is_silent_about_it(self, portal: Portal) -> None:
        rule_of(portal)

        assert (
            "Whom your clinic lets in"
            not in patient(portal, portal.study_id).get(f"/study/{portal.study_id}/openings").text
        )

    def test_who_of_the_group_opened_it_is_not_named(self, portal: Portal) -> None:
        member = person(portal.services, "kim", Role.PHYSICIAN, name="Dr Kim Berg")
        rule_id, _ = rule_of(portal, members=(member.id,))
        study_id = named(portal)
        theirs = signed_in(portal, login="kim")
        assert theirs.get(f"/staff/mine/{rule_id}/{study_id}/look").status_code == 200

        log = in_words(patient(portal, study_id).get(f"/study/{study_id}/openings").text)

        assert "Opened last on" in log and "saw the images in the light look" in log
        assert "Berg" not in log and "kim" not in log.lower()

    def test_what_an_account_opened_stays_in_the_log_after_the_code_was_made_anew(
        self, portal: Portal
    ) -> None:
        member = person(portal.services, "kim", Role.PHYSICIAN, name="Dr Kim Berg")
        rule_id, _ = rule_of(portal, members=(member.id,))
        study_id = named(portal)
        theirs = signed_in(portal, login="kim")
        theirs.get(f"/staff/mine/{rule_id}/{study_id}/look")
        rotate(portal, rule_id)

        log = in_words(patient(portal, study_id).get(f"/study/{study_id}/openings").text)

        assert log.count("Named in the images as referring physician") == 2
        assert "saw the images in the light look" in log and "Opened on" in log

    def test_a_rule_whose_code_does_not_work_lets_nobody_open_it(self, portal: Portal) -> None:
        _, paper = rule_of(portal)
        study_id = named(portal)
        grant = portal.services.grants.by_id(paper.grant.id)
        portal.services.grants.revoke(grant, at=portal.now, actor="staff:ada")
        portal.services.session.commit()
        browser = patient(portal, study_id)

        assert "Whom your clinic lets in" not in browser.get(f"/study/{study_id}/openings").text
        assert NAME not in browser.get(f"/study/{study_id}/stop").text

    def test_stopping_says_that_those_whom_the_images_name_go_on(self, portal: Portal) -> None:
        rule_of(portal)
        study_id = named(portal)
        browser = patient(portal, study_id)

        before = in_words(browser.get(f"/study/{study_id}/stop").text)
        after = in_words(browser.post(f"/study/{study_id}/stop", own="keep").text)

        assert f"{NAME} : Named in the images as referring physician" in before
        assert "Those whom the clinic let in still see it." in after

    def test_whoever_is_not_the_patient_is_not_told_who_else_may(self, portal: Portal) -> None:
        _, paper = rule_of(portal)
        rule_of(portal, "Clinic", Wanted("InstitutionName", How.WORDS, ("Test Clinic",)))
        study_id = named(portal)
        browser = another_browser(portal)
        browser.post("/", code=paper.code.grouped, password=paper.password.grouped, go="images")

        log = browser.get(f"/study/{study_id}/openings")

        assert log.status_code == 200 and "Whom your clinic lets in" not in log.text

    def test_a_label_is_no_word_in_the_images(self, portal: Portal) -> None:
        rule_of(portal, "Teaching", Wanted("Labels", How.WORDS, ("teaching",)))
        study_id = named(portal, other_tags={"Labels": "teaching"})

        log = in_words(patient(portal, study_id).get(f"/study/{study_id}/openings").text)

        assert "Teaching By a label that the clinic gave the images" in log


class TestAudit:
    @pytest.fixture
    def story(self, portal: Portal) -> tuple[Portal, int]:
        """A study opened through a rule, once with each of its two codes; and through another rule."""
        rule_id, first = rule_of(portal)
        _, other = rule_of(portal, "Clinic", Wanted("InstitutionName", How.WORDS, ("Test Clinic",)))
        study_id = named(portal)
        opened(portal, first, study_id)
        opened(portal, other, study_id)
        opened(portal, rotate(portal, rule_id), study_id)
        return signed_in(portal, Role.ADMIN, login="root"), rule_id

    @pytest.mark.parametrize("by", ["number", "name"])
    def test_every_opening_through_a_rule_is_found(self, story: tuple[Portal, int], by: str) -> None:
        auditor, rule_id = story

        which = str(rule_id) if by == "number" else "practice moreno"
        page = auditor.get(f"/staff/audit?rule={which}&what=look:opened")

        table = page.text.partition("<tbody")[2].partition("</tbody")[0]
        assert table.count('<tr role="row">') == 2
        assert table.count(f"by the rule {NAME}.") == 2 and "Clinic" not in table
        assert "Only what happened through the rule" in page.text

    def test_and_written_out(self, story: tuple[Portal, int]) -> None:
        auditor, rule_id = story

        answer = auditor.post("/staff/audit/export", style="jsonl", rule=str(rule_id), what="look:opened")

        *told, end = [json.loads(line) for line in answer.text.splitlines()]
        assert [row["details"]["rule"] for row in told] == [NAME, NAME]
        assert len({row["grant"] for row in told}) == 2 and end["rows"] == 2
        exported = rows(auditor.services, AuditEvent)[-1]
        assert exported.details["filter"] == {"rule": str(rule_id), "what": "look:opened"}
        assert exported.grant_id == auditor.services.session.get_one(TagRule, rule_id).grant_id

    def test_a_rule_and_an_access_have_to_be_true_together(self, story: tuple[Portal, int]) -> None:
        auditor, rule_id = story

        page = auditor.get(f"/staff/audit?rule={rule_id}&grant={auditor.paper.grant.ref}").text

        assert "Nothing of this kind is in the audit trail" in page

    def test_the_rules_page_leads_there(self, story: tuple[Portal, int]) -> None:
        auditor, rule_id = story

        page = auditor.get(f"/staff/rules/{rule_id}").text

        assert f'href="/staff/audit?rule={rule_id}&amp;what=openings"' in page

    def test_a_download_through_a_rule_says_so(self, portal: Portal) -> None:
        _, paper = rule_of(portal)
        study_id = named(portal)
        portal.services.audit.record(
            Event.STUDY_DOWNLOADED,
            at=portal.now + MINUTE,
            actor="holder",
            grant_id=paper.grant.id,
            study_id=study_id,
            rule=NAME,
        )

        page = signed_in(portal, Role.ADMIN).get(f"/staff/study/{study_id}").text

        assert f"The images were downloaded, by the rule {NAME}." in page
