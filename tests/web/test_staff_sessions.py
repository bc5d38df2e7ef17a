"""Signing in and out at the staff door."""

from __future__ import annotations

import re

import pytest

from app.config import ROOT
from app.domain.staff import Role
from app.models import StaffSession
from tests.support.clock import Clock
from tests.support.factories import events, rows
from tests.support.portal import Portal, visible

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.skipif(
    not (ROOT / "templates/staff/sign_in.html").exists(), reason="the staff's pages aren't there yet"
)


@pytest.fixture
def desk(portal: Portal) -> Portal:
    portal.services.staff.add(
        login="anna",
        name="Dr Anna Haus",
        roles=[Role.RADIOLOGIST],
        password=PASSWORD,
        at=portal.now,
        actor="x",
    )
    portal.services.session.commit()
    return portal


def sign_in(portal: Portal, login: str = "anna", password: str = PASSWORD, **more: str):  # type: ignore[no-untyped-def]
    return portal.post("/staff/sign-in", login=login, password=password, **more)


def test_the_right_password_leads_to_the_list_of_studies(desk: Portal) -> None:
    answer = sign_in(desk)

    assert (answer.status_code, answer.location) == (303, "/staff/")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("studykey_staff="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    page = desk.get("/staff/")
    assert page.status_code == 200
    assert "Muster" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_unknown_wrong_and_waiting_look_alike(desk: Portal) -> None:
    wrong = sign_in(desk, password="wrong password 1")
    for _ in range(3):
        sign_in(desk, password="wrong password 1")
    waiting = sign_in(desk)
    desk.services.session.rollback()
    unknown = sign_in(desk, login="otto")

    assert wrong.status_code == waiting.status_code == unknown.status_code == 403
    assert visible(wrong) == visible(waiting) == visible(unknown).replace("otto", "anna")
    assert desk.get("/staff/").status_code == 303


def test_the_login_is_kept_and_the_password_is_not(desk: Portal) -> None:
    answer = sign_in(desk, login='"><script>x', password="a wrong password")

    assert "&lt;script&gt;x" in answer.text and "<script>x" not in answer.text
    assert "a wrong password" not in answer.text


@pytest.mark.parametrize("login", ["\x00", "a\x00b", "\ufffd" * 64, "x" * 60_000, ""])
def test_no_login_is_a_server_error(desk: Portal, login: str) -> None:
    assert sign_in(desk, login=login).status_code == 403


def test_signing_in_needs_the_forms_token(desk: Portal) -> None:
    answer = desk.client.post("/staff/sign-in", data={"login": "anna", "password": PASSWORD})

    assert answer.status_code == 400
    assert rows(desk.services, StaffSession) == []


def test_signing_out_closes_the_list_even_to_a_kept_cookie(desk: Portal) -> None:
    sign_in(desk)
    cookie = desk.client.get_cookie("studykey_staff")
    assert cookie is not None

    answer = desk.post("/staff/sign-out")

    assert (answer.status_code, answer.location) == (303, "/staff/sign-in")
    assert "cache" in answer.headers["Clear-Site-Data"]
    assert desk.client.get_cookie("studykey_staff") is None
    desk.client.set_cookie("studykey_staff", cookie.value)
    assert desk.get("/staff/").status_code == 303
    assert "staff:signed-out" in events(desk.services)


def test_signing_out_is_not_done_by_a_link(desk: Portal) -> None:
    sign_in(desk)

    assert desk.get("/staff/sign-out").status_code == 405
    assert desk.get("/staff/").status_code == 200


def test_a_session_ends_by_itself(desk: Portal, clock: Clock) -> None:
    sign_in(desk)
    clock.forward(minutes=30)

    assert desk.get("/staff/").location == "/staff/sign-in"


ADDRESSES = [
    "q=%25",
    "q=%00",
    "q=muster",
    "q=" + "x" * 3000,
    "before=x",
    "before=x~1",
    "before=2026-11-20T09:00:00~1",
    "before=2026-11-20T09:00:00%2B00:00~1",
    "before=2026-11-20T09:00:00%2B00:00~" + "9" * 40,
    "before=~",
]


def test_nothing_in_the_address_of_the_list_is_a_server_error(desk: Portal) -> None:
    sign_in(desk)

    for query in ADDRESSES:
        assert desk.get(f"/staff/?{query}").status_code in (200, 404), query


def test_hostile_texts_are_text_on_the_list_too(desk: Portal) -> None:
    from tests.support.factories import study_in

    study_in(
        desk.services, patient_name="<script>alert(1)</script>^X", description="<img src=x onerror=alert(1)>"
    )
    desk.services.session.commit()
    sign_in(desk)

    page = desk.get("/staff/").text
    assert "<script>alert" not in page and "<img src=x" not in page
    assert not re.search(r"\{\{|\{%", page)


def test_an_open_archive_is_an_alarm_on_every_list(desk: Portal) -> None:
    sign_in(desk)
    assert 'role="alert"' not in desk.get("/staff/").text
    desk.services.orthancs["main"].is_open = True  # type: ignore[attr-defined]
    desk.services.archives.probe("main", at=desk.now)

    assert "main" in re.sub(r"</?main", "", desk.get("/staff/").text)
