"""The clinic's mail server, as the environment names it. Without a host nothing is mailed and pages say so.

Owns these variables and their rules; part of ``config``, which reads them and refuses the start.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from environs import Env

from app.domain import mail_address


class Tls(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {Tls.STARTTLS: 587, Tls.TLS: 465, Tls.NONE: 25}


@dataclass(frozen=True)
class MailSettings:
    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: Tls
    sender: str


def read(env: Env) -> MailSettings | None:
    """None: mailing is off. Raises EnvError for a value that can't be read."""
    with env.prefixed("SMTP_"):
        # mail server that takes the clinic's mails; its certificate is checked against the system's authorities
        # (SSL_CERT_FILE names others). None: mailing is off
        host = env.str("HOST", "").strip()
        # starttls, tls (from the first byte) or none (on this machine alone, in production)
        tls = env.enum("TLS", Tls.STARTTLS, enum=Tls, by_value=True)
        if not host:
            return None
        return MailSettings(
            host=host,
            # 587, 465 or 25 after TLS, unless given
            port=env.int("PORT", _PORTS[tls]),
            # where the server wants to know who sends …
            username=env.str("USERNAME", ""),
            # … and its password
            password=env.str("PASSWORD", ""),
            tls=tls,
            # address that mails come from, like images@clinic.example
            sender=env.str("FROM", "").strip(),
        )


def problems(mail: MailSettings | None, *, is_production: bool) -> list[str]:
    """One sentence for each thing that is wrong."""
    if mail is None:
        return []
    found = []
    if mail_address.read(mail.sender) is None:
        found.append("STUDYKEY_SMTP_FROM has to be one address, like images@clinic.example.")
    if not 1 <= mail.port <= 65535:
        found.append("STUDYKEY_SMTP_PORT has to be 1 to 65535.")
    if bool(mail.username) != bool(mail.password):
        found.append("STUDYKEY_SMTP_USERNAME and STUDYKEY_SMTP_PASSWORD go together.")
    if is_production and mail.tls is Tls.NONE and not _is_this_machine(mail.host):
        found.append(
            "STUDYKEY_SMTP_TLS none is for a mail server on this machine: a mail carries an access code."
        )
    return found


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
