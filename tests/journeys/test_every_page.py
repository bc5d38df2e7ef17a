"""Every patient page in every state: clean for axe, nothing wider than a small phone even with text twice as large, its
language and direction said, one heading first. By keyboard alone, and in forced colours.

In German, whose words are the longest, and in Arabic, which is written from right to left: what axe finds and what runs
over depends on nothing else of a language. What each of them says: tests/web/test_languages.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.config import Settings
from app.demo.place import free_port
from app.wiring import Services
from tests.support.browser import DESKTOP, Axe, window
from tests.support.clock import Clock
from tests.support.door import serving
from tests.support.factories import BORN
from tests.support.patient_pages import Walk
from tests.support.portal import Portal, portal_of

SMALL = (320, 640)
TWICE = "225%"  # of 16 px: the pages' own is 112.5 %


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.with_(base_url=f"http://localhost:{free_port()}")


@pytest.fixture
def door(public_app: Flask, services: Services, settings: Settings) -> Iterator[Portal]:
    portal = portal_of(public_app, services, base=settings.base_url)
    with serving(public_app, settings.base_url):
        yield portal


@pytest.mark.parametrize("language", ["de", "ar"])
def test_every_page_in_every_state(door: Portal, browser: Browser, clock: Clock, language: str) -> None:
    wrong: list[str] = []
    seen: list[str] = []
    pages: set[str] = set()
    with window(browser, SMALL, locale=language) as page:
        for name in Walk(page, door, clock, language=language).all_pages():
            seen.append(name)
            pages.add(page.locator("main").inner_text())
            wrong += [f"{name}: {problem}" for problem in problems(page, language)]
    assert len(seen) == len(set(seen)) > 35
    assert len(pages) >= len(seen) - 3, "a state looks like another: it wasn't reached"
    assert not wrong, "\n".join(wrong)


def problems(page: Page, language: str) -> list[str]:
    """What is wrong with the page on the screen, in words."""
    found = []
    root = page.locator("html")
    direction = "rtl" if language == "ar" else "ltr"
    if (root.get_attribute("lang"), root.get_attribute("dir")) != (language, direction):
        found.append("another language or direction")
    if (count := page.locator("h1:visible").count()) != 1:
        found.append(f"{count} first headings")
    for violation in Axe().run(page).response["violations"]:
        found += [f"{violation['id']}: {node['html'][:120]}" for node in violation["nodes"]]
    found += [f"runs over: {one}" for one in too_wide(page)]
    page.evaluate(f"document.documentElement.style.fontSize = '{TWICE}'")
    found += [f"runs over with text twice as large: {one}" for one in too_wide(page)]
    page.evaluate("document.documentElement.style.fontSize = ''")
    return found


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways: the innermost of what stands outside."""
    wide: list[str] = page.evaluate("""() => {
      if (document.documentElement.scrollWidth <= innerWidth) return [];
      const is_over = (one) => {
        const box = one.getBoundingClientRect();
        return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1);
      };
      const over = [...document.body.querySelectorAll("*")].filter(
        (one) => is_over(one) && ![...one.children].some(is_over));
      return over.length ? over.slice(0, 3).map((one) => one.outerHTML.slice(0, 120)) : ["something without a box"];
    }""")
    return wide


# By keyboard alone.


def focused(page: Page) -> str:
    """What has the focus, as it is called on the page."""
    name: str = page.evaluate("""() => {
      const one = document.activeElement;
      return (one.labels && one.labels[0] ? one.labels[0].innerText : one.innerText || one.value || "").trim();
    }""")
    return name


def tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page).startswith(name):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nobody sees that {name} has the focus"
            return
    raise AssertionError(f"no way to {name} by Tab")


def test_from_the_form_to_the_report_and_out_by_keyboard_alone(door: Portal, browser: Browser) -> None:
    with window(browser, DESKTOP) as page:
        page.goto(f"{door.base}/")
        tab_to(page, "Code on your sheet")
        page.keyboard.type(door.paper.code.symbols)
        for label, value in (("Day", BORN.day), ("Month", BORN.month), ("Year", BORN.year)):
            tab_to(page, label)
            page.keyboard.type(str(value))
        tab_to(page, "I was given a password")
        tab_to(page, "Report and more")
        page.keyboard.press("Enter")
        page.wait_for_url("**/study/*")
        names = [
            "I'm done",
            "Open the images",
            "Light look",
            "Download",
            "Share with my doctor",
            "Who opened it",
        ]
        for name in names:  # in the order in which they stand there
            tab_to(page, name)
        page.keyboard.press("Enter")
        page.wait_for_url("**/openings")
        tab_to(page, "I'm done")
        page.keyboard.press("Enter")
        page.wait_for_url("**/done")


def test_the_form_and_its_errors_are_read_in_the_order_in_which_they_help(
    door: Portal, browser: Browser, clock: Clock
) -> None:
    with window(browser, SMALL) as page:
        page.goto(f"{door.base}/")
        in_order(page, ['heading "See your images"',
                        'textbox "Code on your sheet', 'group "The patient\'s date of birth"',
                        'textbox "Day"', 'textbox "Month"', 'textbox "Year"', 'checkbox "I was given a password"',
                        'button "See the images"', 'button "Report and more"', "Where is my code?"])  # fmt: skip
        Walk(page, door, clock, language="en").send(
            "form.open", code="K7QD-9M3X-4T8N", day="31", month="2", year=""
        )
        expect(page.locator(".summary")).to_be_focused()
        in_order(page, ["alert", 'link "One of the characters looks wrong', 'heading "See your images"',
                        "Error: One of the characters", 'textbox "Code on your sheet', "date of birth", "Error:",
                        'textbox "Day"', 'button "See the images"'])  # fmt: skip
        described = page.locator("#code").evaluate(
            "field => field.getAttribute('aria-describedby').split(' ')"
            ".map(id => document.getElementById(id).innerText)"
        )
        assert "One of the characters looks wrong" in described[1]
        page.get_by_role("link", name="One of the characters").click()
        expect(page.locator("#code")).to_be_focused()


def in_order(page: Page, pieces: list[str]) -> None:
    tree, at = page.locator("body").aria_snapshot(), 0
    for piece in pieces:
        found = tree.find(piece, at)
        assert found >= 0, f"{piece} isn't there, or too early:\n{tree}"
        at = found + len(piece)


def test_in_forced_colours_buttons_fields_and_errors_keep_their_shape(
    door: Portal, browser: Browser, clock: Clock
) -> None:
    shaped = """one => {
      const style = getComputedStyle(one);
      return parseFloat(style.borderTopWidth) >= 1 && style.borderTopStyle !== "none";
    }"""
    with window(browser, SMALL, forced_colors="active") as page:
        walk = Walk(page, door, clock, language="en")
        page.goto(f"{door.base}/")
        for one in page.locator(".button:visible, input[type=text]:visible").all():
            assert one.evaluate(shaped), one.evaluate("one => one.outerHTML")
        assert not Axe().run(page).response["violations"]
        walk.prove()
        assert page.locator(".button:visible").count() >= 3
        for one in page.locator(".button:visible").all():
            assert one.evaluate(shaped), one.evaluate("one => one.outerHTML")
        assert not Axe().run(page).response["violations"]
