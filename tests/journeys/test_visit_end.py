"""A visit that ends by itself, in a real browser: said ahead, kept alive by a press, and nothing left on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.config import Settings
from app.demo.place import free_port
from app.models import Study, Visit
from app.wiring import Services
from tests.support.browser import DESKTOP, PHONE, Axe, window
from tests.support.clock import Clock
from tests.support.door import serving
from tests.support.factories import rows, visit
from tests.support.portal import Portal, portal_of


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.with_(base_url=f"http://localhost:{free_port()}")


@pytest.fixture
def door(public_app: Flask, services: Services, settings: Settings) -> Iterator[Portal]:
    portal = portal_of(public_app, services, base=settings.base_url)
    with serving(public_app, settings.base_url):
        yield portal


class Room:
    """A page of a visit, with the clock on its wall and the server's, which go alike."""

    def __init__(self, page: Page, door: Portal, clock: Clock) -> None:
        self.page, self.door, self._clock = page, door, clock
        self.dialog = page.get_by_role("alertdialog")

    def passes(self, minutes: float, *, asleep: bool = False) -> None:
        """``asleep``: the tab's timers stood still meanwhile, as in a closed laptop."""
        self._clock.now += timedelta(minutes=minutes)
        if asleep:
            now = self.page.evaluate("Date.now()")
            self.page.clock.set_system_time(now + int(minutes * 60_000))
        else:
            self.page.clock.run_for(int(minutes * 60_000))


@contextmanager
def inside(browser: Browser, door: Portal, clock: Clock, size: tuple[int, int] = DESKTOP) -> Iterator[Room]:
    _live, key = visit(door.services, door.paper)
    with window(browser, size) as page:
        page.context.add_cookies([{"name": "studykey_visit", "value": key, "url": door.base}])
        page.clock.install()
        # A picture that comes late would count as use.
        page.goto(f"{door.base}/study/{door.study_id}", wait_until="networkidle")
        yield Room(page, door, clock)


def test_it_says_two_minutes_ahead_and_a_press_keeps_it(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        room.passes(12.5)
        expect(room.dialog).to_be_hidden()
        room.passes(1)

        expect(room.dialog).to_be_visible()
        assert Axe().run(room.page).violations_count == 0
        expect(room.dialog.get_by_role("timer")).to_contain_text("1:")
        room.page.keyboard.press("Tab")
        expect(room.dialog.get_by_role("button", name="I'm still here")).to_be_focused()
        room.page.keyboard.press("Enter")

        expect(room.dialog).to_be_hidden()
        room.passes(12)
        expect(room.dialog).to_be_hidden()
        assert room.page.request.get(f"{door.base}/visit").ok


def test_escape_keeps_it_too_and_the_focus_comes_back(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        link = room.page.get_by_role("link", name="Stop all access")
        link.focus()
        room.passes(13.5)
        expect(room.dialog).to_be_visible()

        room.page.keyboard.press("Escape")

        expect(room.dialog).to_be_hidden()
        expect(link).to_be_focused()


def test_unanswered_it_ends_by_itself_and_nothing_of_the_study_stays(
    browser: Browser, door: Portal, clock: Clock
) -> None:
    with inside(browser, door, clock, PHONE) as room:
        room.passes(14)
        expect(room.dialog).to_be_visible()
        room.passes(1.1)

        room.page.wait_for_url("**/closed")
        expect(room.page.get_by_role("heading", name="Your study is closed")).to_be_visible()
        expect(room.page.get_by_text("You were away for a while")).to_be_visible()
        room.page.go_back()
        expect(room.page.get_by_text("Erika")).to_have_count(0)


def test_a_tab_that_slept_covers_itself_when_it_is_seen_again(
    browser: Browser, door: Portal, clock: Clock
) -> None:
    with inside(browser, door, clock) as room:
        room.passes(40, asleep=True)
        room.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

        room.page.wait_for_url("**/closed")
        expect(room.page.get_by_text("Erika")).to_have_count(0)


def test_without_a_connection_it_covers_itself_all_the_same(
    browser: Browser, door: Portal, clock: Clock
) -> None:
    with inside(browser, door, clock) as room:
        room.page.context.set_offline(True)
        room.passes(15.5)

        expect(room.page.get_by_text("Erika")).to_have_count(0)


def test_the_use_of_another_page_puts_the_warning_off(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        room.passes(10)
        room.page.request.get(f"{door.base}/study/{door.study_id}")  # another tab
        room.passes(4)

        expect(room.dialog).to_be_hidden()


def test_the_longest_time_is_said_ahead_too(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        for _ in range(5):
            room.passes(11.7)
            room.page.reload()
        expect(room.dialog).to_be_visible()
        expect(room.dialog).to_contain_text("open for a long time")
        room.dialog.get_by_role("button", name="Go on until then").click()
        expect(room.dialog).to_be_hidden()
        room.passes(1.7)

        room.page.wait_for_url("**/closed")
        expect(room.page.get_by_text("Your study was open for a long time")).to_be_visible()


def test_done_in_one_tab_covers_the_others(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        other = room.page.context.new_page()
        other.goto(f"{door.base}/study/{door.study_id}")
        other.get_by_role("button", name="I'm done").click()
        expect(other.get_by_role("heading", name="Your study is closed")).to_be_visible()

        room.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

        room.page.wait_for_url("**/closed")


def test_done_in_the_dialog_ends_the_visit(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        room.passes(14)
        room.dialog.get_by_role("button", name="I'm done").click()

        room.page.wait_for_url("**/done")
        assert rows(door.services, Visit)[-1].ended_why == "signed-out"


def test_the_light_look_is_covered_as_well(browser: Browser, door: Portal, clock: Clock) -> None:
    with inside(browser, door, clock) as room:
        room.page.goto(f"{door.base}/study/{door.study_id}/look")
        name = rows(door.services, Study)[0].description
        expect(room.page.get_by_text(name).first).to_be_visible()
        room.passes(15.5)

        room.page.wait_for_url("**/closed")
        expect(room.page.get_by_text(name)).to_have_count(0)
