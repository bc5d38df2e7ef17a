"""Writing a report in a real browser: it saves itself, two writers lose nothing, what is signed was seen first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.demo import studies
from app.models import Report, ReportAside, TextBlock
from tests.support.browser import DESKTOP, PHONE, Axe, shown_slice, wait_for_sign, window
from tests.support.clinic import Clinic, eventually
from tests.support.databases import Databases
from tests.support.factories import fake_archives, registered, rows, study_in
from tests.support.staff import PASSWORD, person

PICTURES = studies.study(
    patient_id="DEMO-W1", patient_name="Fischer^Eva", label="beside the text", slices=8, size=256
)
BLOCK = "The lungs are clear. No effusion."


@dataclass
class Desk:
    clinic: Clinic
    study_id: int

    @property
    def url(self) -> str:
        return f"{self.clinic.portal}/staff/study/{self.study_id}/report"

    def versions(self) -> list[Report]:
        """What the database has."""
        with self.clinic.services() as services:
            found = [report for report in rows(services, Report) if report.study_id == self.study_id]
            services.session.expunge_all()
            return found

    def findings(self) -> list[str]:
        return [report.findings for report in self.versions()]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    """Two radiologists; no archive is needed for writing."""
    with databases.fresh() as url:
        clinic = Clinic(tmp_path_factory.mktemp("writing"), url)
        try:
            clinic.start_studykey("public")
            with clinic.services() as services:
                fake_archives(services)
                registered(services)
                person(services, "anna")
                person(services, "berta")
                services.session.add(TextBlock(staff_id=None, letters="nlung", text=BLOCK))
            yield clinic
        finally:
            clinic.close()


@pytest.fixture
def desk(office: Clinic) -> Desk:
    """A study that nobody has written about."""
    with office.services() as services:
        return Desk(office, study_in(services).id)


def at_the_report(page: Page, desk: Desk, login: str = "anna") -> None:
    page.goto(f"{desk.clinic.portal}/staff/")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/")
    page.goto(desk.url)


def findings(page: Page):  # type: ignore[no-untyped-def]
    return page.get_by_role("textbox", name="Findings")


def is_saved(page: Page) -> None:
    expect(page.locator("[data-said]")).to_have_text(re.compile("^Saved "))


def is_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_what_is_typed_is_there_after_the_tab_was_closed(browser: Browser, desk: Desk) -> None:
    with window(browser, DESKTOP) as page:
        at_the_report(page, desk)
        expect(findings(page)).to_be_focused()
        page.keyboard.type("Lungs clear.")
        is_saved(page)
        page.keyboard.type(" Typed just before the tab was closed.")
        context: BrowserContext = page.context
        page.close(run_before_unload=True)
        eventually(lambda: "just before" in desk.findings()[0], what="the last words")

        again = context.new_page()
        again.goto(desk.url)
        expect(findings(again)).to_have_value("Lungs clear. Typed just before the tab was closed.")
        assert len(desk.findings()) == 1


def test_of_two_writers_nobody_loses_a_word(browser: Browser, desk: Desk) -> None:
    with window(browser, DESKTOP) as anna, window(browser, DESKTOP) as berta:
        at_the_report(anna, desk)
        at_the_report(berta, desk, "berta")
        findings(anna).fill("Anna: nodule of 5 mm.")
        is_saved(anna)
        findings(berta).fill("Berta: no effusion.")
        expect(berta.get_by_text("Dr Anna Haus saved this report while you were writing.")).to_have_count(2)
        findings(berta).press_sequentially(" And more.")
        expect(findings(berta)).to_have_value("Berta: no effusion. And more.")
        berta.get_by_role("link", name="See both texts").click()

        expect(findings(berta)).to_have_value("Berta: no effusion. And more.")
        expect(berta.locator(".section.findings .theirs")).to_contain_text("Anna: nodule of 5 mm.")
        is_accessible(berta)
        berta.get_by_role("button", name=re.compile("Add to mine.*Findings")).click()
        expect(findings(berta)).to_have_value("Berta: no effusion. And more.\n\nAnna: nodule of 5 mm.")
        berta.get_by_role("button", name="Save both joined").click()
        is_saved(berta)

        assert desk.findings() == ["Berta: no effusion. And more.\n\nAnna: nodule of 5 mm."]
        with desk.clinic.services() as services:
            assert not [one for one in rows(services, ReportAside) if one.study_id == desk.study_id]


def test_a_report_is_written_signed_and_amended_with_the_keyboard_alone(browser: Browser, desk: Desk) -> None:
    with window(browser, DESKTOP) as page:
        at_the_report(page, desk)
        is_accessible(page)
        page.keyboard.type("nlung")
        page.keyboard.press("Tab")
        expect(findings(page)).to_have_value(BLOCK)
        page.keyboard.press("Control+z")
        expect(findings(page)).to_have_value("nlung")
        page.keyboard.press("Control+Space")
        page.keyboard.press("Tab")  # no letters before the cursor: on to the next field
        page.keyboard.type("Normal")
        page.keyboard.press("Shift+Home")
        page.keyboard.press("Control+b")
        impression = page.get_by_role("textbox", name="Impression")
        expect(impression).to_have_value("**Normal**")
        page.keyboard.press("Control+s")
        is_saved(page)
        expect(page.get_by_alt_text("Page 1 of 1 as it is printed")).to_be_visible()
        page.keyboard.press("Control+Enter")

        page.wait_for_url("**/report/sign")
        is_accessible(page)
        expect(page.get_by_role("button", name="Sign", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/staff/study/{desk.study_id}*")
        expect(page.locator(".report strong", has_text="Normal")).to_be_visible()
        is_accessible(page)

        page.get_by_role("link", name="Amend the report").press("Enter")
        impression.fill("Normal, side corrected")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("Say why the report is amended")
        page.get_by_label("Why the report is amended").fill("Side corrected")
        page.keyboard.press("Control+Enter")
        page.get_by_role("button", name="Sign the amendment").press("Enter")
        page.wait_for_url(f"**/staff/study/{desk.study_id}*")

    versions = [(one.version, one.is_signed, one.impression) for one in desk.versions()]
    assert versions == [(1, True, "**Normal**"), (2, True, "Normal, side corrected")]


def test_a_line_that_breaks_is_told_and_made_good(browser: Browser, desk: Desk) -> None:
    with window(browser, DESKTOP) as page:
        at_the_report(page, desk)
        page.context.set_offline(True)
        findings(page).fill("Typed without a line.")
        expect(page.locator("[data-said]")).to_contain_text("Not saved: no connection.")
        page.context.set_offline(False)
        is_saved(page)
        assert desk.findings() == ["Typed without a line."]


def test_without_script_it_is_one_form(browser: Browser, desk: Desk) -> None:
    with window(browser, PHONE, java_script_enabled=False) as page:
        at_the_report(page, desk)
        findings(page).fill("Clear.")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(findings(page)).to_have_value("Clear.")
        page.get_by_role("button", name="Sign…").click()
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.get_by_text("Signed.", exact=True)).to_be_visible()


def test_images_are_beside_the_text_when_asked_for(browser: Browser, clinic: Clinic) -> None:
    paper = clinic.receive(PICTURES)
    with clinic.services() as services:
        person(services, "beside")
        grant = services.grants.by_ref(paper.grant.ref)
        assert grant is not None
        study_id = grant.studies[0].id
    with window(browser, DESKTOP) as page:
        at_the_report(page, Desk(clinic, study_id), "beside")
        page.get_by_role("button", name="Images").click()
        picture = page.locator("[data-picture]")
        wait_for_sign(picture)
        page.get_by_role("slider", name="Image").fill("2")
        eventually(lambda: shown_slice(picture, count=8) == 2, what="the second picture")
        findings(page).fill("Looked at.")
        is_saved(page)
        expect(picture).to_be_visible()
        is_accessible(page)
