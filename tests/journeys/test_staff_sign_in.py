"""A radiologist's account in a real browser: invited, second factor, worklist, lock, unlock, ended by the admin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.staff import Role
from tests.support.browser import DESKTOP, PHONE, Axe, window
from tests.support.clinic import Clinic
from tests.support.databases import Databases
from tests.support.staff import PASSWORD, person

ADMIN = "an administrator's words"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    """A clinic whose archive isn't needed, with one administrator."""
    with databases.fresh() as url:
        made = Clinic(tmp_path_factory.mktemp("sign-in"), url)
        try:
            made.start_studykey("public")
            with made.services() as services:
                person(services, "root", Role.ADMIN, name="Rita Root", password=ADMIN)
                services.rules.set({"second_factor_roles": "radiologist"}, at=services.clock(), actor="cli")
            yield made
        finally:
            made.close()


def sign_in(page: Page, clinic: Clinic, login: str, password: str) -> None:
    page.goto(f"{clinic.portal}/staff/")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def is_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_radiologist_from_the_invitation_to_the_end_of_the_session(
    clinic: Clinic, browser: Browser
) -> None:
    with window(browser, DESKTOP) as admin, window(browser, DESKTOP) as anna:
        sign_in(admin, clinic, "root", ADMIN)
        link = invited(admin)
        secret = joined(anna, clinic, link)
        locked_and_unlocked(anna, clinic)

        # The administrator sees the session and ends it: the next page is the sign-in.
        admin.get_by_role("link", name="All people").click()
        is_accessible(admin)
        admin.get_by_role("link", name="Dr Anna Haus").click()
        is_accessible(admin)
        expect(admin.get_by_role("cell", name="127.0.0.1")).to_be_visible()
        admin.get_by_role("button", name="End all").click()
        expect(admin.get_by_text("Signed in nowhere.")).to_be_visible()
        anna.goto(f"{clinic.portal}/staff/account/")
        expect(anna).to_have_url(f"{clinic.portal}/staff/sign-in?back=/staff/account/")

        # Signing in again asks for the second factor, and leads to the page that was asked for.
        anna.get_by_label("Login").fill("anna")
        anna.get_by_label("Password").fill(PASSWORD)
        anna.get_by_role("button", name="Sign in").click()
        is_accessible(anna)
        next_code(anna, secret)
        expect(anna).to_have_url(f"{clinic.portal}/staff/account/")
        is_accessible(anna)
        anna.locator("header").get_by_role("button", name="Sign out").click()
        expect(anna.get_by_label("Login")).to_be_visible()
        anna.go_back()
        expect(anna.get_by_text("Dr Anna Haus")).to_have_count(0)


def invited(admin: Page) -> str:
    admin.get_by_role("link", name="People", exact=True).click()
    is_accessible(admin)
    admin.get_by_label("Name").fill("Dr Anna Haus")
    admin.get_by_label("Login").fill("anna")
    admin.get_by_label("May only look").uncheck()
    admin.get_by_label("Radiologist").check()
    admin.get_by_role("button", name="Make the invitation").click()
    is_accessible(admin)
    link = admin.locator("#link").inner_text().strip()
    assert urlsplit(link).path == "/staff/join"
    return link


def joined(anna: Page, clinic: Clinic, link: str) -> str:
    asked: list[str] = []
    anna.on("request", lambda request: asked.append(request.url))
    anna.goto(link)
    expect(anna.get_by_role("heading", name="Choose your password")).to_be_visible()
    secret_of_link = urlsplit(link).fragment
    assert secret_of_link not in anna.url
    assert not any(secret_of_link in url.partition("#")[0] for url in asked)
    is_accessible(anna)
    anna.get_by_label("New password").fill(PASSWORD)
    anna.get_by_label("The same once more").fill(PASSWORD)
    anna.get_by_role("button", name="Set password and go on").click()

    expect(anna.get_by_role("heading", name="Set up your second factor")).to_be_visible()
    is_accessible(anna)
    anna.get_by_text("The app can't scan").click()
    secret = anna.locator(".key").inner_text().replace(" ", "").strip()
    anna.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    anna.get_by_role("button", name="Go on").click()
    expect(anna.locator("#recovery-codes li")).to_have_count(10)
    is_accessible(anna)
    anna.get_by_role("link", name="I have kept them").click()
    expect(anna).to_have_url(f"{clinic.portal}/staff/")
    return secret


def locked_and_unlocked(anna: Page, clinic: Clinic) -> None:
    """What was typed beneath the lock is still there afterwards; a second tab locks and unlocks too."""
    second = anna.context.new_page()
    second.goto(f"{clinic.portal}/staff/account/")
    search = anna.get_by_role("searchbox")
    search.fill("half a name")
    search.blur()
    anna.keyboard.press("l")

    for page in (anna, second):
        expect(page.get_by_role("dialog", name="Locked")).to_be_visible()
        expect(page.locator("main")).to_be_hidden()
        assert "Locked" in page.title()
    is_accessible(anna)
    for _ in range(3):  # Escape doesn't open it, twice neither
        anna.keyboard.press("Escape")
    expect(anna.get_by_role("dialog", name="Locked")).to_be_visible()
    expect(anna.locator("main")).to_be_hidden()
    third = anna.context.new_page()
    third.goto(f"{clinic.portal}/staff/account/")  # the server says so too
    expect(third).to_have_url(f"{clinic.portal}/staff/locked?back=/staff/account/")
    is_accessible(third)
    third.close()

    anna.get_by_label("Your password").fill("not the password")
    anna.get_by_role("button", name="Unlock").click()
    expect(anna.get_by_text("That isn't this person's password")).to_be_visible()
    anna.get_by_label("Your password").fill(PASSWORD)
    anna.keyboard.press("Enter")
    expect(anna.locator("main")).to_be_visible()
    assert search.input_value() == "half a name"
    expect(second.locator("main")).to_be_visible()
    second.close()


def next_code(anna: Page, secret: str) -> None:
    """No code works twice, and that of enrolment may still be the present one: this app's clock is a step ahead."""
    anna.locator("#code").fill(pyotp.TOTP(secret).at(int(time.time()) + 30))
    anna.get_by_role("button", name="Go on").click()


@pytest.fixture
def locks_after_a_minute(clinic: Clinic) -> Iterator[None]:
    for minutes in ("1", "10"):
        with clinic.services() as services:
            services.rules.set({"lock_minutes": minutes}, at=services.clock(), actor="cli")
        if minutes == "1":
            yield


@pytest.mark.usefixtures("locks_after_a_minute")
def test_a_page_left_alone_warns_then_locks_and_any_key_keeps_it(clinic: Clinic, browser: Browser) -> None:
    with window(browser, PHONE) as page:
        page.clock.install()
        sign_in(page, clinic, "root", ADMIN)
        expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()
        page.wait_for_load_state()  # or time would pass before the script counts it

        page.clock.run_for(35_000)
        expect(page.get_by_text("This page locks in 30 seconds")).to_be_visible()
        page.keyboard.press("Shift")
        expect(page.get_by_text("This page locks in 30 seconds")).to_have_count(0)
        page.clock.run_for(50_000)
        expect(page.get_by_role("dialog", name="Locked")).to_be_hidden()
        page.clock.run_for(11_000)
        expect(page.get_by_role("dialog", name="Locked")).to_be_visible()


def test_a_computer_that_slept_is_locked_when_it_wakes(clinic: Clinic, browser: Browser) -> None:
    with window(browser, DESKTOP) as page:
        page.clock.install()
        sign_in(page, clinic, "root", ADMIN)
        expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()
        page.wait_for_load_state()  # or time would pass before the script counts it

        page.clock.fast_forward(8 * 60 * 60 * 1000)

        expect(page.get_by_role("dialog", name="Locked")).to_be_visible()
        expect(page.locator("main")).to_be_hidden()


def test_without_script_the_link_is_pasted_and_the_lock_is_a_page(clinic: Clinic, browser: Browser) -> None:
    with window(browser, PHONE, java_script_enabled=False) as page:
        sign_in(page, clinic, "root", ADMIN)
        page.locator("header").get_by_role("button", name="Lock").click()
        expect(page).to_have_url(f"{clinic.portal}/staff/locked")
        page.get_by_label("Your password").fill(ADMIN)
        page.get_by_role("button", name="Unlock").click()
        expect(page).to_have_url(f"{clinic.portal}/staff/")
        page.goto(f"{clinic.portal}/staff/join#nothing")
        expect(page.get_by_label("The link that you were given")).to_be_visible()
