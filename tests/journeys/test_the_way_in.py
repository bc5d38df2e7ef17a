"""From the sheet to the images: what a patient does, on a desktop and on a phone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.demo.studies import SyntheticStudy
from app.services.grants import Paper
from tests.support.browser import DESKTOP, PHONE, shown_slice, shows_sign, wait_for_sign, window
from tests.support.clinic import Clinic

CT = studies.study(patient_id="DEMO-J1", label="journey", slices=20, size=256)
NO_BIRTH_DATE = studies.study(
    patient_id="DEMO-J2", patient_name="Okafor^Sam", birth_date=None, modality="DX", size=512, label="journey"
)


@dataclass(frozen=True)
class Sheet:
    """What a patient holds in the hand."""

    study: SyntheticStudy
    paper: Paper
    portal: str
    archive: str

    @property
    def qr(self) -> str:
        return f"{self.portal}/#{self.paper.code.symbols}"


@pytest.fixture(scope="module")
def sheet(clinic: Clinic) -> Sheet:
    return Sheet(CT, clinic.receive(CT), clinic.portal, clinic.orthanc.url)


def type_birth_date(page: Page, study: SyntheticStudy, *, month: str | None = None) -> None:
    assert study.birth_date is not None
    page.get_by_label("Day").fill(str(study.birth_date.day))
    page.get_by_label("Month").fill(month or str(study.birth_date.month))
    page.get_by_label("Year").fill(str(study.birth_date.year))


@pytest.mark.postgresql
def test_the_qr_and_the_birth_date_open_the_viewer_with_the_images(browser: Browser, sheet: Sheet) -> None:
    with window(browser, DESKTOP) as page:
        page.goto(sheet.qr)
        expect(page.get_by_label("Code on your sheet")).to_have_value(sheet.paper.code.grouped)
        assert page.url == f"{sheet.portal}/"  # the code has left the address bar
        type_birth_date(page, sheet.study)
        page.get_by_role("button", name="See the images").click()

        page.wait_for_url("**/ohif/viewer**")
        wait_for_sign(page.locator("canvas.cornerstone-canvas").first)


def test_a_code_typed_badly_but_rightly_opens_the_same(browser: Browser, sheet: Sheet) -> None:
    typed = sheet.paper.code.grouped.lower().replace("-", "  ").replace("0", "O").replace("1", "l")
    with window(browser, DESKTOP) as page:
        page.goto(f"{sheet.portal}/")
        page.get_by_label("Code on your sheet").fill(typed)
        type_birth_date(page, sheet.study, month="april")
        page.get_by_role("button", name="See the images").click()

        page.wait_for_url("**/ohif/viewer**")
        token = page.url.partition("token=")[2].partition("&")[0]
        study = page.request.get(
            f"{sheet.archive}/dicom-web/studies/{sheet.study.study_instance_uid}/series",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert study.ok


def test_a_phone_gets_the_light_look_and_scrolls_through_it(browser: Browser, sheet: Sheet) -> None:
    with window(browser, PHONE, is_mobile=True, has_touch=True) as page:
        page.goto(sheet.qr)
        type_birth_date(page, sheet.study)
        page.get_by_role("button", name="See the images").tap()

        page.wait_for_url("**/look**")
        picture = page.locator("[data-stage] img")
        wait_for_sign(picture)
        middle = shown_slice(picture, count=20)
        assert middle == 10
        page.get_by_role("link", name="Next").tap()
        expect(page.get_by_text("Image 11 of 20")).to_be_visible()
        expect(page.locator("[data-stage][data-shown='11']")).to_be_visible()
        assert shown_slice(picture, count=20) == 11


def test_without_script_a_phone_gets_the_light_look_too(browser: Browser, sheet: Sheet) -> None:
    agent = (
        "Mozilla/5.0 (Linux; Android 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70 Mobile Safari/537.36"
    )
    with window(browser, PHONE, java_script_enabled=False, user_agent=agent, is_mobile=True) as page:
        page.goto(f"{sheet.portal}/")
        page.get_by_label("Code on your sheet").fill(sheet.paper.code.grouped)
        type_birth_date(page, sheet.study)
        page.get_by_role("button", name="See the images").click()

        page.wait_for_url("**/look**")
        assert shows_sign(page.locator("[data-stage] img"))
        page.get_by_role("link", name="Previous").click()
        expect(page.get_by_text("Image 9 of 20")).to_be_visible()
        assert shown_slice(page.locator("[data-stage] img"), count=20) == 9


def test_without_a_birth_date_in_the_images_the_password_opens_them(browser: Browser, clinic: Clinic) -> None:
    paper = clinic.receive(NO_BIRTH_DATE)
    with window(browser, PHONE) as page:
        page.goto(f"{clinic.portal}/#{paper.code.symbols}!p")
        page.get_by_label("Password on your sheet").fill(paper.password.grouped)
        page.get_by_role("button", name="See the images").click()

        page.wait_for_url("**/look**")
        wait_for_sign(page.locator("[data-stage] img"), "R")


def test_a_mistyped_character_is_found_at_once_and_nothing_is_lost(browser: Browser, sheet: Sheet) -> None:
    code = sheet.paper.code.grouped
    wrong = ("3" if code[0] != "3" else "4") + code[1:]
    with window(browser, PHONE, java_script_enabled=False) as page:
        page.goto(f"{sheet.portal}/")
        page.get_by_label("Code on your sheet").fill(wrong)
        type_birth_date(page, sheet.study)
        page.get_by_role("button", name="See the images").click()

        expect(page.get_by_role("link", name="One of the characters looks wrong")).to_be_visible()
        expect(page.get_by_label("Code on your sheet")).to_have_value(wrong)
        expect(page.get_by_label("Year")).to_have_value(str(CT.birth_date.year if CT.birth_date else ""))


def test_a_wrong_birth_date_opens_nothing_and_says_what_to_do(browser: Browser, sheet: Sheet) -> None:
    with window(browser, DESKTOP) as page:
        page.goto(sheet.qr)
        page.get_by_label("Day").fill("1")
        page.get_by_label("Month").fill("1")
        page.get_by_label("Year").fill("1999")
        page.get_by_role("button", name="See the images").click()

        expect(page.get_by_role("alert")).to_contain_text("We couldn't open a study with that code")
        expect(page.get_by_role("alert")).to_contain_text("+1 555 0199")
        expect(page.get_by_label("Code on your sheet")).to_have_value(sheet.paper.code.grouped)
        assert page.context.cookies(sheet.portal + "/")  # the form's own
        assert not [cookie for cookie in page.context.cookies() if "visit" in cookie.get("name", "")]


def test_back_from_the_viewer_stands_the_study_and_done_closes_everything(
    browser: Browser, sheet: Sheet
) -> None:
    with window(browser, DESKTOP) as page:
        page.goto(sheet.qr)
        type_birth_date(page, sheet.study)
        page.get_by_role("button", name="See the images").click()
        page.wait_for_url("**/ohif/viewer**")

        page.goto(f"{sheet.portal}/")
        expect(page.get_by_role("heading", level=1)).to_contain_text("CT scan of the chest")
        page.get_by_role("link", name="Light look").click()
        wait_for_sign(page.locator("[data-stage] img"))
        light_look = page.url
        page.get_by_role("button", name="I'm done").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("closed")

        page.go_back()
        expect(page.locator("[data-stage]")).to_have_count(0)
        page.goto(light_look)
        expect(page.get_by_text("No study is open in this browser")).to_be_visible()


def test_scanning_another_sheet_on_a_shared_computer_asks_for_that_one(
    browser: Browser, sheet: Sheet, clinic: Clinic
) -> None:
    other = clinic.receive(NO_BIRTH_DATE)
    with window(browser, PHONE) as page:
        page.goto(sheet.qr)
        type_birth_date(page, sheet.study)
        page.get_by_role("button", name="Report and more").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("CT scan of the chest")

        page.goto(f"{clinic.portal}/#{other.code.symbols}!p")

        expect(page.get_by_label("Code on your sheet")).to_have_value(other.code.grouped)
        page.get_by_label("Password on your sheet").fill(other.password.grouped)
        page.get_by_role("button", name="Report and more").click()
        expect(page.get_by_text("Sam Okafor")).to_be_visible()
