"""The recorded requests of Orthanc's Authorization plugin, answered by a real server process.

Chunked bodies without a length, ``Bearer `` prefixes, absent fields, empty and foreign tokens: as they came.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.domain.share_links import PUBLICATIONS, LinkType
from tests.support.clinic import GATE, Clinic
from tests.support.databases import Databases
from tests.support.factories import fake_archives, registered, study_in

pytestmark = pytest.mark.no_database

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "contract" / "authorization-plugin-requests.jsonl")
    .read_text()
    .splitlines()
]
SHARED, OTHER = (
    next(one["body"] for one in RECORDED if one["body"].get("method") == "get"),
    next(one["body"] for one in RECORDED if one["body"].get("method") == "put"),
)


@dataclass
class Door:
    """The internal door of a running Studykey that knows the two recorded studies."""

    clinic: Clinic
    token: str = ""

    def send(self, request: dict[str, Any], *, secret: str | None = GATE[1]) -> tuple[int, Any]:
        """As the plugin does: chunked, with the headers that were recorded."""
        body = json.dumps(request["body"]).replace("<TOKEN>", self.token).encode()
        headers = {name: value.replace("<TOKEN>", self.token) for name, value in request["headers"].items()}
        if secret is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{GATE[0]}:{secret}".encode()).decode()
        connection = http.client.HTTPConnection(urlsplit(self.clinic.door).netloc, timeout=10)
        connection.request(
            request["method"], request["path"], iter([body[:10], body[10:]]), headers, encode_chunked=True
        )
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        return answer.status, json.loads(told)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Door]:
    with databases.fresh() as url:
        clinic = Clinic(tmp_path_factory.mktemp("door"), url, gate=False)
        with clinic.services() as services:
            fake_archives(services)
            registered(services)
            for ids in (SHARED, OTHER):
                study_in(services, orthanc_id=ids["orthanc-id"], study_instance_uid=ids["dicom-uid"])
            direct = ",".join(PUBLICATIONS)
            services.rules.set({"direct_links": direct}, at=services.clock(), actor="test")
        clinic.start_studykey("internal")
        try:
            yield Door(clinic)
        finally:
            clinic.close()


def made(door: Door, type_: LinkType = LinkType.STONE) -> str:
    request = next(one for one in RECORDED if one["path"] == f"/tokens/{type_}")
    status, answer = door.send(request)
    assert status == 200
    token: str = answer["token"]
    return token


@pytest.mark.parametrize(
    "request_", [one for one in RECORDED if one["method"] == "PUT"], ids=lambda one: one["path"]
)
def test_each_type_of_link_is_made_or_refused_with_a_reason(door: Door, request_: dict[str, Any]) -> None:
    status, answer = door.send(request_)

    if "meddream" in request_["path"]:
        assert status == 400
        assert "MedDream" in answer["error"]
        return
    assert status == 200
    assert answer["request"] == request_["body"]
    assert set(answer["token"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
    if "instant" in request_["path"]:
        assert answer["url"] is None
    else:
        assert answer["url"].endswith(f"token={answer['token']}")


@pytest.mark.parametrize(
    "request_",
    [one for one in RECORDED if one["path"] == "/tokens/validate"],
    ids=lambda one: f"{one['body']['method']} {one['body'].get('token-key')}",
)
def test_the_recorded_questions_get_the_designed_answers(door: Door, request_: dict[str, Any]) -> None:
    door.token = made(door)

    status, answer = door.send(request_)

    body = request_["body"]
    is_granted = "token-value" in body and body["method"] in ("get", "post")
    assert (status, answer) == (200, {"granted": is_granted, "validity": 1})
    assert isinstance(answer["validity"], int)


@pytest.mark.parametrize("request_", [one for one in RECORDED if one["path"] == "/tokens/decode"])
def test_a_live_token_decodes_to_its_study(door: Door, request_: dict[str, Any]) -> None:
    door.token = made(door, LinkType.OHIF)

    status, answer = door.send(request_)

    assert status == 200
    assert answer["token-type"] == "ohif-viewer-publication"
    assert answer["error-code"] is None
    assert answer["redirect-url"].endswith(f"token={door.token}")
    assert answer["resources"] == [
        {"dicom-uid": SHARED["dicom-uid"], "orthanc-id": SHARED["orthanc-id"], "url": None, "level": "study"}
    ]


@pytest.mark.parametrize("token", ["", "Bearer ", "foreign.jwt.token", "Basic Zm9vOmJhcg=="])
@pytest.mark.parametrize("path", ["/tokens/validate", "/tokens/decode"])
def test_foreign_and_empty_tokens_are_answered_and_open_nothing(door: Door, path: str, token: str) -> None:
    request = next(one for one in RECORDED if one["path"] == path and "token-key" in one["body"])
    door.token = token

    status, answer = door.send(request)

    assert status == 200
    assert not answer.get("granted")
    assert not answer.get("resources")


@pytest.mark.parametrize("request_", RECORDED, ids=lambda one: one["path"])
def test_nobody_asks_without_the_archives_password(door: Door, request_: dict[str, Any]) -> None:
    for secret in (None, "wrong"):
        assert door.send(request_, secret=secret)[0] == 401
