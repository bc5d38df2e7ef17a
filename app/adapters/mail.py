"""Mail: one letter to one person, handed to the clinic's mail server over a checked connection.

Refuses to send in clear where the settings ask for TLS, and to tell anybody what the letter says or to whom it went:
errors and logs carry a reason and the server's number, nothing else.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from enum import StrEnum
from urllib.parse import urlsplit

import structlog

from app.adapters.letters import Words
from app.config_mail import MailSettings, Tls

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10  # for each step of the conversation


class Why(StrEnum):
    """Why a letter didn't go, as far as whoever sends it can do something about it."""

    OFF = "off"  # no mail server is set up
    UNREACHABLE = "unreachable"  # it doesn't answer, or breaks off
    UNSAFE = "unsafe"  # no TLS, or a certificate that isn't its own
    LOGIN = "login"  # it doesn't take our name and password
    REFUSED = "refused"  # it won't send to this address, or this letter


class MailFailed(Exception):
    """The letter didn't go."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True)
class Letter:
    """``to``: one address, already read (domain.mail_address)."""

    to: str = field(repr=False)
    words: Words


class Mail:
    """``base_url`` gives the name that this machine goes by in Message-ID and greeting (RFC 5322 section 3.6.4)."""

    def __init__(
        self, settings: MailSettings | None, base_url: str, *, trust: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._host = urlsplit(base_url).hostname or "localhost"
        self._trust = trust

    @property
    def is_on(self) -> bool:
        return self._settings is not None

    def send(self, letter: Letter, *, at: datetime) -> None:
        """Hand ``letter`` to the mail server. Raises MailFailed."""
        settings = self._settings
        if settings is None:
            raise MailFailed(Why.OFF)
        message = self._message(letter, settings.sender, at)
        trust = self._trust or ssl.create_default_context()
        try:
            with self._connection(settings, trust) as server:
                if settings.tls is Tls.STARTTLS:
                    server.starttls(context=trust)
                if settings.username:
                    server.login(settings.username, settings.password)
                server.send_message(message, settings.sender, [letter.to])
        except (OSError, smtplib.SMTPException, ValueError) as error:
            why = _why(error)
            log.error("a mail was not sent", why=why.value, type=type(error).__name__, code=_code(error))
            raise MailFailed(why) from None  # the server's words may quote the address

    def _connection(self, settings: MailSettings, trust: ssl.SSLContext) -> smtplib.SMTP:
        # The name is given: asking the network for it can take longer than all the rest.
        if settings.tls is Tls.TLS:
            return smtplib.SMTP_SSL(
                settings.host,
                settings.port,
                local_hostname=self._host,
                timeout=TIMEOUT_SECONDS,
                context=trust,
            )
        return smtplib.SMTP(settings.host, settings.port, local_hostname=self._host, timeout=TIMEOUT_SECONDS)

    def _message(self, letter: Letter, sender: str, at: datetime) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        # A line break in a header would begin another header.
        message["Subject"] = " ".join(letter.words.subject.split())
        message["From"] = Address(" ".join(letter.words.sender.split()), addr_spec=sender)
        message["To"] = Address(addr_spec=letter.to)
        message["Date"] = format_datetime(at)
        message["Message-ID"] = make_msgid(domain=self._host)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
        message.set_content(letter.words.text)
        message.add_alternative(letter.words.html, subtype="html")
        message["Content-Language"] = letter.words.language  # after the parts: they would take it with them
        return message


def _why(error: Exception) -> Why:
    match error:
        case ssl.SSLError() | smtplib.SMTPNotSupportedError():
            return Why.UNSAFE
        case smtplib.SMTPAuthenticationError():
            return Why.LOGIN
        case smtplib.SMTPRecipientsRefused() | smtplib.SMTPSenderRefused() | smtplib.SMTPDataError():
            return Why.REFUSED
        case _:
            return Why.UNREACHABLE


def _code(error: Exception) -> int | None:
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((code for code, _ in error.recipients.values()), None)
    return None
