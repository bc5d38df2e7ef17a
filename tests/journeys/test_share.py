"""Shared by mail, opened from the mail, revoked: the radiologist's browser, the physician's, a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from playwright.sync_api import Browser, Page, Request, expect
from sqlalchemy import select

from app.demo import sign, studies
from app.domain.staff import Role
from app.models import Study
from tests.support.browser import DESKTOP, PHONE, gray, wait_for_sign, window
from tests.support.clinic import Clinic, eventually
from tests.support.post import Box, link_in, text_of

LOGIN, PASSWORD = "sharer", "correct horse battery"
PATIENT = {"patient_id": "DEMO-SH1", "patient_name": "Santos^Lia", "size": 256}
CHEST = studies.study(**PATIENT, label="share-chest", slices=16)
KNEE = studies.study(**PATIENT, label="share-knee", slices=8)


@dataclass(frozen=True)
class Sharing:
    clinic: Clinic
    box: Box
    ids: list[int]


@pytest.fixture(scope="module")
def sharing(clinic: Clinic, box: Box) -> Iterator[Sharing]:
    with clinic.services() as services:
        services.staff.add(
            login=LOGIN,
            name="Dr. Jan Kowalski",
            roles=[Role.RADIOLOGIST],
            password=PASSWORD,
            at=services.clock(),
            actor="test",
        )
        before = services.rules.now().password_in_link
    clinic.receive_all(CHEST, KNEE)
    with clinic.services() as services:
        ids = [
            services.session.scalars(
                select(Study.id).where(Study.study_instance_uid == study.study_instance_uid)
            ).one()
            for study in (CHEST, KNEE)
        ]
    running = Sharing(clinic, box, ids)
    yield running
    say_that_links_carry_the_password(running, "yes" if before else "no")


def sign_in(page: Page, clinic: Clinic) -> None:
    page.goto(f"{clinic.portal}/staff/sign-in")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/")


def share_by_mail(page: Page, sharing: Sharing) -> None:
    query = "&".join(f"study={study_id}" for study_id in sharing.ids)
    page.goto(f"{sharing.clinic.portal}/staff/share?{query}")
    expect(page.get_by_text("Lia Santos").first).to_be_visible()
    expect(page.get_by_text("several people")).to_have_count(0)
    page.get_by_role("textbox", name="Name").fill("Dr Ludwig Moreno")
    expect(page.get_by_label("Mail address")).to_be_hidden()
    page.get_by_label("By mail").check()
    page.get_by_label("Mail address").fill("ludwig@example.org")
    page.get_by_role("button", name="Share").click()
    page.wait_for_url("**/staff/grant/**")


def say_that_links_carry_the_password(sharing: Sharing, answer: str) -> None:
    with sharing.clinic.services() as services:
        services.rules.set({"password_in_link": answer}, at=services.clock(), actor="test")


def password_on(page: Page) -> str:
    """As the radiologist reads it out on the telephone."""
    page.get_by_role("button", name="Show the code").click()
    shown = page.locator("[data-shown] [data-copied]").nth(1)
    expect(shown).to_be_visible()
    return shown.get_attribute("data-copied") or ""


def frames_of(page: Page) -> list[Request]:
    """The requests for pixels that the viewer makes from now on."""
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/frames/" in request.url else None)
    return asked


def ask_again(request: Request) -> int:
    """The same request with the same token, from outside of the browser and its caches."""
    headers = {name: request.headers[name] for name in ("authorization", "accept") if name in request.headers}
    return requests.get(request.url, headers=headers, timeout=10).status_code


def test_shared_by_mail_opened_from_the_mail_and_closed_by_revoking(
    browser: Browser, sharing: Sharing
) -> None:
    say_that_links_carry_the_password(sharing, "no")
    with window(browser, DESKTOP) as staff, window(browser, DESKTOP) as doctor:
        sign_in(staff, sharing.clinic)
        share_by_mail(staff, sharing)
        grant_page = staff.url.partition("?")[0]
        password = password_on(staff)
        message = sharing.box.mails[-1]
        assert message["To"] == "ludwig@example.org"
        assert "Santos" not in text_of(message) and password.replace(" ", "") not in text_of(message)

        frames = frames_of(doctor)
        doctor.goto(link_in(message))
        assert "#" not in doctor.url  # the code has left the address bar
        doctor.get_by_label("Password on your sheet").fill(password)
        doctor.get_by_role("button", name="See the images").click()
        doctor.wait_for_url("**/studies")
        expect(doctor.get_by_role("heading", name="2 studies")).to_be_visible()
        doctor.get_by_role("button", name="Open the images").first.click()
        doctor.wait_for_url("**/ohif/viewer**")
        wait_for_sign(doctor.locator("canvas.cornerstone-canvas").first)
        assert ask_again(frames[0]) == 200

        staff.goto(grant_page)
        expect(staff.get_by_text("Dr Ludwig Moreno").first).to_be_visible()
        staff.locator("details.grant-acts").evaluate("acts => { acts.open = true }")
        staff.get_by_role("link", name="Revoke …").click()
        staff.get_by_role("button", name="Revoke").click()
        expect(staff.get_by_text("The access was revoked.")).to_be_visible()

        # Within the validity that the gate was told (1 s here) no further pixel leaves the archive.
        eventually(lambda: ask_again(frames[0]) == 403, within=3, what="the refusal of the old token")
        answers: list[int] = []
        doctor.on(
            "response", lambda answer: answers.append(answer.status) if "/dicom-web/" in answer.url else None
        )
        with doctor.expect_response(lambda answer: "/dicom-web/" in answer.url):
            doctor.reload()
        doctor.wait_for_timeout(2000)
        assert set(answers) == {403}
        assert not sign.sign_is_visible(gray(doctor.screenshot()), "F")

        doctor.goto(f"{sharing.clinic.portal}/studies")
        expect(doctor.get_by_text("The clinic or the patient has ended this access.")).to_be_visible()
        doctor.goto(link_in(message))
        doctor.get_by_label("Password on your sheet").fill(password)
        doctor.get_by_role("button", name="See the images").click()
        expect(doctor.get_by_role("alert")).to_contain_text("ended this access")


def test_on_a_phone_a_link_that_carries_the_password_opens_with_one_tap(
    browser: Browser, sharing: Sharing
) -> None:
    say_that_links_carry_the_password(sharing, "yes")
    with window(browser, DESKTOP) as staff, window(browser, PHONE, is_mobile=True, has_touch=True) as doctor:
        sign_in(staff, sharing.clinic)
        share_by_mail(staff, sharing)

        doctor.goto(link_in(sharing.box.mails[-1]))
        assert "#" not in doctor.url
        expect(doctor.get_by_text("We took the code and the password from your link.")).to_be_visible()
        expect(doctor.get_by_label("Password on your sheet")).to_be_hidden()
        doctor.get_by_role("button", name="See the images").tap()
        doctor.wait_for_url("**/studies")
        doctor.get_by_role("link", name="Light look").last.tap()

        wait_for_sign(doctor.locator("[data-stage] img"))
        assert not [cookie for cookie in doctor.context.cookies() if "password" in str(cookie)]
        assert link_in(sharing.box.mails[-1]).rpartition("=")[2] not in sharing.clinic.log.read_text()
