"""From the desk to the patient's hand: the access sheet alone (with a report: test_report.py)."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Browser, Page

from app.demo import studies
from app.domain.staff import Role
from tests.support import paper
from tests.support.browser import DESKTOP, PHONE, window
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
