"""From the images to the patient's hand and back: write, sign, print, scan, read."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.domain.staff import Role
from tests.support import paper
from tests.support.browser import DESKTOP, PHONE, wait_for_sign, window
from tests.support.clinic import Clinic

LOGIN, PASSWORD = "radiologist", "correct horse battery"
STUDY = studies.study(
    patient_id="DEMO-P1",
    patient_name="Nowak^Zofia",
    birth_date=date(1949, 2, 3),
    label="paper",
    slices=8,
    size=256,
)


@pytest.fixture(scope="module")
def clinic_with_radiologist(clinic: Clinic) -> Clinic:
    with clinic.services() as services:
        services.staff.add(
            login=LOGIN,
            name="Dr. Jan Kowalski",
            roles=[Role.RADIOLOGIST],
            password=PASSWORD,
            at=services.clock(),
            actor="test",
        )
    clinic.receive(STUDY)
    return clinic


def sign_in(page: Page, clinic: Clinic) -> None:
    page.goto(f"{clinic.portal}/staff/")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def printed(page: Page, button: str) -> bytes:
    """The PDF that a click on ``button`` brings, as this browser gets it."""
    with page.expect_popup() as popup, page.context.expect_event("response", _is_pdf) as answer:
        page.get_by_role("button", name=button).click()
    popup.value.close()
    # The browser's own viewer has taken the body of the answer; the same print is asked for again.
    form = page.locator("form[data-print]").evaluate("form => Object.fromEntries(new FormData(form))")
    return page.request.post(answer.value.url, form=form).body()


def _is_pdf(response) -> bool:  # type: ignore[no-untyped-def]
    return response.headers.get("content-type") == "application/pdf"


def test_write_sign_print_scan_and_read(browser: Browser, clinic_with_radiologist: Clinic) -> None:
    clinic = clinic_with_radiologist
    with window(browser, DESKTOP) as page:
        sign_in(page, clinic)
        page.get_by_role("searchbox").fill("zofia nowak")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Zofia Nowak").click()

        page.get_by_label("Findings").fill("Both lungs are clear.\nThe heart is of normal size.")
        page.get_by_label("Impression").fill("No sign of pneumonia.")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Findings")).to_have_value(
            "Both lungs are clear.\nThe heart is of normal size."
        )
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.get_by_text("Dr. Jan Kowalski").first).to_be_visible()
        pdf = printed(page, "Print the report")

    assert "No sign of pneumonia." in paper.text(pdf)
    address = paper.scan(paper.pages(pdf)[0])
    assert address.startswith(f"{clinic.portal}/#")

    with window(browser, PHONE, is_mobile=True, has_touch=True) as phone:
        phone.goto(address)
        phone.get_by_label("Day").fill("3")
        phone.get_by_label("Month").fill("2")
        phone.get_by_label("Year").fill("1949")
        phone.get_by_role("button", name="Report and more").tap()
        expect(phone.get_by_text("Zofia Nowak")).to_be_visible()

        link = phone.get_by_role("link", name="Read the report")
        own = phone.request.get(f"{clinic.portal}{link.get_attribute('href')}").body()
        assert "The heart is of normal size." in paper.text(own)
        assert address.rpartition("#")[2][:4] not in paper.text(own)

        phone.get_by_role("link", name="Light look").tap()
        wait_for_sign(phone.locator("[data-stage] img"))


def test_the_access_sheet_alone_opens_the_study(browser: Browser, clinic_with_radiologist: Clinic) -> None:
    clinic = clinic_with_radiologist
    with window(browser, DESKTOP) as page:
        sign_in(page, clinic)
        page.get_by_role("link", name="Zofia Nowak").click()
        page.get_by_label("Language of the print").select_option("pl")
        pdf = printed(page, "Print the access sheet")

    images = paper.pages(pdf)
    assert len(images) == 1
    assert "1949" not in paper.text(pdf)
    with window(browser, PHONE) as phone:
        phone.goto(paper.scan(images[0]))
        code = phone.get_by_label("Code on your sheet").input_value()
        assert code in paper.text(pdf)
