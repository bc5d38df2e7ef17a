"""A mail server that keeps what it is given, on a free port of 127.0.0.1."""

from __future__ import annotations

import email
import email.policy
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from app.config_mail import MailSettings, Tls
from app.demo.place import free_port

SENDER = "images@clinic.example"


class Box:
    """``mails``: what came, oldest first. ``answers``: what the server says instead of 250 to RCPT and DATA. ``port``:
    where it listens."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.rcpt_answer = self.data_answer = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.rcpt_answer:
            return self.rcpt_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer:
            return self.data_answer
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.envelopes.append(envelope)
        self.mails.append(message)
        return "250 OK"


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, by_starttls: bool = True, login: tuple[str, str] | None = None
) -> Iterator[tuple[Box, MailSettings]]:
    """A running server, and the settings that lead to it. ``login``: asks for it."""
    box = Box(free_port())

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        assert login is not None
        is_right = (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=is_right, handled=False)

    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": box.port, "server_hostname": "post.test"}
    if tls is not None and by_starttls:
        options |= {"tls_context": tls, "require_starttls": True}
    elif tls is not None:
        options |= {"ssl_context": tls}
    if login is not None:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": tls is not None}
    server = Controller(box, **options)
    server.start()
    way = Tls.NONE if tls is None else Tls.STARTTLS if by_starttls else Tls.TLS
    username, password = login or ("", "")
    try:
        yield (
            box,
            MailSettings(
                "127.0.0.1" if tls is None else "localhost", server.port, username, password, way, SENDER
            ),
        )
    finally:
        server.stop()


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def link_in(mail: EmailMessage) -> str:
    found = re.search(r"https?://\S+#\S+", text_of(mail))
    assert found is not None
    return found[0]
