"""Mail through a real SMTP server: what arrives, and every way in which it can fail."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.adapters import mail as mails
from app.adapters.letters import LetterTemplates, Words
from app.adapters.mail import Letter, Mail, MailFailed, Why
from app.config_mail import MailSettings, Tls
from app.demo.place import free_port
from tests.support.post import SENDER, html_of, mail_server, text_of
from tests.support.tls import certificate

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BASE = "https://images.clinic.example"
WORDS = Words(
    "Röntgen-Praxis", "de", "Bilder für Sie", "Grüße\n" + BASE + "/#K7QD9M3X4TBN!p\n", "<p>Grüße</p>"
)
LETTER = Letter("doctor@example.org", WORDS)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def of_server(pem: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


@pytest.fixture(scope="module")
def trust(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pem))


def why(
    settings: MailSettings | None, *, trust: ssl.SSLContext | None = None, letter: Letter = LETTER
) -> Why:
    with pytest.raises(MailFailed) as failed:
        Mail(settings, BASE, trust=trust).send(letter, at=AT)
    assert "doctor" not in repr(failed.value) and failed.value.__cause__ is None
    return failed.value.why


def test_a_letter_arrives_as_text_and_html_with_headers_of_its_own() -> None:
    with mail_server() as (box, settings):
        Mail(settings, BASE).send(LETTER, at=AT)

    (message,), (envelope,) = box.mails, box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["doctor@example.org"])
    assert message["To"] == "doctor@example.org"
    assert message["From"] == f"Röntgen-Praxis <{SENDER}>"
    assert message["Subject"] == "Bilder für Sie"
    assert message["Date"].datetime == AT
    assert message["Message-ID"].endswith("@images.clinic.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert f"{BASE}/#K7QD9M3X4TBN!p" in text_of(message)
    assert "Grüße" in html_of(message)


def test_with_starttls_and_a_login_the_letter_arrives(
    of_server: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    with mail_server(tls=of_server, login=("studykey", "a-secret")) as (box, settings):
        Mail(settings, BASE, trust=trust).send(LETTER, at=AT)

    assert len(box.mails) == 1


def test_with_tls_from_the_first_byte_the_letter_arrives(
    of_server: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    with mail_server(tls=of_server, by_starttls=False) as (box, settings):
        Mail(settings, BASE, trust=trust).send(LETTER, at=AT)

    assert len(box.mails) == 1


@pytest.mark.parametrize("by_starttls", [True, False])
def test_a_certificate_that_nobody_vouches_for_gets_no_letter(
    of_server: ssl.SSLContext, by_starttls: bool
) -> None:
    with mail_server(tls=of_server, by_starttls=by_starttls) as (box, settings):
        assert why(settings) is Why.UNSAFE

    assert box.mails == []


def test_a_certificate_for_another_name_gets_no_letter(
    of_server: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    with mail_server(tls=of_server) as (box, settings):
        assert why(replace(settings, host="localhost.localdomain"), trust=trust) in (
            Why.UNSAFE,
            Why.UNREACHABLE,  # where this name leads nowhere
        )

    assert box.mails == []


def test_a_server_that_offers_no_tls_gets_no_letter_where_it_is_asked_for() -> None:
    with mail_server() as (box, settings):
        assert why(replace(settings, tls=Tls.STARTTLS)) is Why.UNSAFE

    assert box.mails == []


def test_a_wrong_password_is_told_as_such(of_server: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with mail_server(tls=of_server, login=("studykey", "a-secret")) as (box, settings):
        assert why(replace(settings, password="another"), trust=trust) is Why.LOGIN

    assert box.mails == []


def test_an_address_that_the_server_refuses_is_told_as_such() -> None:
    with mail_server() as (box, settings):
        box.rcpt_answer = "550 no such user doctor@example.org"
        assert why(settings) is Why.REFUSED


def test_a_letter_that_the_server_refuses_is_told_as_such() -> None:
    with mail_server() as (box, settings):
        box.data_answer = "554 no"
        assert why(settings) is Why.REFUSED


def test_without_a_server_nothing_is_sent() -> None:
    assert not Mail(None, BASE).is_on
    assert why(None) is Why.OFF
    assert why(MailSettings("127.0.0.1", free_port(), "", "", Tls.NONE, SENDER)) is Why.UNREACHABLE


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "TIMEOUT_SECONDS", 0.2)
    with silent_server() as port:
        assert why(MailSettings("127.0.0.1", port, "", "", Tls.NONE, SENDER)) is Why.UNREACHABLE


@contextmanager
def silent_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_line_breaks_in_names_begin_no_header() -> None:
    evil = replace(WORDS, sender="Clinic\r\nBcc: x@example.org", subject="Images\nBcc: x@example.org")
    with mail_server() as (box, settings):
        Mail(settings, BASE).send(Letter(LETTER.to, evil), at=AT)

    assert box.mails[0]["Bcc"] is None
    assert box.envelopes[0].rcpt_tos == [LETTER.to]


SHARE = {
    "clinic": "Test <Clinic> & Co",
    "phone": "+1 555 0199",
    "sharer": "Dr <Anna>",
    "link": f"{BASE}/#K7QD9M3X4TBN!p",
    "password_in_link": False,
    "asks_birth_date": False,
    "until": AT.date(),
}


def test_names_are_escaped_in_html_and_plain_in_text() -> None:
    words = LetterTemplates().words("share", language="en", sender="Clinic", **SHARE)

    assert words.subject == "Images from Test <Clinic> & Co"
    assert "Dr <Anna> of Test <Clinic> & Co has shared images" in words.text
    assert "Dr &lt;Anna&gt; of Test &lt;Clinic&gt; &amp; Co" in words.html
    assert "November 21, 2026" in words.text and "+1 555 0199" in words.text


@pytest.mark.parametrize("language", ["en", "es", "fr", "de", "pl", "pt", "ja"])
def test_a_letter_can_be_written_in_every_language(language: str) -> None:
    words = LetterTemplates().words("share", language=language, sender="Clinic", **SHARE)

    assert f"{BASE}/#K7QD9M3X4TBN!p" in words.text and f'href="{BASE}/#K7QD9M3X4TBN!p"' in words.html
    assert f'lang="{words.language}"' in words.html
