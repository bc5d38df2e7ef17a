"""Reports in a real browser on a real Orthanc: write, sign, print, scan, read on the phone; release in its time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.demo.studies import SyntheticStudy
from app.domain.staff import Role
from app.models import Study
from app.services.grants import Paper
from tests.support import paper as prints
from tests.support.browser import DESKTOP, PHONE, wait_for_sign, window
from tests.support.clinic import Clinic, eventually

LOGIN, PASSWORD = "release-writer", "correct horse battery"
BORN = date(1952, 7, 9)


WORDS = {
    "Indication": "Cough for three weeks.",
    "Technique": "CT of the chest with contrast.",
    "Findings": "Both lungs are clear.\n- Heart of normal size.\n- No effusion.",
    "Impression": "No sign of pneumonia.",
}


def ct(number: int) -> SyntheticStudy:
    return studies.study(
        patient_id=f"DEMO-RW{number}",
        patient_name="Lindqvist^Maja",
        birth_date=BORN,
        label=f"written {number}",
        slices=8,
        size=256,
    )


def mr(number: int) -> SyntheticStudy:
    return studies.study(
        patient_id=f"DEMO-R{number}",
        patient_name="Lindqvist^Karin",
        birth_date=BORN,
        modality="MR",
        label=f"release {number}",
        slices=8,
        size=256,
    )


@pytest.fixture(scope="module")
def clinic_that_waits(clinic: Clinic) -> Iterator[Clinic]:
    """A clinic where patients see an MRI an hour after it was made, and nothing else is changed."""
    with clinic.services() as services:
        services.staff.add(
            login=LOGIN,
            name="Dr. Jan Kowalski",
            roles=[Role.ADMIN],
            password=PASSWORD,
            at=services.clock(),
            actor="test",
        )
        services.rules.set({"release_by_modality": "MR images at-once+1h"}, at=services.clock(), actor="test")
    yield clinic
    with clinic.services() as services:
        services.rules.set({"release_by_modality": ""}, at=services.clock(), actor="test")


def enter(page: Page, clinic: Clinic, paper: Paper, button: str = "See the images") -> None:
    page.goto(f"{clinic.portal}/?another#{paper.code.symbols}")
    birth_date(page)
    page.get_by_role("button", name=button).click()


def birth_date(page: Page) -> None:
    page.get_by_label("Day").fill(str(BORN.day))
    page.get_by_label("Month").fill(str(BORN.month))
    page.get_by_label("Year").fill(str(BORN.year))


def staff_page(page: Page, clinic: Clinic, paper: Paper) -> None:
    page.goto(f"{clinic.portal}/staff/")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/")
    with clinic.services() as services:
        grant = services.grants.by_ref(paper.grant.ref)
        assert grant is not None
        study_id = grant.studies[0].id
    page.goto(f"{clinic.portal}/staff/study/{study_id}")


def write_and_sign(page: Page, *, reason: str = "", **words: str) -> None:
    """From a study's page and back, signed."""
    page.get_by_role("link", name="Amend the report" if reason else "Write the report").click()
    page.wait_for_url("**/report")
    for label, text in words.items():
        page.get_by_role("textbox", name=label).fill(text)
    if reason:
        page.get_by_label("Why the report is amended").fill(reason)
    sign = "Sign the amendment" if reason else "Sign"
    page.get_by_role("button", name=f"{sign}…", exact=True).click()
    page.wait_for_url("**/report/sign")
    with page.expect_navigation(url="**done=signed*"):  # the page's script takes it out of the address
        page.get_by_role("button", name=sign, exact=True).click()


def printed(page: Page, button: str) -> bytes:
    """The PDF that a click on ``button`` brings. The browser's viewer takes the body: it is asked for again."""
    with page.expect_popup() as popup, page.context.expect_event("response", _is_pdf) as answer:
        page.get_by_role("button", name=button).click()
    popup.value.close()
    form = page.locator("form[data-print]").evaluate("form => Object.fromEntries(new FormData(form))")
    return page.request.post(answer.value.url, form=form).body()


def _is_pdf(response) -> bool:  # type: ignore[no-untyped-def]
    return response.headers.get("content-type") == "application/pdf"


@pytest.mark.postgresql
def test_write_sign_print_scan_and_read_on_the_phone(browser: Browser, clinic_that_waits: Clinic) -> None:
    clinic = clinic_that_waits
    paper = clinic.receive(ct(1))
    with window(browser, DESKTOP) as desk:
        staff_page(desk, clinic, paper)
        write_and_sign(desk, **WORDS)
        expect(desk.get_by_text("The patient can read it now.")).to_be_visible()
        pdf = printed(desk, "Print the report")

    for words in (
        "Cough for three weeks.",
        "Heart of normal size.",
        "No sign of pneumonia.",
        "Dr. Jan Kowalski",
    ):
        assert words in prints.text(pdf)
    assert str(BORN.year) not in prints.text(pdf), (
        "the birth date is what is asked for: it doesn't stand there"
    )
    address = prints.scan(prints.pages(pdf)[0])
    assert address == f"{clinic.portal}/#{paper.code.symbols}"

    with window(browser, PHONE, is_mobile=True, has_touch=True) as phone:
        phone.goto(address)
        birth_date(phone)
        phone.get_by_role("button", name="Report and more").tap()
        link = phone.get_by_role("link", name="Read the report")
        expect(link).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        own = phone.request.get(f"{clinic.portal}{link.get_attribute('href')}.pdf").body()
        assert "No sign of pneumonia." in prints.text(own)
        for secret in (paper.code.grouped, paper.code.symbols, paper.password.grouped):
            assert secret not in prints.text(own)
        phone.get_by_role("link", name="Light look").tap()
        wait_for_sign(phone.locator("[data-stage] img"))

    with window(browser, DESKTOP) as desk:
        staff_page(desk, clinic, paper)
        write_and_sign(desk, reason="A nodule was seen later.", Impression="A nodule of 4 mm on the right.")
        amended = printed(desk, "Print the report")
    assert "A nodule of 4 mm" in prints.text(amended) and "A nodule was seen later." in prints.text(amended)
    assert prints.scan(prints.pages(amended)[0]) == address, "the paper given away before keeps working"


def an_hour_passes(clinic: Clinic, paper: Paper) -> None:
    """For this study: it was stable an hour earlier than it was."""
    with clinic.services() as services:
        grant = services.grants.by_ref(paper.grant.ref)
        assert grant is not None
        study = services.session.get_one(Study, grant.studies[0].id)
        study.stable_at -= timedelta(hours=1, minutes=1)


def test_on_the_phone_words_come_first_and_the_images_when_it_is_time(
    browser: Browser, clinic_that_waits: Clinic
) -> None:
    clinic = clinic_that_waits
    paper = clinic.receive(mr(1))
    with window(browser, PHONE, is_mobile=True, has_touch=True) as phone:
        enter(phone, clinic, paper)
        expect(phone.get_by_role("heading", name="The images can't be seen yet")).to_be_visible()
        expect(phone.get_by_text("The images can be seen from")).to_be_visible()
        expect(phone.get_by_text("The report follows once a physician has signed it.")).to_be_visible()
        expect(phone.get_by_role("link", name="+1 555 0199")).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        # No address gets past the words.
        here = phone.url
        assert phone.request.get(f"{here}/look", max_redirects=0).headers["location"] in here
        for path in ("look/1/1.jpg", "report.pdf"):
            assert phone.request.get(f"{here}/{path}").status == 404

        an_hour_passes(clinic, paper)
        phone.reload()
        phone.get_by_role("link", name="Light look").tap()
        wait_for_sign(phone.locator("[data-stage] img"), "G")


@pytest.mark.postgresql
def test_staff_release_at_once_and_hold_back_and_an_open_viewer_gets_no_further_image(
    browser: Browser, clinic_that_waits: Clinic
) -> None:
    clinic = clinic_that_waits
    study = mr(2)
    paper = clinic.receive(study)
    with window(browser, DESKTOP) as desk, window(browser, DESKTOP) as patient:
        staff_page(desk, clinic, paper)
        panel = desk.locator("section.release")
        panel.get_by_text("Change").click()
        panel.get_by_role("button", name="Release now").click()
        expect(desk.get_by_text("Released: the patient sees the images")).to_be_visible()

        enter(patient, clinic, paper)
        patient.wait_for_url("**/ohif/viewer?**")
        found = re.search(r"token=([\w.~-]+)", patient.url)
        assert found is not None
        metadata = f"{clinic.orthanc.url}/dicom-web/studies/{study.study_instance_uid}/metadata"

        def status() -> int:
            headers = {"Authorization": f"Bearer {found[1]}"}
            return requests.get(metadata, headers=headers, timeout=10).status_code

        assert status() == 200
        panel.get_by_text("Change").click()
        panel.get_by_role("button", name="Hold back").click()
        expect(desk.get_by_text("Held back: the patient sees neither")).to_be_visible()
        eventually(lambda: status() == 403, within=8, what="the end of the viewer's token")

        patient.goto(f"{clinic.portal}/")
        expect(patient.get_by_text("The clinic is keeping the images closed for now.")).to_be_visible()

        panel.get_by_text("Change").click()
        panel.get_by_role("button", name="As the clinic's rule says").click()
        expect(desk.get_by_text("follows the clinic's rule again").first).to_be_visible()
        patient.reload()
        expect(patient.get_by_text("The images can be seen from")).to_be_visible()
