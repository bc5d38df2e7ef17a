"""One's own account: password, second factor, sessions, and what one's roles allow."""

from __future__ import annotations

import re

import pytest

from app.domain.staff import MAY, PEOPLE, Act, Role
from app.models import StaffSession
from app.services.staff_links import Purpose
from app.web.staff import words
from tests.support.clock import Clock
from tests.support.factories import rows
from tests.support.portal import Portal
from tests.support.staff import (
    ANOTHER,
    PASSWORD,
    another_browser,
    code_of,
    hidden,
    link,
    person,
    sign_in,
    signed_in,
)

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal)


def test_the_page_says_who_one_is_and_what_that_allows(desk: Portal) -> None:
    page = desk.get("/staff/account/").text

    assert "Dr Anna Haus" in page and "anna" in page
    assert page.count('<th scope="row">Write and sign reports</th>') == 1
    assert re.search(r"radiologist\s*<span[^>]*>\(you\)", page)


def test_every_act_stands_in_the_table_once_in_words(desk: Portal) -> None:
    with desk.app.test_request_context():
        told = words.matrix()
        assert sorted(text for text, _ in told) == sorted({words.act(act) for act in Act})
        for act in Act:
            by_role = dict(told)[words.act(act)]
            assert by_role == {role: act in MAY[role] for role in PEOPLE}
        assert [role for role, _ in words.role_choices()] == list(PEOPLE)


def change(portal: Portal, present: str = PASSWORD, password: str = ANOTHER, again: str = ""):  # type: ignore[no-untyped-def]
    return portal.post("/staff/account/password", present=present, password=password, again=again or password)


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(desk: Portal) -> None:
    elsewhere = another_browser(desk)
    sign_in(elsewhere)

    assert change(desk).location == "/staff/account/?done=password"

    assert desk.get("/staff/").status_code == 200
    assert elsewhere.get("/staff/").location == "/staff/sign-in"
    assert sign_in(elsewhere).status_code == 403
    assert sign_in(elsewhere, password=ANOTHER).status_code == 303


@pytest.mark.parametrize(
    ("typed", "word", "field"),
    [
        ({"present": "a wrong password"}, "present password", "present"),
        ({"password": "short"}, "too short", "password"),
        ({"again": "something else"}, "differ", "password"),
        ({"password": "password12345"}, "first that somebody would try", "password"),
    ],
)
def test_a_password_that_is_not_changed_says_why_at_its_field(
    desk: Portal, typed: dict[str, str], word: str, field: str
) -> None:
    answer = change(desk, **typed)

    assert answer.status_code == 403
    assert word in answer.text
    assert f'href="#{field}"' in answer.text
    assert sign_in(another_browser(desk)).status_code == 303


def test_a_second_factor_is_set_up_with_the_password_and_taken_off_with_a_code(
    desk: Portal, clock: Clock
) -> None:
    page = desk.get("/staff/second-factor/set-up")
    secret = hidden(page, "setting_up")
    typed = {"setting_up": secret, "code": code_of(secret, desk)}
    assert desk.post("/staff/second-factor/set-up", **typed, present="a wrong one").status_code == 403
    done = desk.post("/staff/second-factor/set-up", **typed, present=PASSWORD, back="/staff/account/")
    assert done.status_code == 200 and 'href="/staff/account/"' in done.text
    assert "10 recovery codes are left" in desk.get("/staff/account/").text

    assert desk.post("/staff/account/second-factor/remove", code="000000").status_code == 403
    clock.forward(minutes=1)
    answer = desk.post("/staff/account/second-factor/remove", code=code_of(secret, desk))

    assert answer.location == "/staff/account/?done=removed"
    sign_in(another := another_browser(desk))
    assert another.get("/staff/").status_code == 200


def test_new_recovery_codes_take_the_password_and_replace_the_old_ones(desk: Portal) -> None:
    secret = hidden(desk.get("/staff/second-factor/set-up"), "setting_up")
    first = desk.post(
        "/staff/second-factor/set-up", setting_up=secret, code=code_of(secret, desk), present=PASSWORD
    )
    old = re.findall(r"<li>([0-9A-Z-]{19})</li>", first.text)

    assert desk.post("/staff/account/recovery-codes", present="a wrong one").status_code == 403
    answer = desk.post("/staff/account/recovery-codes", present=PASSWORD)

    new = re.findall(r"<li>([0-9A-Z-]{19})</li>", answer.text)
    assert len(new) == 10 and not set(new) & set(old)


def test_sessions_are_listed_in_words_and_this_one_is_marked(desk: Portal) -> None:
    elsewhere = another_browser(desk)
    elsewhere.post("/staff/sign-in", login="anna", password=PASSWORD, headers={"User-Agent": CHROME})

    page = desk.get("/staff/account/").text

    assert "Chrome on Windows" in page
    assert page.count("</svg>this one</span>") == 1
    assert page.count('/end"') == 1  # this one is ended by signing out


def test_one_other_session_is_ended(desk: Portal) -> None:
    elsewhere = another_browser(desk)
    sign_in(elsewhere)
    number = rows(desk.services, StaffSession)[-1].id

    assert desk.post(f"/staff/account/sessions/{number}/end").location == "/staff/account/?done=ended"

    assert elsewhere.get("/staff/").location == "/staff/sign-in"
    assert desk.get("/staff/").status_code == 200


def test_all_other_sessions_are_ended(desk: Portal) -> None:
    others = [another_browser(desk) for _ in range(2)]
    for other in others:
        sign_in(other)

    desk.post("/staff/account/sessions/end-others")

    assert all(other.get("/staff/").status_code == 303 for other in others)
    assert desk.get("/staff/").status_code == 200


def test_nobody_ends_somebody_elses_session_here(desk: Portal) -> None:
    otto = signed_in(desk, Role.VIEWER, login="otto")
    number = rows(desk.services, StaffSession)[-1].id

    assert desk.post(f"/staff/account/sessions/{number}/end").status_code == 404
    assert otto.get("/staff/").status_code == 200


@pytest.mark.parametrize("path", ["password", "recovery-codes", "second-factor/remove"])
def test_a_session_that_may_only_look_changes_nothing_of_the_account(portal: Portal, path: str) -> None:
    anna = person(portal.services)
    token = link(portal.services, anna, Purpose.SIGN_IN, may_change=False)
    portal.post("/staff/join/use", link=token)

    assert portal.post(f"/staff/account/{path}", present=PASSWORD).status_code == 404
    assert portal.get("/staff/second-factor/set-up").status_code == 404


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (CHROME, "Chrome on Windows"),
        (CHROME + " Edg/140.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15",
            "Safari on Mac",
        ),
        ("curl/8.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_a_browser_is_named_so_that_its_owner_knows_it(portal: Portal, agent: str, told: str) -> None:
    with portal.app.test_request_context():
        assert words.browser(agent) == told
