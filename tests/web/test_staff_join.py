"""What a link from an administrator opens: choosing a password, or signing in once."""

from __future__ import annotations

import pytest

from app.domain.staff import Role
from app.models import StaffLink, StaffSession
from app.services.staff_links import Purpose
from tests.support.clock import Clock
from tests.support.factories import events, rows
from tests.support.portal import Portal
from tests.support.staff import ANOTHER, PASSWORD, another_browser, link, person, sign_in


@pytest.fixture
def invitation(portal: Portal) -> str:
    anna = person(portal.services, "anna", Role.RADIOLOGIST, password=None)
    return link(portal.services, anna, Purpose.INVITATION)


def choose(portal: Portal, token: str, password: str = PASSWORD, again: str = ""):  # type: ignore[no-untyped-def]
    return portal.post("/staff/join/use", link=token, password=password, again=again or password)


def test_looking_at_a_link_says_who_and_what_and_uses_nothing_up(portal: Portal, invitation: str) -> None:
    for _ in range(3):
        answer = portal.post("/staff/join", link=f"http://localhost:8045/staff/join#{invitation}")

    assert answer.status_code == 200
    assert "Dr Anna Haus" in answer.text and "radiologist" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert rows(portal.services, StaffLink)[0].used_at is None
    assert rows(portal.services, StaffSession) == []


def test_fetching_the_address_as_a_mail_scanner_does_changes_nothing(portal: Portal, invitation: str) -> None:
    assert portal.get("/staff/join").status_code == 200
    assert portal.client.head("/staff/join").status_code == 200

    assert choose(portal, invitation).status_code == 303


def test_an_invitation_sets_the_password_and_lets_in_once(portal: Portal, invitation: str) -> None:
    answer = choose(portal, invitation)

    assert (answer.status_code, answer.location) == (303, "/staff/")
    assert portal.get("/staff/").status_code == 200
    assert sign_in(another_browser(portal)).status_code == 303
    again = choose(another_browser(portal), invitation, ANOTHER)
    assert again.status_code == 403
    assert "This link doesn" in again.text


@pytest.mark.parametrize(
    ("password", "again", "word"),
    [
        ("short", "", "too short"),
        (PASSWORD, PASSWORD + "x", "differ"),
        ("aaaaaaaaaaaaaa", "", "repeats"),
        ("password12345", "", "first that somebody would try"),
    ],
)
def test_a_password_that_is_refused_leaves_the_link_good(
    portal: Portal, invitation: str, password: str, again: str, word: str
) -> None:
    answer = choose(portal, invitation, password, again)

    assert answer.status_code == 422
    assert word in answer.text
    assert f'value="{password}"' not in answer.text
    assert choose(portal, invitation).status_code == 303


def test_a_link_to_sign_in_opens_a_session_that_may_only_look(portal: Portal) -> None:
    anna = person(portal.services, "anna", Role.ADMIN, password=None)
    token = link(portal.services, anna, Purpose.SIGN_IN, may_change=False)
    page = portal.post("/staff/join", link=token)
    assert "to look only" in page.text

    assert portal.post("/staff/join/use", link=token).status_code == 303

    assert portal.get("/staff/").status_code == 200
    assert portal.get("/staff/people/").status_code == 404
    assert portal.post(f"/staff/study/{portal.study_id}/sheet").status_code == 404
    assert "nothing can be changed" in portal.get("/staff/account/").text
    assert "staff:signed-in" in events(portal.services)


def test_a_link_does_not_pass_by_the_second_factor(portal: Portal) -> None:
    anna = person(portal.services, "anna", Role.VIEWER, password=None)
    portal.services.rules.set({"second_factor_roles": "viewer"}, at=portal.now, actor="cli")
    portal.services.session.commit()

    portal.post("/staff/join/use", link=link(portal.services, anna, Purpose.SIGN_IN))

    assert portal.get("/staff/").location == "/staff/second-factor"


@pytest.mark.parametrize("how", ["expired", "revoked", "disabled", "changed"])
def test_a_link_that_is_over_says_so_and_whom_to_ask(
    portal: Portal, clock: Clock, invitation: str, how: str
) -> None:
    staff, links = portal.services.staff, portal.services.staff_links
    anna = staff.by_login("anna")
    assert anna is not None
    if how == "expired":
        clock.forward(days=7)
    elif how == "revoked":
        links.revoke(anna, links.open_ones(anna, at=portal.now)[0].id, at=portal.now, actor="staff:root")
    elif how == "disabled":
        person(portal.services, "root", Role.ADMIN)
        staff.disable(anna, at=portal.now, actor="staff:root")
    else:
        invitation = invitation[:-1] + ("A" if invitation[-1] != "A" else "B")

    for answer in (portal.post("/staff/join", link=invitation), choose(portal, invitation)):
        assert answer.status_code == 403
        assert "Ask the administrator" in answer.text
        assert "Anna" not in answer.text


@pytest.mark.parametrize("typed", ["", "#", "x" * 600, "\x00", "<script>", "http://evil.example/#x"])
def test_nothing_typed_as_a_link_is_a_server_error(portal: Portal, typed: str) -> None:
    assert portal.post("/staff/join", link=typed).status_code == 403
    assert portal.post("/staff/join/use", link=typed).status_code == 403
