"""An administrator makes a rule for a DICOM tag: looks, adds what nearly matches, saves; then the tag is corrected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.demo import studies
from app.domain.staff import Role
from app.models import Study
from tests.support.browser import DESKTOP, PHONE, Axe, looks, window
from tests.support.clinic import SERVICE, Clinic, eventually
from tests.support.databases import Databases

LOGIN, PASSWORD = "rules-admin", "correct horse battery"


# The page's script takes the end out of the address: it is seen on the way only.
MADE = "**/staff/rules/*?done=made"


def named(number: int, physician: str, name: str) -> studies.SyntheticStudy:
    return studies.study(
        patient_id=f"DEMO-U{number}",
        patient_name=name,
        label=f"staff-rules-{number}",
        slices=1,
        ReferringPhysicianName=physician,
    )


BEFORE = [
    named(1, "Moreno^Ludwig", "Santos^Lia"),
    named(2, "MORENO^LUDWIG^^Dr", "Berg^Ida"),
    named(3, "MORENO^L", "Okafor^Chidi"),
    named(4, "Haus^Anna", "Novák^Jan"),
]
LATER = named(5, "moreno, ludwig", "Lindgren^Åsa")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    with ExitStack() as stack:
        clinic = Clinic(tmp_path_factory.mktemp("staff-rules"), stack.enter_context(databases.fresh()))
        stack.callback(clinic.close)
        usual = clinic.orthanc._configuration
        # So that a tag can be corrected in place; Orthanc 1.11.2 and later need no setting for it.
        clinic.orthanc._configuration = lambda: usual() | {"OverwriteInstances": True}  # type: ignore[method-assign]
        clinic.orthanc.start()
        clinic.start_studykey()
        clinic.receive_all(*BEFORE)
        with clinic.services() as services:
            services.staff.add(
                login=LOGIN,
                name="Ada Admin",
                roles=[Role.ADMIN],
                password=PASSWORD,
                at=services.clock(),
                actor="test",
            )
            services.staff.add(
                login="moreno",
                name="Dr Ludwig Moreno",
                roles=[Role.PHYSICIAN],
                password=PASSWORD,
                at=services.clock(),
                actor="test",
            )
        yield clinic


def come_in(page: Page, clinic: Clinic) -> None:
    page.goto(f"{clinic.portal}/staff/rules")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/rules")


def look(page: Page, clinic: Clinic) -> None:
    page.goto(f"{clinic.portal}/staff/rules/new")
    page.get_by_label("Value 1").fill("Moreno^Ludwig")
    page.get_by_label("Name of the group or person").fill("Dr Ludwig Moreno")
    page.get_by_label("How far back").select_option("all")
    press_look(page)


def press_look(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Look what matches").click()


def is_clean(page: Page) -> None:
    for look in looks(page, PHONE, DESKTOP):
        found = Axe().run(page)
        assert found.violations_count == 0, f"{look}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look


def orthanc_id(clinic: Clinic, study: studies.SyntheticStudy) -> str:
    with clinic.services() as services:
        return services.session.scalars(
            select(Study.orthanc_id).where(Study.study_instance_uid == study.study_instance_uid)
        ).one()


def test_a_rule_is_looked_at_made_and_follows_the_tag(browser: Browser, clinic: Clinic) -> None:
    with window(browser, DESKTOP) as page:
        come_in(page, clinic)
        expect(page.get_by_role("heading", name="There is no rule")).to_be_visible()
        page.get_by_role("link", name="Make a rule").click()
        page.get_by_label("Value 1").press_sequentially("more")
        page.wait_for_selector("#known option[value='Moreno^Ludwig']", state="attached")

        look(page, clinic)
        preview = page.locator("#preview")
        expect(preview.get_by_text("2 studies", exact=True)).to_be_visible()
        expect(preview.locator(".matching li")).to_have_count(2)
        preview.get_by_role("button", name="Add MORENO^L").click()
        expect(preview.get_by_text("3 studies", exact=True)).to_be_visible()
        with page.expect_navigation(url=MADE):
            page.get_by_role("button", name="Make the rule").click()
        expect(page.locator("[data-goes-on]")).to_have_count(0, timeout=20_000)  # told without a reload
        expect(page.locator("[data-part=progress]")).to_contain_text("Studies that match: 3")
        expect(page.locator(".matching li")).to_have_count(3)
        page.get_by_role("button", name="Show the code of").click()
        expect(page.locator("[data-shown] .code").first).to_be_visible()

        clinic.receive(LATER)
        page.reload()
        expect(page.get_by_role("link", name="Åsa Lindgren")).to_be_visible()

        corrected = requests.post(
            f"{clinic.orthanc.url}/studies/{orthanc_id(clinic, LATER)}/modify",
            json={
                "Replace": {"ReferringPhysicianName": "Haus^Anna"},
                "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
                "Force": True,
            },
            auth=SERVICE,
            timeout=20,
        )
        assert corrected.ok, corrected.text

        def has_gone() -> bool:
            page.reload()
            return page.get_by_role("link", name="Åsa Lindgren").count() == 0

        eventually(has_gone, what="the study leaving the rule")
        page.get_by_role("link", name="End the rule").click()
        is_clean(page)
        page.get_by_role("button", name="End the rule").click()
        expect(page.get_by_text("The rule has ended")).to_be_visible()


def test_the_pages_can_be_used_by_everybody(browser: Browser, clinic: Clinic) -> None:
    with window(browser, DESKTOP) as page:
        come_in(page, clinic)
        is_clean(page)
        page.goto(f"{clinic.portal}/staff/rules/new")
        is_clean(page)
        press_look(page)
        is_clean(page)
        look(page, clinic)
        is_clean(page)
        with page.expect_navigation(url=MADE):
            page.get_by_role("button", name="Make the rule").click()
        expect(page.locator("[data-goes-on]")).to_have_count(0, timeout=20_000)
        page.reload()
        is_clean(page)
        page.get_by_role("link", name="Change", exact=True).click()
        page.get_by_text("Choose accounts").click()
        is_clean(page)
        page.get_by_label("Dr Ludwig Moreno").check()
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="New code").click()
        is_clean(page)
        page.get_by_role("button", name="Make new ones").click()
        expect(page.get_by_text("There is a new code and a new password")).to_be_visible()
        page.goto(f"{clinic.portal}/staff/rules")
        is_clean(page)
