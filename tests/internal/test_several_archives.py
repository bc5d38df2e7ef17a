"""Several archives at the door of a real server process: each has a user of its own, and what is one's is worth
nothing on another, through every route and by their older names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from app.domain.share_links import LinkType
from tests.support.clinic import GATE, Clinic
from tests.support.databases import Databases
from tests.support.factories import fake_archives, registered, study_in

pytestmark = pytest.mark.no_database

BRANCH = ("branch-gate", "gate-secret-of-the-branch")
ID, UID = "8163b464-1317cc81-c25be14a-e2a5b3c1-94f6cf23", "1.2.826.0.1.1"


class Door:
    """``studies``: one of each archive, and one that was copied from the first to the second."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        with clinic.services() as services:
            fake_archives(services)
            for name in ("main", "branch"):
                registered(services, name)
                study_in(services, name, orthanc_id=ID, study_instance_uid=UID)
            services.rules.set({"direct_links": LinkType.STONE}, at=services.clock(), actor="test")

    def send(self, method: str, path: str, body: Any, auth: tuple[str, str] | None) -> requests.Response:
        return requests.request(method, self.clinic.door + path, json=body, auth=auth, timeout=10)

    def made(self, auth: tuple[str, str], *, more: dict[str, Any] | None = None) -> Any:
        resource = {"dicom-uid": UID, "orthanc-id": ID, "level": "study"}
        body = {"resources": [resource], "type": LinkType.STONE, "validity-duration": 3600, **(more or {})}
        return self.send("PUT", f"/tokens/{LinkType.STONE}", body, auth)

    def asked(
        self,
        token: str,
        auth: tuple[str, str] | None,
        *,
        path: str = "/tokens/validate",
        more: dict[str, Any] | None = None,
    ) -> Any:
        body = {
            "dicom-uid": UID, "orthanc-id": ID, "level": "study", "method": "get", "server-id": None,
            "token-key": "token", "token-value": token, **(more or {}),
        }  # fmt: skip
        answer = self.send("POST", path, body, auth)
        return answer.json()["granted"] if answer.status_code == 200 else answer.status_code


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Door]:
    with databases.fresh() as url:
        clinic = Clinic(
            tmp_path_factory.mktemp("archives"),
            url,
            gate=False,
            STUDYKEY_ARCHIVES="main,branch",
            STUDYKEY_ARCHIVE_BRANCH_URL="http://127.0.0.1:9",
            STUDYKEY_ARCHIVE_BRANCH_PUBLIC_URL="https://branch.example.org/orthanc",
            STUDYKEY_ARCHIVE_BRANCH_GATE_USERNAME=BRANCH[0],
            STUDYKEY_ARCHIVE_BRANCH_GATE_PASSWORD=BRANCH[1],
            STUDYKEY_ARCHIVE_BRANCH_SERVER_ID="branch-orthanc",
        )
        running = Door(clinic)
        clinic.start_studykey("internal")
        try:
            yield running
        finally:
            clinic.close()


@pytest.mark.parametrize(("mine", "others"), [(GATE, BRANCH), (BRANCH, GATE)], ids=["main", "branch"])
def test_a_token_of_one_archive_is_worth_nothing_on_another(
    door: Door, mine: tuple[str, str], others: tuple[str, str]
) -> None:
    """Though the same study, with the same ids, is in both."""
    token = door.made(mine).json()["token"]

    assert door.asked(token, mine) is True
    assert door.asked(token, others) is False
    assert door.asked(token, others, more={"dicom-uid": None}) is False
    decoded = [
        door.send("POST", "/tokens/decode", {"token-value": token}, auth).json() for auth in (mine, others)
    ]
    assert [one["orthanc-id"] for one in decoded[0]["resources"]] == [ID]
    assert (decoded[1]["error-code"], decoded[1]["resources"], decoded[1]["redirect-url"]) == (
        "invalid",
        [],
        None,
    )


def test_a_link_leads_to_the_public_address_of_its_own_archive(door: Door) -> None:
    assert door.made(BRANCH).json()["url"].startswith("https://branch.example.org/orthanc/stone-webviewer/")
    assert door.made(GATE).json()["url"].startswith(door.clinic.orthanc.url + "/stone-webviewer/")


@pytest.mark.parametrize(
    "auth",
    [None, (GATE[0], BRANCH[1]), (BRANCH[0], GATE[1]), ("branch", BRANCH[1]), (BRANCH[0], ""), ("", "")],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/tokens/validate"),
        ("POST", "/shares/validate"),
        ("POST", "/tokens/decode"),
        ("PUT", f"/tokens/{LinkType.STONE}"),
        ("PUT", "/shares"),
        ("POST", "/user/get-profile"),
        ("GET", "/settings/roles"),
        ("PUT", "/settings/roles"),
        ("GET", "/emails/templates"),
        ("POST", "/emails/send"),
    ],
)
def test_one_archives_password_serves_no_other(
    door: Door, method: str, path: str, auth: tuple[str, str] | None
) -> None:
    assert door.send(method, path, {}, auth).status_code == 401


@pytest.mark.parametrize(
    ("named", "counts"), [(None, True), ("branch-orthanc", True), ("main", False), ("", False)]
)
def test_a_server_that_names_itself_has_to_be_the_one_whose_password_it_brings(
    door: Door, named: str | None, counts: bool
) -> None:
    token = door.made(BRANCH).json()["token"]

    assert door.asked(token, BRANCH, more={"server-id": named}) is counts
    assert (door.made(BRANCH, more={"server-id": named}).status_code == 200) is counts


@pytest.mark.parametrize("path", ["/shares/validate", "/auth/validate"])
def test_a_set_up_with_the_older_names_works_alone(door: Door, path: str) -> None:
    """``WebService`` or ``WebServiceTokenValidationUrl`` alone, and shares made by ``PUT /shares``."""
    older = {"dicom-uid": UID, "orthanc-id": ID, "resources": None, "id": "Dr Muster"}
    body = {name: value for name, value in {**older, "type": LinkType.STONE}.items() if value is not None}
    made = door.send("PUT", "/shares", body | {"expiration_date": "2099-01-01T00:00:00"}, GATE)
    assert made.status_code == 200

    token = made.json()["token"]
    assert door.asked(token, GATE, path=path) is True
    assert door.asked(token, GATE, path=path, more={"method": "put"}) is False
    assert door.asked(token, BRANCH, path=path) is False
    assert door.asked("junk", GATE, path=path) is False
    assert door.asked(token, None, path=path) == 401
