"""What a share token may do where Orthanc's Authorization plugin stands, with Studykey's gate as guard beside it.

Token state × method × what is asked: the specification. A real Orthanc, real requests; a small filter asks
``/tokens/validate`` as the plugin does. After every refused write the study is byte for byte what it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from app.demo import studies
from app.domain.share_links import LinkType
from app.models import Grant
from app.services.share_tokens import Resource
from tests.support.clinic import SERVICE, Clinic, eventually
from tests.support.databases import Databases

pytestmark = pytest.mark.no_database

MINE = studies.study(patient_name="Guard^Gerd", patient_id="DEMO-U1", slices=2)
OTHER = studies.study(patient_name="Guard^Gisela", patient_id="DEMO-U2", slices=2)
DOUBLE = Path(__file__).parents[1] / "support" / "plugin_double.py"

READS = [
    "/studies/{id}",
    "/studies/{id}/archive",
    "/series/{series}",
    "/instances/{instance}/preview",
    "/instances/{instance}/file",
    "/dicom-web/studies/{uid}/metadata",
    "/dicom-web/studies/{uid}/series",
]
WRITES = [
    ("DELETE", "/studies/{id}"),
    ("DELETE", "/series/{series}"),
    ("DELETE", "/instances/{instance}"),
    ("PUT", "/studies/{id}/metadata/1024"),
    ("DELETE", "/studies/{id}/metadata/1024"),
    ("PUT", "/studies/{id}/labels/x"),
    ("POST", "/studies/{id}/modify"),
    ("POST", "/studies/{id}/anonymize"),
    ("POST", "/studies/{id}/reconstruct"),
    ("POST", "/studies/{id}/archive"),
    ("POST", "/studies/{id}/merge"),
    ("POST", "/series/{series}/modify"),
    ("POST", "/instances/{instance}/modify"),
    ("POST", "/studies/{id}?_method=DELETE"),
    ("POST", "/dicom-web/studies/{uid}"),
    ("POST", "/dicom-web/studies"),
    ("POST", "/instances"),
    ("POST", "/tools/find"),
    ("POST", "/tools/lookup"),
]
CARRIED = {
    "token header": lambda token: {"token": token},
    "bearer": lambda token: {"Authorization": f"Bearer {token}"},
    "bare": lambda token: {"Authorization": token},
}


@dataclass
class Stage:
    clinic: Clinic
    names: dict[str, dict[str, str]]
    tokens: dict[str, str]

    def ask(self, method: str, path: str, which: str = "mine", **headers: str) -> int:
        address = self.clinic.orthanc.url + path.format(**self.names[which])
        return requests.request(
            method, address, headers=headers, data=b"{}" if method in ("POST", "PUT") else None, timeout=20
        ).status_code

    def digest(self) -> str:
        """Every byte of both studies' files, and what Orthanc says of them."""
        digest = hashlib.sha256()
        for names in self.names.values():
            for instance in self.clinic.as_studykey(f"/studies/{names['id']}/instances").json():
                digest.update(self.clinic.as_studykey(f"/instances/{instance['ID']}/file").content)
            digest.update(self.clinic.as_studykey(f"/studies/{names['id']}/metadata?expand").content)
        digest.update(self.clinic.as_studykey("/statistics").content)
        return digest.hexdigest()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Stage]:
    with databases.fresh() as url:
        clinic = Clinic(tmp_path_factory.mktemp("guard"), url, gate_mode="guard", gate_script=DOUBLE)
        try:
            clinic.orthanc.start()
            clinic.start_studykey("internal", "follower")
            clinic.receive_all(MINE, OTHER)
            names = {
                "mine": _names(clinic, MINE.study_instance_uid),
                "other": _names(clinic, OTHER.study_instance_uid),
            }
            yield Stage(clinic, names, _tokens(clinic, names["mine"]))
        finally:
            clinic.close()


def _names(clinic: Clinic, uid: str) -> dict[str, str]:
    with clinic.services() as services:
        (study,) = services.orthancs["main"].studies_with_uid(uid)
    series = clinic.as_studykey(f"/studies/{study}/series").json()[0]
    return {"uid": uid, "id": study, "series": series["ID"], "instance": series["Instances"][0]}


def _tokens(clinic: Clinic, names: dict[str, str]) -> dict[str, str]:
    made = {}
    with clinic.services() as services:
        at = services.clock()
        services.rules.set({"direct_links": LinkType.STONE}, at=at, actor="test")
        services.session.commit()
        for state in ("live", "revoked", "expired"):
            link = services.share_tokens.make(
                "main",
                LinkType.STONE,
                [Resource(names["id"], names["uid"])],
                seconds=1 if state == "expired" else 3600,
                expires_at=None,
                label=state,
                at=at,
            )
            services.session.commit()
            made[state] = link.token
            if state == "revoked":
                newest = services.session.scalars(select(Grant.ref).order_by(Grant.id.desc())).first()
                grant = services.grants.by_ref(newest or "")
                assert grant is not None
                services.grants.revoke(grant, at=at, actor="test")
                services.session.commit()
    return made


@pytest.mark.parametrize("path", READS)
def test_a_live_token_reads_its_study_however_it_is_carried(stage: Stage, path: str) -> None:
    for carry in CARRIED.values():
        assert stage.ask("GET", path, **carry(stage.tokens["live"])) == 200
        assert stage.ask("GET", path, "other", **carry(stage.tokens["live"])) == 403
    eventually(lambda: stage.ask("GET", path, token=stage.tokens["expired"]) == 403, within=5)
    assert stage.ask("GET", path, token=stage.tokens["revoked"]) == 403
    assert stage.ask("GET", path) == 403


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_no_share_token_changes_anything(stage: Stage, method: str, path: str) -> None:
    before = stage.digest()

    for token in stage.tokens.values():
        for carry in CARRIED.values():
            for which in stage.names:
                assert stage.ask(method, path, which, **carry(token)) == 403

    assert stage.digest() == before


def test_the_sites_own_users_are_not_hindered(stage: Stage) -> None:
    address = f"{stage.clinic.orthanc.url}/studies/{stage.names['mine']['id']}/metadata/1024"

    assert requests.put(address, data=b"x", auth=SERVICE, timeout=10).status_code == 200
    assert requests.delete(address, auth=SERVICE, timeout=10).status_code == 200
