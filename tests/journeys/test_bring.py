"""A report made elsewhere: uploaded, or found among the images; signed; printed; scanned; read by the patient."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.domain.staff import Role
from app.models import Study
from tests.support import foreign, paper
from tests.support.browser import DESKTOP, PHONE, Axe, window
from tests.support.clinic import SERVICE, Clinic, eventually

LOGIN, PASSWORD = "bringer", "correct horse battery"
STUDY = studies.study(
    patient_id="DEMO-B1",
    patient_name="Muster^Erika",
    birth_date=date(1958, 3, 27),
    label="brought",
    slices=4,
    size=256,
)
PDF = foreign.plain()


@pytest.fixture(scope="module")
def study_id(clinic: Clinic) -> int:
    printed = clinic.receive(STUDY)
    with clinic.services() as services:
        services.staff.add(
            login=LOGIN,
            name="Dr. Jan Kowalski",
            roles=[Role.RADIOLOGIST],
            password=PASSWORD,
            at=services.clock(),
            actor="test",
        )
        grant = services.grants.by_ref(printed.grant.ref)
        assert grant is not None
        found: Study = grant.studies[0]
        return found.id


def sign_in(page: Page, clinic: Clinic) -> None:
    page.goto(f"{clinic.portal}/staff/")
    page.get_by_label("Login").fill(LOGIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/staff/")


def problems(page: Page) -> list[str]:
    found = Axe().run(page)
    return [one["id"] for one in found.response["violations"]]


def in_study(**more: str) -> dict[str, str]:
    return {
        "PatientID": STUDY.patient_id,
        "PatientName": "Muster^Erika",
        "PatientBirthDate": "19580327",
        "StudyInstanceUID": STUDY.study_instance_uid,
        **more,
    }


def test_uploaded_signed_printed_scanned_and_read_on_a_phone(
    browser: Browser, clinic: Clinic, study_id: int, tmp_path: Path
) -> None:
    file = tmp_path / "Befund Muster.pdf"
    file.write_bytes(PDF)
    with window(browser, DESKTOP) as page:
        sign_in(page, clinic)
        page.goto(f"{clinic.portal}/staff/study/{study_id}")
        page.get_by_role("link", name="Bring a report made elsewhere").click()
        assert problems(page) == []
        page.get_by_label("The report as a PDF").set_input_files(file)
        page.get_by_role("button", name="Bring it").click()
        picture = page.locator(".brought-page")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
        expect(page.locator("[data-caution]")).to_have_count(0)
        assert problems(page) == []
        with page.expect_navigation(url=re.compile("done=signed")):  # a script takes it out of the address
            page.get_by_role("button", name="Sign", exact=True).click()

        form = page.locator("form[data-print]")
        form.get_by_label("Where the code goes").select_option("corner")
        fields = form.evaluate("form => Object.fromEntries(new FormData(form))")
        answer = page.request.post(f"{clinic.portal}/staff/study/{study_id}/report/print", form=fields)
        (sheet,) = paper.pages(answer.body())
        link = paper.scan(sheet)
        assert foreign.WORDS in paper.text(answer.body())

    with window(browser, PHONE) as phone:
        phone.goto(link)
        phone.get_by_label("Day").fill("27")
        phone.get_by_label("Month").fill("3")
        phone.get_by_label("Year").fill("1958")
        phone.get_by_role("button", name="See the images").click()
        eventually(lambda: phone.context.cookies(), what="a visit")
        phone.goto(f"{clinic.portal}/study/{study_id}")
        read = phone.request.get(f"{clinic.portal}/study/{study_id}/report.pdf")
        assert read.body() == PDF


def test_what_stands_among_the_images_is_listed_and_brought(
    browser: Browser, clinic: Clinic, study_id: int
) -> None:
    odd = foreign.plain("Muster, from the archive." + " " * (len(PDF) % 2))
    for dicom in (foreign.encapsulated(odd, **in_study()), foreign.structured(**in_study())):
        stored = requests.post(f"{clinic.orthanc.url}/instances", data=dicom, auth=SERVICE, timeout=10)
        assert stored.status_code == 200
    with window(browser, DESKTOP) as page:
        sign_in(page, clinic)
        page.goto(f"{clinic.portal}/staff/study/{study_id}/bring")
        expect(page.get_by_text("Befundbrief")).to_be_visible()
        assert problems(page) == []
        page.get_by_role("button", name="Bring it").nth(1).click()
        expect(page.locator(".brought-page")).to_be_visible()
        assert page.request.get(f"{clinic.portal}/staff/study/{study_id}/bring/file.pdf").body() == odd
        page.get_by_role("link", name="Throw it away").click()
        page.get_by_role("button", name="Throw it away").click()

        page.goto(f"{clinic.portal}/staff/study/{study_id}/bring")
        page.get_by_role("button", name="Begin a draft with it").click()
        page.wait_for_url("**/report")
        expect(page.get_by_label("Impression")).to_have_value("Benign.")
