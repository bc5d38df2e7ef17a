"""People and devices, as administrators look after them."""

from __future__ import annotations

import re

import pytest

from app.domain.staff import Role
from app.models import AuditEvent, Staff, StaffToken
from tests.support.clock import Clock
from tests.support.factories import events, rows
from tests.support.portal import Portal
from tests.support.staff import PASSWORD, another_browser, code_of, person, sign_in, signed_in

LINK = re.compile(r'id="link"[^>]*>http://localhost:8045/staff/join#([A-Za-z0-9._~-]+)<')


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN, login="root")


def invite(portal: Portal, role: str = "radiologist", **typed: str):  # type: ignore[no-untyped-def]
    return portal.post("/staff/people/", **{"login": "anna", "name": "Dr Anna Haus", "role": role, **typed})


def number(portal: Portal, login: str) -> int:
    found = portal.services.staff.by_login(login)
    assert found is not None
    return found.id


def test_an_invitation_is_a_link_that_is_shown_once_and_lets_its_person_in(desk: Portal) -> None:
    answer = invite(desk)

    found = LINK.search(answer.text)
    assert answer.status_code == 200 and found is not None
    assert "Whoever has this link becomes this person" in answer.text
    page = desk.get(f"/staff/people/{number(desk, 'anna')}").text
    assert found[1] not in page and "Links that still work" in page
    assert "invited" in desk.get("/staff/people/").text
    anna = another_browser(desk)
    answer = anna.post("/staff/join/use", link=found[1], password=PASSWORD, again=PASSWORD)
    assert answer.location == "/staff/"
    assert "active" in desk.get("/staff/people/").text


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"login": "Anna Haus"}, "login"),
        ({"login": "root"}, "login"),
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"role": ""}, "role-viewer"),
        ({"role": "device"}, "role-viewer"),
    ],
)
def test_an_invitation_that_cannot_be_made_says_why_and_keeps_what_was_typed(
    desk: Portal, typed: dict[str, str], field: str
) -> None:
    answer = invite(desk, **typed)

    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text and f'id="{field}"' in answer.text
    assert [one.login for one in rows(desk.services, Staff)] == ["root"]


def test_hostile_names_are_text(desk: Portal) -> None:
    invite(desk, name='<script>alert(1)</script>"><img src=x>')

    for path in ("/staff/people/", f"/staff/people/{number(desk, 'anna')}"):
        page = desk.get(path).text
        assert "<script>alert" not in page and "<img src=x>" not in page


def test_roles_are_combined_and_count_from_the_next_page_on(desk: Portal) -> None:
    anna = signed_in(desk, Role.VIEWER)
    assert anna.post(f"/staff/study/{desk.study_id}/sheet").status_code == 404
    path = f"/staff/people/{number(desk, 'anna')}"

    form = {"csrf_token": desk.csrf, "name": "Anna", "role": ["desk", "viewer"]}
    answer = desk.client.post(path, data=form, base_url=desk.base)

    assert answer.location == path + "?done=changed"
    assert desk.services.staff.by_login("anna").roles == "desk,viewer"  # type: ignore[union-attr]
    assert anna.post(f"/staff/study/{desk.study_id}/sheet").status_code != 404


def test_the_last_administrator_stays_one(desk: Portal) -> None:
    path = f"/staff/people/{number(desk, 'root')}"

    for answer in (desk.post(path, name="Root", role="viewer"), desk.post(f"{path}/disable")):
        assert answer.status_code == 422
        assert "last administrator" in answer.text
    assert desk.get("/staff/people/").status_code == 200


def test_disabling_ends_sessions_and_links_at_once_and_enabling_brings_neither_back(desk: Portal) -> None:
    anna = signed_in(desk, Role.DESK)
    path = f"/staff/people/{number(desk, 'anna')}"
    token = LINK.search(desk.post(f"{path}/links", purpose="password").text)
    assert token is not None

    assert desk.post(f"{path}/disable").location == path + "?done=disabled"

    assert anna.get("/staff/").location == "/staff/sign-in"
    assert sign_in(anna).status_code == 403
    assert anna.post("/staff/join", link=token[1]).status_code == 403
    assert desk.post(f"{path}/links", purpose="password").status_code == 422
    desk.post(f"{path}/enable")
    assert anna.get("/staff/").status_code == 303
    assert anna.post("/staff/join", link=token[1]).status_code == 403
    assert sign_in(anna).status_code == 303


def test_a_link_that_is_taken_back_opens_nothing(desk: Portal) -> None:
    token = LINK.search(invite(desk).text)
    assert token is not None
    page = desk.get(f"/staff/people/{number(desk, 'anna')}").text
    found = re.search(r'action="([^"]+/revoke)"', page)
    assert found is not None

    desk.post(found[1])

    assert another_browser(desk).post("/staff/join", link=token[1]).status_code == 403


def test_a_link_to_sign_in_once_says_what_it_allows(desk: Portal) -> None:
    person(desk.services)
    path = f"/staff/people/{number(desk, 'anna')}/links"

    assert "change nothing" in desk.post(path, purpose="sign-in", may_change="no").text
    assert "all that their roles allow" in desk.post(path, purpose="sign-in", may_change="yes").text
    assert desk.post(path, purpose="anything").status_code == 404


def test_a_lost_second_factor_is_reset(desk: Portal, clock: Clock) -> None:
    anna = person(desk.services)
    secret = desk.services.second_factor.begin(anna).secret
    code = code_of(secret, desk)
    assert desk.services.second_factor.confirm(anna, secret, code, at=desk.now, actor="staff:anna")
    browser = another_browser(desk)
    sign_in(browser)
    assert browser.get("/staff/").location == "/staff/second-factor"

    desk.post(f"/staff/people/{anna.id}/second-factor/remove")

    sign_in(browser)
    assert browser.get("/staff/").status_code == 200


def test_sessions_of_somebody_are_ended_by_an_administrator(desk: Portal) -> None:
    anna = signed_in(desk, Role.DESK)
    path = f"/staff/people/{number(desk, 'anna')}"
    assert "Signed in nowhere" not in desk.get(path).text

    desk.post(f"{path}/sessions/end")

    assert anna.get("/staff/").location == "/staff/sign-in"
    assert "Signed in nowhere" in desk.get(path).text


def test_the_way_to_what_somebody_did_is_a_link(desk: Portal) -> None:
    person(desk.services)

    assert "who=staff:anna" in desk.get(f"/staff/people/{number(desk, 'anna')}").text


def test_no_secret_of_a_link_is_in_the_audit_trail(desk: Portal) -> None:
    token = LINK.search(invite(desk).text)
    assert token is not None

    assert not any(token[1] in str(row.details) for row in rows(desk.services, AuditEvent))


class TestDevices:
    @pytest.fixture
    def path(self, desk: Portal) -> str:
        assert desk.post("/staff/devices/", login="ct-1", name="CT, ground floor").status_code == 303
        return f"/staff/devices/{number(desk, 'ct-1')}"

    def test_a_devices_token_is_shown_once_and_revoked(self, desk: Portal, path: str) -> None:
        answer = desk.post(f"{path}/tokens")

        found = re.search(r'id="secret"[^>]*>(device~[A-Za-z0-9._~-]+)<', answer.text)
        assert found is not None
        page = desk.get("/staff/devices/").text
        assert found[1] not in page and "never used" in page
        token = rows(desk.services, StaffToken)[0]
        assert desk.post(f"{path}/tokens/{token.id}/revoke").status_code == 303
        assert "never used" not in desk.get("/staff/devices/").text
        assert {"staff:token-issued", "staff:token-revoked"} <= set(events(desk.services))

    def test_a_devices_password_is_shown_once_and_signs_nobody_in_here(self, desk: Portal, path: str) -> None:
        answer = desk.post(f"{path}/password")

        found = re.search(r'id="secret"[^>]*>([A-Za-z0-9_-]{24})<', answer.text)
        assert found is not None
        assert found[1] not in desk.get("/staff/devices/").text
        assert sign_in(another_browser(desk), "ct-1", found[1]).status_code == 403

    def test_a_device_is_disabled_and_enabled(self, desk: Portal, path: str) -> None:
        desk.post(f"{path}/disable")
        assert desk.post(f"{path}/tokens").status_code == 404
        assert desk.post(f"{path}/password").status_code == 404

        desk.post(f"{path}/enable")

        assert desk.post(f"{path}/tokens").status_code == 200

    def test_a_device_is_no_person_and_a_person_no_device(self, desk: Portal, path: str) -> None:
        assert desk.get(path.replace("devices", "people")).status_code == 404
        root = number(desk, "root")
        assert desk.post(f"/staff/devices/{root}/password").status_code == 404
        assert desk.post(f"/staff/devices/{root}/disable").status_code == 404

    @pytest.mark.parametrize("typed", [{"login": "root"}, {"login": "CT 1"}, {"name": ""}])
    def test_a_device_that_cannot_be_added_says_why(self, desk: Portal, typed: dict[str, str]) -> None:
        answer = desk.post("/staff/devices/", **{"login": "ct-2", "name": "CT"} | typed)

        assert answer.status_code == 422
