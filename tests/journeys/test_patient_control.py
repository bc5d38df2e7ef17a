"""The patient lets a doctor in, sees that they looked, and stops it: three browsers' worth, on a real Orthanc."""

from __future__ import annotations

import time

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.services.grants import Paper
from tests.support.browser import DESKTOP, PHONE, Axe, wait_for_sign, window
from tests.support.clinic import Clinic, eventually

pytestmark = pytest.mark.postgresql

CT = studies.study(patient_id="DEMO-C1", label="control", slices=12, size=256)
DOCTOR = "Dr Ludwig Moreno"
WITHIN = 10  # seconds until nothing more loads


@pytest.fixture(scope="module")
def paper(clinic: Clinic) -> Paper:
    return clinic.receive(CT)


def open_study(page: Page, clinic: Clinic, paper: Paper) -> str:
    """The patient's way to the study's page; its address."""
    page.goto(f"{clinic.portal}/#{paper.code.symbols}")
    assert CT.birth_date is not None
    page.locator("#day").fill(str(CT.birth_date.day))
    page.locator("#month").fill(str(CT.birth_date.month))
    page.locator("#year").fill(str(CT.birth_date.year))
    page.locator("button[name=go][value=study]").click()
    page.wait_for_url("**/study/*")
    return page.url


def is_clean(page: Page) -> bool:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    return True


def test_shared_with_a_doctor_seen_in_the_log_and_stopped(
    browser: Browser, clinic: Clinic, paper: Paper
) -> None:
    with window(browser, PHONE) as patient, window(browser, DESKTOP) as doctor:
        study = open_study(patient, clinic, paper)
        patient.get_by_role("link", name="Share with my doctor").click()
        assert is_clean(patient)
        patient.get_by_label("For whom").fill(DOCTOR)
        patient.get_by_role("button", name="Make the code").click()
        expect(patient.get_by_text("This is shown once")).to_be_visible()
        assert is_clean(patient)
        link = patient.locator("[data-link]").inner_text()
        password = patient.locator("[data-password]").inner_text()
        mail = patient.get_by_role("link", name="Mail the link").get_attribute("href") or ""
        assert password.replace(" ", "") not in mail.replace("%20", "") and "mailto:" in mail
        assert link.rpartition("#")[2].removesuffix("!p") not in patient.url

        doctor.goto(link)
        doctor.locator("#password").fill(password)
        with doctor.expect_request("**/ohif/viewer?**") as viewer:
            doctor.locator("button[name=go][value=images]").click()
        wait_for_sign(doctor.locator("canvas.cornerstone-canvas").first)
        token = viewer.value.url.partition("token=")[2].partition("&")[0]

        patient.goto(f"{study}/openings")
        expect(patient.get_by_text(DOCTOR)).to_be_visible()
        expect(patient.get_by_text("Somebody whom you let in")).to_be_visible()
        assert is_clean(patient)
        assert loads(clinic, token) and looks(doctor, study)

        patient.goto(f"{study}/stop")
        expect(patient.get_by_text(DOCTOR)).to_be_visible()
        assert is_clean(patient)
        patient.get_by_role("button", name="Stop all access").click()
        expect(patient.get_by_role("heading", name="Access is stopped")).to_be_visible()
        stopped = time.monotonic()
        eventually(
            lambda: not loads(clinic, token) and not looks(doctor, study), within=WITHIN, what="the end"
        )
        assert time.monotonic() - stopped < WITHIN

        doctor.goto(link)
        doctor.locator("#password").fill(password)
        doctor.locator("button[name=go][value=images]").click()
        expect(doctor.get_by_text("The clinic or the patient has ended this access.")).to_be_visible()
        own = patient.goto(study)
        assert own is not None and own.ok


def loads(clinic: Clinic, token: str) -> bool:
    """Whether Orthanc still gives images for the doctor's token."""
    answer = requests.get(
        f"{clinic.orthanc.url}/dicom-web/studies/{CT.study_instance_uid}/series",
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    return answer.status_code == 200


def looks(doctor: Page, study: str) -> bool:
    """Whether the light look still has pictures in the doctor's browser."""
    return doctor.request.get(f"{study}/look/1/1.jpg", max_redirects=0).ok
