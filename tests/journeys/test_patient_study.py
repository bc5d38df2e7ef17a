"""The study's page in a real browser on a real Orthanc: what it is, the report to read, the images to take away."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from pydicom import dcmread
from sqlalchemy import select

from app.demo import studies
from app.models import AuditEvent, Study
from app.services.grants import Paper
from app.services.reports import Outcome, Text
from tests.support.browser import DESKTOP, PHONE, Axe, wait_for_sign, window
from tests.support.clinic import Clinic, eventually
from tests.support.signed import radiologist

CT = studies.study(
    patient_id="DEMO-PS1",
    label="patient's study",
    slices=40,
    size=256,
    description="Thx nativ",
    BodyPartExamined="CHEST",
    InstitutionName="North Wing",
)
IMPRESSION = "No sign of pneumonia."


@pytest.fixture(scope="module")
def paper(clinic: Clinic) -> Paper:
    """The sheet of a study whose report is signed."""
    paper = clinic.receive(CT)
    with clinic.services() as services:
        anna = radiologist(services)
        services.session.commit()
        study, now = _row(clinic, services.session), services.clock()
        text = Text(findings="Both lungs are **clear**.\n\n- no fluid", impression=IMPRESSION)
        report = services.reports.as_signed(study, text, by=anna, at=now)
        pdf = services.papers.signed_pdf(study, report, at=now)
        signed = services.reports.sign(study, text, revision=0, by=anna, at=now, pdf=pdf)
        assert signed is Outcome.DONE
    return paper


def _row(clinic: Clinic, session: object) -> Study:
    query = select(Study).where(Study.study_instance_uid == CT.study_instance_uid)
    return session.scalars(query).one()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def page(browser: Browser, clinic: Clinic, paper: Paper, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The study's page, reached by typing."""
    size, options = getattr(request, "param", (PHONE, {"is_mobile": True, "has_touch": True}))
    with window(browser, size, **options) as page:
        assert CT.birth_date is not None
        page.goto(f"{clinic.portal}/")
        page.get_by_label("Code on your sheet").fill(paper.code.grouped)
        page.get_by_label("Day").fill(str(CT.birth_date.day))
        page.get_by_label("Month").fill(str(CT.birth_date.month))
        page.get_by_label("Year").fill(str(CT.birth_date.year))
        page.get_by_role("button", name="Report and more").click()
        expect(page.get_by_role("heading", level=1, name="CT scan of the chest")).to_be_visible()
        yield page


def _events(clinic: Clinic) -> list[str]:
    with clinic.services() as services:
        study_id = _row(clinic, services.session).id
        query = select(AuditEvent.event).where(AuditEvent.study_id == study_id).order_by(AuditEvent.id)
        return list(services.session.scalars(query))


def _is_clean(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_typed_code_study_report_and_every_image_in_the_zip(
    page: Page, clinic: Clinic, tmp_path: Path
) -> None:
    expect(page.get_by_text("North Wing")).to_be_visible()
    expect(page.get_by_text("Thx nativ")).to_be_visible()
    wait_for_sign(page.locator(".preview img"))
    _is_clean(page)

    page.get_by_role("link", name="Read the report").tap()
    article = page.locator("article.report")
    expect(article.get_by_role("heading", name="Impression")).to_be_visible()
    expect(article.get_by_text(IMPRESSION)).to_be_visible()
    expect(article.get_by_text("Signed electronically on")).to_be_visible()
    _is_clean(page)

    page.get_by_role("link", name="Back to the study").first.tap()
    page.get_by_role("link", name="Download", exact=True).tap()
    expect(page.get_by_text(re.compile("One ZIP file of at most .* MB"))).to_be_visible()
    _is_clean(page)
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download the images").tap()
    expect(page.get_by_text("Your download begins.")).to_be_visible()
    assert begun.value.suggested_filename == f"images-{CT.study_date.isoformat()}.zip"
    begun.value.save_as(tmp_path / "images.zip")

    with zipfile.ZipFile(tmp_path / "images.zip") as packed:
        assert packed.testzip() is None
        directory = dcmread(io.BytesIO(packed.read("DICOMDIR")))
        named = {str(one.ReferencedSOPInstanceUIDInFile) for one in directory.DirectoryRecordSequence
                 if "ReferencedSOPInstanceUIDInFile" in one}  # fmt: skip
        names = [name for name in packed.namelist() if name != "DICOMDIR"]
        read = {str(dcmread(io.BytesIO(packed.read(name))).SOPInstanceUID) for name in names}
    sent = {
        str(dcmread(io.BytesIO(file), stop_before_pixels=True).SOPInstanceUID) for file in studies.files(CT)
    }
    assert read == named == sent
    assert _events(clinic)[-2:] == ["report:read", "study:downloaded"]


def test_whoever_is_done_takes_no_more_of_a_download_along(page: Page, clinic: Clinic) -> None:
    """A download that comes slowly is cut off when its visit ends, and its place is free again."""
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}  # type: ignore[index]
    address = f"{page.url}/images.zip"
    with requests.get(address, cookies=cookies, stream=True, timeout=20) as answer:
        pieces = answer.iter_content(1024)
        next(pieces)
        assert requests.get(address, cookies=cookies, timeout=20).status_code == 503
    eventually(
        lambda: requests.get(address, cookies=cookies, stream=True, timeout=20).status_code == 200,
        what="a free place after hanging up",
    )
    page.get_by_role("button", name="I'm done").first.tap()
    page.wait_for_url("**/done")
    assert requests.get(address, cookies=cookies, timeout=20).status_code == 403


READING_ORDER = [
    "I'm done",
    "CT scan of the chest",
    "A small picture from this study: see it larger",
    "Images",
    "Report",
    "Read the report",
    "Keep a copy",
    "Download",
    "About this study",
]


def test_a_screen_reader_meets_the_page_in_the_order_of_its_weight(page: Page) -> None:
    tree = page.locator("body").aria_snapshot()

    at = [tree.index(f'"{name}"') for name in READING_ORDER]
    assert at == sorted(at), tree


@pytest.mark.parametrize("page", [((320, 640), {}), (DESKTOP, {})], indirect=True, ids=["320", "desktop"])
def test_nothing_runs_over_even_with_text_twice_as_large(page: Page) -> None:
    home = page.url
    for path in ("", "/report", "/download"):
        page.goto(home + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.evaluate("document.documentElement.style.fontSize = '225%'")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize(
    "page", [(DESKTOP, {"java_script_enabled": False})], indirect=True, ids=["no script"]
)
def test_without_script_all_of_it_works(page: Page) -> None:
    page.get_by_role("link", name="Download", exact=True).click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download the images").click()
    assert zipfile.is_zipfile(begun.value.path())
