"""Role × route: who gets in at the staff door, derived from the one table and from what each view declares.

Whoever may not gets exactly what an address without a page gives: nobody learns what there is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from werkzeug.test import TestResponse

from app.domain.staff import PEOPLE, Act, Role, acts_of
from app.services.staff_links import Purpose
from app.web.access import HOME, Who, manner
from tests.guardrails.test_routes import ROUTES
from tests.support.portal import Portal, visible
from tests.support.staff import another_browser, link, person, signed_in

Route = tuple[str, str, frozenset[Act]]
STAFF: list[Route] = sorted(
    (
        (method, path, frozenset(needed))
        for (method, path), (who, *needed) in ROUTES.items()
        if who is Who.STAFF
    ),
    key=lambda route: route[:2],
)
IN = 299  # no status of ours


@pytest.fixture
def door(portal: Portal) -> Portal:
    """A door behind which no view runs: whoever gets past the gate is told so, and nothing changes."""
    portal.app.before_request_funcs[None].append(lambda: ("in", IN) if _is_staff() else None)
    return portal


def _is_staff() -> bool:
    from flask import request

    return bool((request.endpoint or "").startswith("staff_")) and request.headers.get("X-Test") == "gate"


def ask(browser: Portal, csrf: str, method: str, path: str) -> TestResponse:
    """The route with its variables filled: the study there is, and otherwise things that there are not."""
    path = path.replace("<int:study_id>", str(browser.study_id))
    path = re.sub(r"<\w+>", "nothing", re.sub(r"<int:\w+>", "999999", path))
    form = None if method == "GET" else {"csrf_token": csrf}
    return browser.client.open(
        path, method=method, data=form, base_url=browser.base, headers={"X-Test": "gate"}
    )


def told(answer: TestResponse) -> tuple[object, ...]:
    """All that somebody outside can see of an answer."""
    headers = [header for header in answer.headers if header[0] != "Content-Length"]
    return answer.status_code, visible(answer), sorted(headers)


def wrong_ones(browser: Portal, may: Iterable[Act], *, may_change: bool = True) -> list[tuple[str, str]]:
    """The routes that let in whom they shouldn't, keep out whom they should let in, or tell that they exist."""
    csrf, acts = browser.csrf, frozenset(may)
    missing = {method: told(ask(browser, csrf, method, "/staff/nowhere")) for method in ("GET", "POST")}
    assert missing["GET"][0] == missing["POST"][0] == 404
    wrong = []
    for method, path, needed in STAFF:
        answer = ask(browser, csrf, method, path)
        if path == HOME and Act.SEE not in acts:  # no list of all studies: to those that rules open to them
            if answer.status_code != 303:
                wrong.append((method, path))
            continue
        is_in = needed <= acts and (may_change or not _changes(browser, method, path))
        if is_in != (answer.status_code == IN) or (not is_in and told(answer) != missing[method]):
            wrong.append((method, path))
    return wrong


def _changes(browser: Portal, method: str, path: str) -> bool:
    rules = browser.app.url_map.iter_rules()
    rule = next(rule for rule in rules if rule.rule == path and method in (rule.methods or ()))
    with browser.app.app_context():
        return manner(rule.endpoint).changes


@pytest.mark.parametrize("role", PEOPLE)
def test_a_role_enters_where_the_table_lets_it_and_elsewhere_there_is_nothing(
    door: Portal, role: Role
) -> None:
    assert wrong_ones(signed_in(door, role), acts_of([role])) == []


def test_roles_add_up(door: Portal) -> None:
    assert wrong_ones(signed_in(door, Role.DESK, Role.VIEWER), acts_of([Role.DESK, Role.VIEWER])) == []


def test_an_administrators_session_that_may_only_look_does_no_more_than_look(door: Portal) -> None:
    root = person(door.services, "root", Role.ADMIN)
    browser = another_browser(door)
    browser.post("/staff/join/use", link=link(door.services, root, Purpose.SIGN_IN, may_change=False))

    assert wrong_ones(browser, acts_of([Role.ADMIN], may_change=False), may_change=False) == []


@pytest.mark.parametrize(
    ("state", "place"), [("out", "sign-in"), ("half", "second-factor"), ("locked", "locked")]
)
def test_whoever_is_not_signed_in_enters_nowhere_but_on_the_way_there(
    door: Portal, state: str, place: str
) -> None:
    browser = another_browser(door)
    if state == "half":
        door.services.rules.set({"second_factor_roles": "admin"}, at=door.now, actor="cli")
        door.services.session.commit()
    if state != "out":
        browser = signed_in(door, Role.ADMIN)
    if state == "locked":
        browser.post("/staff/lock")
    csrf = browser.csrf
    wrong = []

    for method, path, _ in STAFF:
        answer = ask(browser, csrf, method, path)
        with door.app.app_context():
            rules = door.app.url_map.iter_rules()
            rule = next(rule for rule in rules if rule.rule == path and method in (rule.methods or ()))
            how = manner(rule.endpoint)
        if (how.half and state == "half") or (how.while_locked and state == "locked"):
            right = answer.status_code == IN
        elif how.is_poll:
            right = answer.status_code == 401 and answer.text in ("signed-out", "second-factor", "locked")
        else:
            right = answer.status_code == 303 and answer.location.startswith(f"/staff/{place}")
        if not right:
            wrong.append((method, path, answer.status_code))

    assert wrong == []


def test_a_device_has_no_session_whatever_it_knows(portal: Portal) -> None:
    device = person(portal.services, "ct-1", Role.DEVICE)

    assert portal.services.staff_sessions.begin_for(device, address="", at=portal.now) is None
