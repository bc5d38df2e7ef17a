"""A session that is locked: by hand, by idleness, and opened again by its person's password alone."""

from __future__ import annotations

import pytest

from app.services.staff_links import Purpose
from tests.support.clock import Clock
from tests.support.factories import events
from tests.support.portal import Portal
from tests.support.staff import PASSWORD, another_browser, key_of, link, person, signed_in


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal)


def unlock(portal: Portal, password: str = PASSWORD, **more: str):  # type: ignore[no-untyped-def]
    return portal.post("/staff/unlock", password=password, **more)


def test_a_locked_session_shows_nothing_until_the_password_is_typed(desk: Portal) -> None:
    answer = desk.post("/staff/lock", headers={"Referer": f"http://localhost/staff/study/{desk.study_id}"})
    assert answer.location == f"/staff/locked?back=/staff/study/{desk.study_id}"

    for path in ("/staff/", f"/staff/study/{desk.study_id}", "/staff/account/"):
        page = desk.get(path)
        assert page.status_code == 303 and page.location.startswith("/staff/locked")
    assert "Muster" not in desk.get("/staff/locked").text
    assert unlock(desk, "a wrong password").status_code == 403
    assert desk.get("/staff/").status_code == 303
    answer = unlock(desk, back=f"/staff/study/{desk.study_id}")

    assert answer.location == f"/staff/study/{desk.study_id}"
    assert desk.get("/staff/").status_code == 200
    assert {"staff:locked", "staff:unlocked"} <= set(events(desk.services))


def test_a_page_left_alone_locks_by_the_servers_reckoning_too(desk: Portal, clock: Clock) -> None:
    clock.forward(minutes=9)
    assert desk.get("/staff/").status_code == 200
    clock.forward(minutes=10)

    assert desk.get("/staff/?q=muster").location == "/staff/locked?back=/staff/?q%3Dmuster"


def test_a_page_that_is_worked_on_stays_open(desk: Portal, clock: Clock) -> None:
    for _ in range(30):
        clock.forward(seconds=59)
        assert desk.post("/staff/stay", in_place="1").status_code == 204

    assert desk.get("/staff/").status_code == 200


def test_a_page_that_refreshes_by_itself_does_not_keep_the_session_open(desk: Portal, clock: Clock) -> None:
    clock.forward(minutes=5)
    desk.services.staff_sessions.find(key_of(desk), at=desk.now, touches=False)
    clock.forward(minutes=5)

    answer = desk.post("/staff/stay", in_place="1")
    assert (answer.status_code, answer.text) == (401, "locked")


def test_unlocking_in_place_answers_with_a_status_and_no_page(desk: Portal) -> None:
    assert desk.post("/staff/lock", in_place="1").status_code == 204

    assert unlock(desk, "a wrong password", in_place="1").status_code == 403
    assert unlock(desk, in_place="1").status_code == 204
    desk.post("/staff/lock", in_place="1")
    desk.services.staff_sessions.sign_out(key_of(desk), address="", at=desk.now)
    answer = unlock(desk, in_place="1")
    assert (answer.status_code, answer.text) == (401, "signed-out")


def test_somebody_else_can_sign_out_whoever_left(desk: Portal) -> None:
    desk.post("/staff/lock")

    answer = desk.post("/staff/sign-out")

    assert answer.location == "/staff/sign-in"
    assert desk.get("/staff/locked").location == "/staff/sign-in"


def test_whoever_came_by_a_link_signs_in_anew(portal: Portal) -> None:
    otto = person(portal.services, "otto", password=None)
    browser = another_browser(portal)
    browser.post("/staff/join/use", link=link(portal.services, otto, Purpose.SIGN_IN))
    browser.post("/staff/lock")

    page = browser.get("/staff/locked")

    assert "ask an administrator for a new link" in page.text
    assert 'type="password"' not in page.text
    assert unlock(browser, "").status_code == 403


def test_every_page_of_somebody_signed_in_carries_its_lock(desk: Portal) -> None:
    page = desk.get("/staff/").text

    assert 'data-seconds="600" data-left="600"' in page
    assert "staff-lock.js" in page


def test_where_the_clinic_wants_no_lock_only_the_button_is_left(desk: Portal, clock: Clock) -> None:
    desk.services.rules.set({"lock_minutes": "0"}, at=desk.now, actor="cli")
    desk.services.session.commit()
    clock.forward(minutes=90)

    page = desk.get("/staff/")

    assert page.status_code == 200
    assert 'data-seconds="0"' in page.text


@pytest.mark.parametrize("path", ["/staff/locked", "/staff/unlock", "/staff/lock"])
def test_nobody_signed_in_has_nothing_to_unlock(portal: Portal, path: str) -> None:
    answer = portal.get(path) if path == "/staff/locked" else portal.post(path, password=PASSWORD)

    assert answer.location == "/staff/sign-in"
