"""The light look on a real Orthanc: fingers, windows, films, slow lines, and what is said when pictures stay away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select

from app.demo import studies
from app.demo.studies import SyntheticStudy
from app.models import Study
from app.services.grants import Paper
from tests.journeys.films import film, noisy
from tests.support.browser import DESKTOP, PHONE, Axe, gray, looks, shown_slice, wait_for_sign, window
from tests.support.clinic import SERVICE, Clinic, eventually

CT = studies.study(patient_id="DEMO-L1", label="light look", slices=20, size=256, document=True)
XRAY = studies.study(patient_id="DEMO-L2", label="light look", modality="DX", size=1200)
TOUCH = {"is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def ct(clinic: Clinic) -> Paper:
    clinic.send(CT)
    studies.send(clinic.orthanc.url, [film(CT, frames=12)], auth=SERVICE, progress=lambda _: None)
    return clinic.paper(CT.study_instance_uid)


@pytest.fixture(scope="module")
def xray_files() -> list[bytes]:
    """So many pixels take seconds to make."""
    return list(studies.files(XRAY))


@pytest.fixture(scope="module")
def xray(clinic: Clinic, xray_files: list[bytes]) -> Paper:
    studies.send(clinic.orthanc.url, xray_files, auth=SERVICE, progress=lambda _: None)
    return clinic.paper(XRAY.study_instance_uid)


@contextmanager
def looking(
    browser: Browser,
    clinic: Clinic,
    paper: Paper,
    study: SyntheticStudy,
    size: tuple[int, int],
    *,
    query: str = "",
    before: Callable[[Page], object] = lambda page: None,
    **options: object,
) -> Iterator[Page]:
    """The light look, with the picture on the screen."""
    with window(browser, size, **options) as page:
        enter(page, clinic, paper, study)
        before(page)
        page.goto(page.url.split("?")[0] + "/look" + query)
        yield page


def enter(page: Page, clinic: Clinic, paper: Paper, study: SyntheticStudy) -> None:
    assert study.birth_date is not None
    page.goto(f"{clinic.portal}/#{paper.code.symbols}")
    page.get_by_label("Day", exact=True).fill(str(study.birth_date.day))
    page.get_by_label("Month").fill(str(study.birth_date.month))
    page.get_by_label("Year").fill(str(study.birth_date.year))
    page.get_by_role("button", name="Report and more").click()
    page.wait_for_url("**/study/**")


def revoke(clinic: Clinic, given: SyntheticStudy) -> None:
    with clinic.services() as services:
        uid = Study.study_instance_uid == given.study_instance_uid
        grant = services.grants.current(services.session.scalars(select(Study).where(uid)).one())
        assert grant is not None
        services.grants.revoke(grant, actor="test", at=services.clock())


def stage(page: Page, number: int | None = None) -> Locator:
    return page.locator("[data-stage]" + (f"[data-shown='{number}']" if number else "[data-shown]"))


def picture(page: Page) -> Locator:
    return page.locator("[data-view] img")


def brightness(page: Page) -> float:
    return float(gray(stage(page).screenshot()).mean())


class Fingers:
    """Real fingers, as far as the browser can tell (DevTools protocol, Input.dispatchTouchEvent)."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def _send(self, kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def way(self, *steps: tuple[tuple[float, float], ...]) -> None:
        """Put down, moved from step to step, lifted; each step is where all fingers are."""
        for kind, points in zip(["touchStart"] + ["touchMove"] * len(steps), steps, strict=False):
            self._send(kind, *points)
        self._send("touchEnd")


def middle(page: Page) -> tuple[float, float]:
    box = stage(page).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def width_on_screen(page: Page) -> float:
    box = picture(page).bounding_box()
    assert box is not None
    return box["width"]


def test_two_fingers_enlarge_one_moves_and_two_taps_show_the_whole_again(
    browser: Browser, clinic: Clinic, ct: Paper
) -> None:
    with looking(browser, clinic, ct, CT, PHONE, **TOUCH) as page:
        expect(stage(page, 10)).to_be_visible()
        whole = width_on_screen(page)

        fingers, (x, y) = Fingers(page), middle(page)
        fingers.way(*(((x - apart, y), (x + apart, y)) for apart in np.linspace(30, 90, 8)))
        assert width_on_screen(page) == pytest.approx(3 * whole, rel=0.15)
        expect(page.locator("[data-said]")).to_have_text("Enlarged 3 times")

        before = picture(page).bounding_box()
        fingers.way(((x, y),), ((x + 40, y + 30),))
        after = picture(page).bounding_box()
        assert before and after
        assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((40, 30), abs=2)
        expect(stage(page, 10)).to_be_visible()  # moved, not leafed

        fingers.way(((x, y),))
        fingers.way(((x, y),))
        assert width_on_screen(page) == pytest.approx(whole)
        fingers.way(((x, y),), ((x, y - 90),))
        expect(page.get_by_text(re.compile("Image 1[2-6] of 20"))).to_be_visible()


def test_an_enlarged_xray_comes_with_all_its_pixels(browser: Browser, clinic: Clinic, xray: Paper) -> None:
    with looking(browser, clinic, xray, XRAY, PHONE, device_scale_factor=2, **TOUCH) as page:
        expect(stage(page, 1)).to_be_visible()
        assert "size=medium" in page.evaluate("document.querySelector('[data-view] img').currentSrc")

        page.get_by_role("button", name="Larger").tap()

        sharp = page.locator("[data-view] img[src*='size=large']")
        expect(sharp).to_be_visible()
        assert sharp.evaluate("image => image.naturalHeight") > 1400
        page.get_by_role("button", name="Whole").tap()
        expect(page.get_by_role("button", name="Whole")).to_be_hidden()
        expect(page.get_by_role("button", name="Larger")).to_be_focused()


def test_another_window_shows_other_things_and_stays_while_leafing(
    browser: Browser, clinic: Clinic, ct: Paper
) -> None:
    with looking(browser, clinic, ct, CT, DESKTOP) as page:
        wait_for_sign(picture(page))
        as_taken = brightness(page)

        page.get_by_text("Shown as:").click()
        page.get_by_role("link", name="Lungs").click()
        eventually(lambda: brightness(page) > as_taken + 10, within=10, what="a lung window")
        assert page.locator("summary", has_text="Shown as: Lungs").count() == 1
        page.get_by_role("link", name="Next").click()
        expect(stage(page, 11)).to_be_visible()
        assert "window=lung" in page.evaluate("document.querySelector('[data-view] img').src")
        page.wait_for_url("**image=11&window=lung")

        page.reload()
        expect(stage(page, 11)).to_be_visible()
        assert brightness(page) > as_taken + 10


def test_black_and_white_are_swapped_without_another_fetch(
    browser: Browser, clinic: Clinic, xray: Paper
) -> None:
    with looking(browser, clinic, xray, XRAY, DESKTOP) as page:
        expect(stage(page, 1)).to_be_visible()
        as_taken = gray(stage(page).screenshot())
        page.get_by_text("Shown as:").click()
        page.get_by_role("link", name="Brighter").click()
        eventually(lambda: brightness(page) > as_taken.mean() + 10, within=10)

        page.get_by_text("Shown as:").click()
        page.get_by_role("link", name="As taken").click()
        eventually(lambda: abs(brightness(page) - as_taken.mean()) < 1, within=10)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_text("Shown as:").click()
        page.get_by_role("link", name="Black and white swapped").click()
        box = np.s_[200:300, 380:500]
        swapped = gray(stage(page).screenshot())
        assert np.abs(swapped[box].astype(int) + as_taken[box] - 255).mean() < 3
        assert not [address for address in asked if ".jpg" in address]


def test_a_film_plays_at_its_own_pace_and_stops_at_a_touch(
    browser: Browser, clinic: Clinic, ct: Paper
) -> None:
    with looking(browser, clinic, ct, CT, PHONE, query="?series=3", **TOUCH) as page:
        expect(stage(page, 6)).to_be_visible()
        assert page.locator("[data-stage]").get_attribute("data-rate") == "10.0"
        page.get_by_role("button", name="Play").tap()
        for number in (9, 12, 2):  # and on from the beginning
            page.wait_for_function(
                "n => document.querySelector('[data-stage]').dataset.shown == n", arg=number
            )
        page.get_by_role("button", name="Stop").tap()
        expect(page.get_by_role("button", name="Play")).to_be_visible()
        stands = page.locator("[data-stage]").get_attribute("data-shown")
        page.wait_for_timeout(500)
        assert page.locator("[data-stage]").get_attribute("data-shown") == stands
        assert shown_slice(picture(page), count=20) == int(stands or 0)


def test_with_less_motion_wanted_a_film_goes_slowly(browser: Browser, clinic: Clinic, ct: Paper) -> None:
    with looking(browser, clinic, ct, CT, PHONE, query="?series=3&image=1", reduced_motion="reduce") as page:
        expect(stage(page, 1)).to_be_visible()
        page.get_by_role("button", name="Play").click()
        page.wait_for_timeout(1200)
        assert int(page.locator("[data-stage]").get_attribute("data-shown") or 0) <= 4


def slow(page: Page) -> None:
    """A line of 2G: 250 kbit/s, 300 ms."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    line = {"offline": False, "latency": 300, "downloadThroughput": 31_250, "uploadThroughput": 12_500}
    session.send("Network.emulateNetworkConditions", {**line, "connectionType": "cellular2g"})


def test_on_a_slow_line_the_first_picture_comes_soon_and_little_else(
    browser: Browser, clinic: Clinic, ct: Paper
) -> None:
    asked: list[str] = []
    with looking(browser, clinic, ct, CT, PHONE, before=slow) as page:
        page.on("request", lambda request: asked.append(request.url))
        expect(stage(page, 10)).to_be_visible()
        took = page.evaluate("performance.now()")
        page.wait_for_timeout(3000)
        others = [address for address in asked if ".jpg" in address and "thumb" not in address]
        assert took < 8000
        assert len(others) <= 2


def test_the_first_picture_of_noisy_images_weighs_less_than_100_kilobytes(
    browser: Browser, clinic: Clinic, xray_files: list[bytes]
) -> None:
    grainy = studies.study(patient_id="DEMO-L3", label="noisy", modality="DX")
    files = noisy(xray_files, grainy, strength=200)
    studies.send(clinic.orthanc.url, files, auth=SERVICE, progress=lambda _: None)
    paper = clinic.paper(grainy.study_instance_uid)
    with looking(browser, clinic, paper, grainy, PHONE, device_scale_factor=3, **TOUCH) as page:
        expect(stage(page, 1)).to_be_visible()
        weight = page.evaluate(
            """performance.getEntriesByType('resource').find(one => one.name.includes('size=medium'))
            .encodedBodySize"""
        )
        assert 20_000 < weight <= 100_000


def test_an_archive_that_stops_is_said_and_the_picture_comes_when_it_is_back(
    browser: Browser, clinic: Clinic
) -> None:
    given = studies.study(patient_id="DEMO-L5", label="stops", slices=20, size=256)
    paper = clinic.receive(given)
    with looking(browser, clinic, paper, given, PHONE) as page:
        expect(stage(page, 10)).to_be_visible()
        clinic.orthanc.kill()
        page.get_by_role("slider").fill("2")
        expect(page.get_by_text("image archive is slow to answer")).to_be_visible()
        expect(picture(page)).to_be_visible()  # the last one goes on standing there

        clinic.orthanc.start()
        expect(stage(page, 2)).to_be_visible(timeout=30_000)
        expect(page.get_by_text("image archive is slow to answer")).to_be_hidden()
        assert shown_slice(picture(page), count=20) == 2

        revoke(clinic, given)
        page.get_by_role("button", name="Play").click()
        expect(page.get_by_text("This study has been closed")).to_be_visible()
        expect(page.get_by_role("link", name="Open it again")).to_be_focused()
        assert page.locator("img").count() == 0, "nothing of it stays on the screen"
        page.get_by_role("link", name="Open it again").click()
        expect(page.get_by_label("Code on your sheet")).to_be_visible()


def test_everything_can_be_done_with_the_keyboard(browser: Browser, clinic: Clinic, ct: Paper) -> None:
    with looking(browser, clinic, ct, CT, DESKTOP) as page:
        expect(stage(page, 10)).to_be_visible()
        stage(page).focus()
        for keys, number in (("ArrowDown", 11), ("PageUp", 1), ("End", 20), ("Home", 1)):
            page.keyboard.press(keys)
            expect(stage(page, number)).to_be_visible()
        expect(page.locator("[data-said]")).to_have_text("Image 1 of 20")
        whole = width_on_screen(page)
        page.keyboard.press("+")
        assert width_on_screen(page) == pytest.approx(1.5 * whole)
        page.keyboard.press("Shift+ArrowRight")
        expect(stage(page, 1)).to_be_visible()
        page.keyboard.press("0")
        assert width_on_screen(page) == pytest.approx(whole)
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.keyboard.press("Space")
        page.get_by_text("Shown as:").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Shown as: Soft tissue")).to_be_focused()
        page.get_by_role("link", name="Film").focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-stage][data-series='3'][data-shown]")).to_be_visible()
        expect(page.get_by_role("link", name="Film")).to_have_attribute("aria-current", "true")


def test_small_pictures_that_did_not_come_come_with_the_next_large_one(
    browser: Browser, clinic: Clinic, ct: Paper
) -> None:
    def no_thumbs(page: Page) -> None:
        page.route("**/*size=thumb", lambda route: route.abort())

    with looking(browser, clinic, ct, CT, DESKTOP, before=no_thumbs) as page:
        expect(stage(page, 10)).to_be_visible()
        expect(page.locator("[data-failed]")).to_have_count(2)
        page.unroute("**/*size=thumb")
        stage(page).focus()
        page.keyboard.press("End")
        expect(stage(page, 20)).to_be_visible()
        expect(page.locator("[data-failed]")).to_have_count(0)
        thumb = page.locator("[data-thumb]").first
        eventually(lambda: thumb.evaluate("image => image.naturalWidth") == 128, within=5)


def test_a_film_stops_when_nobody_sees_it(browser: Browser, clinic: Clinic, ct: Paper) -> None:
    with looking(browser, clinic, ct, CT, PHONE, query="?series=3") as page:
        expect(stage(page, 6)).to_be_visible()
        page.get_by_role("button", name="Play").click()
        page.evaluate("""Object.defineProperty(document, 'hidden', { value: true, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'))""")
        expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_without_script_windows_series_and_large_pictures_are_links(
    browser: Browser, clinic: Clinic, ct: Paper
) -> None:
    visitor = clinic.enter(ct, CT)
    cookies = [{"name": one.name, "value": one.value, "url": clinic.portal} for one in visitor.http.cookies]
    with window(browser, PHONE, java_script_enabled=False) as page:
        page.context.add_cookies(cookies)  # type: ignore[arg-type]
        page.goto(f"{clinic.portal}/")
        page.get_by_role("link", name="Light look").click()
        wait_for_sign(picture(page))
        as_taken = float(gray(picture(page).screenshot()).mean())
        page.get_by_text("Shown as:").click()
        page.get_by_role("link", name="Lungs").click()
        expect(page.get_by_text("Shown as: Lungs")).to_be_visible()
        eventually(lambda: gray(picture(page).screenshot()).mean() > as_taken + 10, within=10)
        assert page.get_by_role("button", name="Play").count() == 0
        thumbs = page.locator("[data-thumb]")
        assert thumbs.count() == 2
        assert thumbs.first.evaluate("image => image.naturalWidth") == 128
        page.get_by_role("link", name="Open this picture by itself").click()
        assert "size=large" in page.url


@pytest.mark.parametrize("size", [(320, 568), DESKTOP])
def test_nobody_is_shut_out(browser: Browser, clinic: Clinic, ct: Paper, size: tuple[int, int]) -> None:
    with looking(browser, clinic, ct, CT, size) as page:
        expect(stage(page, 10)).to_be_visible()
        page.get_by_text("How to move about").click()
        page.get_by_text("Shown as:").click()
        for scheme in looks(page, size):
            found = Axe().run(page)
            assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"
        page.evaluate("document.documentElement.style.fontSize = '225%'")  # text twice as large
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.evaluate("document.documentElement.style.fontSize = ''")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        small = page.evaluate(
            """[...document.querySelectorAll('a, button, summary, select, input')].filter(one => one.offsetParent &&
            (one.offsetHeight < 24 || one.offsetWidth < 24)).map(one => one.outerHTML)"""
        )
        assert small == []


def test_whoever_comes_back_from_the_viewer_after_the_end_is_told_so(
    browser: Browser, clinic: Clinic
) -> None:
    given = studies.study(patient_id="DEMO-L4", label="ends", slices=3, size=128)
    paper = clinic.receive(given)
    with window(browser, DESKTOP) as page:
        enter(page, clinic, paper, given)
        page.get_by_role("button", name=re.compile("images", re.IGNORECASE)).first.click()
        page.wait_for_url("**/ohif/**")
        wait_for_sign(page.locator("canvas.cornerstone-canvas").first)
        revoke(clinic, given)

        page.go_back()

        expect(page.get_by_text("has ended this access")).to_be_visible()
        assert "Moreno" not in page.content()
