"""Proof of origin in a real browser: the file stays where it is, and one changed byte is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.demo import studies
from app.domain.report import Copy
from app.models import Study
from tests.support.browser import DESKTOP, PHONE, Axe, window
from tests.support.clinic import Clinic
from tests.support.signed import PDF, signed

STUDY = studies.study(patient_id="DEMO-V1", patient_name="Moreno^Ana", label="verify", slices=1)
LARGE = PDF + bytes(15 * 1024 * 1024)


@pytest.fixture(scope="module")
def held(clinic: Clinic) -> Iterator[Clinic]:
    """Two versions that left."""
    clinic.receive(STUDY)
    with clinic.services() as services:
        query = select(Study).where(Study.study_instance_uid == STUDY.study_instance_uid)
        study = services.session.scalars(query).one()
        for pdf in (PDF, LARGE):
            report = signed(services, study, pdf)
            services.report_copies.note(report, pdf, Copy.PRINTED, at=services.clock())
    yield clinic


def choose(page: Page, clinic: Clinic, pdf: bytes, folder: Path) -> list[bytes]:
    """Check a file; the bodies that were sent for it."""
    sent: list[bytes] = []
    page.on(
        "request",
        lambda request: sent.append(request.post_data_buffer or b"") if request.method == "POST" else 0,
    )
    file = folder / "report.pdf"
    file.write_bytes(pdf)
    page.goto(f"{clinic.portal}/verify")
    page.get_by_label("The report as a PDF").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    page.locator(".verdict").wait_for()
    return sent


def is_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_genuine_file_is_known_and_never_leaves_the_browser(
    browser: Browser, held: Clinic, tmp_path: Path, size: tuple[int, int]
) -> None:
    with window(browser, size) as page:
        sent = choose(page, held, LARGE, tmp_path)

        expect(page.get_by_role("heading", level=1)).to_contain_text("Genuine, unchanged and current")
        expect(page.locator(".verdict")).to_be_focused()
        assert sum(map(len, sent)) < 1000
        assert b"%PDF" not in b"".join(sent)
        is_accessible(page)


def test_an_amended_one_is_told_and_one_changed_byte_is_unknown(
    browser: Browser, held: Clinic, tmp_path: Path
) -> None:
    with window(browser, PHONE, color_scheme="dark") as page:
        choose(page, held, PDF, tmp_path)
        expect(page.get_by_role("heading", level=1)).to_contain_text("no longer current")
        is_accessible(page)

        choose(page, held, PDF[:-1] + b"G", tmp_path)
        expect(page.get_by_role("heading", level=1)).to_contain_text("We don't know this file")
        is_accessible(page)


def test_nothing_chosen_is_told_at_the_field(browser: Browser, held: Clinic) -> None:
    with window(browser, DESKTOP) as page:
        page.goto(f"{held.portal}/verify")
        expect(page.get_by_text("The file stays on your device.")).to_be_visible()
        is_accessible(page)

        page.get_by_role("button", name="Check the file").click()

        expect(page.get_by_role("alert")).to_have_text("Choose the PDF first.")
        expect(page.get_by_label("The report as a PDF")).to_be_focused()


def test_a_file_can_be_dropped(browser: Browser, held: Clinic) -> None:
    with window(browser, DESKTOP) as page:
        page.goto(f"{held.portal}/verify")
        page.evaluate(
            """(text) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([text], "report.pdf", { type: "application/pdf" }));
                document.querySelector("[data-drop]").dispatchEvent(
                    new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
            }""",
            PDF.decode(),
        )
        page.get_by_role("button", name="Check the file").click()

        expect(page.get_by_role("heading", level=1)).to_contain_text("no longer current")


@pytest.mark.parametrize("without", ["script", "crypto"])
def test_without_script_or_crypto_the_file_itself_is_sent(
    browser: Browser, held: Clinic, tmp_path: Path, without: str
) -> None:
    with window(browser, DESKTOP, java_script_enabled=without != "script") as page:
        page.add_init_script("Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined })")
        choose(page, held, LARGE, tmp_path)

        expect(page.get_by_role("heading", level=1)).to_contain_text("Genuine, unchanged and current")
