"""What each role may ask of a real Orthanc with the gate: the table that an auditor reads.

Every row is sent to a real Orthanc by each kind of account, with tokens and passwords that Studykey gave out. Refused
means 403 with an empty body, and after it nothing in Orthanc has changed. Passed means that Orthanc itself
answered, whatever it made of a request without a proper body; rows for destructive acts are really carried out, and
the study is sent again before the next one.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

import pytest
import requests

from app.demo import studies
from app.domain.staff import Role
from app.models import Staff, StaffSession
from app.services.staff_sessions import SignedIn
from app.wiring import Services
from tests.archive.test_gate_table import _names
from tests.support.clinic import SERVICE, Clinic, eventually
from tests.support.databases import Databases

pytestmark = pytest.mark.no_database

STUDY = studies.study(patient_name="Role^Rita", patient_id="DEMO-R1", birth_date=date(1970, 5, 6), slices=2)
MORE = studies.study(patient_name="Role^Rolf", patient_id="DEMO-R2", birth_date=date(1971, 5, 6), slices=1)
FILES, MORE_FILES = list(studies.files(STUDY)), list(studies.files(MORE))  # sent many times
PASSWORD = "correct horse battery"

# Who asks, in the order of the columns. "foreign page": an administrator's token sent by another website's page.
ASKING = ("admin", "radiologist", "desk", "viewer", "device token", "device Basic", "nobody", "foreign page")
Y, n = "passes", "refused"
o = "Orthanc's own 400"  # it takes no such override, and asks no filter about it
off = "passes, and Orthanc refuses: switched off by default"
not_tried = "would pass, and end this Orthanc"

# -------------------------------------------------------------------------------------------------------------
#                                                                       radio                device     foreign
#    method  path and query                                        admin logist desk viewer token Basic nobody page
# -------------------------------------------------------------------------------------------------------------
TABLE = [
    # Searching
    ("GET", "/studies", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/patients?expand", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/dicom-web/studies?PatientName=Role*", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/dicom-web/instances?limit=1", Y, Y, Y, Y, n, n, n, n),
    ("POST", "/tools/find", Y, Y, Y, Y, n, n, n, n),
    ("POST", "/tools/lookup", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/changes?last", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/statistics", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/system", Y, Y, Y, Y, n, n, n, n),
    # Looking
    ("GET", "/studies/{s_id}", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/patients/{s_patient_id}", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/studies/{s_id}/metadata?expand", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/studies/{s_id}/shared-tags", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/instances/{s_instance_id}/preview", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/instances/{s_instance_id}/simplified-tags", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/dicom-web/studies/{s}/metadata", Y, Y, Y, Y, n, n, n, n),
    (
        "GET",
        "/dicom-web/studies/{s}/series/{s_series}/instances/{s_instance}/frames/1",
        Y,
        Y,
        Y,
        Y,
        n,
        n,
        n,
        n,
    ),
    (
        "GET",
        "/wado?requestType=WADO&studyUID={s}&seriesUID={s_series}&objectUID={s_instance}",
        Y,
        Y,
        Y,
        Y,
        n,
        n,
        n,
        n,
    ),
    ("HEAD", "/studies/{s_id}", Y, Y, Y, Y, n, n, n, n),
    # Taking copies away
    ("GET", "/studies/{s_id}/archive", Y, Y, n, n, n, n, n, n),
    ("GET", "/studies/{s_id}/media", Y, Y, n, n, n, n, n, n),
    ("GET", "/patients/{s_patient_id}/archive", Y, Y, n, n, n, n, n, n),
    ("GET", "/instances/{s_instance_id}/file", Y, Y, n, n, n, n, n, n),
    ("GET", "/instances/{s_instance_id}/attachments/dicom/data", Y, Y, n, n, n, n, n, n),
    ("GET", "/dicom-web/studies/{s}", Y, Y, n, n, n, n, n, n),
    ("POST", "/studies/{s_id}/archive", Y, Y, n, n, n, n, n, n),
    ("POST", "/tools/create-archive", Y, Y, n, n, n, n, n, n),
    # Storing
    ("POST", "/instances", Y, Y, n, n, Y, Y, n, n),
    ("POST", "/dicom-web/studies", Y, Y, n, n, Y, Y, n, n),
    ("POST", "/dicom-web/studies/{s}", Y, Y, n, n, Y, Y, n, n),
    # Changing
    ("POST", "/studies/{s_id}/modify", Y, Y, n, n, n, n, n, n),
    ("POST", "/studies/{s_id}/merge", Y, Y, n, n, n, n, n, n),
    ("POST", "/studies/{s_id}/split", Y, Y, n, n, n, n, n, n),
    ("PUT", "/studies/{s_id}/metadata/1024", Y, Y, n, n, n, n, n, n),
    ("POST", "/tools/create-dicom", Y, Y, n, n, n, n, n, n),
    ("POST", "/studies/{s_id}/anonymize", Y, Y, n, n, n, n, n, n),
    ("PUT", "/studies/{s_id}/labels/teaching", Y, Y, n, n, n, n, n, n),
    ("DELETE", "/studies/{s_id}/labels/teaching", Y, Y, n, n, n, n, n, n),
    # Other servers
    ("GET", "/modalities", Y, Y, n, n, n, n, n, n),
    ("POST", "/modalities/none/store", Y, Y, n, n, n, n, n, n),
    ("POST", "/peers/none/store", Y, Y, n, n, n, n, n, n),
    ("POST", "/modalities/none/query", Y, Y, n, n, n, n, n, n),
    ("GET", "/queries", Y, Y, n, n, n, n, n, n),
    # Deleting, by every spelling that Orthanc takes for it
    ("DELETE", "/studies/{s_id}", Y, n, n, n, n, n, n, n),
    ("DELETE", "/patients/{s_patient_id}", Y, n, n, n, n, n, n, n),
    ("DELETE", "/series/{s_series_id}", Y, n, n, n, n, n, n, n),
    ("DELETE", "/instances/{s_instance_id}", Y, n, n, n, n, n, n, n),
    ("DELETE", "/studies/{s_id}/metadata/1024", Y, n, n, n, n, n, n, n),
    ("GET", "/studies/{s_id}?_method=DELETE", Y, n, n, n, n, n, n, n),
    ("GET", "/studies/{s_id}?_method=delete", Y, n, n, n, n, n, n, n),
    ("GET+DELETE", "/studies/{s_id}", Y, n, n, n, n, n, n, n),
    ("POST+DELETE", "/studies/{s_id}", Y, n, n, n, n, n, n, n),
    ("POST+DELETE", "/tools/find", Y, n, n, n, n, n, n, n),
    # Other overrides are none to Orthanc
    ("DELETE+GET", "/studies/{s_id}", o, o, o, o, o, o, o, o),
    ("POST+GET", "/tools/shutdown", o, o, o, o, o, o, o, o),
    ("GET", "/tools/shutdown?_method=POST", o, o, o, o, o, o, o, o),
    ("GET+POST", "/tools/shutdown", o, o, o, o, o, o, o, o),
    ("POST", "/instances?_method=DELETE", Y, Y, n, n, Y, Y, n, n),
    ("POST", "/studies/{s_id}?_method=DELETE", Y, n, n, n, n, n, n, n),
    # Running the archive
    ("PUT", "/modalities/new", Y, n, n, n, n, n, n, n),
    ("PUT", "/peers/new", Y, n, n, n, n, n, n, n),
    ("GET", "/jobs", Y, n, n, n, n, n, n, n),
    ("GET", "/plugins", Y, n, n, n, n, n, n, n),
    ("GET", "/tools/log-level", Y, n, n, n, n, n, n, n),
    ("DELETE", "/exports", Y, n, n, n, n, n, n, n),
    ("GET", "/app/explorer.html", Y, n, n, n, n, n, n, n),
    ("POST", "/tools/execute-script", off, n, n, n, n, n, n, n),
    ("POST", "/tools/reset", not_tried, n, n, n, n, n, n, n),
    ("POST", "/tools/shutdown", not_tried, n, n, n, n, n, n, n),
    # Odd spellings of what is allowed
    ("GET", "/studies/", Y, n, n, n, n, n, n, n),
    ("GET", "/studies/{s_id}/../../changes", Y, Y, Y, Y, n, n, n, n),
    ("GET", "/studies/{s_id}/%2e%2e/%2e%2e/jobs", Y, n, n, n, n, n, n, n),
    ("POST", "/instances/../tools/execute-script", off, n, n, n, n, n, n, n),
    ("DELETE", "/studies/../studies/{s_id}", Y, n, n, n, n, n, n, n),
    ("POST", "/instances//", Y, n, n, n, n, n, n, n),
]
BODIES = {
    "/tools/find": {"Level": "Study", "Query": {}},
    "/tools/lookup": "DEMO-R1",
    "/tools/create-archive": ["{s_id}"],
    "/tools/create-dicom": {"Tags": {"PatientID": "DEMO-R3"}},
    "/tools/execute-script": "print(1)",
    "/studies/{s_id}/modify": {"Replace": {"StudyDescription": "changed"}},
    "/studies/{s_id}/anonymize": {},
    "/studies/{s_id}/metadata/1024": "mark",
    "/modalities/new": ["NEW", "127.0.0.1", 104],
    "/peers/new": ["http://127.0.0.1:9/"],
}
STORED = ("/instances", "/dicom-web/studies", "/dicom-web/studies/{s}")


@dataclass
class Stage:
    clinic: Clinic
    credentials: dict[str, dict[str, str]]
    names: dict[str, str] = field(default_factory=dict)

    def request(self, asking: str, method: str, path: str) -> requests.Response:
        """Send exactly this path: no library tidies it up on the way."""
        method, _, override = method.partition("+")
        headers = dict(self.credentials[asking])
        if override:
            headers["X-HTTP-Method-Override"] = override
        body = _body(path, headers) if method != "GET" else b""
        address = self.clinic.orthanc.url + path.format(**self.names)
        prepared = requests.Request(
            method, address, headers=headers, data=body.replace(b"{s_id}", self.id)
        ).prepare()
        prepared.url = address
        with requests.Session() as session:
            session.trust_env = False
            return session.send(prepared, timeout=10, allow_redirects=False)

    @property
    def id(self) -> bytes:
        return self.names["s_id"].encode()

    def holds(self) -> str:
        """What Orthanc holds and knows, in its own words."""
        asked = (
            "/statistics",
            "/instances",
            "/modalities?expand",
            "/peers?expand",
            "/queries",
            "/jobs",
            "/exports",
        )
        about = [
            f"/studies/{self.names['s_id']}/{part}"
            for part in ("metadata?expand", "shared-tags", "instances")
        ]
        return json.dumps([self.clinic.as_studykey(path).text for path in (*asked, *about)])

    def restore(self) -> None:
        """The one study again, and nothing else."""
        url = self.clinic.orthanc.url
        for path in ("/modalities/new", "/peers/new", *self._patients()):
            requests.delete(url + path, auth=SERVICE, timeout=10)
        studies.send(url, FILES, auth=SERVICE, progress=lambda _: None)

    def _patients(self) -> list[str]:
        return [f"/patients/{patient}" for patient in self.clinic.as_studykey("/patients").json()]


def _body(path: str, headers: dict[str, str]) -> bytes:
    if path in STORED:
        file = FILES[0] if "{s}" in path else MORE_FILES[0]
        if path == "/instances":
            return file
        headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=part'
        return b"--part\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--part--\r\n"
    body = BODIES.get(path, {})
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _token(
    clinic: Clinic, *roles: Role, login: str = "", may_change: bool = True, for_viewer: bool = False
) -> dict[str, str]:
    """Of somebody who has signed in; ``may_change``: how they did."""
    with clinic.services() as services:
        now, login = services.clock(), login or "-".join(roles)
        person = services.staff.by_login(login) or services.staff.add(
            login=login, name=login, roles=roles, password=PASSWORD, at=now, actor="test"
        )
        key = services.staff_sessions.begin_for(person, may_change=may_change, address="127.0.0.1", at=now)
        signed_in = services.staff_sessions.find(key, at=now)
        assert isinstance(signed_in, SignedIn)
        return _bearer(services.staff_tokens.issue(signed_in.session, may_change=not for_viewer, at=now))


def _device(clinic: Clinic, login: str) -> dict[str, str]:
    with clinic.services() as services:
        now = services.clock()
        device = services.staff.by_login(login) or services.staff.add(
            login=login, name=login, roles=[Role.DEVICE], password=PASSWORD, at=now, actor="test"
        )
        return _bearer(services.staff_tokens.make(device, at=now, actor="test"))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _basic(login: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Stage]:
    """A clinic of our own, for what is stored and deleted here; nobody follows its Orthanc."""
    with databases.fresh() as url:
        clinic = Clinic(tmp_path_factory.mktemp("roles"), url)
        try:
            clinic.orthanc.start()
            clinic.start_studykey("internal")
            admin = _token(clinic, Role.ADMIN)
            foreign = {"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"}
            credentials = {
                "admin": admin,
                "radiologist": _token(clinic, Role.RADIOLOGIST),
                "desk": _token(clinic, Role.DESK),
                "viewer": _token(clinic, Role.VIEWER),
                "device token": _device(clinic, "ct1"),
                "device Basic": _basic("ct1", PASSWORD),
                "nobody": {},
                "foreign page": admin | foreign,
            }
            clinic.send(STUDY)
            yield Stage(clinic, credentials, _names(clinic, STUDY, "s"))
        finally:
            clinic.close()


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_each_role_passes_where_the_table_says_and_nowhere_else(stage: Stage, row: tuple[str, ...]) -> None:
    method, path, *expected = row
    stage.restore()
    before = stage.holds()

    for asking, what in zip(ASKING, expected, strict=True):
        if what in (n, o):
            answer = stage.request(asking, method, path)
            assert (answer.status_code, answer.content) == (403 if what == n else 400, b""), asking
    assert stage.holds() == before

    for asking, what in zip(ASKING, expected, strict=True):
        if what in (Y, off):
            answer = stage.request(asking, method, path)
            assert (answer.status_code == 403) == (what == off), asking
            if method == "GET":
                assert answer.status_code == 200 or what == off, asking
            else:
                stage.restore()


def test_without_a_filter_the_table_would_have_passed_it_all(stage: Stage) -> None:
    """What Orthanc lets its own client do is what the columns above are refused: the refusals are the gate's."""
    stage.restore()
    owner = {"site user": _basic(*SERVICE)}
    client = Stage(stage.clinic, owner, stage.names)
    for method, path, *_ in TABLE:
        if not_tried not in _ and o not in _ and off not in _:
            assert client.request("site user", method, path).status_code != 403, path
            stage.restore()


@pytest.mark.parametrize("by", ["device token", "device Basic"])
@pytest.mark.parametrize("path", ["/instances", "/dicom-web/studies"])
def test_what_a_device_stores_is_stored_and_it_cannot_read_it_back(stage: Stage, by: str, path: str) -> None:
    stage.restore()
    assert stage.clinic.as_studykey("/statistics").json()["CountStudies"] == 1

    assert stage.request(by, "POST", path).status_code == 200

    assert stage.clinic.as_studykey("/statistics").json()["CountStudies"] == 2
    uid = MORE.study_instance_uid
    for read in (
        "/studies",
        f"/dicom-web/studies?StudyInstanceUID={uid}",
        f"/dicom-web/studies/{uid}/metadata",
    ):
        assert (
            stage.request(by, "GET", read).status_code,
            stage.request("viewer", "GET", read).status_code,
        ) == (403, 200)


def test_what_an_administrator_deletes_is_gone(stage: Stage) -> None:
    stage.restore()
    assert stage.request("admin", "DELETE", "/studies/{s_id}").status_code == 200
    assert stage.clinic.as_studykey("/studies").json() == []


def test_a_patients_token_with_a_forged_prefix_and_forged_tokens_open_nothing(stage: Stage) -> None:
    stage.restore()
    admin = stage.credentials["admin"]["Authorization"].removeprefix("Bearer ")
    device = stage.credentials["device token"]["Authorization"].removeprefix("Bearer ")
    forged = [
        admin[:-1] + ("A" if admin[-1] != "A" else "B"),
        admin.removeprefix("staff~"),
        "device~" + admin.removeprefix("staff~"),
        "staff~" + device.removeprefix("device~"),
        admin.partition(".")[0],
        "staff~",
        "staff~x.y",
    ]
    for token in forged:
        for headers in (_bearer(token), _basic("ct1", token), _basic("admin", PASSWORD)):
            other = Stage(stage.clinic, {"forger": headers}, stage.names)
            for method, path in (("GET", "/studies"), ("POST", "/instances"), ("DELETE", "/studies/{s_id}")):
                assert other.request("forger", method, path).status_code == 403
    assert stage.clinic.as_studykey("/statistics").json()["CountStudies"] == 1


@pytest.mark.parametrize("because", ["it is a viewer's", "of how they signed in"])
def test_a_token_that_may_only_look_changes_nothing_whatever_the_role(stage: Stage, because: str) -> None:
    is_viewers = because == "it is a viewer's"
    looking = _token(stage.clinic, Role.ADMIN, may_change=is_viewers, for_viewer=is_viewers)
    there = Stage(stage.clinic, {"looker": looking}, stage.names)
    stage.restore()
    assert there.request("looker", "GET", "/studies/{s_id}/archive").status_code == 200
    for method, path in (("DELETE", "/studies/{s_id}"), ("POST", "/instances"), ("GET", "/jobs")):
        assert there.request("looker", method, path).status_code == 403


# Endings: each shows at the gate within the validity, one second here.


def _ends(
    stage: Stage, headers: dict[str, str], method: str, path: str, ending: Callable[[Services], object]
) -> None:
    stage.restore()
    there = Stage(stage.clinic, {"it": headers}, stage.names)
    assert there.request("it", method, path).status_code == 200
    with stage.clinic.services() as services:
        ending(services)
    at = time.monotonic()
    eventually(lambda: there.request("it", method, path).status_code == 403, within=5)
    assert time.monotonic() - at < 2


def test_a_revoked_token_stores_nothing_more(stage: Stage) -> None:
    def revoke(services: Services) -> None:
        device = services.staff.by_login("ct2")
        assert device is not None
        (token,) = services.staff_tokens.of(device)
        assert services.staff_tokens.revoke(device, token.id, at=services.clock(), actor="test")

    _ends(stage, _device(stage.clinic, "ct2"), "POST", "/instances", revoke)


@pytest.mark.parametrize("by", ["token", "Basic"])
def test_a_disabled_device_stores_nothing_more(stage: Stage, by: str) -> None:
    login = f"disabled-{by.lower()}"
    token = _device(stage.clinic, login)

    def disable(services: Services) -> None:
        device = services.staff.by_login(login)
        assert device is not None
        services.staff.disable(device, at=services.clock(), actor="test")

    _ends(stage, token if by == "token" else _basic(login, PASSWORD), "POST", "/instances", disable)


def test_a_new_password_ends_the_old_one(stage: Stage) -> None:
    _device(stage.clinic, "ct3")

    def change(services: Services) -> None:
        device = services.staff.by_login("ct3")
        assert device is not None
        services.staff.set_password(device, "another horse's battery", at=services.clock(), actor="test")

    _ends(stage, _basic("ct3", PASSWORD), "POST", "/instances", change)


@pytest.mark.parametrize("how", ["signed out", "locked", "disabled", "another role"])
def test_who_is_out_sees_nothing_more(stage: Stage, how: str) -> None:
    login = how.replace(" ", "-")
    token = _token(stage.clinic, Role.VIEWER, login=login)

    def end(services: Services) -> None:
        now, person = services.clock(), services.staff.by_login(login)
        assert person is not None
        if how == "signed out":
            assert services.staff_sessions.end_all(person, at=now, actor="test") == 1
        elif how == "locked":
            (session,) = services.staff_sessions.of(person, at=now)
            row = services.session.get_one(StaffSession, session.id)
            row.locked_at = now
        elif how == "disabled":
            services.staff.disable(person, at=now, actor="test")
        else:
            row = services.session.get_one(Staff, person.id)
            row.roles = "device"  # which a page doesn't offer

    _ends(stage, token, "GET", "/studies", end)
