"""Orthanc Explorer in one click: by a form alone, on record first, with a token that fits the role and the archive."""

from __future__ import annotations

from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from app.config import Settings
from app.domain.staff import ORTHANC, RUNNING, Act, Role, acts_of
from app.models import AuditEvent, StaffToken
from app.services.profiles import NOBODY, Profile
from tests.conftest import ARCHIVE
from tests.support.factories import rows
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal
from tests.web.test_staff_study import page_of, signed_in

EXPLORER = "/staff/explorer/main"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The archive has Orthanc Explorer 2."""
    return settings.with_(archives=(replace(ARCHIVE, explorer=True),))


def token_in(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return answer.location.partition("?token=")[2].partition("#")[0]


def profile(portal: Portal, token: str, archive: str = "main") -> Profile:
    return portal.services.profiles.of_token(token, archive=archive, at=portal.services.clock())


def explored(portal: Portal) -> list[AuditEvent]:
    return [row for row in rows(portal.services, AuditEvent) if row.event == "staff:explored"]


def test_one_click_leads_to_the_archives_explorer_and_is_on_record(portal: Portal) -> None:
    desk = signed_in(portal, Role.RADIOLOGIST)

    answer = desk.post(EXPLORER)

    token = token_in(answer)
    assert answer.location == f"http://127.0.0.1:9/ui/app/?token={token}"
    assert token.startswith("staff~") and len(token) < 100
    (row,) = explored(desk)
    assert (row.actor, row.study_id, row.details) == ("staff:anna", None, {"archive": "main"})
    assert token not in str([row.details for row in rows(desk.services, AuditEvent)])


def test_a_study_opens_there_at_once(portal: Portal) -> None:
    desk = signed_in(portal, Role.RADIOLOGIST)
    assert "This study in Orthanc Explorer" in page_of(desk)

    answer = desk.post(EXPLORER, study=str(desk.study_id))

    where = answer.location.partition("#")[2]
    assert where == f"/filtered-studies?StudyInstanceUID={desk.uid}&expand=study"
    assert explored(desk)[0].study_id == desk.study_id
    assert "Orthanc Explorer of the archive" in page_of(desk)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.RADIOLOGIST, Role.DESK, Role.VIEWER])
def test_the_token_is_worth_what_the_role_may_but_runs_nothing(portal: Portal, role: Role) -> None:
    token = token_in(signed_in(portal, role).post(EXPLORER))

    told = profile(portal, token)

    assert told.acts == acts_of([role]) & ORTHANC - RUNNING
    assert not told.is_unlimited
    changes = told.acts - {Act.VIEW, Act.DOWNLOAD}
    assert bool(changes) is (role is not Role.VIEWER)


def test_a_token_that_may_change_is_worth_nothing_in_another_archive(portal: Portal) -> None:
    token = token_in(signed_in(portal, Role.RADIOLOGIST).post(EXPLORER))

    assert profile(portal, token).login == "anna"
    assert profile(portal, token, archive="other") is NOBODY
    assert profile(portal, token, archive="") is NOBODY


def test_the_token_dies_with_the_session_and_after_an_hour(portal: Portal, clock) -> None:  # type: ignore[no-untyped-def]
    desk = signed_in(portal, Role.RADIOLOGIST)
    first, second = token_in(desk.post(EXPLORER)), ""
    for _ in range(12):  # in use all the time: nothing locks
        clock.forward(minutes=5)
        second = second or token_in(desk.post(EXPLORER))
        desk.get("/staff/")
    assert profile(portal, first) is NOBODY
    assert profile(portal, second).login == "anna"

    desk.post("/staff/sign-out")

    assert profile(portal, second) is NOBODY


def test_a_locked_page_stops_its_token_until_the_password(portal: Portal) -> None:
    desk = signed_in(portal, Role.RADIOLOGIST)
    token = token_in(desk.post(EXPLORER))

    desk.post("/staff/lock")

    assert profile(portal, token) is NOBODY


def test_a_get_opens_nothing_and_makes_no_token(portal: Portal) -> None:
    desk = signed_in(portal, Role.ADMIN)

    assert desk.get(EXPLORER).status_code == 405
    assert rows(portal.services, StaffToken) == []
    assert explored(desk) == []


@pytest.mark.parametrize("study", ["", "0", "-1", "999999", "99999999999999999999", "x"])
def test_a_study_that_there_is_not_is_not_found(portal: Portal, study: str) -> None:
    desk = signed_in(portal, Role.RADIOLOGIST)

    assert desk.post(EXPLORER, study=study).status_code == 404
    assert rows(portal.services, StaffToken) == []


def test_an_archive_that_is_not_set_up_for_it_does_not_exist(portal: Portal) -> None:
    desk = signed_in(portal, Role.ADMIN)

    assert desk.post("/staff/explorer/other").status_code == 404
    assert "Orthanc Explorer" in desk.get("/staff/").text


def test_an_archive_without_a_working_gate_gets_no_token(portal: Portal, orthanc: FakeOrthanc) -> None:
    desk = signed_in(portal, Role.ADMIN)
    orthanc.is_open = True
    desk.services.archives.probe("main", at=desk.now)

    answer = desk.post(EXPLORER)

    assert answer.status_code == 503
    assert "gate isn&#39;t working" in answer.text
    assert rows(portal.services, StaffToken) == [] and explored(desk) == []


def test_the_form_may_lead_to_the_archive(portal: Portal) -> None:
    policy = signed_in(portal, Role.ADMIN).get("/staff/").headers["Content-Security-Policy"]

    assert "form-action 'self' http://127.0.0.1:9;" in policy
