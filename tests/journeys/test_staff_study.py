"""A study's page in a real browser: codes that cover themselves, keys, images one click away."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.domain.staff import Role
from app.models import Study
from tests.support.browser import DESKTOP, PHONE, wait_for_sign, window
from tests.support.clinic import Clinic

LOGIN, PASSWORD = "front-desk", "correct horse battery"
STUDY = studies.study(
    patient_id="DEMO-S1",
    patient_name="Moreno^Ana",
    birth_date=date(1971, 8, 9),
    label="staff study",
    slices=8,
    size=256,
)


@pytest.fixture(scope="module")
def study_id(clinic: Clinic) -> int:
    paper = clinic.receive(STUDY)
    with clinic.services() as services:
        services.staff.add(
            login=LOGIN,
            name="Otto Front",
            roles=[Role.DESK],
            password=PASSWORD,
            at=services.clock(),
            actor="test",
        )
        grant = services.grants.by_ref(paper.grant.ref)
        assert grant is not None
        found: Study = grant.studies[0]
        return found.id


def open_page(page: Page, clinic: Clinic, study_id: int) -> None:
    page.goto(f"{clinic.portal}/staff/")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/")
    page.goto(f"{clinic.portal}/staff/study/{study_id}")


def test_code_and_password_come_when_asked_for_and_cover_themselves_again(
    browser: Browser, clinic: Clinic, study_id: int
) -> None:
    with window(browser, DESKTOP) as page:
        page.clock.install()
        open_page(page, clinic, study_id)
        shown = page.locator("[data-shown]")
        show = page.get_by_role("button", name="Show the code of Ana Moreno")
        expect(shown).to_have_count(0)

        show.click()
        expect(shown).to_contain_text("Whoever has this can open the images.")
        page.clock.fast_forward(61_000)
        expect(shown).to_have_count(0)
        expect(show).to_be_visible()

        show.click()
        expect(shown).to_have_count(1)
        page.evaluate("dispatchEvent(new Event('blur'))")  # another window comes to the front
        expect(shown).to_have_count(0)

        show.click()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        shown.get_by_role("button", name="Copy").first.click()
        code = shown.locator(".code").first.inner_text()
        assert page.evaluate("navigator.clipboard.readText()") == code
        shown.get_by_text("Cover now").click()
        expect(shown).to_have_count(0)


def test_without_script_the_grants_own_page_shows_the_code_for_a_minute(
    browser: Browser, clinic: Clinic, study_id: int
) -> None:
    with window(browser, DESKTOP, java_script_enabled=False) as page:
        open_page(page, clinic, study_id)
        page.get_by_role("button", name="Show the code of Ana Moreno").click()

        expect(page.locator("[data-shown] .code").first).to_be_visible()
        assert "/staff/grant/" in page.url


def test_keys_do_what_the_sheet_of_keys_says_and_can_be_switched_off(
    browser: Browser, clinic: Clinic, study_id: int
) -> None:
    with window(browser, DESKTOP) as page:
        open_page(page, clinic, study_id)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.get_by_label("Use these keys on this computer").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        assert page.url.endswith(f"/staff/study/{study_id}")

        page.get_by_role("button", name="Keys").click()
        page.get_by_label("Use these keys on this computer").check()
        page.keyboard.press("Escape")
        page.keyboard.press("s")
        page.wait_for_url("**/staff/share?study=*")
        page.go_back()
        with page.expect_popup() as popup:
            page.keyboard.press("v")
        popup.value.wait_for_url("**/ohif/viewer?*")
        page.keyboard.press("b")
        page.wait_for_url("**/staff/")


def test_staff_see_the_images_in_the_viewer_and_on_a_phone_in_the_light_look(
    browser: Browser, clinic: Clinic, study_id: int
) -> None:
    with window(browser, DESKTOP) as page:
        open_page(page, clinic, study_id)
        with page.expect_popup() as popup:
            page.get_by_role("button", name="Open the images").click()
        wait_for_sign(popup.value.locator("canvas.cornerstone-canvas").first)
    with window(browser, PHONE) as page:
        open_page(page, clinic, study_id)
        with page.expect_popup() as popup:
            page.get_by_role("button", name="Open the images").click()
        popup.value.wait_for_url(f"**/staff/study/{study_id}/look")
        wait_for_sign(popup.value.locator("[data-stage] img"))
        popup.value.get_by_role("link", name="Back").click()
        popup.value.wait_for_url(f"**/staff/study/{study_id}")
