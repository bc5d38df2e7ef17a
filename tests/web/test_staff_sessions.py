"""Signing in and out at the staff door, with one and with two factors."""

from __future__ import annotations

import re

import pytest

from app.models import StaffSession
from tests.support.clock import Clock
from tests.support.factories import events, rows
from tests.support.portal import Portal, visible
from tests.support.staff import (
    PASSWORD,
    another_browser,
    code_of,
    hidden,
    key_of,
    person,
    sign_in,
)


@pytest.fixture
def desk(portal: Portal) -> Portal:
    person(portal.services)
    return portal


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
    clock.forward(hours=2)

    assert desk.get("/staff/").location == "/staff/sign-in"


def test_a_second_sign_in_in_the_same_browser_ends_the_first(desk: Portal) -> None:
    person(desk.services, "otto")
    sign_in(desk)
    first = key_of(desk)

    sign_in(desk, "otto")

    thief = another_browser(desk)
    thief.client.set_cookie("studykey_staff", first)
    assert thief.get("/staff/").status_code == 303
    assert "Dr Otto Haus" in desk.get("/staff/account/").text


class TestASecondFactor:
    @pytest.fixture
    def secret(self, desk: Portal) -> str:
        """Anna's, set up before."""
        services, anna = desk.services, desk.services.staff.by_login("anna")
        assert anna is not None
        secret = services.second_factor.begin(anna).secret
        codes = services.second_factor.confirm(
            anna, secret, code_of(secret, desk), at=desk.now, actor="staff:anna"
        )
        assert codes is not None
        self.codes = codes
        return secret

    @pytest.fixture
    def demanded(self, desk: Portal) -> None:
        desk.services.rules.set({"second_factor_roles": "radiologist"}, at=desk.now, actor="cli")
        desk.services.session.commit()

    def test_the_password_alone_opens_nothing(self, desk: Portal, secret: str) -> None:
        sign_in(desk, back="/staff/study/1")

        answer = desk.get("/staff/study/1")
        assert answer.location == "/staff/second-factor?back=/staff/study/1"
        assert "Muster" not in desk.get("/staff/second-factor").text
        for path in ("/staff/account/", "/staff/people/", "/staff/locked"):
            assert desk.get(path).location.startswith("/staff/second-factor")
        assert desk.post("/staff/stay", in_place="1").text == "second-factor"

    def test_the_apps_code_opens_the_page_that_was_asked_for(
        self, desk: Portal, secret: str, clock: Clock
    ) -> None:
        clock.forward(minutes=1)
        sign_in(desk)

        answer = desk.post("/staff/second-factor", code=code_of(secret, desk), back="/staff/study/1")

        assert (answer.status_code, answer.location) == (303, "/staff/study/1")
        assert desk.get("/staff/study/1").status_code == 200

    def test_a_wrong_code_opens_nothing_and_says_so(self, desk: Portal, secret: str) -> None:
        sign_in(desk)

        answer = desk.post("/staff/second-factor", code="000000")

        assert answer.status_code == 403
        assert "That code isn" in answer.text
        assert desk.get("/staff/").status_code == 303

    def test_a_recovery_code_helps_whoever_lost_the_phone_once(self, desk: Portal, secret: str) -> None:
        for status in (303, 403):
            sign_in(desk)
            answer = desk.post("/staff/second-factor", code=self.codes[0].lower(), way="recovery")
            assert answer.status_code == status
        assert "recovery code" in answer.text

    def test_nobody_replaces_a_second_factor_that_they_have_not_shown(
        self, desk: Portal, secret: str, demanded: None
    ) -> None:
        sign_in(desk)

        assert desk.get("/staff/second-factor/set-up").location == "/staff/second-factor"
        mine = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
        answer = desk.post("/staff/second-factor/set-up", setting_up=mine, code=code_of(mine, desk))
        assert answer.location == "/staff/second-factor"
        assert desk.get("/staff/").status_code == 303

    def test_where_the_clinic_asks_for_one_it_is_set_up_before_anything_opens(
        self, desk: Portal, demanded: None
    ) -> None:
        sign_in(desk)
        assert desk.get("/staff/").location == "/staff/second-factor"
        assert desk.get("/staff/second-factor").location == "/staff/second-factor/set-up"
        page = desk.get("/staff/second-factor/set-up")
        secret = hidden(page, "setting_up")
        assert "<svg" in page.text and "otpauth" not in page.text
        assert " ".join(re.findall("....", secret)) in page.text

        wrong = desk.post("/staff/second-factor/set-up", setting_up=secret, code="000000")
        assert wrong.status_code == 403
        assert hidden(wrong, "setting_up") == secret
        done = desk.post("/staff/second-factor/set-up", setting_up=secret, code=code_of(secret, desk))

        assert done.status_code == 200
        assert len(re.findall(r"<li>[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}</li>", done.text)) == 10
        assert desk.get("/staff/").status_code == 200

    def test_leaving_half_way_ends_it(self, desk: Portal, secret: str) -> None:
        sign_in(desk)
        key = key_of(desk)

        assert desk.post("/staff/sign-out").location == "/staff/sign-in"

        desk.client.set_cookie("studykey_staff", key)
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
