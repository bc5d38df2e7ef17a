"""The internal door on the wire: who may ask, what is answered to anything at all, signals, health."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.config import Settings
from app.models import Study, db
from app.services.grants import Paper
from app.wiring import Services
from tests.conftest import ARCHIVE
from tests.support.clock import Clock
from tests.support.databases import Databases
from tests.support.factories import (
    ADDRESS,
    archive_row,
    change_grant,
    fresh_clinic,
    grants_of,
    study_in,
    visit,
)
from tests.support.fake_orthanc import FakeOrthanc

GATE = (ARCHIVE.gate_username, ARCHIVE.gate_password)
VALIDATE = "/tokens/validate"


@dataclass(frozen=True)
class Door:
    """The internal door, a study that is open in a viewer, and what its gate would ask."""

    client: FlaskClient
    services: Services
    study: Study
    paper: Paper
    body: dict[str, Any]

    def ask(self, **changes: Any) -> TestResponse:
        return self.client.post(VALIDATE, json=self.body | changes, auth=GATE)

    def is_granted(self, **changes: Any) -> bool:
        answer = self.ask(**changes)
        assert answer.status_code == 200
        assert answer.json is not None and set(answer.json) == {"granted", "validity"}
        granted = answer.json["granted"]
        assert isinstance(granted, bool)
        return granted


@pytest.fixture
def door(services: Services, internal_client: FlaskClient) -> Door:
    study, paper = fresh_clinic(services)
    live, _ = visit(services, paper)
    token = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    services.session.refresh(study)
    # As the plugin (0.11) was recorded to send it.
    body = {
        "dicom-uid": study.study_instance_uid,
        "labels": [],
        "level": "study",
        "method": "get",
        "orthanc-id": study.orthanc_id,
        "server-id": None,
        "token-key": "token",
        "token-value": token,
    }
    services.session.commit()
    return Door(internal_client, services, study, paper, body)


def test_the_viewers_request_is_granted_for_five_seconds(door: Door) -> None:
    answer = door.ask()

    assert answer.json == {"granted": True, "validity": 5}
    assert isinstance(answer.json["validity"], int)


@pytest.mark.parametrize("prefix", ["Bearer ", " ", "Bearer  "])
def test_a_bearer_prefix_is_no_part_of_the_token(door: Door, prefix: str) -> None:
    assert door.is_granted(**{"token-value": prefix + door.body["token-value"]})


@pytest.mark.parametrize("level", ["Study", "STUDY"])
def test_the_case_of_level_and_method_does_not_matter(door: Door, level: str) -> None:
    assert door.is_granted(level=level, method="GET")


def test_a_gate_may_ask_for_the_download_permission(door: Door) -> None:
    assert door.is_granted(permission="download")
    change_grant(door.services, door.paper.grant, permissions="view")
    assert not door.is_granted(permission="download")
    assert door.is_granted(permission="view")
    assert door.is_granted()


FOREIGN = [
    "",
    "Bearer ",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "Basic c3R1ZHlrZXk6c2VjcmV0",
    "' OR 1=1 --",
    "\x00\x01",
    "\u202e\u0000é",
    "x" * 50_000,
]


def test_a_foreign_token_is_answered_with_not_granted(door: Door) -> None:
    assert [token[:40] for token in FOREIGN if door.is_granted(**{"token-value": token})] == []


@pytest.mark.parametrize("field", ["level", "method", "token-value"])
def test_a_field_of_the_wrong_type_is_answered_with_not_granted(door: Door, field: str) -> None:
    wrong: list[Any] = [None, 1, True, 1.5, [], ["get"], {}, {"a": 1}, ""]

    assert [value for value in wrong if door.is_granted(**{field: value})] == []


def test_an_id_of_the_wrong_type_is_not_taken_for_an_absent_one(door: Door) -> None:
    wrong: list[Any] = [1, True, 0, False, [], ["1.2.3"], {"a": 1}]

    assert [value for value in wrong if door.is_granted(**{"orthanc-id": value})] == []
    assert [value for value in wrong if door.is_granted(**{"dicom-uid": value})] == []


@pytest.mark.parametrize("absent", ["level", "method", "token-value"])
def test_an_absent_field_is_answered_with_not_granted(door: Door, absent: str) -> None:
    del door.body[absent]
    assert not door.is_granted()


def test_a_request_without_a_token_is_answered_with_not_granted(door: Door) -> None:
    for name in ("token-key", "token-value", "orthanc-id", "dicom-uid"):
        del door.body[name]
    assert not door.is_granted(level="system", uri="/changes")


BODIES = [
    b"",
    b"null",
    b"[]",
    b'"get"',
    b"12",
    b"{",
    b"\xff\xfe",
    b"granted=true",
    b"[" * 60_000,
    b'{"a":' * 12_000,
    b'{"level":"study","level":"study"}',
]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_any_body_at_all_is_answered_with_not_granted(door: Door, content_type: str | None) -> None:
    for body in BODIES:
        answer = door.client.post(VALIDATE, data=body, content_type=content_type, auth=GATE)

        assert (answer.status_code, answer.json) == (200, {"granted": False, "validity": 5}), body[:40]


def test_unknown_fields_are_ignored(door: Door) -> None:
    assert door.is_granted(labels=["album-7"], **{"server-id": "x", "granted": True, "future": {"a": [1]}})


def test_the_answer_follows_a_revocation_at_once(door: Door) -> None:
    assert door.is_granted()
    change_grant(door.services, door.paper.grant, revoked_at=door.services.clock())
    assert not door.is_granted()


def test_when_the_database_fails_nothing_is_granted_and_nothing_is_told(door: Door) -> None:
    door.services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE viewer_token RENAME TO gone"))

    answer = door.ask()

    assert (answer.status_code, answer.json) == (503, {"error": "Service Unavailable"})


# Who may ask.

BASIC = [
    None,
    ("main", "wrong"),
    ("main", ""),
    ("", ""),
    ("", ARCHIVE.gate_password),
    ("other", ARCHIVE.gate_password),
    ("MAIN", ARCHIVE.gate_password),
    (ARCHIVE.username, ARCHIVE.password),  # Studykey's own user in Orthanc is nobody here
]


@pytest.mark.parametrize("path", [VALIDATE, "/signals/stable-study", "/signals/ambiguous-study"])
def test_whoever_is_not_a_gate_is_sent_away(door: Door, path: str) -> None:
    for auth in BASIC:
        answer = door.client.post(path, json=door.body, auth=auth)

        assert answer.status_code == 401, auth
        assert answer.headers["WWW-Authenticate"].lower().startswith("basic")


def test_a_broken_authorization_header_is_sent_away(door: Door) -> None:
    half = base64.b64encode(b"main").decode()
    for header in ("Basic", "Basic !!!", f"Basic {half}", "Bearer x", "Basic /////w==", "\xe9"):
        answer = door.client.post(VALIDATE, json=door.body, headers={"Authorization": header})

        assert answer.status_code == 401, header


class TestAnArchiveWithoutAGatePassword:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        from dataclasses import replace

        return settings.with_(archives=(replace(ARCHIVE, gate_password=""),))

    def test_an_empty_password_opens_nothing(self, door: Door) -> None:
        assert door.client.post(VALIDATE, json=door.body, auth=("main", "")).status_code == 401


class TestTwoArchives:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        from dataclasses import replace

        second = replace(ARCHIVE, name="second", gate_username="second", gate_password="another-gate-secret")
        return settings.with_(archives=(ARCHIVE, second))

    def test_a_token_of_one_archive_opens_nothing_in_the_other(self, door: Door) -> None:
        answer = door.client.post(VALIDATE, json=door.body, auth=("second", "another-gate-secret"))

        assert answer.json == {"granted": False, "validity": 5}

    def test_one_gates_password_does_not_serve_the_other(self, door: Door) -> None:
        assert door.client.post(VALIDATE, json=door.body, auth=("second", GATE[1])).status_code == 401


def test_an_oversized_body_is_refused(door: Door) -> None:
    answer = door.client.post(VALIDATE, data=b"x" * 70_000, content_type="application/json", auth=GATE)

    assert answer.status_code in (200, 413)
    assert not (answer.json or {}).get("granted")


def test_the_internal_door_shows_no_page(door: Door) -> None:
    for path in ("/", "/study/1", "/staff/", "/static/style.css", "/tokens", "/auth/tokens"):
        answer = door.client.get(path)

        assert (answer.status_code, answer.json) == (404, {"error": "Not Found"}), path


def test_the_internal_door_sets_no_cookie(door: Door) -> None:
    assert "Set-Cookie" not in door.ask().headers


# Signals and health.


def test_a_signal_nudges_the_follower_and_nothing_in_its_body_is_believed(door: Door, clock: Clock) -> None:
    clock.forward(seconds=5)
    answer = door.client.post(
        "/signals/stable-study", data=b"\xff not json", content_type="application/json", auth=GATE
    )

    assert answer.status_code == 204
    assert archive_row(door.services).nudged_at == clock.now
    assert len(grants_of(door.services, door.study.id)) == 1


def test_the_gates_word_of_an_ambiguous_uid_closes_the_study(door: Door) -> None:
    uid = door.body["dicom-uid"]
    answer = door.client.post("/signals/ambiguous-study", json={"study-instance-uid": uid}, auth=GATE)

    assert answer.status_code == 204
    assert grants_of(door.services, door.study.id)[0].suspended_at is not None
    assert not door.is_granted()


def test_a_signal_about_no_study_of_ours_changes_nothing(door: Door) -> None:
    told: list[Any] = [None, [], "1.2.3", {}]
    told += [{"study-instance-uid": uid} for uid in (None, ["1.2.3"], "' OR 1=1", "9.9.9")]
    for body in told:
        answer = door.client.post("/signals/ambiguous-study", json=body, auth=GATE)

        assert answer.status_code == 204, body
    assert door.is_granted()


def test_health_is_well_while_the_gate_is_closed_and_names_nobody(door: Door) -> None:
    answer = door.client.get("/health")

    assert answer.status_code == 200
    assert answer.json is not None and answer.json["status"] == "ok"
    assert answer.json["archives"]["main"]["gate"] == "guarded"
    for secret in ("Muster", door.body["dicom-uid"], door.body["orthanc-id"]):
        assert secret not in answer.text


def test_health_is_an_alarm_while_a_gate_is_open(door: Door) -> None:
    fake = door.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    fake.is_open = True
    door.services.archives.probe("main", at=door.services.clock())

    answer = door.client.get("/health")

    assert (answer.status_code, answer.json["status"]) == (503, "alarm")  # type: ignore[index]


def test_health_tells_of_an_audit_trail_that_somebody_changed(door: Door) -> None:
    told = door.client.get("/health").json
    assert told is not None and told["audit"] == {"alarm": False}

    door.services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE audit_chain SET last_id = last_id - 1"))

    answer = door.client.get("/health")
    assert answer.json is not None and answer.json["audit"] == {"alarm": True}
    # Somebody who changed a row doesn't take the clinic out of service with it.
    assert (answer.status_code, answer.json["status"]) == (200, "ok")


def test_health_tells_of_an_audit_trail_that_has_lost_its_ends(door: Door) -> None:
    door.services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_chain"))

    answer = door.client.get("/health")
    assert answer.json is not None and answer.json["audit"] == {"alarm": True}


def test_health_says_so_when_the_database_does_not_answer(door: Door) -> None:
    door.services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE archive RENAME TO gone"))

    assert door.client.get("/health").status_code == 503


def test_another_studys_ids_are_not_granted(door: Door) -> None:
    other = study_in(door.services)
    door.services.session.refresh(other)

    assert not door.is_granted(**{"orthanc-id": other.orthanc_id})
    assert not door.is_granted(**{"dicom-uid": other.study_instance_uid})
    assert not door.is_granted(**{"orthanc-id": other.orthanc_id, "dicom-uid": other.study_instance_uid})


def test_orthanc_explorer_is_told_the_roles_and_can_t_change_them(internal_client: FlaskClient) -> None:
    told = internal_client.get("/settings/roles", auth=GATE).json
    assert told is not None

    assert told["roles"]["device"] == {"permissions": ["upload"], "authorized-labels": ["*"]}
    assert "delete" in told["roles"]["admin"]["permissions"]
    assert not [
        name for name, role in told["roles"].items() if "delete" in role["permissions"] and name != "admin"
    ]
    same = internal_client.put("/settings/roles", json=told | {"server-id": None}, auth=GATE)
    assert (same.status_code, same.json) == (200, None)

    told["roles"]["viewer"]["permissions"].append("delete")
    assert internal_client.put("/settings/roles", json=told, auth=GATE).status_code == 400
    assert internal_client.get("/settings/roles").status_code == 401


class TestServerId:
    """What an archive's plugin calls itself, where the settings name it."""

    @pytest.fixture
    def settings(self, base_settings: Settings, databases: Databases) -> Iterator[Settings]:
        with databases.fresh() as url:
            archives = (replace(ARCHIVE, server_id="hospital"),)
            yield base_settings.with_(database_url=url, archives=archives)

    def test_it_has_to_be_the_one_whose_password_was_brought(self, door: Door) -> None:
        assert door.is_granted(**{"server-id": "hospital"})
        assert door.is_granted(**{"server-id": None})
        assert not door.is_granted(**{"server-id": "branch"})
        assert not door.is_granted(**{"server-id": ["hospital"]})


def test_a_server_that_names_itself_is_believed_where_the_settings_name_none(door: Door) -> None:
    assert door.is_granted(**{"server-id": "whatever it calls itself"})
