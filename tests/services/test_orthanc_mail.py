"""Mails that Orthanc Explorer writes: through an allow-list, to few people, at a pace, on record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from app.adapters.letters import Words
from app.adapters.mail import Letter, MailFailed, Why
from app.services.orthanc_mail import MOST_AN_HOUR, Draft, OrthancMail, Refused
from app.wiring import Services
from tests.internal.test_internal_door import GATE
from tests.support.factories import events, own_session

DRAFT = Draft(
    to="doctor@example.org; nurse@example.org",
    subject="Images",
    html='<p>See <a href="https://example.org/x" onclick="x()">here</a></p><script>alert(1)</script>'
    '<img src="https://evil.example/pixel"><form action="https://evil.example"><input></form>'
    '<a href="javascript:alert(1)">no</a><style>p{color:red}</style>',
    layout="share-study-layout",
)


class Post:
    """A mail server of few words."""

    is_on = True

    def __init__(self) -> None:
        self.sent: list[Letter] = []
        self.fails_for = ""

    def send(self, letter: Letter, *, at: object) -> None:
        if letter.to == self.fails_for:
            raise MailFailed(Why.REFUSED)
        self.sent.append(letter)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def mail(services: Services, post: Post) -> OrthancMail:
    return OrthancMail(own_session(services), post, services.audit, services.settings)  # type: ignore[arg-type]


def send(services: Services, mail: OrthancMail, **changes: str) -> Words:
    draft = replace(DRAFT, **changes)
    mail.send("main", draft, at=services.clock(), clinic="Test Clinic")
    sent = mail._mail.sent  # type: ignore[attr-defined]
    words: Words = sent[-1].words
    return words


def test_each_person_gets_a_mail_of_their_own_and_each_is_on_record(
    services: Services, mail: OrthancMail, post: Post
) -> None:
    send(services, mail)

    assert [letter.to for letter in post.sent] == ["doctor@example.org", "nurse@example.org"]
    assert events(services) == ["mail:sent"] * 2


def test_nothing_but_plain_text_and_links_gets_through(services: Services, mail: OrthancMail) -> None:
    words = send(services, mail)

    assert 'href="https://example.org/x"' in words.html
    for bad in ("<script", "onclick", "img", "form", "javascript", "color:red", "evil.example"):
        assert bad not in words.html.lower(), bad
    assert "{email-content}" not in words.html
    assert "here https://example.org/x" in words.text


@pytest.mark.parametrize(
    "changes",
    [
        {"to": ""},
        {"to": "nobody"},
        {"to": "a@example.org\r\nBcc: b@example.org"},
        {"to": ";".join(f"p{n}@example.org" for n in range(6))},
        {"subject": " "},
        {"html": "x" * 20_001},
    ],
)
def test_what_is_no_mail_is_refused_and_nobody_gets_one(
    services: Services, mail: OrthancMail, post: Post, changes: dict[str, str]
) -> None:
    with pytest.raises(Refused):
        send(services, mail, **changes)

    assert post.sent == []
    assert events(services) == []


def test_an_archive_sends_only_so_many_an_hour(services: Services, mail: OrthancMail, post: Post) -> None:
    for number in range(MOST_AN_HOUR):
        send(services, mail, to=f"p{number}@example.org")

    with pytest.raises(Refused):
        send(services, mail, to="one.more@example.org")
    assert len(post.sent) == MOST_AN_HOUR


def test_a_mail_that_was_not_taken_is_told_and_on_record(
    services: Services, mail: OrthancMail, post: Post
) -> None:
    post.fails_for = "nurse@example.org"

    with pytest.raises(Refused, match="1 of 2"):
        send(services, mail)
    assert events(services) == ["mail:sent", "mail:sent", "mail:failed"]


def test_a_layout_is_one_of_ours_or_none(services: Services, mail: OrthancMail) -> None:
    words = send(services, mail, layout="../../base")

    assert words.html.startswith("<p>See")


def test_orthanc_explorer_gets_its_texts(internal_client: FlaskClient) -> None:
    assert internal_client.get("/emails/templates", auth=GATE).json == ["share-study"]
    html = internal_client.get("/emails/templates/share-study", auth=GATE)
    assert "{ShareUrl}" in html.text
    assert internal_client.get("/emails/templates/share-study-layout", auth=GATE).status_code == 404
    assert internal_client.get("/emails/templates").status_code == 401


def test_without_a_mail_server_the_reason_is_told(internal_client: FlaskClient) -> None:
    body = {"destination-email": "a@example.org", "email-title": "x", "email-content": "<p>x</p>"}

    answer = internal_client.post("/emails/send", json=body, auth=GATE)

    assert answer.status_code == 400
    assert answer.json == {"success": False, "details": "No mail server is set up in Studykey."}
