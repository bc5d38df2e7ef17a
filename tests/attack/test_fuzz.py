"""Nonsense at every public route: no server error, no secret in any log line, no visit without proof.

Requests are built as a server hands them over (a raw WSGI environment), so that nothing tidies them up before.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import structlog
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from werkzeug.test import create_environ, run_wsgi_app

from app.domain.staff import Role
from app.models import Attempt, AuditEvent, StaffSession, Visit, db
from app.web.access import Who, allowed
from app.wiring import Services
from tests.conftest import ARCHIVE
from tests.support.factories import ADDRESS, BORN, rows
from tests.support.portal import TOKEN, Portal, portal_of

STAFF_PASSWORD = "correct horse battery staple"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", ""]
FIELDS = (
    *("code", "day", "month", "year", "password", "with_password", "narrow", "go", "csrf_token", "login"),
    *("findings", "impression", "reason", "revision", "language", "paper", "agreed", "another", "series"),
    *("image", "q", "before", "done", "v", "filename", "study", "state", "modality", "day_from", "label"),
    *("kind", "how", "address", "view", "report", "download", "until", "days", "name", "roles", "token"),
    *(
        "network",
        "account",
        "what",
        "who",
        "style",
        "walk",
        "from",
        "to",
        "colour",
        "logo",
        "checked",
        "after",
    ),
)
HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Length", "Content-Type"),
    *("Forwarded", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range"),
    *("Referer", "Sec-CH-UA-Mobile", "Transfer-Encoding", "User-Agent", "X-CSRFToken", "X-Forwarded-For"),
    *("X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-HTTP-Method-Override"),
)
NASTY = (
    *(
        "",
        " ",
        "\x00",
        "%",
        "%00",
        "%ff",
        "..",
        "../../etc/passwd",
        "\\",
        "'",
        '"><script>',
        "{{7*7}}",
        "${7}",
    ),
    *("\u202e", "\ufeff", "\ud7ff", "𝟘", "٣", "-1", "0", "1", "2", "9" * 40, "1e9", "NaN", "true", "null"),
    *("2026-11-20T09:00:00+00:00~1", "0001-01-01T00:00:00+14:00~1", "9999-12-31T23:59:59-14:00~9", "~"),
    *("a" * 300, "sign", "images", "study", "reissues", "de", "xx", "A4", "?1", "bytes=0-", "bytes=9-1,-,"),
    *("//evil.example", "https://evil.example/", "evil.example:99999", "localhost", "*/*;q=x", "de;q=9, *"),
    *("text/html", "application/json", "multipart/form-data; boundary=x", "multipart/form-data", "gzip"),
    "application/x-www-form-urlencoded; charset=utf-7",
)


@dataclass(frozen=True)
class Asked:
    """A request, drawn: ``who`` sends it with whose cookies."""

    who: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    cookie: str
    body: bytes = field(repr=False)
    has_token: bool


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Any
    body: bytes


@dataclass
class Door:
    """The public door with what an attacker may have got hold of: a sheet, cookies, tokens."""

    portal: Portal
    cookies: dict[str, str]
    csrf: str
    secrets: dict[str, str]
    routes: dict[str, list[tuple[str, list[str]]]]

    def ask(self, asked: Asked, number: int) -> Answered:
        body, headers = asked.body, dict(asked.headers)
        if asked.has_token and asked.method == "POST":
            body += b"&" * bool(body) + urlencode({"csrf_token": self.csrf}).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers.pop("Content-Length", None)
        environ = create_environ("/", "http://localhost", input_stream=io.BytesIO(body))
        environ |= {
            "REQUEST_METHOD": asked.method,
            "PATH_INFO": asked.path.encode(errors="surrogatepass").decode("latin-1"),
            "QUERY_STRING": asked.query.encode(errors="surrogatepass").decode("latin-1"),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": f"198.{18 + number // 256 % 100}.{number % 256}.7",  # no limit may hide a fault
            "HTTP_COOKIE": "; ".join(filter(None, [self.cookies[asked.who], asked.cookie])),
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"
            environ[key] = value.encode(errors="surrogatepass").decode("latin-1")
        chunks, status, told = run_wsgi_app(self.portal.app.wsgi_app, environ, buffered=True)
        if asked.method == "POST":  # who signed out comes back
            with db.engine.begin() as connection:
                connection.execute(update(Visit).values(ended_at=None))
                connection.execute(update(StaffSession).values(ended_at=None, locked_at=None))
        return Answered(int(status.split()[0]), told, b"".join(chunks))


@pytest.fixture
def door(public_app: Flask, services: Services) -> Door:
    portal = portal_of(public_app, services)
    first = portal.client.get("/")
    session = first.headers["Set-Cookie"].partition(";")[0]
    found = TOKEN.search(first.text)
    assert found is not None
    live, key = services.visits.begin(portal.paper.grant.id, address=ADDRESS, at=services.clock())
    token = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    services.staff.add(
        login="anna", name="", roles=[Role.ADMIN], password=STAFF_PASSWORD, at=portal.now, actor="x"
    )
    services.session.commit()
    staff_key = services.staff_sessions.sign_in("anna", STAFF_PASSWORD, address=ADDRESS, at=portal.now)
    assert staff_key is not None
    secrets = {
        "code": portal.paper.code.symbols,
        "code as printed": portal.paper.code.grouped,
        "password": portal.paper.password.digits,
        "password as printed": portal.paper.password.grouped,
        "birth date": BORN.isoformat(),
        "birth date in DICOM": BORN.strftime("%Y%m%d"),
        "visit": key,
        "staff session": staff_key,
        "viewer token": token,
        "staff password": STAFF_PASSWORD,
        "session": session.partition("=")[2],
    }
    routes: dict[str, list[tuple[str, list[str]]]] = {who: [] for who in EXAMPLES}
    with public_app.app_context():
        for rule in public_app.url_map.iter_rules():
            open_to = (allowed(rule.endpoint) or (None,))[0]
            for who, at_home in AT_HOME.items():
                # Most of what somebody sends goes where they get past the door; all of it somewhere.
                times = 20 if open_to is at_home and "<path:" not in rule.rule else 1
                routes[who] += [(rule.rule, sorted(rule.methods or ()))] * times
    cookies = {
        "nobody": session,
        "holder": f"{session}; studykey_visit={key}",
        "staff": f"{session}; studykey_staff={staff_key}",
    }
    return Door(portal, cookies, found[1], secrets, routes)


# What is drawn. Strategies can't know the door's secrets: markers stand for them until a request is made.

MARKERS = ("code", "code as printed", "password", "birth date", "visit", "viewer token", "staff password")
values = (
    st.sampled_from(NASTY)
    | st.sampled_from([f"<<{name}>>" for name in MARKERS])
    | st.text(max_size=30)
    | st.integers(-3, 40).map(str)
)
pairs = st.lists(st.tuples(st.sampled_from(FIELDS) | st.text(max_size=5), values), max_size=8)
# Guesses that get as far as the hashes; the day is never the right one, so none is a proof.
guesses = st.fixed_dictionaries(
    {
        "code": st.sampled_from(["<<code>>", "<<code as printed>>", "000000000017"]),
        "day": st.sampled_from(["26", "28", "26", "28", "x"]),
        "month": st.sampled_from(["3", "march"]),
        "year": st.just("1958"),
    },
    optional={
        "password": st.sampled_from(["<<password>>", "0000000000", "1"]),
        "go": values,
    },
).map(lambda fields: urlencode(fields).encode())
bodies = st.one_of(
    pairs.map(lambda pairs: urlencode(pairs, errors="replace").encode()),
    pairs.map(lambda pairs: urlencode(pairs, errors="replace").encode()),
    st.binary(max_size=200),
    st.just(b"a" * 70_000),
    st.just(b'--x\r\nContent-Disposition: form-data; name="code"; filename="\x00"\r\n\r\nx\r\n--x--'),
)


@st.composite
def requests_(draw: st.DrawFn, routes: list[tuple[str, list[str]]], who: str) -> Asked:
    rule, methods = draw(st.sampled_from(routes))
    doing = ["POST"] if "POST" in methods else ["GET"]
    path = re.sub(r"<[^>]+>", lambda _: draw(st.just("1") | st.just("1") | values), rule)
    path = draw(st.just(path) | st.just(path) | values.map(lambda value: path + "/" + value))
    query = draw(pairs.map(lambda pairs: urlencode(pairs, errors="replace")) | st.text(max_size=20))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), values, max_size=4))
    junk = draw(st.just("") | values.map(lambda value: f"studykey_visit={value}") | st.text(max_size=40))
    return Asked(
        who,
        draw(st.sampled_from(doing) | st.sampled_from(doing) | st.sampled_from([*methods, *METHODS])),
        path,
        query,
        headers,
        junk,
        draw(bodies),
        draw(st.sampled_from([True, True, True, False])),
    )


def with_secrets(asked: Asked, secrets: dict[str, str]) -> Asked:
    def put(text: str) -> str:
        for name in MARKERS:
            text = text.replace(f"<<{name}>>", secrets[name])
            text = text.replace(quote(f"<<{name}>>"), quote(secrets[name]))
            text = text.replace(urlencode({"": f"<<{name}>>"})[1:], urlencode({"": secrets[name]})[1:])
        return text

    return Asked(
        asked.who,
        asked.method,
        put(asked.path),
        put(asked.query),
        {name: put(value) for name, value in asked.headers.items()},
        put(asked.cookie),
        put(asked.body.decode("latin-1")).encode("latin-1"),
        asked.has_token,
    )


@contextmanager
def everything_logged() -> Iterator[Callable[[], str]]:
    """What any logger writes meanwhile, at any level, rendered as the program renders it."""
    out = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield out.getvalue
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        structlog.configure(**before)


AT_HOME = {"nobody": Who.EVERYBODY, "holder": Who.VISITOR, "staff": Who.STAFF}
# As many as a holder, a member of the staff (each print takes its time) and a stranger are tried with.
EXAMPLES = {"nobody": 800, "holder": 400, "staff": 500}
# Some of what has to be met, or the fuzzer stays at the doormat.
MET = {
    "nobody": {
        ("GET", 200),
        ("GET", 303),
        ("GET", 403),
        *(("POST", n) for n in (303, 400, 403, 404, 413, 422)),
    },
    "holder": {("GET", 200), ("POST", 303), ("POST", 400)},
    "staff": {("GET", 200), ("POST", 303), ("POST", 400)},
}


@pytest.mark.parametrize("who", EXAMPLES)
def test_no_request_is_a_server_error_or_opens_or_betrays_anything(
    door: Door, who: str, capfd: pytest.CaptureFixture[str]
) -> None:
    number = 0
    statuses: set[tuple[str, int]] = set()
    begun = len(rows(door.portal.services, Visit))

    @settings(
        max_examples=EXAMPLES[who],
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(requests_(door.routes[who], who))
    def fuzz(drawn: Asked) -> None:
        nonlocal number
        number += 1
        asked = with_secrets(drawn, door.secrets)
        answer = door.ask(asked, number)
        statuses.add((asked.method, answer.status))
        assert answer.status < 500 or answer.status == 503, (answer.status, drawn)
        assert "studykey_visit=" not in str(answer.headers.getlist("Set-Cookie")).replace(
            "studykey_visit=;", ""
        ), drawn
        location = answer.headers.get("Location", "/")
        assert location.startswith((ARCHIVE.public_url, "/")) and location[1:2] != "/", (location, drawn)
        # After signing in, people come back to the address they asked for: only ever a path of ours.
        others = [header for header in answer.headers if header[0] != "Location"]
        assert "evil.example" not in str(others), drawn
        if who == "nobody" and door.secrets["visit"] not in asked.cookie:
            assert b"Muster" not in answer.body and b"Thorax" not in answer.body, drawn
        if asked.method != "TRACE":
            for name in ("visit", "staff session", "viewer token"):
                if door.secrets[name] not in str(asked):
                    assert door.secrets[name].encode() not in answer.body, (name, drawn)

    with everything_logged() as logged:
        fuzz()
    told = logged() + "".join(capfd.readouterr())

    for name, secret in door.secrets.items():
        assert secret not in told, f"the {name} was logged"
    proved = [row for row in rows(door.portal.services, AuditEvent) if row.event == "grant:proved"]
    assert len(rows(door.portal.services, Visit)) == begun + len(proved)
    assert statuses >= MET[who], sorted(statuses)


def test_no_guess_is_a_proof_and_none_is_logged(door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    """The right code with everything but the right birth date, from a fresh network each time."""
    number = 0
    begun = len(rows(door.portal.services, Visit))

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(guesses, st.dictionaries(st.sampled_from(HEADERS[7:]), values, max_size=2))
    def guess(body: bytes, headers: dict[str, str]) -> None:
        nonlocal number
        number += 1
        drawn = Asked("nobody", "POST", "/", "", headers, "", body, has_token=True)
        answer = door.ask(with_secrets(drawn, door.secrets), number)
        assert answer.status in (400, 403, 422, 503), (answer.status, drawn)
        assert "Location" not in answer.headers

    with everything_logged() as logged:
        guess()
    told = logged() + "".join(capfd.readouterr())

    for name, secret in door.secrets.items():
        assert secret not in told, f"the {name} was logged"
    assert len(rows(door.portal.services, Attempt)) > 20, "guesses were compared"
    assert len(rows(door.portal.services, Visit)) == begun
