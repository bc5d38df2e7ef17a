"""Who may enter: each page lets in whom it names, a visit that is over says why, no key fits two doors."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from app.config import Settings
from app.domain.staff import Role
from app.services.audit import Audit
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import change_grant, own_session
from tests.support.portal import Portal, portal_of, public_services
from tests.support.staff import key_of, person, sign_in, signed_in

SECRETS = ("Muster", "Thorax", "token=")


def pages(portal: Portal) -> list[str]:
    study = f"/study/{portal.study_id}"
    return [
        study,
        f"{study}/look",
        f"{study}/look?series=1&image=1",
        f"{study}/look/1/1.jpg",
        f"{study}/report.pdf",
    ]


def told(portal: Portal) -> str:
    answers = [portal.get(path) for path in pages(portal)]
    answers.append(portal.post(f"/study/{portal.study_id}/viewer"))
    assert {answer.status_code for answer in answers} == {403}
    assert not any(secret in answer.text for secret in SECRETS for answer in answers)
    assert len({re.sub(r'csrf_token" value="[^"]*"', "", answer.text) for answer in answers}) == 1
    return html.unescape(answers[0].text)


def test_without_a_visit_every_page_of_a_study_is_closed(portal: Portal) -> None:
    assert "No study is open in this browser" in told(portal)


@pytest.mark.parametrize("key", ["", "x" * 43, "../../etc/passwd", "a" * 3000])
def test_an_invented_cookie_is_no_visit(portal: Portal, key: str) -> None:
    portal.client.set_cookie("studykey_visit", key)

    assert "No study is open in this browser" in told(portal)


def test_an_idle_visit_says_so(portal: Portal, clock: Clock) -> None:
    portal.prove()
    clock.forward(minutes=15)

    assert "You were away for a while" in told(portal)


def test_a_visit_that_reached_its_limit_says_so(portal: Portal, clock: Clock) -> None:
    portal.prove()
    for _ in range(6):
        clock.forward(minutes=10)
        last = portal.get(f"/study/{portal.study_id}")

    assert last.status_code == 403
    assert "Your study was open for a long time" in told(portal)


@pytest.mark.parametrize("column", ["revoked_at", "suspended_at", "expires_at"])
def test_what_the_clinic_ended_says_so_at_once(portal: Portal, column: str) -> None:
    portal.prove()
    change_grant(portal.services, portal.paper.grant, **{column: portal.now})

    assert "has ended this access" in told(portal)


def test_a_study_of_a_number_that_does_not_exist_looks_closed_too(portal: Portal) -> None:
    closed = portal.get(f"/study/{portal.study_id}")
    unknown = portal.get("/study/999999")

    assert (closed.status_code, closed.text) == (unknown.status_code, unknown.text)


def test_a_view_that_names_nobody_lets_nobody_in(portal: Portal) -> None:
    portal.app._got_first_request = False
    portal.app.add_url_rule("/forgotten", view_func=lambda: "secret")
    portal.prove()

    answer = portal.get("/forgotten")

    assert answer.status_code == 404
    assert "secret" not in answer.text


def staff_key(portal: Portal) -> str:
    return key_of(signed_in(portal))


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/staff/", ""),
        ("/staff", ""),
        ("/staff/?q=muster", "?back=/staff/?q%3Dmuster"),
        ("/staff/study/1", "?back=/staff/study/1"),
    ],
)
def test_staff_pages_send_strangers_to_the_sign_in(portal: Portal, path: str, back: str) -> None:
    portal.prove()

    answer = portal.get(path)

    assert (answer.status_code, answer.location) == (303, "/staff/sign-in" + back)
    assert "Muster" not in answer.text


def test_a_patients_cookie_opens_no_staff_page_and_staffs_no_study(portal: Portal) -> None:
    portal.prove()
    portal.client.set_cookie("studykey_staff", portal.cookie or "")
    assert portal.get("/staff/").status_code == 303

    portal.client.set_cookie("studykey_visit", staff_key(portal))
    assert portal.get(f"/study/{portal.study_id}").status_code == 403


def test_a_device_cannot_sign_in_here_and_sees_no_patients(portal: Portal) -> None:
    person(portal.services, "ct-1", Role.DEVICE)

    answer = sign_in(portal, "ct-1")

    assert answer.status_code == 403
    assert portal.client.get_cookie("studykey_staff") is None
    assert "Muster" not in portal.get("/staff/").text


WAYS_BACK = [
    "/staff/",
    "/staff/?q=muster&before=x",
    "/staff/study/1",
    "/staff/people/",
    "/staff/account/?done=ended",
]
NO_WAYS_BACK = [
    "",
    "https://evil.example/staff/",
    "//evil.example/staff/",
    "/\\evil.example/staff/",
    "/staff/\\evil.example",
    "/staffed/",
    "/staff/../study/1",
    "/staff/nowhere",
    "/staff/sign-in",
    "/staff/sign-out",
    "/staff/locked",
    "/staff/second-factor",
    "/staff/second-factor/set-up",
    "/staff/join",
    "/staff/account/password",
    "/study/1",
    "/staff/study/1#x",
    "/staff/?q=a b",
    "/staff/?q=\r\nSet-Cookie:x",
    "/staff/?q=" + "x" * 500,
    "javascript:alert(1)",
]


@pytest.mark.parametrize("path", WAYS_BACK)
def test_signing_in_leads_back_to_the_page_that_was_asked_for(portal: Portal, path: str) -> None:
    person(portal.services)

    assert sign_in(portal, back=path).location == path


@pytest.mark.parametrize("path", NO_WAYS_BACK)
def test_signing_in_leads_nowhere_but_to_a_staff_page_of_ours(portal: Portal, path: str) -> None:
    person(portal.services)

    assert sign_in(portal, back=path).location == "/staff/"
    assert "back" not in portal.get("/staff/sign-in", query_string={"back": path}).text.partition("<form")[2]


def test_what_a_script_asks_in_the_background_gets_a_word_and_no_page(portal: Portal) -> None:
    answer = portal.post("/staff/stay", in_place="1")

    assert (answer.status_code, answer.text) == (401, "signed-out")
    assert answer.mimetype == "text/plain"


class TestOverHttps:
    """As in production: __Host- cookies, which a neighbour on another port or subdomain can't set."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.with_(base_url="https://portal.test")

    @pytest.fixture
    def portal(self, public_app: Flask, services: Services) -> Portal:
        return portal_of(public_app, services, base="https://portal.test")

    def test_cookies_are_bound_to_this_host_and_to_tls(self, portal: Portal) -> None:
        answer = portal.prove()

        assert answer.status_code == 303
        names = set()
        for page in (portal.get("/?another"), answer):
            for cookie in page.headers.getlist("Set-Cookie"):
                name, _, rest = cookie.partition("=")
                names.add(name)
                assert name.startswith("__Host-")
                parts = {part.strip() for part in rest.split(";")}
                assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= parts
                assert "Domain" not in cookie
        assert "__Host-studykey_visit" in names

    def test_a_cookie_without_the_prefix_is_not_looked_at(self, portal: Portal) -> None:
        portal.prove()
        key = portal.cookie
        other = portal.app.test_client()
        other.set_cookie("studykey_visit", key or "", domain="portal.test")

        assert other.get(f"/study/{portal.study_id}", base_url=portal.base).status_code == 403

    def test_a_form_sent_from_another_origin_is_refused(self, portal: Portal) -> None:
        answer = portal.prove(headers={"Referer": "https://evil.example/"})

        assert answer.status_code == 400
        assert portal.cookie is None

    def test_the_way_out_takes_the_cookie_back(self, portal: Portal) -> None:
        portal.prove()
        assert portal.post("/done").status_code == 303
        assert portal.cookie is None


def test_an_audit_trail_that_cannot_be_written_opens_nothing(portal: Portal) -> None:
    class Broken(Audit):
        def within(self, *args: object, **kwargs: object) -> None:
            from sqlalchemy.exc import OperationalError

            raise OperationalError("INSERT", {}, Exception("disk full"))

    public_services(portal.app).visits._audit = Broken(own_session(portal.services), portal.services.crypto)

    answer = portal.prove()

    assert answer.status_code == 503
    assert portal.cookie is None
