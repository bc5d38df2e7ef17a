"""The page of alarms and limits: who has to wait is seen and can be let in again."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.domain.staff import Role
from app.models import Archive, Attempt, Staff, db
from app.services.follower import LEASE
from tests.support.factories import ADDRESS, MINUTE, change_grant, events, rows
from tests.support.portal import Portal
from tests.web.test_staff_study import PASSWORD, signed_in


@pytest.fixture
def admin(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN)


def fail(portal: Portal, count: int = 10, network: str = ADDRESS) -> None:
    """Tries with unknown codes from one network."""
    for _number in range(count):
        portal.services.session.add(
            Attempt(at=portal.now, network=network, wide_network="203.0.113.0/24", outcome="refused")
        )
    portal.services.session.commit()


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.DESK, Role.VIEWER])
def test_nobody_but_an_auditor_sees_it(portal: Portal, role: Role) -> None:
    desk = signed_in(portal, role)

    assert desk.get("/staff/limits").status_code == 404
    assert desk.get("/staff/limits/now").status_code == 404
    assert desk.post("/staff/limits/reset", all="1").status_code == 404


def test_a_quiet_clinic_says_so(admin: Portal) -> None:
    admin.services.leases.acquire(LEASE, lasts=MINUTE, at=admin.now)

    page = admin.get("/staff/limits").text

    assert "No network failed within the last hour." in page
    assert "No process follows the archives" not in page
    assert "gate closed" in page


def test_a_network_that_waits_is_reset(admin: Portal) -> None:
    fail(admin)
    assert f"Reset {ADDRESS}" in admin.get("/staff/limits").text
    assert "waits" in admin.get("/staff/limits/now").text

    answer = admin.post("/staff/limits/reset", network=ADDRESS)

    assert answer.location == "/staff/limits?done=network"
    assert "may try again at once" in admin.get(answer.location).text
    assert f"Reset {ADDRESS}" not in admin.get("/staff/limits").text
    assert events(admin.services)[-1] == "limits:reset"


def test_the_alarm_ends_when_everything_is_reset(admin: Portal) -> None:
    fail(admin, 301)
    admin.services.limits.watch(at=admin.now)
    assert "Alarm since" in admin.get("/staff/limits").text

    assert admin.post("/staff/limits/reset", all="1").status_code == 303

    page = admin.get("/staff/limits").text
    assert "Alarm since" not in page
    assert all(attempt.is_forgiven for attempt in rows(admin.services, Attempt))


@pytest.mark.parametrize("network", ["", "nonsense", "%00"])
def test_what_is_no_network_is_not_reset(admin: Portal, network: str) -> None:
    fail(admin, 1)

    assert admin.post("/staff/limits/reset", network=network).status_code == 404
    assert not any(attempt.is_forgiven for attempt in rows(admin.services, Attempt))


def test_an_account_that_waits_is_let_in_again(admin: Portal) -> None:
    admin.services.staff.add(
        login="ben", name="Ben", roles=[Role.DESK], password=PASSWORD, at=admin.now, actor="test"
    )
    admin.services.session.commit()
    for _number in range(4):
        admin.post("/staff/sign-in", login="ben", password="wrong wrong wrong")
    assert "Reset ben" in admin.get("/staff/limits").text

    answer = admin.post("/staff/limits/reset", account="ben")

    assert "may try to sign in at once" in admin.get(answer.location).text
    assert "Reset ben" not in admin.get("/staff/limits").text
    assert [one.failures for one in rows(admin.services, Staff) if one.login == "ben"] == [0]
    assert admin.post("/staff/limits/reset", account="nobody").status_code == 404


def test_a_locked_code_stands_with_its_patient_and_the_way_to_unlock_it(admin: Portal) -> None:
    grant = admin.services.session.merge(admin.paper.grant)
    change_grant(admin.services, grant, failures=10, failures_in_life=12)

    page = admin.get("/staff/limits").text

    assert "1 locked" in page
    assert "10 in a row, 12 in all" in page
    assert f"/staff/grant/{grant.ref}/unlock" in page


@pytest.mark.parametrize("gate", ["open", "unreachable", "unknown"])
def test_an_archive_whose_gate_is_not_closed_stands_out(admin: Portal, gate: str) -> None:
    (archive,) = rows(admin.services, Archive)
    archive.gate_state = gate
    admin.services.session.commit()

    page = admin.get("/staff/limits").text

    assert {"open": "gate open", "unreachable": "not reached", "unknown": "not known yet"}[gate] in page


def test_a_trail_without_its_ends_is_said(admin: Portal) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_chain"))

    assert "The trail has lost its ends." in admin.get("/staff/limits/now").text
