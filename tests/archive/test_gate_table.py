"""What a viewer token may do on a real Orthanc with the gate: the table that an auditor reads.

Every row is a real request to a real Orthanc, with a real token that a patient got at the landing page.
``{mine}`` is the patient's own study, ``{other}`` another patient's; ids, series and instances likewise.
After each refused row nothing in Orthanc has changed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import requests

from app.demo import studies
from app.demo.studies import SyntheticStudy
from app.domain.permissions import Permission
from app.models import Study, Visit
from tests.support.clinic import SERVICE, Clinic, Visitor, eventually

pytestmark = pytest.mark.no_database

MINE = studies.study(patient_name="Gate^Greta", patient_id="DEMO-G1", birth_date=date(1970, 5, 6), slices=2)
OTHER = studies.study(patient_name="Gate^Gustav", patient_id="DEMO-G2", birth_date=date(1980, 7, 8), slices=2)

YES, NO = "open", "refused"

# --------------------------------------------------------------------------------------------------------
#   method  path and query                                                        with a token for {mine}
# --------------------------------------------------------------------------------------------------------
TABLE = [
    # Its study, through DICOMweb
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine}", YES),
    ("GET", "/dicom-web/studies?0020000D={mine}&includefield=00081030", YES),
    ("GET", "/dicom-web/series?0020000D={mine}", YES),
    ("GET", "/dicom-web/instances?0020000D={mine}&0020000E={mine_series}&limit=1", YES),
    ("GET", "/dicom-web/studies/{mine}/series", YES),
    ("GET", "/dicom-web/studies/{mine}/metadata", YES),
    ("GET", "/dicom-web/studies/{mine}/series/{mine_series}/metadata", YES),
    ("GET", "/dicom-web/studies/{mine}/series/{mine_series}/instances", YES),
    ("GET", "/dicom-web/studies/{mine}/series/{mine_series}/instances/{mine_instance}", YES),
    ("GET", "/dicom-web/studies/{mine}/series/{mine_series}/instances/{mine_instance}/frames/1", YES),
    ("GET", "/dicom-web/studies/{mine}/series/{mine_series}/instances/{mine_instance}/rendered", YES),
    # … through /wado
    ("GET", "/wado?requestType=WADO&studyUID={mine}&seriesUID={mine_series}&objectUID={mine_instance}", YES),
    # … through the REST API
    ("GET", "/studies/{mine_id}", YES),
    ("GET", "/studies/{mine_id}/series", YES),
    ("GET", "/series/{mine_series_id}", YES),
    ("GET", "/instances/{mine_instance_id}/preview", YES),
    ("GET", "/instances/{mine_instance_id}/tags", YES),
    # … taking it away, which this grant allows
    ("GET", "/studies/{mine_id}/archive", YES),
    ("GET", "/studies/{mine_id}/media", YES),
    ("GET", "/instances/{mine_instance_id}/file", YES),
    ("GET", "/dicom-web/studies/{mine}", YES),
    # Another patient's study, through every path
    ("GET", "/dicom-web/studies?StudyInstanceUID={other}", NO),
    ("GET", "/dicom-web/series?0020000D={other}", NO),
    ("GET", "/dicom-web/studies/{other}", NO),
    ("GET", "/dicom-web/studies/{other}/series", NO),
    ("GET", "/dicom-web/studies/{other}/metadata", NO),
    ("GET", "/dicom-web/studies/{other}/series/{other_series}/instances/{other_instance}", NO),
    (
        "GET",
        "/wado?requestType=WADO&studyUID={other}&seriesUID={other_series}&objectUID={other_instance}",
        NO,
    ),
    ("GET", "/studies/{other_id}", NO),
    ("GET", "/studies/{other_id}/archive", NO),
    ("GET", "/studies/{other_id}/archive?token={token}", NO),
    ("GET", "/series/{other_series_id}", NO),
    ("GET", "/instances/{other_instance_id}", NO),
    ("GET", "/instances/{other_instance_id}/file", NO),
    ("GET", "/instances/{other_instance_id}/preview", NO),
    # Lists, and everything that is not a study
    ("GET", "/studies", NO),
    ("GET", "/studies?expand", NO),
    ("GET", "/series", NO),
    ("GET", "/instances", NO),
    ("GET", "/patients", NO),
    ("GET", "/patients/{mine_patient_id}", NO),
    ("GET", "/patients/{mine_patient_id}/studies", NO),
    ("GET", "/studies/{mine_id}/patient", NO),
    ("GET", "/changes", NO),
    ("GET", "/exports", NO),
    ("GET", "/statistics", NO),
    ("GET", "/system", NO),
    ("GET", "/modalities", NO),
    ("GET", "/peers", NO),
    ("GET", "/jobs", NO),
    ("GET", "/plugins", NO),
    ("GET", "/tools/metrics", NO),
    ("GET", "/tools/now", NO),
    ("GET", "/app/explorer.html", NO),
    ("GET", "/dicom-web/servers", NO),
    ("GET", "/", NO),
    ("GET", "/nothing/here", NO),
    # The keys of a query: twice, listed, empty, encoded, unknown, the other spelling beside the first
    ("GET", "/dicom-web/studies", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine}&StudyInstanceUID={other}", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID={other}&StudyInstanceUID={mine}", "own study only"),
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine}&0020000D={other}", NO),
    ("GET", "/dicom-web/studies?0020000D={other}&StudyInstanceUID={mine}", NO),
    ("GET", "/dicom-web/studies?0020000D={mine}&0020000d={other}", NO),
    ("GET", "/dicom-web/studies?0020,000D={other}&StudyInstanceUID={mine}", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine},{other}", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine}%5C{other}", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID=", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID=*", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine}*", NO),
    ("GET", "/dicom-web/studies?StudyInstanceU%49D={mine}", NO),
    ("GET", "/dicom-web/studies?studyinstanceuid={mine}", NO),
    ("GET", "/dicom-web/studies?PatientID=DEMO-G2", NO),
    ("GET", "/dicom-web/studies?StudyInstanceUID={mine}&PatientID=DEMO-G2", NO),
    ("GET", "/dicom-web/studies?00100020=DEMO-G1", NO),
    ("GET", "/dicom-web/studies/{mine}/series?StudyInstanceUID={other}", NO),
    ("GET", "/wado?requestType=WADO&objectUID={other_instance}", NO),
    ("GET", "/wado?requestType=WADO&studyUID=&objectUID={other_instance}", NO),
    ("GET", "/wado?requestType=WADO&studyUID={mine}&studyUID={other}&objectUID={other_instance}", NO),
    ("GET", "/studies/{mine_id}?_method=DELETE", NO),
    ("GET", "/studies/{mine_id}/../{other_id}", NO),
    ("GET", "/studies/{mine_id}/..%2f{other_id}", NO),
    # An instance of another study under its own study's address
    ("GET", "/dicom-web/studies/{mine}/series/{other_series}/instances/{other_instance}", "not found"),
    ("GET", "/wado?requestType=WADO&studyUID={mine}&objectUID={other_instance}", "not found"),
    # Changing anything
    ("DELETE", "/studies/{mine_id}", NO),
    ("DELETE", "/instances/{mine_instance_id}", NO),
    ("DELETE", "/studies/{other_id}", NO),
    ("PUT", "/studies/{mine_id}/metadata/1024", NO),
    ("PUT", "/studies/{mine_id}/labels/x", NO),
    ("POST", "/studies/{mine_id}/modify", NO),
    ("POST", "/studies/{mine_id}/anonymize", NO),
    ("POST", "/studies/{mine_id}/reconstruct", NO),
    ("POST", "/studies/{mine_id}/archive", NO),
    ("POST", "/studies/{mine_id}?_method=DELETE", NO),
    ("POST", "/instances", NO),
    ("POST", "/dicom-web/studies", NO),
    ("POST", "/tools/find", NO),
    ("POST", "/tools/lookup", NO),
    ("POST", "/tools/execute-script", NO),
    ("POST", "/tools/shutdown", NO),
    ("POST", "/tools/reset", NO),
]


@dataclass
class Stage:
    """Two studies in a real clinic, and a patient who has come in."""

    clinic: Clinic
    visitor: Visitor
    names: dict[str, str]

    def request(self, method: str, path: str, token: str | None = None, **headers: str) -> requests.Response:
        """Send exactly this path: no library tidies it up on the way."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        address = self.clinic.orthanc.url + path.format(**self.names)
        prepared = requests.Request(method, address, headers=headers).prepare()
        prepared.url = address
        with requests.Session() as session:
            session.trust_env = False
            return session.send(prepared, timeout=10, allow_redirects=False)


def _names(clinic: Clinic, study: SyntheticStudy, prefix: str) -> dict[str, str]:
    found = clinic.as_studykey(f"/dicom-web/instances?StudyInstanceUID={study.study_instance_uid}").json()
    with clinic.services() as services:
        (orthanc_id,) = services.orthancs["main"].studies_with_uid(study.study_instance_uid)
    told = clinic.as_studykey(f"/studies/{orthanc_id}").json()
    series = clinic.as_studykey(f"/studies/{orthanc_id}/series").json()[0]
    return {
        prefix: study.study_instance_uid,
        f"{prefix}_series": found[0]["0020000E"]["Value"][0],
        f"{prefix}_instance": found[0]["00080018"]["Value"][0],
        f"{prefix}_id": orthanc_id,
        f"{prefix}_series_id": series["ID"],
        f"{prefix}_instance_id": series["Instances"][0],
        f"{prefix}_patient_id": told["ParentPatient"],
    }


@pytest.fixture(scope="module")
def stage(clinic: Clinic) -> Stage:
    paper, _ = clinic.receive_all(MINE, OTHER)
    visitor = clinic.enter(paper, MINE)
    names = {**_names(clinic, MINE, "mine"), **_names(clinic, OTHER, "other"), "token": visitor.token}
    return Stage(clinic, visitor, names)


def _everything(stage: Stage) -> str:
    """What Orthanc holds of the two studies, byte for byte of its own description."""
    return json.dumps(
        [
            stage.clinic.as_studykey(f"/studies/{stage.names[which]}{part}").text
            for which in ("mine_id", "other_id")
            for part in ("", "/statistics", "/metadata?expand", "/instances")
        ]
    )


@pytest.mark.parametrize(("method", "path", "expected"), TABLE, ids=[f"{m} {p}" for m, p, _ in TABLE])
def test_a_viewer_token_reads_its_own_study_and_nothing_else(
    stage: Stage, method: str, path: str, expected: str
) -> None:
    before = _everything(stage)

    answer = stage.request(method, path, stage.names["token"])

    if expected == YES:
        assert answer.status_code == 200
        assert answer.content
    elif expected == "own study only":
        assert answer.status_code in (200, 403)
        assert stage.names["other"] not in answer.text
    elif expected == "not found":
        assert answer.status_code == 404
    else:
        assert (answer.status_code, answer.content) == (403, b"")
    assert _everything(stage) == before


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/studies/{other_id}", "/studies", "/changes"])
def test_asking_without_a_body_is_refused_as_well(stage: Stage, method: str, path: str) -> None:
    assert stage.request(method, path, stage.names["token"]).status_code == 403


NOBODY = ["/studies/{mine_id}", "/dicom-web/studies?StudyInstanceUID={mine}", "/studies/{mine_id}/archive"]


@pytest.mark.parametrize("path", [*NOBODY, "/studies", "/changes", "/dicom-web/studies", "/system"])
def test_without_a_token_nothing_is_shown(stage: Stage, path: str) -> None:
    assert stage.request("GET", path).status_code == 403


@pytest.mark.parametrize("path", NOBODY)
@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: "B" + token[1:] if token[0] != "B" else "C" + token[1:],
        lambda token: token.partition(".")[0],
        lambda token: token.partition(".")[0] + ".",
        lambda token: "x" * 66,
        lambda token: "eyJhbGciOiJub25lIn0.eyJzdHVkeSI6IioifQ.",
        lambda token: "",
    ],
    ids=["signature changed", "id changed", "unsigned", "empty signature", "junk", "foreign JWT", "empty"],
)
def test_a_forged_token_opens_nothing(stage: Stage, path: str, forge: Callable[[str], str]) -> None:
    assert stage.request("GET", path, forge(stage.names["token"])).status_code == 403


def test_wrong_credentials_of_a_site_user_open_nothing(stage: Stage) -> None:
    for user in (("studykey", "wrong"), ("", ""), ("nobody", "service-secret-of-tests")):
        answer = requests.get(f"{stage.clinic.orthanc.url}/studies", auth=user, timeout=5)
        assert answer.status_code == 403


def _recorded(viewer: str) -> list[dict[str, str]]:
    """What a real viewer was seen to ask."""
    file = Path(__file__).parent.parent / "contract" / f"{viewer}-viewer-requests.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


RECORDED = [*_recorded("stone"), *_recorded("ohif")]


@pytest.mark.parametrize("recorded", RECORDED, ids=[line["path"] for line in RECORDED])
def test_everything_that_the_viewers_ask_passes(stage: Stage, recorded: dict[str, str]) -> None:
    path = recorded["path"]
    names = {
        "study": "mine",
        "series": "mine_series",
        "instance": "mine_instance",
        "patient": "mine_patient_id",
    }
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", stage.names[value])
    path = path.replace("{frame}", "1").replace("{token}", stage.names["token"])
    token = stage.names["token"] if recorded["authorization"] else None

    answer = stage.request(
        "GET", path, token, **({"Accept": recorded["accept"]} if recorded["accept"] else {})
    )

    if path.startswith("/stone-webviewer/"):
        assert answer.status_code == 404  # open, but Debian has no Stone
    elif path == "/system" or "?00100020=" in path:
        assert answer.status_code == 403  # harmless to the viewers
    elif "/bulk/" in path:
        assert answer.status_code in (200, 404)  # passes the gate; this instance holds no document
    else:
        assert answer.status_code == 200


def _visitor(stage: Stage) -> Visitor:
    return stage.clinic.enter(stage.clinic.paper(MINE.study_instance_uid), MINE)


def _opens(stage: Stage, token: str) -> bool:
    return stage.request("GET", "/studies/{mine_id}", token).status_code == 200


def test_after_signing_out_the_token_is_worth_nothing_within_the_validity(stage: Stage) -> None:
    visitor = _visitor(stage)
    assert _opens(stage, visitor.token)

    visitor.post("/done")

    eventually(lambda: not _opens(stage, visitor.token), within=3)


@pytest.mark.parametrize("how", ["idle", "over its limit"])
def test_a_token_ends_with_its_visit(stage: Stage, how: str) -> None:
    visitor = _visitor(stage)
    assert _opens(stage, visitor.token)

    with stage.clinic.services() as services:
        visit = services.session.query(Visit).order_by(Visit.id.desc()).first()
        assert visit is not None
        if how == "idle":
            visit.seen_at -= timedelta(minutes=16)
        else:
            visit.begun_at -= timedelta(minutes=61)

    eventually(lambda: not _opens(stage, visitor.token), within=3)


def test_without_the_download_permission_nothing_can_be_taken_away(stage: Stage) -> None:
    with stage.clinic.services() as services:
        study = services.session.query(Study).filter_by(study_instance_uid=OTHER.study_instance_uid).one()
        paper = services.grants.issue(
            [study],
            at=services.clock(),
            actor="test",
            permissions=Permission.VIEW,
        )
        services.session.commit()
        visitor = stage.clinic.enter(paper, OTHER)

    token = visitor.token
    assert stage.request("GET", "/studies/{other_id}", token).status_code == 200
    assert stage.request("GET", "/instances/{other_instance_id}/preview", token).status_code == 200
    for path in (
        "/studies/{other_id}/archive",
        "/studies/{other_id}/archive?token=" + token,
        "/studies/{other_id}/media",
        "/series/{other_series_id}/archive",
        "/instances/{other_instance_id}/file",
        "/instances/{other_instance_id}/attachments/dicom/data",
        "/dicom-web/studies/{other}",
    ):
        assert stage.request("GET", path, token).status_code == 403


def test_a_revoked_grant_opens_nothing_within_the_validity(stage: Stage) -> None:
    study = studies.study(patient_id="DEMO-G3", label="revoked", slices=1)
    paper = stage.clinic.receive(study)
    visitor = stage.clinic.enter(paper, study)
    path = f"/dicom-web/studies/{study.study_instance_uid}/metadata"
    assert stage.request("GET", path, visitor.token).status_code == 200

    with stage.clinic.services() as services:
        grant = services.grants.by_ref(paper.grant.ref)
        assert grant is not None
        services.grants.revoke(grant, at=services.clock(), actor="test")
    at = time.monotonic()

    eventually(lambda: stage.request("GET", path, visitor.token).status_code == 403, within=3)
    assert time.monotonic() - at < 3


def test_two_patients_under_one_uid_are_refused_and_both_grants_wait_for_staff(stage: Stage) -> None:
    """A patient's ID was corrected at the modality and the study sent again."""
    first = studies.study(patient_id="DEMO-G4", label="twin", slices=1)
    paper = stage.clinic.receive(first)
    visitor = stage.clinic.enter(paper, first)
    path = f"/dicom-web/studies/{first.study_instance_uid}/series"
    assert stage.request("GET", path, visitor.token).status_code == 200

    second = studies.study(
        patient_id="DEMO-G5",
        patient_name="Somebody^Else",
        study_instance_uid=first.study_instance_uid,
        slices=1,
    )
    stage.clinic.send(second)

    assert stage.request("GET", path, visitor.token).status_code == 403

    def suspended() -> list[bool]:
        with stage.clinic.services() as services:
            found = services.session.query(Study).filter_by(study_instance_uid=first.study_instance_uid).all()
            grants = [grant for study in found for grant in services.grants.of_study(study)]
            return [grant.suspended_at is not None for grant in grants]

    eventually(lambda: suspended() == [True, True], what="the suspension of both")
    again = stage.clinic.enter(paper, first)
    assert again.answer is not None
    assert again.answer.status_code == 403
    assert "The clinic has to check this study first" in again.answer.text


@pytest.mark.parametrize("how", ["sent again", "copied in Orthanc"])
def test_a_second_patient_under_the_uid_ends_the_reading_of_images_at_once(stage: Stage, how: str) -> None:
    """The gate remembers whose images are being fetched; what was stored is noticed before its sender is answered."""
    first = studies.study(patient_id="DEMO-G6", label=f"twin while reading, {how}", slices=3)
    visitor = stage.clinic.enter(stage.clinic.receive(first), first)
    names = _names(stage.clinic, first, "first")
    root = f"/dicom-web/studies/{first.study_instance_uid}/series/{names['first_series']}/instances"
    path = f"{root}/{names['first_instance']}/frames/1"
    seen: list[tuple[float, int]] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            began = time.monotonic()
            seen.append((began, stage.request("GET", path, visitor.token).status_code))

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            eventually(lambda: len(seen) > 30, what="a memory that is warm")
            _second_patient(stage, first, names, how)
            arrived_at = time.monotonic()
            time.sleep(0.3)
        finally:
            is_over.set()
        for reader in readers:
            reader.result()

    before = [status for began, status in seen if began < arrived_at - 1]
    after = [status for began, status in seen if began > arrived_at]
    assert set(before) <= {200}
    assert after and set(after) == {403}


def _second_patient(stage: Stage, first: SyntheticStudy, names: dict[str, str], how: str) -> None:
    """Bring another patient's study under the same UID into Orthanc; returns when Orthanc has said that it has it."""
    if how == "sent again":
        other = studies.study(
            patient_id="DEMO-G7",
            patient_name="Somebody^Else",
            study_instance_uid=first.study_instance_uid,
            slices=1,
        )
        stage.clinic.send(other)
        return
    corrected = requests.post(
        f"{stage.clinic.orthanc.url}/patients/{names['first_patient_id']}/modify",
        json={
            "Replace": {"PatientID": "DEMO-G8"},
            "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
            "Force": True,
        },
        auth=SERVICE,
        timeout=30,
    )
    assert corrected.status_code == 200, corrected.text
