"""``POST /user/get-profile`` on the wire, as Orthanc's Authorization plugin sends it, and as anybody might."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.domain.staff import Role
from app.models import AuditEvent, db
from app.services.staff_sessions import SignedIn
from app.wiring import Services
from tests.conftest import ARCHIVE
from tests.internal.test_internal_door import BASIC, BODIES, FOREIGN, GATE
from tests.support.factories import ADDRESS, fresh_clinic, rows, visit
from tests.support.people import PASSWORD, account, found, sign_in

PROFILE = "/user/get-profile"
ANONYMOUS = {"name": "", "user-id": None, "permissions": [], "authorized-labels": [], "validity": 5}
ADMIN = [
    "admin-permissions", "anonymize", "audit-logs", "delete", "download", "edit-labels", "modify",
    "q-r-remote-modalities", "send", "settings", "share", "upload", "view", "all",
]  # fmt: skip


@pytest.fixture
def client(internal_client: FlaskClient) -> FlaskClient:
    return internal_client


def ask(client: FlaskClient, value: Any, key: str = "token", **more: Any) -> TestResponse:
    body = {"server-id": None, "token-key": key, "token-value": value, **more}
    return client.post(PROFILE, json=body, auth=GATE)


def token_of(services: Services, login: str, *roles: Role) -> str:
    account(services, login, *roles)
    key = sign_in(services, login)
    one = found(services, key)
    assert isinstance(one, SignedIn)
    return services.staff_tokens.issue(one.session, may_change=True, at=services.clock())


def device_token(services: Services) -> str:
    device = account(services, "ct1", Role.DEVICE)
    return services.staff_tokens.make(device, at=services.clock(), actor="x")


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def test_an_admin_is_told_everything_in_the_plugins_names(services: Services, client: FlaskClient) -> None:
    answer = ask(client, token_of(services, "boss", Role.ADMIN))

    assert answer.json == {
        "name": "Dr Boss Haus",
        "user-id": "boss",
        "permissions": ADMIN,
        "authorized-labels": ["*"],
        "validity": 5,
    }
    assert isinstance(answer.json["validity"], int)


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        (Role.RADIOLOGIST, ["anonymize", "download", "edit-labels", "modify", "q-r-remote-modalities", "send", "share",
                            "upload", "view"]),
        (Role.DESK, ["share", "view"]),
        (Role.VIEWER, ["view"]),
    ],
)  # fmt: skip
def test_others_are_told_what_their_role_allows(
    services: Services, client: FlaskClient, role: Role, permissions: list[str]
) -> None:
    told = ask(client, token_of(services, "anna", role)).json
    assert told is not None and told["permissions"] == permissions


def test_a_device_by_token_or_password_may_upload(services: Services, client: FlaskClient) -> None:
    for value in (
        device_token(services),
        basic("ct1", PASSWORD),
        basic("ct1", PASSWORD).replace("B", "b", 1),
    ):
        told = ask(client, value, "Authorization").json
        assert told is not None and (told["user-id"], told["permissions"]) == ("ct1", ["upload"])


@pytest.mark.parametrize("prefix", ["Bearer ", "Bearer  ", " "])
def test_a_bearer_prefix_is_no_part_of_the_token(
    services: Services, client: FlaskClient, prefix: str
) -> None:
    told = ask(client, prefix + token_of(services, "anna", Role.VIEWER), "Authorization").json
    assert told is not None and told["user-id"] == "anna"


def test_a_patients_viewer_token_is_anonymous_here(services: Services, client: FlaskClient) -> None:
    _, paper = fresh_clinic(services)
    live, _ = visit(services, paper)
    token = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    for value in (token, f"staff~{token}", f"device~{token}"):
        assert ask(client, value).json == ANONYMOUS


def test_an_accounts_token_is_no_viewer_token(services: Services, client: FlaskClient) -> None:
    study, _ = fresh_clinic(services)
    body = {"level": "study", "method": "get", "orthanc-id": study.orthanc_id}
    for token in (token_of(services, "boss", Role.ADMIN), device_token(services)):
        for value in (token, token.partition("~")[2]):
            answer = client.post("/tokens/validate", json={**body, "token-value": value}, auth=GATE)
            assert answer.json == {"granted": False, "validity": 5}


def test_people_never_come_by_password_whoever_they_are(services: Services, client: FlaskClient) -> None:
    account(services, "boss", Role.ADMIN)
    assert ask(client, basic("boss", PASSWORD), "Authorization").json == ANONYMOUS


JUNK: list[Any] = [
    *FOREIGN, None, 0, 1, True, [], ["x"], {}, {"a": 1}, "Basic", "Basic ", "Basic !!!", "Basic Og==", "Basic eA==",
    "Basic /////w==", basic("", ""), basic("\0", "\0"), basic("ct1", ""), basic("ct1", "x" * 5000), "Bearer Basic Og==",
    "staff~", "device~.", "staff~x.y",
]  # fmt: skip


def test_whatever_else_is_sent_is_anonymous(services: Services, client: FlaskClient) -> None:
    account(services, "ct1", Role.DEVICE)
    for value in JUNK:
        answer = ask(client, value, "Authorization")
        assert (answer.status_code, answer.json) == (200, ANONYMOUS), str(value)[:40]


@pytest.mark.parametrize("content_type", ["application/json", None])
def test_any_body_at_all_is_anonymous(client: FlaskClient, content_type: str | None) -> None:
    for body in BODIES:
        answer = client.post(PROFILE, data=body, content_type=content_type, auth=GATE)
        assert (answer.status_code, answer.json) == (200, ANONYMOUS), body[:40]


def test_an_empty_token_is_anonymous_as_the_plugin_was_seen_to_send_it(client: FlaskClient) -> None:
    for key in ("", "Authorization", "token"):
        assert ask(client, "", key).json == ANONYMOUS
    assert client.post(PROFILE, json={"server-id": None}, auth=GATE).json == ANONYMOUS


def test_a_name_can_be_looked_up_for_orthancs_records_and_opens_nothing(
    services: Services, client: FlaskClient
) -> None:
    account(services, "boss", Role.ADMIN)
    answer = client.post(PROFILE, json={"user-id": "boss", "server-id": None}, auth=GATE)
    assert answer.json == ANONYMOUS | {"name": "Dr Boss Haus", "user-id": "boss"}
    for nobody in ("nobody", "", "\0", "BOSS"):
        answer = client.post(PROFILE, json={"user-id": nobody, "server-id": None}, auth=GATE)
        assert (answer.status_code, answer.mimetype, answer.json) == (200, "application/json", None)


def test_a_look_up_beside_a_token_is_no_look_up(services: Services, client: FlaskClient) -> None:
    account(services, "boss", Role.ADMIN)
    assert ask(client, "junk", **{"user-id": "boss"}).json == ANONYMOUS


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("203.0.113.9", "203.0.113.9"), ("2001:DB8::1", "2001:db8::1"), ("<b>", ""), (None, ""), (7, "")],
)
def test_a_wrong_password_is_on_record_with_the_gates_word_where_from(
    services: Services, client: FlaskClient, sent: Any, kept: str
) -> None:
    account(services, "ct1", Role.DEVICE)
    ask(client, basic("ct1", "wrong"), "Authorization", address=sent)
    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.actor, row.address or "") == ("staff:refused", "staff:ct1", kept)


def test_whoever_is_not_a_gate_is_sent_away(client: FlaskClient) -> None:
    for auth in BASIC:
        assert client.post(PROFILE, json={}, auth=auth).status_code == 401, auth


def test_when_the_database_fails_nobody_is_anybody(services: Services, client: FlaskClient) -> None:
    token = device_token(services)
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE staff RENAME TO gone"))
    for value in (token, basic("ct1", PASSWORD)):
        answer = ask(client, value)
        assert (answer.status_code, answer.json) == (503, {"error": "Service Unavailable"})


@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "", ARCHIVE.url.rstrip("/")])
@pytest.mark.parametrize(
    "path", [PROFILE, "/tokens/validate", "/signals/stable-study", "/health", "/nothing"]
)
def test_no_website_calls_at_this_door(client: FlaskClient, path: str, origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.open(path, method=method, json={}, auth=GATE, headers={"Origin": origin})
        assert (answer.status_code, answer.json) == (403, {"error": "Forbidden"})


class TestWithAnAllowedWebsite:
    @pytest.fixture
    def settings(self, settings):  # type: ignore[no-untyped-def]
        return settings.with_(allowed_origins=("https://*.example.org",))

    def test_it_may_call(self, client: FlaskClient) -> None:
        assert client.get("/health", headers={"Origin": "https://a.example.org"}).status_code == 200
        assert client.get("/health", headers={"Origin": "https://example.org"}).status_code == 403
