"""The landing page in a real browser: typing, the camera, languages, and all of it without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.adapters import qr
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.config import Settings
from app.demo.place import free_port
from app.wiring import Services
from tests.adapters.test_paper import _context
from tests.support import camera
from tests.support.browser import CHROMIUM, DESKTOP, FLAGS, PHONE, Axe, window
from tests.support.door import serving
from tests.support.portal import Portal, portal_of

SCAN, STOP = "Scan the QR on your sheet", "Stop the camera"
CODE = "Code on your sheet or in your mail"
# What phones have and Chromium on Linux hasn't; the test plays the operating system.
OWN_DETECTOR = """window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect() { return [{ rawValue: "%s" }]; }
};"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.with_(base_url=f"http://localhost:{free_port()}")


@pytest.fixture
def door(public_app: Flask, services: Services, settings: Settings) -> Iterator[Portal]:
    portal = portal_of(public_app, services, base=settings.base_url)
    with serving(public_app, settings.base_url):
        yield portal


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(workers=1) as renderer:
        yield renderer


Looking = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def looking_at(
    tmp_path_factory: pytest.TempPathFactory, renderer: Renderer, browser: Browser
) -> Iterator[Looking]:
    """A phone whose camera sees a printed sheet with a QR code of ``text``. The browser reads the film anew each time
    that the camera is switched on."""
    film = tmp_path_factory.mktemp("camera") / "camera.y4m"
    flags = [
        *FLAGS,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",  # a press on "Allow"
        f"--use-file-for-fake-video-capture={film}",
    ]
    running = browser.browser_type.launch(executable_path=CHROMIUM, args=flags)

    @contextmanager
    def open_(text: str) -> Iterator[Page]:
        sheet = PaperTemplates().html("sheet.html", language="en", **_context(access={"qr": qr.svg(text)}))
        camera.video(camera.of_sheet(renderer.render(sheet)), film)
        with window(running, PHONE) as page:
            yield page

    yield open_
    running.close()


def test_the_camera_reads_the_sheet_and_fills_the_code_in(door: Portal, looking_at: Looking) -> None:
    sent = []
    with looking_at(f"{door.base}/#{door.paper.code.symbols}") as page:
        page.goto(f"{door.base}/")
        page.on("request", lambda request: sent.append((request.method, request.url)))
        page.get_by_role("button", name=SCAN).click()
        expect(page.get_by_label(CODE)).to_have_value(door.paper.code.grouped)
        expect(page.get_by_text("We took the code")).to_be_visible()
        expect(page.get_by_role("button", name=STOP)).to_be_hidden()
        expect(page.get_by_label("Day")).to_be_focused()
        assert page.evaluate("document.querySelector('video').srcObject") is None
    assert {method for method, _url in sent} == {"GET"}
    assert all("/static/" in url and door.paper.code.symbols not in url for _method, url in sent)


def test_a_sheet_with_a_password_opens_its_field(door: Portal, looking_at: Looking) -> None:
    with looking_at(f"{door.base}/#{door.paper.code.symbols}!p") as page:
        page.goto(f"{door.base}/")
        page.get_by_role("button", name=SCAN).click()
        expect(page.get_by_label("Password on your sheet")).to_be_visible()


@pytest.mark.parametrize(
    "text", ["https://other.example/#{code}", "{base}/", "{base}/#K7QD9M3X4TBP", "{base}/other#{code}"]
)
def test_a_qr_code_of_somebody_else_is_refused_and_the_camera_looks_on(
    door: Portal, looking_at: Looking, text: str
) -> None:
    with looking_at(text.format(base=door.base, code=door.paper.code.symbols)) as page:
        page.goto(f"{door.base}/")
        page.get_by_role("button", name=SCAN).click()
        expect(page.get_by_text("This QR code is not from us.")).to_be_visible()
        expect(page.get_by_label(CODE)).to_have_value("")
        assert not Axe().run(page).response["violations"]

        page.get_by_role("button", name=STOP).click()
        expect(page.get_by_role("button", name=SCAN)).to_be_focused()
        expect(page.locator("video")).to_be_hidden()


def test_a_camera_that_isnt_allowed_is_no_dead_end(door: Portal, browser: Browser) -> None:
    with window(browser, PHONE) as page:
        page.goto(f"{door.base}/")
        page.get_by_role("button", name=SCAN).click()
        expect(page.locator("[data-scan-status]")).to_contain_text("Please type the code.")
        expect(page.get_by_role("button", name=SCAN)).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_browsers_own_detector_is_used_where_there_is_one(
    door: Portal, looking_at: Looking, language: str
) -> None:
    with looking_at("nothing of ours") as page:
        page.add_init_script(OWN_DETECTOR % f"{door.base}/#{door.paper.code.symbols}")
        fetched: list[str] = []
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(f"{door.base}/?lang={language}")
        page.locator("[data-scan-start]").click()
        expect(page.locator("#code")).to_have_value(door.paper.code.grouped)
    assert not [url for url in fetched if "vendor" in url]


def test_over_plain_http_from_elsewhere_no_camera_is_offered(door: Portal, browser: Browser) -> None:
    with window(browser, PHONE) as page:
        page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
        page.goto(f"{door.base}/")
        expect(page.get_by_role("button", name="See the images")).to_be_visible()
        expect(page.get_by_role("button", name=SCAN)).to_be_hidden()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("k7qd9m3x4tbn", "K7QD-9M3X-4TBN"),
        ("K7QD 9M3X 4TBN", "K7QD-9M3X-4TBN"),
        ("K7QD٩M٣X٤TBN", "K7QD-9M3X-4TBN"),
        ("k7qd-９m３x-４tbn", "K7QD-9M3X-4TBN"),
        ("ooooo ooooo i7", "0000-0000-0017"),
    ],
)
def test_a_code_is_grouped_however_it_is_typed(
    door: Portal, browser: Browser, typed: str, shown: str
) -> None:
    with window(browser, PHONE) as page:
        page.goto(f"{door.base}/")
        page.get_by_label(CODE).press_sequentially(typed)
        page.get_by_label("Day").focus()
        expect(page.get_by_label(CODE)).to_have_value(shown)
        expect(page.locator("#code-error")).to_have_text("")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("K7QD-9M3X-4T8N", "One of the characters looks wrong."),
        ("K7QD-9M3X", "The code has 12 letters and digits."),
        ("K7QD-9U3X-4TBN", "without U"),
        ("К7QD-9M3X-4TBN", "without U"),  # a Cyrillic К
    ],
)
def test_a_slip_is_told_before_anything_is_sent(
    door: Portal, browser: Browser, typed: str, words: str
) -> None:
    with window(browser, PHONE) as page:
        page.goto(f"{door.base}/")
        page.get_by_label(CODE).fill(typed)
        page.get_by_role("button", name="See the images").click()
        expect(page.locator("#code-error")).to_contain_text(words)
        expect(page.get_by_label(CODE)).to_be_focused()
        expect(page.get_by_role("link", name="+1 555 0199")).to_be_visible()
        assert not Axe().run(page).response["violations"]


def test_a_dash_is_never_in_the_way_of_deleting_or_mending(door: Portal, browser: Browser) -> None:
    with window(browser, PHONE) as page:
        page.goto(f"{door.base}/")
        field = page.get_by_label(CODE)
        field.press_sequentially("K7QD9")
        for expected in ("K7QD-", "K7QD", "K7Q"):
            field.press("Backspace")
            expect(field).to_have_value(expected)
        field.press("Home")
        field.press_sequentially("A")
        expect(field).to_have_value("AK7Q")
        assert field.evaluate("field => field.selectionStart") == 1


def test_choosing_arabic_turns_the_page_and_keeps_the_code(door: Portal, browser: Browser) -> None:
    with window(browser, PHONE, locale="en") as page:
        page.goto(f"{door.base}/#{door.paper.code.symbols}")
        page.locator("[data-languages] summary").click()
        assert not Axe().run(page).response["violations"]
        page.get_by_role("link", name="العربية").click()
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        expect(page.locator("#code")).to_have_value(door.paper.code.grouped)
        assert page.locator("#code").evaluate("field => getComputedStyle(field).direction") == "ltr"
        assert door.paper.code.symbols not in page.url
        assert not Axe().run(page).response["violations"]
        page.locator("#day").fill("٢٧")
        page.locator("#month").fill("آذار")
        page.locator("#year").fill("١٩٥٨")
        page.locator("button[value=study]").click()
        page.wait_for_url("**/study/*")
        expect(page.locator("html")).to_have_attribute("lang", "ar")  # the next page too
        page.locator("form.done button").first.click()
        page.wait_for_url("**/done?lang=ar")
        expect(page.locator("html")).to_have_attribute("lang", "ar")
        assert not [one for one in page.context.cookies() if "language" in one.get("name", "")]


def test_without_script_languages_are_links_and_a_slip_loses_nothing(door: Portal, browser: Browser) -> None:
    with window(browser, PHONE, java_script_enabled=False) as page:
        page.goto(f"{door.base}/")
        expect(page.get_by_role("button", name=SCAN)).to_be_hidden()
        page.locator("[data-languages] summary").click()
        page.get_by_role("link", name="Español").click()
        expect(page.locator("html")).to_have_attribute("lang", "es")
        page.locator("#code").fill("K7QD-9M3X-4T8N")
        page.locator("button[value=images]").click()
        expect(page.locator("html")).to_have_attribute("lang", "es")
        expect(page.locator("#code")).to_have_value("K7QD-9M3X-4T8N")


def test_the_picture_of_the_sheet_comes_only_when_it_is_asked_for(door: Portal, browser: Browser) -> None:
    with window(browser, DESKTOP, locale="de") as page:
        fetched: list[str] = []
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(f"{door.base}/", wait_until="networkidle")
        assert not [url for url in fetched if "sheet" in url]
        page.locator(".help summary").first.click()
        expect(page.locator(".sheet")).to_be_visible()
        page.wait_for_function("() => document.querySelector('.sheet').naturalWidth > 0")
    assert "/static/sheet/de.webp" in " ".join(fetched)
