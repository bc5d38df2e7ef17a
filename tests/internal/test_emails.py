"""Mails of Orthanc Explorer through the internal door's own process and a real mail server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.support.clinic import GATE, Clinic
from tests.support.databases import Databases
from tests.support.post import SENDER, Box, html_of, mail_server, text_of

pytestmark = pytest.mark.no_database

MAIL = {
    "destination-email": "ana@example.org",
    "email-title": "Images of your examination",
    "email-content": '<p>See <a href="https://images.example.org/#K7QD">here</a>.</p>',
    "layout-template": "share-study-layout",
}
NASTY = (
    '<p onclick="x()">Hello</p><script>alert(1)</script><img src="https://evil.example/pixel">'
    '<form action="https://evil.example"><input name="code"></form><style>p{color:red}</style>'
    '<a href="javascript:alert(1)">one</a> <a href="https://example.org/x">two</a>'
)


@dataclass(frozen=True)
class Door:
    clinic: Clinic
    box: Box

    def send(self, **changes: Any) -> tuple[int, dict[str, Any]]:
        told = MAIL | {name.replace("_", "-"): value for name, value in changes.items()}
        answer = requests.post(f"{self.clinic.door}/emails/send", json=told, auth=GATE, timeout=5)
        return answer.status_code, answer.json()


@contextmanager
def running(tmp_path_factory: pytest.TempPathFactory, databases: Databases, port: int) -> Iterator[Clinic]:
    """A Studykey whose mail server is at that port; no Orthanc."""
    with databases.fresh() as url:
        clinic = Clinic(
            tmp_path_factory.mktemp("emails"),
            url,
            STUDYKEY_SMTP_HOST="127.0.0.1",
            STUDYKEY_SMTP_PORT=str(port),
            STUDYKEY_SMTP_TLS="none",
            STUDYKEY_SMTP_FROM=SENDER,
        )
        try:
            clinic.start_studykey("internal")
            yield clinic
        finally:
            clinic.close()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Door]:
    with ExitStack() as stack:
        box, mail = stack.enter_context(mail_server())
        yield Door(stack.enter_context(running(tmp_path_factory, databases, mail.port)), box)


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "door" in request.fixturenames:
        box: Box = request.getfixturevalue("door").box
        box.mails.clear()
        box.envelopes.clear()


def test_the_texts_that_orthanc_explorer_offers_are_there(door: Door) -> None:
    def get(path: str, **more: Any) -> requests.Response:
        return requests.get(f"{door.clinic.door}/emails/templates{path}", timeout=5, **more)

    assert get("", auth=GATE).json() == ["share-study"]
    text = get("/share-study", auth=GATE)
    assert text.headers["Content-Type"].startswith("text/html") and "{ShareUrl}" in text.text
    for missing in ("/nothing", "/share-study-layout", "/..%2f..%2fbase", "/share-study.html"):
        assert get(missing, auth=GATE).status_code == 404
    assert get("").status_code == get("/share-study", auth=("main", "wrong")).status_code == 401


def test_a_mail_arrives_in_its_layout_as_html_and_as_text(door: Door) -> None:
    assert door.send() == (200, {"success": True, "details": None})

    (mail,) = door.box.mails
    assert (mail["To"], mail["Subject"]) == ("ana@example.org", "Images of your examination")
    assert mail["From"].addresses[0].addr_spec == SENDER
    assert html_of(mail).startswith("<!doctype html>") and "{email-content}" not in html_of(mail)
    assert 'href="https://images.example.org/#K7QD"' in html_of(mail)
    assert "here https://images.example.org/#K7QD" in text_of(mail)


@pytest.mark.parametrize("layout", ["", "nothing", "../../base", "share-study", None])
def test_a_layout_that_there_is_not_leaves_the_mail_as_it_was_written(door: Door, layout: str | None) -> None:
    assert door.send(layout_template=layout)[0] == 200
    assert html_of(door.box.mails[0]).startswith("<p>See")


def test_only_text_and_links_get_through(door: Door) -> None:
    assert door.send(email_content=NASTY)[0] == 200

    html = html_of(door.box.mails[0]).lower()
    for bad in ("<script", "javascript", "onclick", "img", "form", "input", "color:red", "evil.example"):
        assert bad not in html, bad
    assert "hello" in html and 'href="https://example.org/x"' in html


@pytest.mark.parametrize("separator", [";", ",", " ", "; ", " , ", "\n"])
def test_each_recipient_gets_a_mail_of_their_own(door: Door, separator: str) -> None:
    people = ["ana@example.org", "ben@example.org", "cem@example.org"]

    assert door.send(destination_email=separator.join(people))[0] == 200

    assert [mail["To"] for mail in door.box.mails] == people
    assert [envelope.rcpt_tos for envelope in door.box.envelopes] == [[person] for person in people]


@pytest.mark.parametrize(
    "changes",
    [
        {"destination_email": ";".join(f"p{n}@example.org" for n in range(6))},
        {"destination_email": ""},
        {"destination_email": None},
        {"destination_email": ["ana@example.org"]},
        {"destination_email": "ana@example.org; nobody"},
        {"destination_email": "ana@example.org\r\nBcc: ben@example.org"},
        {"destination_email": "<ana@example.org>"},
        {"destination_email": '"a b"@example.org'},
        {"email_title": "  "},
        {"email_content": "x" * 20_001},
    ],
)
def test_what_is_no_mail_is_refused_with_a_reason_and_nothing_is_sent(
    door: Door, changes: dict[str, Any]
) -> None:
    status, told = door.send(**changes)

    assert (status, told["success"]) == (400, False)
    assert told["details"]
    assert door.box.mails == []


@pytest.mark.parametrize(
    "title", ["Images\r\nBcc: ben@example.org", "Images\nX-Other: 1", "Images\r\n\r\nText"]
)
def test_a_title_makes_no_header_and_no_recipient(door: Door, title: str) -> None:
    assert door.send(email_title=title)[0] == 200

    (mail,), (envelope,) = door.box.mails, door.box.envelopes
    assert envelope.rcpt_tos == ["ana@example.org"]
    assert mail["Bcc"] is None and mail["X-Other"] is None
    assert mail["Subject"] == " ".join(title.split())


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'{"destination-email": {"a": 1}}'])
def test_a_body_of_any_kind_is_answered_as_orthanc_explorer_understands(door: Door, body: bytes) -> None:
    answer = requests.post(f"{door.clinic.door}/emails/send", data=body, auth=GATE, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["success"] is False and answer.json()["details"]


def test_a_mail_server_that_refuses_one_of_them_is_told(door: Door) -> None:
    door.box.rcpt_answer = "550 no such mailbox"
    try:
        status, told = door.send()
    finally:
        door.box.rcpt_answer = ""

    assert (status, told) == (400, {"success": False, "details": "The mail server took 0 of 1 mails."})
    assert "ana@example.org" not in door.clinic.log.read_text()


def test_an_hour_has_room_for_so_many_mails_and_then_says_so(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> None:
    with mail_server() as (box, mail), running(tmp_path_factory, databases, mail.port) as clinic:
        door = Door(clinic, box)
        five = ",".join(f"p{n}@example.org" for n in range(5))
        for _ in range(12):
            assert door.send(destination_email=five)[0] == 200

        status, told = door.send()

    assert (status, told["success"]) == (400, False)
    assert "60 mails an hour" in told["details"]
    assert len(box.mails) == 60


def test_a_mail_server_that_is_down_or_silent_holds_nobody_up(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        port = silent.getsockname()[1]
        with running(tmp_path_factory, databases, port) as clinic:
            begun = time.monotonic()
            status, told = Door(clinic, Box()).send()
            assert time.monotonic() - begun < 3
            assert (status, told["success"]) == (200, True)
            assert "the audit trail says if it can't be delivered" in told["details"]
            begun = time.monotonic()
            assert requests.get(f"{clinic.door}/health", timeout=2).status_code == 200
            assert time.monotonic() - begun < 1
        # With the socket closed: nothing listens there.
    with running(tmp_path_factory, databases, port) as clinic:
        begun = time.monotonic()
        status, told = Door(clinic, Box()).send()
        assert time.monotonic() - begun < 3
        assert (status, told) == (400, {"success": False, "details": "The mail server took 0 of 1 mails."})
