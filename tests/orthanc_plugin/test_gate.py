"""The gate's truth table, without an Orthanc: a small archive in memory, a real Studykey door on a free port.

What Orthanc itself does with odd requests is seen by the tests that start one.
"""

import base64
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

GATE_FILE = Path(__file__).resolve().parents[2] / "orthanc-plugin" / "studykey_gate.py"
GET, POST, PUT, DELETE = 1, 2, 3, 4


def orthanc_id(digit: str) -> str:
    return "-".join([digit * 8] * 5)


OWN, OTHER, TWIN_A, TWIN_B = (orthanc_id(digit) for digit in "1234")
SERIES, INSTANCE, OTHER_SERIES, OTHER_INSTANCE = (orthanc_id(digit) for digit in "5678")
OWN_UID, OTHER_UID, TWIN_UID = "1.2.3", "1.2.4", "1.2.5"
STUDIES = {OWN: OWN_UID, OTHER: OTHER_UID, TWIN_A: TWIN_UID, TWIN_B: TWIN_UID}
PARENTS = {
    f"/series/{SERIES}/study": OWN,
    f"/instances/{INSTANCE}/study": OWN,
    f"/series/{OTHER_SERIES}/study": OTHER,
    f"/instances/{OTHER_INSTANCE}/study": OTHER,
    **{f"/studies/{study}": study for study in STUDIES},
}


class FakeOrthanc(ModuleType):
    """What a plugin sees of Orthanc: four studies, two of them under one UID."""

    class OrthancException(Exception):  # noqa: N818 - Orthanc's name
        pass

    HttpMethod = SimpleNamespace(GET=GET, POST=POST, PUT=PUT, DELETE=DELETE)
    ChangeType = SimpleNamespace(STABLE_STUDY=12, ORTHANC_STOPPED=14, NEW_STUDY=5)

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        super().__init__("orthanc")
        self.configuration = configuration
        self.log: list[str] = []
        self.pages: dict[str, Any] = {}
        self.filter: Any = None
        self.on_change: Any = None
        self.on_stored: Any = None

    def GetConfiguration(self) -> str:  # noqa: N802 - Orthanc's names
        return json.dumps(self.configuration)

    def RestApiGet(self, path: str) -> bytes:  # noqa: N802
        if path not in PARENTS:
            raise self.OrthancException(17)
        study = PARENTS[path]
        return json.dumps({"ID": study, "MainDicomTags": {"StudyInstanceUID": STUDIES[study]}}).encode()

    def RestApiPost(self, path: str, body: str) -> bytes:  # noqa: N802
        assert path == "/tools/lookup"
        found = [{"ID": study, "Type": "Study"} for study, uid in STUDIES.items() if uid == body]
        return json.dumps([{"ID": orthanc_id("9"), "Type": "Series"}, *found]).encode()

    def RegisterIncomingHttpRequestFilter(self, callback: Any) -> None:  # noqa: N802
        self.filter = callback

    def RegisterOnChangeCallback(self, callback: Any) -> None:  # noqa: N802
        self.on_change = callback

    def RegisterOnStoredInstanceCallback(self, callback: Any) -> None:  # noqa: N802
        self.on_stored = callback

    def RegisterRestCallback(self, path: str, callback: Any) -> None:  # noqa: N802
        self.pages[path] = callback

    def LogWarning(self, text: str) -> None:  # noqa: N802
        self.log.append(text)

    LogError = LogWarning


class Door:
    """Studykey's internal door as the gate sees it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], str | None]] = []
        self.granted = {("good", OWN, "view"), ("good", OWN, "download"), ("looker", OWN, "view")}
        self.profiles: dict[str, list[str]] = {}  # what a credential may do
        self.answer: bytes | None = None
        self.validity, self.status, self.delay_seconds = 0, 200, 0.0
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                door.calls.append((self.path, body, self.headers["Authorization"]))
                time.sleep(door.delay_seconds)
                key = (body.get("token-value"), body.get("orthanc-id"), body.get("permission"))
                answer: dict[str, Any] = {"granted": key in door.granted, "validity": door.validity}
                if self.path == "/user/get-profile":
                    may = door.profiles.get(body["token-value"], [])
                    answer = {"permissions": may, "authorized-labels": ["*"], "validity": door.validity}
                self.send_response(door.status)
                self.end_headers()
                with suppress(BrokenPipeError):  # the gate may have given up waiting
                    self.wfile.write(door.answer or json.dumps(answer).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def asked(self, path: str) -> list[dict[str, Any]]:
        return [body for called, body, _ in self.calls if called == path]

    def wait_for(self, path: str, seconds: float = 3) -> list[dict[str, Any]]:
        deadline = time.monotonic() + seconds
        while not self.asked(path) and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.asked(path)


class Rig:
    """The gate loaded into the fake Orthanc."""

    def __init__(self, door: Door | None, **section: Any) -> None:
        users = {"studykey": "secret", "anna": "geheim: ü"}
        settings: dict[str, Any] = {"Users": users, "StaticFolders": ["/ohif/"]}
        if door is not None:
            settings |= {"Url": door.url, "Username": "main", "Password": "pw", "TimeoutSeconds": 0.5}
        self.orthanc = FakeOrthanc({"Studykey": settings | section})
        self.module = load_gate(self.orthanc)

    def request(self, path: str, token: str | None = "good", *, method: int = GET, **headers: str) -> bool:
        uri, _, query = path.partition("?")
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        # Orthanc gives the query to a filter undecoded, of duplicates the last, and for GET alone.
        pairs = dict((pair.partition("=")[::2]) for pair in query.split("&")) if query else {}
        given = {"get": pairs} if method == GET else {}
        answer = self.orthanc.filter(uri, method=method, ip="127.0.0.1", headers=headers, **given)
        assert isinstance(answer, bool), "anything but a bool is a 500 in Orthanc"
        return answer


def load_gate(orthanc: FakeOrthanc) -> ModuleType:
    spec = importlib.util.spec_from_file_location("studykey_gate_under_test", GATE_FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get("orthanc")
    sys.modules["orthanc"] = orthanc
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["orthanc"]
        if before is not None:
            sys.modules["orthanc"] = before
    return module


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


@pytest.fixture
def rig(door: Door) -> Iterator[Rig]:
    rig = Rig(door)
    yield rig
    rig.orthanc.on_change(FakeOrthanc.ChangeType.ORTHANC_STOPPED, 0, "")


@pytest.fixture
def lookups(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Orthanc was asked to look up."""
    asked: list[str] = []
    look_up = rig.orthanc.RestApiPost

    def noted(path: str, body: str) -> bytes:
        asked.append(body)
        return look_up(path, body)

    monkeypatch.setattr(rig.orthanc, "RestApiPost", noted)
    return asked


WEB = "/dicom-web/studies/1.2.3"
IMAGE = WEB + "/series/1.2.3.1/instances/1.2.3.1.1"
TO_LOOK_AT = [
    "/dicom-web/studies?StudyInstanceUID=1.2.3",
    "/dicom-web/studies?0020000D=1.2.3&includefield=00081030",
    "/dicom-web/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060&StudyInstanceUID=1.2.3",
    "/dicom-web/series?0020000D=1.2.3&includefield=00081030,00200011",
    "/dicom-web/series?0020000D=1.2.3&0020000E=1.2.3.1&includefield=00081030,00200011",
    "/dicom-web/instances?0020000D=1.2.3&0020000E=1.2.3.1&includefield=00080016&limit=1",
    WEB + "/series",
    WEB + "/series?includefield=00080021%2C00080031",
    WEB + "/instances",
    WEB + "/metadata",
    WEB + "/series/1.2.3.1/metadata",
    WEB + "/series/1.2.3.1/instances",
    WEB + "/series/1.2.3.1/rendered?viewport=128,128",
    WEB + "/series/1.2.3.1/rendered?viewport=128%2C128",
    IMAGE,
    IMAGE + "/metadata",
    IMAGE + "/rendered",
    IMAGE + "/rendered?accept=application/pdf",
    IMAGE + "/frames/1",
    IMAGE + "/frames/1,2,3",
    IMAGE + "/frames/1/rendered?window=40,400,linear",
    IMAGE + "/bulk/7fe00010",
    "/wado?requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.1&objectUID=1.2.3.1.1&contentType=application/dicom",
    f"/studies/{OWN}",
    f"/studies/{OWN}/series",
    f"/studies/{OWN}/statistics",
    f"/series/{SERIES}",
    f"/instances/{INSTANCE}",
    f"/instances/{INSTANCE}/simplified-tags",
    f"/instances/{INSTANCE}/preview",
    f"/instances/{INSTANCE}/frames/0/rendered?window-center=40&window-width=400",
    f"/instances/{INSTANCE}/frames/0/raw",
]
TO_TAKE_AWAY = [
    WEB,
    WEB + "/series/1.2.3.1",
    f"/studies/{OWN}/archive",
    f"/studies/{OWN}/media",
    f"/series/{SERIES}/archive",
    f"/instances/{INSTANCE}/file",
    f"/instances/{INSTANCE}/attachments/dicom/data",
]
ELSEWHERE = [
    "/",
    "/system",
    "/changes",
    "/patients",
    "/studies",
    "/series",
    "/instances",
    "/statistics",
    "/jobs",
    "/tools/find",
    "/app/explorer.html",
    "/ohif",
    "/nowhere",
    f"/studies/{OWN}/",
    f"/studies/{OWN}/patient",
    f"/studies/{OWN}/metadata",
    f"/studies/{OWN}/modify",
    f"/studies/{OWN}?expand",
    f"/studies/{OWN}?_method=DELETE",
    f"/studies/{OWN}\n",
    f"/studies/{OTHER}",
    f"/studies/{OTHER}/archive",
    f"/studies/{orthanc_id('a')}",
    f"/series/{OTHER_SERIES}",
    f"/instances/{OTHER_INSTANCE}/preview",
    "/dicom-web/studies/1.2.4/series",
    "/dicom-web/studies/1.2.3,1.2.4/series",
    "/dicom-web/studies/*/series",
    "/dicom-web/studies/9.9/series",
    "/dicom-web/servers",
    WEB + "/series/",
    WEB + "/series?StudyInstanceUID=1.2.4",
    WEB + "/series?0020000D=1.2.3",
    "/wado?requestType=WADO&objectUID=1.2.3.1.1",
    "/wado?requestType=WADO&studyUID=&objectUID=1.2.4.1.1",
    "/wado?requestType=WADO&studyUID=1.2.4&objectUID=1.2.4.1.1",
    "/wado?requestType=WADO&studyUID=1.2.3,1.2.4&objectUID=1.2.4.1.1",
    "/wado?requestType=WADO&studyUID=1.2.3&anonymize=yes",
]
ODD_QUERIES = [
    "",
    "StudyInstanceUID",
    "StudyInstanceUID=",
    "StudyInstanceUID=*",
    "StudyInstanceUID=1.2.3,1.2.4",
    "StudyInstanceUID=1.2.3%2C1.2.4",
    "StudyInstanceUID=1.2.3%5C1.2.4",
    "StudyInstanceUID=1.2.3%00",
    "StudyInstanceUID=1%2e2.3",
    "StudyInstanceUID=1.2.3;StudyInstanceUID=1.2.4",
    "StudyInstanceUID=1.2.3&0020000D=1.2.4",
    "StudyInstanceUID=1.2.3&0020000d=1.2.4",
    "0020000d=1.2.3&0020000D=1.2.4",
    "StudyInstanceUID=1.2.3&0020,000d=1.2.4",
    "StudyInstanceUID=1.2.3&0020-000d=1.2.4",
    "StudyInstanceUID=1.2.3&SeriesInstanceUID=1.2.3.1&0020000E=1.2.4.1",
    "StudyInstanceUID=1.2.3&SeriesInstanceUID=",
    "studyinstanceuid=1.2.3",
    "StudyInstanceUI%44=1.2.3",
    "StudyInstanceUID=1.2.3&anything=else",
    "StudyInstanceUID=1.2.3&00100020=P1",
    "StudyInstanceUID=1.2.3&token=good",
    "00100020=P1",
    "StudyInstanceUID=1.2.4",
    "StudyInstanceUID=" + "1." * 40 + "1",
]


@pytest.mark.parametrize("path", TO_LOOK_AT)
def test_a_token_that_may_look_sees_its_study(rig: Rig, path: str) -> None:
    assert rig.request(path, "looker")


@pytest.mark.parametrize("path", TO_TAKE_AWAY)
def test_taking_images_away_needs_the_download_permission(rig: Rig, path: str) -> None:
    assert rig.request(path, "good")
    assert not rig.request(path, "looker")


@pytest.mark.parametrize("path", TO_LOOK_AT + TO_TAKE_AWAY)
def test_nothing_opens_without_a_token_or_with_a_forged_one(rig: Rig, path: str) -> None:
    assert not rig.request(path, None)
    assert not rig.request(path, "forged")


@pytest.mark.parametrize("method", [POST, PUT, DELETE])
@pytest.mark.parametrize(
    "path", ["/dicom-web/studies", WEB, f"/studies/{OWN}", f"/series/{SERIES}", "/instances"]
)
def test_a_token_changes_nothing(rig: Rig, path: str, method: int) -> None:
    assert not rig.request(path, method=method)


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_token_opens_nothing_else(rig: Rig, path: str) -> None:
    assert not rig.request(path)


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
@pytest.mark.parametrize("query", ODD_QUERIES)
def test_a_search_must_name_exactly_one_study_once(rig: Rig, level: str, query: str) -> None:
    assert not rig.request(f"/dicom-web/{level}" + ("?" + query if query else ""))


def test_two_studies_under_one_uid_are_refused_and_reported_once(rig: Rig, door: Door) -> None:
    door.granted |= {("good", TWIN_A, "view"), ("good", TWIN_B, "view")}
    assert not rig.request(f"/dicom-web/studies/{TWIN_UID}/series")
    assert not rig.request(f"/dicom-web/studies?StudyInstanceUID={TWIN_UID}")
    assert door.wait_for("/signals/ambiguous-study") == [
        {"study-instance-uid": TWIN_UID, "orthanc-ids": [TWIN_A, TWIN_B]}
    ]


@pytest.mark.parametrize(
    ("path", "header", "opens"),
    [
        (f"/studies/{OWN}/archive?token=good", None, True),
        (f"/instances/{INSTANCE}/file?token=good", None, True),
        (f"/studies/{OWN}/archive?token=good", "Bearer good", True),
        (f"/studies/{OWN}/archive?token=good", "bearer good", True),
        (f"/studies/{OWN}/archive?token=other", "Bearer good", False),
        (f"/studies/{OWN}/archive?token=good", "Bearer other", False),
        (f"/studies/{OWN}/archive?token=good", basic("studykey", "wrong"), False),
        (f"/studies/{OWN}/archive?token=go%6Fd", None, False),
        (f"/studies/{OWN}/archive?token=", None, False),
        (f"/studies/{OWN}?token=good", None, False),
        (f"/studies/{OWN}", "good", False),
        (f"/studies/{OWN}", "Bearer", False),
        (f"/studies/{OWN}", "Bearer good,good", False),
        (f"/studies/{OWN}", "Bearer good ", False),
        (f"/studies/{OWN}", "Bearer \u00e9", False),
        (f"/studies/{OWN}", "Bearer " + "a" * 201, False),
    ],
)
def test_where_a_token_may_stand(rig: Rig, path: str, header: str | None, opens: bool) -> None:
    assert rig.request(path, None, authorization=header or "") is opens


def test_what_is_no_token_is_refused_without_asking(rig: Rig, door: Door) -> None:
    assert not rig.request(f"/studies/{OWN}", "a'b")
    assert door.calls == []


def test_studykey_is_asked_in_the_words_of_the_authorization_plugin(rig: Rig, door: Door) -> None:
    assert rig.request(f"/instances/{INSTANCE}/file?token=good", None)
    [(path, body, credentials)] = door.calls
    assert (path, credentials) == ("/tokens/validate", basic("main", "pw"))
    assert body == {
        "dicom-uid": OWN_UID,
        "level": "study",
        "method": "get",
        "orthanc-id": OWN,
        "server-id": None,
        "token-key": "token",
        "token-value": "good",
        "permission": "download",
    }


@pytest.mark.parametrize(
    ("login", "password", "enters"),
    [
        ("studykey", "secret", True),
        ("anna", "geheim: ü", True),
        ("studykey", "wrong", False),
        ("studykey", "", False),
        ("anna", "secret", False),
        ("", "", False),
    ],
)
def test_only_configured_clients_have_full_rights(rig: Rig, login: str, password: str, enters: bool) -> None:
    for method in (GET, POST, PUT, DELETE):
        assert rig.request("/patients", None, method=method, authorization=basic(login, password)) is enters


def test_another_site_cannot_use_a_browser_that_remembers_the_password(rig: Rig) -> None:
    for came_from, opens in (("cross-site", False), ("same-site", False), ("same-origin", True)):
        headers = {"authorization": basic("studykey", "secret"), "sec-fetch-site": came_from}
        assert rig.orthanc.filter("/studies", method=DELETE, ip="127.0.0.1", headers=headers) is opens


def test_viewer_files_and_the_sign_in_page_are_open_to_read(rig: Rig) -> None:
    for path in ("/ohif/index.html?StudyInstanceUIDs=1&token=x", "/ohif/viewer", "/studykey-sign-in"):
        assert rig.request(path, None)
        assert not rig.request(path.partition("?")[0], None, method=POST)


@pytest.mark.parametrize("folder", ["/", "", "/studies/", "/Dicom-Web/", "/app/", "/../", "ohif/", "/a/b/"])
def test_orthancs_own_folders_never_become_viewer_folders(door: Door, folder: str) -> None:
    rig = Rig(door, StaticFolders=[folder])
    assert not rig.request("/studies/", None)
    assert not rig.request("/app/explorer.html", None)
    assert any("left out" in line for line in rig.orthanc.log)


def test_an_answer_is_kept_for_its_validity(rig: Rig, door: Door) -> None:
    door.validity = 1
    assert rig.request(f"/studies/{OWN}") and rig.request(WEB + "/metadata")
    assert len(door.calls) == 1
    door.granted.clear()
    assert rig.request(f"/studies/{OWN}")
    time.sleep(1.05)
    assert not rig.request(f"/studies/{OWN}") and not rig.request(f"/studies/{OWN}")
    assert len(door.calls) == 2


def test_many_images_of_a_study_are_looked_up_once(rig: Rig, door: Door, lookups: list[str]) -> None:
    door.validity = 60
    assert all(rig.request(f"{IMAGE}/frames/{number}") for number in range(1, 50))
    assert len(lookups) == 1


def test_a_second_patients_study_under_the_uid_is_noticed_at_once(
    rig: Rig, door: Door, lookups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    door.validity = 60
    assert rig.request(IMAGE + "/frames/1") and rig.request(IMAGE + "/frames/2")

    monkeypatch.setitem(STUDIES, orthanc_id("a"), OWN_UID)
    rig.orthanc.on_stored(object(), orthanc_id("b"))

    assert not rig.request(IMAGE + "/frames/3") and not rig.request(WEB + "/series")
    assert door.wait_for("/signals/ambiguous-study")
    # … and once staff have removed one of them, the other opens without delay
    monkeypatch.delitem(STUDIES, orthanc_id("a"))
    assert rig.request(IMAGE + "/frames/3")


def test_what_another_orthanc_wrote_into_the_database_is_noticed_soon(
    rig: Rig, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.validity = 60
    assert rig.request(IMAGE + "/frames/1")
    monkeypatch.setitem(STUDIES, orthanc_id("a"), OWN_UID)
    time.sleep(rig.module.Directory.LONGEST + 0.01)
    assert not rig.request(IMAGE + "/frames/2")
    assert rig.module.Directory.LONGEST < 1  # the shortest validity that Studykey answers


def test_what_was_looked_up_while_an_instance_came_in_is_not_remembered(
    rig: Rig, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.validity = 60
    look_up = rig.orthanc.RestApiPost

    def overtaken(path: str, body: str) -> bytes:
        found = look_up(path, body)  # one study
        monkeypatch.setitem(STUDIES, orthanc_id("a"), OWN_UID)
        rig.orthanc.on_stored(object(), orthanc_id("b"))
        return found

    monkeypatch.setattr(rig.orthanc, "RestApiPost", overtaken)
    rig.request(IMAGE + "/frames/1")
    monkeypatch.setattr(rig.orthanc, "RestApiPost", look_up)
    assert not rig.request(IMAGE + "/frames/2")


def test_a_study_that_was_not_there_is_looked_for_again(
    rig: Rig, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.granted.add(("good", orthanc_id("a"), "view"))
    assert not rig.request("/dicom-web/studies/1.2.6/series")
    monkeypatch.setitem(STUDIES, orthanc_id("a"), "1.2.6")
    monkeypatch.setitem(PARENTS, f"/studies/{orthanc_id('a')}", orthanc_id("a"))
    assert rig.request("/dicom-web/studies/1.2.6/series")


def test_the_memory_of_studies_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = rig.module.Directory(lambda uid, ids: None)
    monkeypatch.setattr(rig.module, "study_above", lambda kind, name: rig.module.Study(name, "1.2"))
    for number in range(directory.MOST + 5):
        directory.study("study-id", str(number))
    assert len(directory._known) == 5


def test_every_row_is_found_by_its_own_words(rig: Rig) -> None:
    """The words of a path choose the patterns that are tried: with a root of several words, too."""
    examples = {
        "study-uid": "1.2.3", "series-uid": "1.2", "instance-uid": "1", "study-id": OWN, "series-id": SERIES,
        "instance-id": INSTANCE, "frame": "1", "frames": "1,2", "bulk": "0040a730/1/7fe00010",
    }  # fmt: skip
    for roots in ({}, {"dicom_web_root": "/pacs/studies/web", "wado_root": "/pacs/wado"}):
        gate = rig.module.Gate(rig.module.Settings(**roots), None, None)
        for row in rig.module.ROWS:
            path = gate._here(row.path)
            for name, value in examples.items():
                path = path.replace(f"{{{name}}}", value)
            found = [one for pattern, one in gate._rows[gate._words_of(path)] if pattern.fullmatch(path)]
            assert found == [row], path


def test_an_answer_for_looking_is_no_answer_for_downloading(rig: Rig, door: Door) -> None:
    door.validity = 60
    assert rig.request(f"/studies/{OWN}", "looker")
    assert not rig.request(f"/studies/{OWN}/archive", "looker")


@pytest.mark.parametrize(
    "answer",
    [
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 60_000,
        b'{"granted": "true", "validity": 5}',
        b'{"granted": 1, "validity": 5}',
        b'{"granted": true}',
        b'{"granted": true, "validity": -1}',
        b'{"granted": true, "validity": 1.5}',
        b'{"granted": true, "validity": true}',
        b'{"granted": true, "validity": "5"}',
    ],
)
def test_only_a_clear_yes_is_a_yes(rig: Rig, door: Door, answer: bytes) -> None:
    door.answer = answer
    assert not rig.request(f"/studies/{OWN}")


@pytest.mark.parametrize("status", [302, 401, 404, 500])
def test_any_other_status_is_a_no(rig: Rig, door: Door, status: int) -> None:
    door.status, door.answer = status, b'{"granted": true, "validity": 5}'
    assert not rig.request(f"/studies/{OWN}")


def test_a_silent_studykey_is_a_no_after_the_timeout(rig: Rig, door: Door) -> None:
    door.delay_seconds = 1.5
    started = time.monotonic()
    assert not rig.request(f"/studies/{OWN}")
    assert time.monotonic() - started < 1.2


def test_a_stopped_studykey_is_a_no_and_the_sites_clients_go_on() -> None:
    door = Door()
    door.close()
    rig = Rig(door)
    assert not rig.request(f"/studies/{OWN}")
    assert rig.request("/patients", None, authorization=basic("studykey", "secret"))


@pytest.mark.parametrize("missing", ["Url", "Username", "Password"])
def test_without_a_complete_configuration_only_the_sites_clients_enter(door: Door, missing: str) -> None:
    rig = Rig(door, **{missing: ""})
    assert not rig.request(f"/studies/{OWN}")
    assert rig.request("/patients", None, authorization=basic("studykey", "secret"))
    assert any("Url" in line for line in rig.orthanc.log)


@pytest.mark.parametrize("section", [None, [], {}, 7, {"Users": 5}])
def test_a_broken_configuration_still_closes_orthanc(section: object) -> None:
    orthanc = FakeOrthanc({"Studykey": section})
    load_gate(orthanc)
    assert orthanc.filter("/patients", method=GET, ip="", headers={}, get={}) is False
    assert orthanc.log


def test_an_unexpected_error_is_a_no_and_the_log_holds_no_secret(rig: Rig) -> None:
    assert rig.orthanc.filter(f"/studies/{OWN}", method=GET, headers={"authorization": None}, get=7) is False
    rig.request(f"/studies/{OWN}", "forged")
    assert not any(word in line for line in rig.orthanc.log for word in ("secret", "pw", "forged", "good"))


def test_a_stable_study_is_told_to_studykey(rig: Rig, door: Door) -> None:
    rig.orthanc.on_change(FakeOrthanc.ChangeType.NEW_STUDY, 1, OTHER)
    rig.orthanc.on_change(FakeOrthanc.ChangeType.STABLE_STUDY, 1, OWN)
    assert door.wait_for("/signals/stable-study") == [{"orthanc-id": OWN}]


def test_nudging_can_be_turned_off(door: Door) -> None:
    rig = Rig(door, Nudge=False)
    rig.orthanc.on_change(FakeOrthanc.ChangeType.STABLE_STUDY, 1, OWN)
    assert door.wait_for("/signals/stable-study", seconds=0.3) == []


def test_a_nudge_never_keeps_orthanc_waiting(rig: Rig, door: Door) -> None:
    door.delay_seconds = 1
    started = time.monotonic()
    for number in range(2_000):
        rig.orthanc.on_change(FakeOrthanc.ChangeType.STABLE_STUDY, 1, str(number))
    assert time.monotonic() - started < 0.5


METHODS = [GET, POST, PUT, DELETE]
SHARE = "A" * 22 + "." + "b" * 43
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "c" * 43


@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        (0, {"token": SHARE}, True),
        (1, {"token": SHARE}, False),
        (2, {"authorization": f"Bearer {SHARE}"}, False),
        (3, {"x-anything": SHARE}, False),
        (1, {"token": f"staff~{SHARE}"}, True),
        (3, {"authorization": f"Bearer device~{SHARE}"}, True),
        (3, {"authorization": f"Bearer {JWT}"}, True),
        (3, {"authorization": basic("studykey", "secret")}, True),
        (1, {}, True),
    ],
)
def test_the_guard_holds_back_changes_by_share_tokens_and_nothing_else(
    method: int, headers: dict[str, str], passes: bool
) -> None:
    guard = Rig(None, Mode="guard")

    assert guard.orthanc.filter("/studies", method=METHODS[method], headers=headers) is passes
