"""The gate: what stands inside Orthanc. A patient's token sees exactly its study, staff and devices do what
their roles allow, nobody else gets in.

Loaded by Orthanc's Python plugin ("PythonScript"), standard library only, Python 3.9 or later. It owns
(a) the nudge: when Orthanc calls a study stable, Studykey is told, so that its sheet is ready at once;
(b) the filter: every HTTP request passes one of two tables. ROWS is for viewer tokens (one study each), DEEDS
for whoever has an account: a token that begins with one of ACCOUNT, or a device's Basic credentials.
Whatever no row allows is refused (403). Sections: the two tables, settings, talking to Studykey, the filter.

It refuses to guess: no study found, two studies under one UID, an unknown query key, Studykey silent, a
setting missing or any error in here all mean 403. It keeps no list of tokens and knows no roles: Studykey
answers, and its answer is kept for `validity` seconds.
Settings: the section "Studykey" of Orthanc's own configuration, see README.md beside this file.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import http.client
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orthanc  # type: ignore[import-not-found]  # offered by Orthanc itself; tests put a fake in its place

VERSION = "0.1.0"
VIEW, DOWNLOAD = "view", "download"

# ---------------------------------------------------------------- table 1: what a viewer token may read
# Shapes of the parts of a path. Orthanc decodes %xx, folds // and resolves .. before it asks us.
UID = r"[0-9]+(?:\.[0-9]+)*"
ORTHANC_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}"
PARTS = {
    "study-uid": UID, "series-uid": UID, "instance-uid": UID,
    "study-id": ORTHANC_ID, "series-id": ORTHANC_ID, "instance-id": ORTHANC_ID,
    "frame": "[0-9]{1,6}", "frames": "[0-9]{1,6}(?:,[0-9]{1,6})*", "bulk": "[0-9A-Fa-f/]{1,200}",
    # Of the second table alone
    "level": "patients|studies|series|instances", "id": ORTHANC_ID, "uuid": "[0-9a-f-]{36}", "name": "[^/]+",
    "members": "patient|study|studies|series|instances", "tail": "(?:/.*)?",
    "facts": "module|module-patient|shared-tags|instances-tags|statistics|metadata|labels|protected|ordered-slices"
             "|ohif-dicom-json",
    "inside": "content|header|pdf|frames|image-uint8|image-uint16|image-int16",
    "about": "system|statistics|changes|tools/now|tools/now-local|tools/generate-uid",
    "question": "find|lookup|count-resources|bulk-content",
    "copy": "archive|media|attachments|numpy|matlab",
    "change": "modify|merge|split", "transmit": "store|store-straight", "fetch": "qido|wado|get|retrieve",
    "inquire": "echo|query|move|get|find|find-patient|find-study|find-series|find-instance|find-worklist",
    "partners": "modalities|peers", "tool": "default-encoding|dicom-conformance|log-level[a-z-]*|metrics[a-z-]*",
    "machinery": "modalities|peers|jobs|plugins|changes|exports|queries|transfers|storage-commitment",
}  # fmt: skip

# Shapes of query values, which arrive undecoded. No UID may be empty, a list, or hold a % sign.
NUMBER, WORDS = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?", r'[A-Za-z0-9,.;:/*=+"%_ -]{0,2000}'
TOKEN = r"[A-Za-z0-9._~-]{1,200}"  # noqa: S105 - its shape
PAGE = {"limit": NUMBER, "offset": NUMBER, "fuzzymatching": "true|false", "includefield": WORDS}
SERIES, INSTANCE = {"SeriesInstanceUID": UID}, {"SOPInstanceUID": UID}
FIND = {"StudyInstanceUID": UID, **SERIES, **INSTANCE, **PAGE}
ACCEPT = {"accept": WORDS}
PICTURE = {**ACCEPT, "viewport": WORDS, "window": WORDS, "quality": NUMBER}
WADO = {
    "requestType": "WADO", "studyUID": UID, "seriesUID": UID, "objectUID": UID, "contentType": WORDS,
    "transferSyntax": WORDS, "charset": WORDS, "rows": NUMBER, "columns": NUMBER, "frameNumber": NUMBER,
    "windowCenter": NUMBER, "windowWidth": NUMBER, "imageQuality": NUMBER, "region": WORDS,
}  # fmt: skip
REST_PICTURE = {"quality": NUMBER, "width": NUMBER, "height": NUMBER, "smooth": NUMBER,
                "window-center": NUMBER, "window-width": NUMBER}  # fmt: skip
# A patient's or a share's token: 128 random bits and their signature. Not a JWT, nor one of ours with a prefix.
SHARE_TOKEN = re.compile(r"(?<![A-Za-z0-9._~-])[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9._~-])")
LINK = {"token": TOKEN}  # a plain link can't carry a header, so these may name the token in the query
# DICOM attributes have two spellings; both at once are one key given twice, and that is refused.
SAME_KEY = {"0020000D": "StudyInstanceUID", "0020000d": "StudyInstanceUID", "0020000E": "SeriesInstanceUID",
            "0020000e": "SeriesInstanceUID", "00080018": "SOPInstanceUID"}  # fmt: skip


class Row(NamedTuple):
    """One thing that a viewer token may GET (HEAD and OPTIONS reach a filter as GET)."""

    path: str
    keys: Mapping[str, str]  # allowed query keys and the shape of their values
    found_by: str  # what names the study: a part of the path, or a query key that must be there
    needs: str = VIEW


_STUDY, _SERIES = "/dicom-web/studies/{study-uid}", "/dicom-web/studies/{study-uid}/series/{series-uid}"
_INSTANCE = _SERIES + "/instances/{instance-uid}"
ROWS = (
    # QIDO-RS: looking for what the study holds (PS3.18 10.6)
    Row("/dicom-web/studies", FIND, "StudyInstanceUID"),
    Row("/dicom-web/series", FIND, "StudyInstanceUID"),
    Row("/dicom-web/instances", FIND, "StudyInstanceUID"),
    Row(_STUDY + "/series", {**SERIES, **PAGE}, "study-uid"),
    Row(_STUDY + "/instances", {**SERIES, **INSTANCE, **PAGE}, "study-uid"),
    Row(_SERIES + "/instances", {**INSTANCE, **PAGE}, "study-uid"),
    # WADO-RS: fetching (PS3.18 10.4). One instance at a time is how viewers get pixels; more is a download.
    Row(_STUDY, ACCEPT, "study-uid", DOWNLOAD),
    Row(_SERIES, ACCEPT, "study-uid", DOWNLOAD),
    Row(_INSTANCE, ACCEPT, "study-uid"),
    *(Row(level + "/metadata", ACCEPT, "study-uid") for level in (_STUDY, _SERIES, _INSTANCE)),
    *(Row(level + "/rendered", PICTURE, "study-uid") for level in (_STUDY, _SERIES, _INSTANCE)),
    *(Row(level + "/thumbnail", PICTURE, "study-uid") for level in (_STUDY, _SERIES, _INSTANCE)),
    Row(_INSTANCE + "/bulk/{bulk}", {**ACCEPT, **LINK}, "study-uid"),
    Row(_INSTANCE + "/frames/{frames}", {**ACCEPT, **LINK}, "study-uid"),
    Row(_INSTANCE + "/frames/{frame}/rendered", PICTURE, "study-uid"),
    # WADO-URI (PS3.18 9): objectUID alone would serve any instance, so studyUID must be there
    Row("/wado", WADO, "studyUID"),
    # Orthanc's REST API
    Row("/studies/{study-id}", {}, "study-id"),
    Row("/studies/{study-id}/series", {}, "study-id"),
    Row("/studies/{study-id}/instances", {}, "study-id"),
    Row("/studies/{study-id}/statistics", {}, "study-id"),
    Row("/studies/{study-id}/archive", LINK, "study-id", DOWNLOAD),
    Row("/studies/{study-id}/media", LINK, "study-id", DOWNLOAD),
    Row("/series/{series-id}", {}, "series-id"),
    Row("/series/{series-id}/instances", {}, "series-id"),
    Row("/series/{series-id}/archive", LINK, "series-id", DOWNLOAD),
    Row("/series/{series-id}/media", LINK, "series-id", DOWNLOAD),
    Row("/instances/{instance-id}", {}, "instance-id"),
    Row("/instances/{instance-id}/tags", {}, "instance-id"),
    Row("/instances/{instance-id}/simplified-tags", {}, "instance-id"),
    Row("/instances/{instance-id}/preview", REST_PICTURE, "instance-id"),
    Row("/instances/{instance-id}/rendered", REST_PICTURE, "instance-id"),
    Row("/instances/{instance-id}/frames", {}, "instance-id"),
    Row("/instances/{instance-id}/frames/{frame}/preview", REST_PICTURE, "instance-id"),
    Row("/instances/{instance-id}/frames/{frame}/rendered", REST_PICTURE, "instance-id"),
    Row("/instances/{instance-id}/frames/{frame}/raw", LINK, "instance-id"),  # videos in Stone
    Row("/instances/{instance-id}/file", LINK, "instance-id", DOWNLOAD),
    Row("/instances/{instance-id}/attachments/dicom/data", LINK, "instance-id", DOWNLOAD),
)

# ---------------------------------------------------------------- table 2: what an account may do
ACCOUNT = ("staff~", "device~")  # how the tokens of people and devices begin


class Deed(NamedTuple):
    """What an account may do if it has one of the permissions in ``needs``. The first row that fits decides."""

    needs: str
    methods: str
    path: str
    by_link: bool = False  # the token may also stand in the query


_ONE = "/{level}/{id}"
DEEDS = (
    # Looking and taking copies: what a viewer token may of one study, these may of all
    *(Deed(row.needs, "GET", row.path, "token" in row.keys) for row in ROWS),
    Deed("view", "GET", "/{level}"),
    Deed("view", "GET", _ONE),
    Deed("view", "GET", _ONE + "/{members}"),
    Deed("view", "GET", _ONE + "/{facts}"),
    Deed("view", "GET", _ONE + "/metadata/{name}"),
    Deed("view", "GET", _ONE + "/labels/{name}"),
    Deed("view", "GET", "/instances/{id}/{inside}{tail}"),
    Deed("view", "GET", "/{about}"),
    Deed("view", "POST", "/tools/{question}"),
    Deed("view", "GET", "/jobs/{uuid}"),
    Deed("download", "GET", _ONE + "/{copy}{tail}", by_link=True),
    Deed("download", "GET", "/jobs/{uuid}/{copy}"),
    Deed("download", "POST", _ONE + "/{copy}"),
    Deed("download", "POST", "/tools/create-{copy}"),
    # Storing, through the REST API and STOW-RS (PS3.18 10.5)
    Deed("upload", "POST", "/instances"),
    Deed("upload", "POST", "/dicom-web/studies"),
    Deed("upload", "POST", _STUDY),
    # Changing. Orthanc lets a modification drop its source ("KeepSource": false): who may modify can replace.
    Deed("modify", "POST", _ONE + "/{change}"),
    Deed("modify", "PUT", _ONE + "/metadata/{name}"),
    Deed("modify", "POST", "/tools/create-dicom"),
    Deed("modify", "POST", "/tools/bulk-modify"),
    Deed("anonymize", "POST", _ONE + "/anonymize"),
    Deed("anonymize", "POST", "/tools/bulk-anonymize"),
    Deed("edit-labels", "PUT DELETE", _ONE + "/labels/{name}"),
    # Other servers
    Deed("send", "POST", "/{partners}/{name}/{transmit}"),
    Deed("send", "POST", "/dicom-web/servers/{name}/stow"),
    Deed("send", "POST", "/transfers/send"),
    Deed("send q-r-remote-modalities", "GET", "/{partners}"),
    Deed("send q-r-remote-modalities", "GET", "/dicom-web/servers"),
    Deed("q-r-remote-modalities", "POST", "/modalities/{name}/{inquire}"),
    Deed("q-r-remote-modalities", "POST", "/dicom-web/servers/{name}/{fetch}"),
    Deed("q-r-remote-modalities", "GET POST", "/queries{tail}"),
    # Deleting
    Deed("delete", "DELETE", _ONE),
    Deed("delete", "DELETE", _ONE + "/metadata/{name}"),
    Deed("delete", "DELETE", _ONE + "/attachments/{name}"),
    Deed("delete", "DELETE", "/dicom-web/studies{tail}"),
    Deed("delete", "POST", "/tools/bulk-delete"),
    # Running this Orthanc
    Deed("settings", "GET POST PUT DELETE", "/{machinery}{tail}"),
    Deed("settings", "GET POST PUT DELETE", "/dicom-web/servers{tail}"),
    Deed("settings", "GET PUT", "/tools/{tool}"),
    # Scripts, reset, shutdown, and whatever else this Orthanc and its plugins can do: administrators alone
    Deed("all", "GET POST PUT DELETE", "{tail}"),
)

# ---------------------------------------------------------------- what is open, and to which websites
SIGN_IN = "/studykey-sign-in"  # open: asks the site's own users for their password, then Orthanc Explorer
# A viewer's folder is open to all, so it may never be one of Orthanc's own.
NEVER_STATIC = frozenset({
    "app", "auth", "changes", "dicom-web", "exports", "instances", "jobs", "modalities", "patients", "peers",
    "plugins", "queries", "series", "statistics", "storage-commitment", "studies", "system", "tools",
    "transfers", "ui", "wado",
})  # fmt: skip
# Other websites whose pages may send requests here, as browsers name them (Origin). A first label * stands for one
# or more whole labels, and two or more have to follow it; an address has no star.
LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
LABELS = rf"{LABEL}(?:\.{LABEL})*"
HOST = rf"\*\.{LABELS}\.(?=[a-z0-9_-]*[a-z]){LABEL}|{LABELS}|\[[0-9a-f:.]+\]"
ORIGIN = rf"https?://(?:{HOST})(?::[1-9][0-9]{{0,4}})?"


# ---------------------------------------------------------------- settings
class Settings(NamedTuple):
    """Section "Studykey" of Orthanc's configuration. Without url, nobody but `users` gets in."""

    url: str = ""
    username: str = ""
    password: str = ""
    users: tuple[bytes, ...] = ()  # b"login:password" of clients with full rights
    static_folders: tuple[str, ...] = ()
    timeout_seconds: float = 2.0
    nudge: bool = True
    ohif_index: str = ""
    dicom_web_root: str = "/dicom-web"
    wado_root: str = "/wado"
    allowed_origins: str = r"(?!)"  # a regular expression; this one fits nothing
    is_guard: bool = False  # beside Orthanc's Authorization plugin, which decides; we only hold back changes


def read_settings(configuration: str) -> tuple[Settings, list[str]]:
    """Return the settings and what is wrong with them; what is wrong is left out, never loosened."""
    whole = json.loads(configuration)
    section, web, wrong = whole.get("Studykey"), whole.get("DicomWeb") or {}, []
    if not isinstance(section, dict):
        return Settings(), ['the section "Studykey" is missing']
    url, username, password = (str(section.get(key) or "") for key in ("Url", "Username", "Password"))
    if not (re.fullmatch(r"https?://[^/?#@]+(/[^?#]*)?", url) and username and password):
        wrong.append("Url (http:// or https://), Username and Password must all be given")
        url = ""
    users = []
    for login, secret in (section.get("Users") or {}).items():
        if login and ":" not in login and secret and isinstance(secret, str):
            users.append(f"{login}:{secret}".encode())
        else:
            wrong.append("a user without a usable name or password is left out")
    folders = []
    for folder in section.get("StaticFolders") or []:
        if re.fullmatch(r"/[A-Za-z0-9_-]+/", str(folder)) and folder.strip("/").lower() not in NEVER_STATIC:
            folders.append(folder)
        else:
            wrong.append(f"StaticFolders: {folder!r} is not a viewer's folder like /ohif/, left out")
    origins = []
    for origin in section.get("AllowedOrigins") or []:
        if re.fullmatch(ORIGIN, str(origin)):
            origins.append(re.escape(origin).replace(r"\*", LABELS))
        else:
            wrong.append(f"AllowedOrigins: {origin!r} is no origin like https://*.example.org, left out")
    mode = section.get("Mode", "gate")
    if mode not in ("gate", "guard"):
        wrong.append("Mode must be gate or guard, using gate")
    timeout = section.get("TimeoutSeconds", 2)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0.1 <= timeout <= 10:
        wrong.append("TimeoutSeconds must be 0.1 to 10, using 2")
        timeout = 2
    return Settings(
        url.rstrip("/"), username, password, tuple(users), tuple(folders), float(timeout),
        section.get("Nudge", True) is True, str(section.get("OhifIndex") or ""),
        "/" + str(web.get("Root") or "/dicom-web/").strip("/"),
        "/" + str(web.get("WadoRoot") or "/wado").strip("/"), "|".join(origins) or r"(?!)",
        mode == "guard",
    ), wrong  # fmt: skip


# ---------------------------------------------------------------- talking to Studykey
class Studykey:
    """Studykey's internal door: may this token, what may this account, and the two signals."""

    PENDING, ANSWERS = 500, 10_000
    LONGEST_VALIDITY, OUTAGE = 60, 1  # seconds

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Orthanc's own HTTP threads have a stack of 100 KB: Python's name look-up, TLS or a lazy import could
        # overflow it and crash Orthanc (seen with nested JSON). So calls are made on threads of ours.
        self._callers = futures.ThreadPoolExecutor(16, thread_name_prefix="studykey")
        # Passwords cost Studykey a slow hash: whoever tries many here doesn't hold up the tokens.
        self._provers = futures.ThreadPoolExecutor(4, thread_name_prefix="studykey-password")
        self._answers: OrderedDict[tuple[str, str, str], tuple[float, Any]] = OrderedDict()
        self._asking: dict[tuple[str, str, str], futures.Future[tuple[float, Any]]] = {}
        self._answers_lock = threading.Lock()
        self._pending: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._told: dict[str, float] = {}
        self._complained = float("-inf")

    def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """POST JSON; return the body of a 2xx answer. Raises OSError, HTTPException or ValueError.

        http.client because it knows no proxy variables, follows no redirect, and gives up after the timeout.
        """
        url, settings = urlsplit(self._settings.url), self._settings
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        secret = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode("ascii")
        headers = {"Content-Type": "application/json", "Authorization": "Basic " + secret}
        connection = kind(url.netloc, timeout=settings.timeout_seconds)
        try:
            connection.request("POST", url.path + path, json.dumps(body).encode(), headers)
            with connection.getresponse() as answer:
                if not 200 <= answer.status < 300:
                    raise ValueError(f"status {answer.status}")
                return answer.read(65536)
        finally:
            connection.close()

    def grants(self, token: str, token_key: str, study: Study, permission: str) -> bool:
        """Return whether the token may use the study, as answered now or less than `validity` seconds ago."""
        question = {
            "dicom-uid": study.uid, "level": "study", "method": "get", "orthanc-id": study.orthanc_id,
            "server-id": None, "token-key": token_key, "token-value": token, "permission": permission,
        }  # fmt: skip
        key = (token, study.orthanc_id, permission)
        return self._answer(key, self._callers, "/tokens/validate", question) is True

    def permissions(self, credential: str, token_key: str, address: str) -> frozenset[str]:
        """Return what an account may do, as answered now or less than `validity` seconds ago; ``credential``:
        a token of ACCOUNT, or a Basic header."""
        question = {"server-id": None, "token-key": token_key, "token-value": credential, "address": address}
        pool = self._callers if credential.startswith(ACCOUNT) else self._provers
        return self._answer((credential, "", ""), pool, "/user/get-profile", question) or frozenset()

    def _answer(
        self, key: tuple[str, str, str], pool: futures.Executor, path: str, question: Mapping[str, Any]
    ) -> Any:
        """Ask once for all requests that want to know the same at the same time; None when there is no answer."""
        with self._answers_lock:
            until, answer = self._answers.get(key, (0.0, None))
            if time.monotonic() < until:
                return answer
            call = self._asking.get(key)
            if call is None:
                call = self._asking[key] = pool.submit(self._ask, path, question)
                call.add_done_callback(lambda _: self._asking.pop(key, None))
        try:
            until, answer = call.result(self._settings.timeout_seconds)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError,
                futures.TimeoutError, futures.CancelledError) as error:  # fmt: skip
            # An outage is remembered for a second: threads waiting for a silent Studykey would fill Orthanc.
            call.cancel()
            self._complain(error)
            until, answer = time.monotonic() + self.OUTAGE, None
        with self._answers_lock:
            self._answers[key] = until, answer
            self._answers.move_to_end(key)
            while len(self._answers) > self.ANSWERS:
                self._answers.popitem(last=False)
        return answer

    def _ask(self, path: str, question: Mapping[str, Any]) -> tuple[float, Any]:
        """Return until when the answer counts, and the answer: a bool, or a set of permissions."""
        asked_at = time.monotonic()
        told = json.loads(self.post(path, question))
        answer: Any = told["granted"] is True if path == "/tokens/validate" else self._permissions(told)
        validity = told["validity"]
        if type(validity) is not int or validity < 0:
            raise ValueError("validity is not a number of seconds")
        return asked_at + min(validity, self.LONGEST_VALIDITY), answer

    @staticmethod
    def _permissions(profile: Mapping[str, Any]) -> frozenset[str]:
        """Those that hold for all studies: this gate knows no labels, so it honours no narrower profile."""
        permissions, labels = profile["permissions"], profile["authorized-labels"]
        if not isinstance(permissions, list) or not isinstance(labels, list):
            raise ValueError("no list of permissions or labels")
        return frozenset(str(name) for name in permissions) if "*" in labels else frozenset()

    def tell_stable(self, orthanc_id: str) -> None:
        """Queue a nudge; returns at once. A lost one is harmless: Studykey also follows /changes."""
        self._tell("/signals/stable-study", orthanc_id, {"orthanc-id": orthanc_id})

    def tell_ambiguous(self, uid: str, orthanc_ids: Iterable[str]) -> None:
        """Queue the news that several studies bear one UID, at most once a minute for each UID."""
        now = time.monotonic()
        with self._wake:
            if now - self._told.get(uid, float("-inf")) < 60:
                return
            if len(self._told) >= self.PENDING:
                self._told.clear()
            self._told[uid] = now
        body = {"study-instance-uid": uid, "orthanc-ids": sorted(orthanc_ids)}
        self._tell("/signals/ambiguous-study", uid, body)

    def _tell(self, path: str, about: str, body: dict[str, Any]) -> None:
        with self._wake:
            self._pending[path, about] = body  # the same news twice is one message
            while len(self._pending) > self.PENDING:
                self._pending.popitem(last=False)
            self._wake.notify()

    def start(self) -> None:
        """Start the one thread that delivers signals; a daemon, so it never keeps Orthanc from stopping."""
        threading.Thread(target=self._deliver, name="studykey-signals", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end; what is still queued is dropped."""
        self._stopping.set()
        for pool in (self._callers, self._provers):
            pool.shutdown(wait=False, cancel_futures=True)
        with self._wake:
            self._wake.notify_all()

    def _deliver(self) -> None:
        while not self._stopping.is_set():
            with self._wake:
                while not self._pending and not self._stopping.is_set():
                    self._wake.wait()
                if self._stopping.is_set():
                    return
                (path, _), body = self._pending.popitem(last=False)
            for pause in (0.3, 1.0, 0):
                try:
                    self.post(path, body)
                    break
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self._complain(error)
                    if self._stopping.wait(pause):
                        return

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained > 10:  # a line per refused slice would fill the disk
            self._complained = now
            detail = error if isinstance(error, (OSError, ValueError)) else ""
            orthanc.LogWarning(f"Studykey did not answer properly: {type(error).__name__} {detail}")


# ---------------------------------------------------------------- which study is it
class Study(NamedTuple):
    """A study in this Orthanc."""

    orthanc_id: str
    uid: str


class Directory:
    """Which study a request names, asked of Orthanc and remembered for a moment: a viewer fetches many images of it
    every second, and Orthanc takes ten times as long to say whose they are as the rest of the gate does.

    A second patient's study may arrive under the same UID at any moment, and then nobody may get it. So everything is
    forgotten whenever an instance has been stored, before its sender hears of it. Other Orthancs that write into the
    same database don't tell us: what they bring is noticed after LONGEST. Studies that aren't one, and refusals, are
    never remembered. A study that was deleted may be: nothing is left to be shown.
    """

    LONGEST, MEANWHILE, MOST = 0.5, 0.02, 1_000  # seconds (Studykey's answers count for one or more), studies

    def __init__(self, tell_ambiguous: Callable[[str, list[str]], None]) -> None:
        self._tell_ambiguous = tell_ambiguous
        self._known: dict[tuple[str, str], tuple[float, Study]] = {}

    def forget(self) -> None:
        """What is being looked up at this moment goes into the old dictionary, so that isn't remembered either."""
        self._known = {}

    def study(self, found_by: str, value: str) -> Study | None:
        """Return the one study that a UID, or a study, series or instance id stands for; None if it isn't one."""
        known, asked_at = self._known, time.monotonic()
        until, study = known.get((found_by, value), (0.0, None))
        if asked_at < until:
            return study
        if study:  # One asks again; those who come meanwhile, over a viewer's other connections, needn't.
            known[found_by, value] = asked_at + self.MEANWHILE, study
        study = study_above(found_by, value) if found_by.endswith("-id") else self._with_uid(value)
        if study:
            if len(known) >= self.MOST:
                known.clear()
            known[found_by, value] = asked_at + self.LONGEST, study
        else:
            known.pop((found_by, value), None)
        return study

    def _with_uid(self, uid: str) -> Study | None:
        ids = studies_with(uid)
        if len(ids) > 1:
            self._tell_ambiguous(uid, ids)
        study = study_above("study-id", ids[0]) if len(ids) == 1 else None
        return study if study and study.uid == uid else None


def study_above(kind: str, orthanc_id: str) -> Study | None:
    """Return the study that a study, series or instance id belongs to; None when Orthanc doesn't know it."""
    paths = {"study-id": "/studies/{}", "series-id": "/series/{}/study", "instance-id": "/instances/{}/study"}
    try:
        answer = json.loads(orthanc.RestApiGet(paths[kind].format(orthanc_id)))
        return Study(answer["ID"], answer["MainDicomTags"]["StudyInstanceUID"])
    except (orthanc.OrthancException, ValueError, KeyError):
        return None


def studies_with(uid: str) -> list[str]:
    """Return the Orthanc ids of all studies that bear this StudyInstanceUID.

    /tools/lookup also finds patients, series and instances by that text, trims spaces and ignores case: only
    studies count here, and all of them do.
    """
    found = json.loads(orthanc.RestApiPost("/tools/lookup", uid))
    return [one["ID"] for one in found if one["Type"] == "Study"]


# ---------------------------------------------------------------- the filter
class Gate:
    """Decides on each request. Called by Orthanc from many threads at once."""

    def __init__(self, settings: Settings, studykey: Studykey, directory: Directory) -> None:
        self._settings, self._studykey, self._directory = settings, studykey, directory
        # Found by the words of their paths: trying one pattern after the other costs more than all else in here.
        self._rows: dict[tuple[str, ...], list[tuple[re.Pattern[str], Row]]] = {}
        parts = "/".join(self._here(row.path) for row in ROWS).split("/")
        self._words = frozenset(part for part in parts if part and "{" not in part)
        for row in ROWS:
            path = self._here(row.path)
            self._rows.setdefault(self._words_of(path), []).append((self._pattern(path), row))
        self._deeds = [
            (frozenset(deed.methods.split()), self._pattern(self._here(deed.path)), deed) for deed in DEEDS
        ]
        self._methods = {getattr(orthanc.HttpMethod, name): name for name in ("GET", "POST", "PUT", "DELETE")}
        self._origins = re.compile(settings.allowed_origins)

    def _here(self, path: str) -> str:
        """A table's path, with the roots that this Orthanc's DICOMweb has."""
        roots = {"/dicom-web": self._settings.dicom_web_root, "/wado": self._settings.wado_root}
        for usual, ours in roots.items():
            if path == usual or path.startswith(usual + "/"):
                return ours + path[len(usual) :]
        return path

    def _pattern(self, path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{(.*?)\\\}", self._part, re.escape(path).replace(r"\-", "-")))

    def _words_of(self, path: str) -> tuple[str, ...]:
        return tuple(part for part in path.split("/") if part in self._words)

    @staticmethod
    def _part(found: re.Match[str]) -> str:
        return f"(?P<{found[1].replace('-', '_')}>{PARTS[found[1]]})"

    def allows(self, uri: str, **request: Any) -> bool:
        """Answer Orthanc's question. Any error means no; the log names its kind only, never its text."""
        try:
            return self._decide(uri, self._methods[request["method"]], request) is True
        except Exception as error:  # noqa: BLE001 - Orthanc would answer 500 and keep no promise
            orthanc.LogError(f"Studykey gate: refused after an unexpected {type(error).__name__}")
            return False

    def _decide(self, uri: str, method: str, request: Mapping[str, Any]) -> bool:
        headers, query = request.get("headers") or {}, dict(request.get("get") or {})
        is_get, site = method == "GET", headers.get("sec-fetch-site")
        if self._is_foreign(headers):
            return False
        if is_get and (uri == SIGN_IN or uri.startswith(self._settings.static_folders)):
            return True
        if is_basic(headers):
            # A browser that remembers a password sends it along with another website's links and forms, too.
            if site == "cross-site" or (site == "same-site" and not is_get):
                return False
            if is_site_user(self._settings.users, headers):
                return True
        if not self._settings.url:
            return False
        credential, token_key = account_credential(headers, query)
        if credential:
            return self._deed_allows(uri, method, credential, token_key, str(request.get("ip") or ""))
        if not is_get:
            return False
        for pattern, row in self._rows.get(self._words_of(uri), ()):
            parts = pattern.fullmatch(uri)
            if parts:
                return self._row_allows(row, parts.groupdict(), headers, query)
        return False

    def guards(self, _uri: str, **request: Any) -> bool:
        """As ``allows``, beside the Authorization plugin: nothing but reading with a share token in any header.

        The plugin asks Studykey about a DICOMweb GET as "post", too, so an answer alone can't hold changes back.
        What it does with everything else is its own business.
        """
        try:
            headers = request.get("headers") or {}
            is_read = self._methods[request["method"]] == "GET"
            return is_read or not any(SHARE_TOKEN.search(value) for value in headers.values())
        except Exception as error:  # noqa: BLE001 - as above
            orthanc.LogError(f"Studykey guard: refused after an unexpected {type(error).__name__}")
            return False

    def _is_foreign(self, headers: Mapping[str, str]) -> bool:
        """Return whether a browser names another website (Origin) that is not allowed; "null" is one, too."""
        origin, host = headers.get("origin"), headers.get("host") or "nowhere"
        if origin is None or (headers.get("sec-fetch-site") == "same-origin" and origin != "null"):
            return False
        return origin not in ("http://" + host, "https://" + host) and not self._origins.fullmatch(origin)

    def _deed_allows(self, uri: str, method: str, credential: str, token_key: str, address: str) -> bool:
        for methods, pattern, deed in self._deeds:
            if method in methods and pattern.fullmatch(uri):
                if token_key == "token" and not deed.by_link:
                    return False
                may = self._studykey.permissions(credential, token_key, address)
                return not may.isdisjoint(deed.needs.split())
        return False

    def _row_allows(
        self, row: Row, parts: Mapping[str, str], headers: Mapping[str, str], given: Mapping[str, str]
    ) -> bool:
        query = {SAME_KEY.get(key, key): value for key, value in given.items()}
        if len(query) != len(given):
            return False
        for name, value in query.items():
            if name not in row.keys or not re.fullmatch(row.keys[name], value):
                return False
        token, token_key = viewer_token(headers, query)
        if not token:
            return False
        named = query.get(row.found_by) or parts.get(row.found_by.replace("-", "_"))
        if not named or len(named) > 64:
            return False
        study = self._directory.study(row.found_by, named)
        return study is not None and self._studykey.grants(token, token_key, study, row.needs)


def is_basic(headers: Mapping[str, str]) -> bool:
    """Return whether the request brings Basic credentials, right or wrong."""
    return headers.get("authorization", "").partition(" ")[0].lower() == "basic"


def account_credential(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    """Return what somebody with an account brings, and where it stood; empty for everybody else."""
    if is_basic(headers):
        header = headers["authorization"]
        return (header, "Authorization") if len(header) <= 1000 else ("", "")
    token, token_key = viewer_token(headers, query)
    return (token, token_key) if token.startswith(ACCOUNT) else ("", "")


def is_site_user(users: Iterable[bytes], headers: Mapping[str, str]) -> bool:
    """Return whether the Basic credentials are those of a configured client; takes equally long for all."""
    if not is_basic(headers):
        return False
    try:
        given = base64.b64decode(headers["authorization"].partition(" ")[2].strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return sum(hmac.compare_digest(given, user) for user in users) > 0  # any() would stop at the first


def viewer_token(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    """Return the token and where it stood; empty when there is none, it is no token, or two differ."""
    header, argument = headers.get("authorization", ""), query.get("token", "")
    if not header and "token" in headers:
        header = "Bearer " + headers["token"]  # as Orthanc Explorer 2 sends it
    scheme, _, bearer = header.partition(" ")
    if not header:
        return (argument, "token") if re.fullmatch(TOKEN, argument) else ("", "")
    is_token = scheme.lower() == "bearer" and re.fullmatch(TOKEN, bearer) and argument in ("", bearer)
    return (bearer, "Authorization") if is_token else ("", "")


# ---------------------------------------------------------------- what Orthanc calls
def install() -> None:
    """Register everything with Orthanc. The filter comes first: nothing later may leave Orthanc open."""
    try:
        settings, wrong = read_settings(orthanc.GetConfiguration())
    except Exception as error:  # noqa: BLE001 - without a filter Orthanc would stand open
        settings, wrong = Settings(), [f"unreadable ({type(error).__name__})"]
    studykey = Studykey(settings)
    directory = Directory(studykey.tell_ambiguous)
    gate = Gate(settings, studykey, directory)
    orthanc.RegisterIncomingHttpRequestFilter(gate.guards if settings.is_guard else gate.allows)
    for problem in wrong:
        orthanc.LogError(f"Studykey gate: configuration: {problem}")

    def on_change(change: int, _level: int, resource: str) -> None:
        if change == orthanc.ChangeType.STABLE_STUDY and settings.nudge and settings.url:
            studykey.tell_stable(resource)
        elif change == orthanc.ChangeType.ORTHANC_STOPPED:
            studykey.stop()

    # A REST callback is told its method as text, a filter as a number.
    def sign_in(output: Any, _uri: str, **request: Any) -> None:
        if request.get("method") != "GET":
            output.SendMethodNotAllowed("GET")
        elif is_site_user(settings.users, request.get("headers") or {}):
            # Not output.Redirect: that is a 301 without headers, and a browser that remembers it never asks
            # again. The address is relative: Orthanc may stand under a proxy's sub-path.
            output.SetHttpHeader("Cache-Control", "no-store")
            output.SetHttpHeader("Location", "app/explorer.html")
            output.SendHttpStatusCode(303)
        else:
            output.SendUnauthorized("Orthanc")

    def ohif(output: Any, _uri: str, **request: Any) -> None:
        if request.get("method") != "GET":
            output.SendMethodNotAllowed("GET")
        else:
            output.SetHttpHeader("Referrer-Policy", "no-referrer")  # the address holds the token
            output.AnswerBuffer(Path(settings.ohif_index).read_bytes(), "text/html")

    # Called for each instance by the thread that stores it, when others can see it and before its sender is told so.
    def on_stored(_instance: Any, _instance_id: str) -> None:
        directory.forget()

    orthanc.RegisterOnStoredInstanceCallback(on_stored)
    orthanc.RegisterOnChangeCallback(on_change)
    orthanc.RegisterRestCallback(SIGN_IN, sign_in)
    if settings.ohif_index:
        orthanc.RegisterRestCallback("/ohif/viewer", ohif)
    studykey.start()
    rows = f"{len(ROWS)} rows for viewer tokens, {len(DEEDS)} for accounts"
    orthanc.LogWarning(f"Studykey gate {VERSION} stands in front of Orthanc: {rows}")


install()
