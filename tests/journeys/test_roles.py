"""A working day of each role, in real browsers on a real Orthanc: the desk, somebody who may only look, a device.

Radiologists have theirs in test_paper and test_share, signing in and an admin's side of it in test_staff_sign_in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.domain.staff import Role
from tests.support.browser import DESKTOP, wait_for_sign, window
from tests.support.clinic import SERVICE, Clinic, eventually

PASSWORD = "correct horse battery"
STUDY = studies.study(
    patient_id="DEMO-R1",
    patient_name="Lindgren^Åsa",
    birth_date=date(1966, 2, 3),
    label="roles",
    slices=4,
    size=256,
)
BROUGHT = studies.study(patient_id="DEMO-R2", patient_name="Neumann^Nora", label="by a device", slices=1)


@pytest.fixture(scope="module")
def logins(clinic: Clinic) -> dict[Role, str]:
    logins = {role: f"journey-{role}" for role in (Role.ADMIN, Role.DESK, Role.VIEWER)}
    with clinic.services() as services:
        for role, login in logins.items():
            services.staff.add(
                login=login, name=login, roles=[role], password=PASSWORD, at=services.clock(), actor="test"
            )
    return logins


@contextmanager
def at_work(browser: Browser, clinic: Clinic, login: str) -> Iterator[Page]:
    with window(browser, DESKTOP) as page:
        page.goto(f"{clinic.portal}/staff/")
        page.get_by_label("Login").fill(login)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/staff/")
        yield page


def find(page: Page, words: str, name: str) -> None:
    """From the list to the study's page, as people do."""
    page.get_by_label("Find studies").fill(words)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=name).first.click()
    page.wait_for_url("**/staff/study/*")


def test_the_desk_replaces_a_lost_sheet_and_sees_no_report(
    browser: Browser, clinic: Clinic, logins: dict[Role, str]
) -> None:
    lost = clinic.receive(STUDY)

    with at_work(browser, clinic, logins[Role.DESK]) as page:
        find(page, "asa lindgren", "Åsa Lindgren")
        expect(page.get_by_label("Findings")).to_have_count(0)
        expect(page.get_by_role("link", name="People")).to_have_count(0)
        page.get_by_text("The sheet was lost").click()
        page.get_by_label("Make a new code").check()
        with page.context.expect_page():
            page.get_by_role("button", name="Print the access sheet").click()

        def renewed() -> bool:
            return clinic.paper(STUDY.study_instance_uid).code != lost.code

        eventually(renewed, what="a new code")

    assert clinic.enter(lost, STUDY).answer.status_code == 403  # type: ignore[union-attr]
    assert clinic.enter(clinic.paper(STUDY.study_instance_uid), STUDY).token


def test_somebody_who_may_only_look_finds_a_study_and_changes_nothing(
    browser: Browser, clinic: Clinic, logins: dict[Role, str]
) -> None:
    clinic.receive(STUDY)

    with at_work(browser, clinic, logins[Role.VIEWER]) as page:
        find(page, "DEMO-R1", "Åsa Lindgren")
        for name in ("Print the access sheet", "Sign", "Share", "Show", "Save the draft"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        study = page.url
        with page.expect_popup() as popup:
            page.get_by_role("button", name="Open the images").click()
        wait_for_sign(popup.value.locator("canvas.cornerstone-canvas").first)
        for place in ("people", "audit", "settings", "share?study=1"):
            page.goto(f"{clinic.portal}/staff/{place}")
            expect(page.get_by_role("heading", level=1)).not_to_have_text("People")
            assert "Lindgren" not in page.content()
        page.goto(study)
        expect(page.get_by_text("Åsa Lindgren").first).to_be_visible()


def test_an_admin_adds_a_device_that_stores_and_can_t_read(
    browser: Browser, clinic: Clinic, logins: dict[Role, str]
) -> None:
    instances = f"{clinic.orthanc.url}/instances"
    with at_work(browser, clinic, logins[Role.ADMIN]) as page:
        page.goto(f"{clinic.portal}/staff/devices")
        page.get_by_label("Name").fill("CT, ground floor")
        page.get_by_label("Login").fill("ct-1")
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name="Make a token").click()
        token = page.locator("#secret").inner_text()
        carried = {"Authorization": f"Bearer {token}"}

        for file in studies.files(BROUGHT):
            assert requests.post(instances, data=file, headers=carried, timeout=20).status_code == 200
        for path in ("/studies", "/instances", "/system", "/changes"):
            assert requests.get(clinic.orthanc.url + path, headers=carried, timeout=10).status_code == 403
        page.goto(f"{clinic.portal}/staff/")  # it comes onto the list by itself
        expect(page.get_by_role("link", name="Nora Neumann").first).to_be_visible(timeout=30_000)

        page.goto(f"{clinic.portal}/staff/devices")
        page.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("That token stores nothing any more.")).to_be_visible()

    def refused() -> bool:
        return requests.post(instances, data=b"x", headers=carried, timeout=10).status_code == 403

    eventually(refused, within=10, what="the end of the device's token")
    assert requests.get(clinic.orthanc.url + "/system", auth=SERVICE, timeout=10).status_code == 200
