"""Mails that Orthanc Explorer 2 writes and we send: the browser's HTML through an allow-list, to few people, at a pace.

Whoever may share in Orthanc can have anything written here, and Orthanc doesn't tell who it was: so no scripts, images,
styles or forms get through, only links to the web, and an archive sends no more than MOST_AN_HOUR.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path

import nh3
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.letters import Words
from app.adapters.mail import Letter, Mail, MailFailed
from app.config import ROOT, Settings
from app.domain import mail_address
from app.domain.events import Event
from app.models import AuditEvent
from app.services.audit import Audit

FOLDER = ROOT / "templates" / "email" / "orthanc"
LAYOUT = "-layout"
CONTENT = "{email-content}"
MOST_RECIPIENTS = 5
MOST_AN_HOUR = 60
MOST_CHARACTERS = 20_000
# The internal door gives up a little later; a mail server that is slower than this answers into the audit trail.
WAIT_SECONDS = 1.0

TAGS = {"a", "b", "blockquote", "br", "em", "h1", "h2", "h3", "hr", "i", "li", "ol", "p", "strong", "u", "ul"}


class Refused(ValueError):
    """Nothing was sent; the message is a sentence for whoever asked."""


@dataclass(frozen=True)
class Draft:
    """As Orthanc Explorer sends it. ``to``: addresses separated by semicolons, commas or spaces."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    html: str = field(repr=False)
    layout: str


class OrthancMail:
    def __init__(
        self, own_session: sessionmaker[Session], mail: Mail, audit: Audit, settings: Settings
    ) -> None:
        self._own_session = own_session
        self._mail = mail
        self._audit = audit
        self._settings = settings
        # One after the other: a slow mail server holds nobody but the next mail.
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="orthanc-mail")

    def templates(self) -> list[str]:
        """The names of the texts that Orthanc Explorer offers."""
        return sorted(file.stem for file in FOLDER.glob("*.html") if not file.stem.endswith(LAYOUT))

    def template(self, name: str) -> str | None:
        """The HTML of a text, with places that Orthanc Explorer fills in; None when there is none."""
        return self._file(name).read_text() if name in self.templates() else None

    def send(self, archive: str, draft: Draft, *, at: datetime, clinic: str) -> str | None:
        """Send to every address of ``draft``. None when all were taken; otherwise what there is to know.

        Raises Refused, StoreUnavailable.
        """
        addresses = _addresses(draft.to)
        if not self._mail.is_on:
            raise Refused("No mail server is set up in Studykey.")
        if len(draft.html) > MOST_CHARACTERS or not draft.subject.strip():
            raise Refused(f"A mail needs a subject and has {MOST_CHARACTERS} characters at most.")
        if self._sent_lately(archive, at) + len(addresses) > MOST_AN_HOUR:
            raise Refused(f"{MOST_AN_HOUR} mails an hour is the most: wait a while.")
        words = self._words(draft, clinic)
        # On record before it goes: what can't be recorded isn't sent.
        for address in addresses:
            self._audit.record(
                Event.MAIL_SENT, at=at, actor=f"archive:{archive}", to=mail_address.masked(address)
            )
        work = self._threads.submit(self._deliver, archive, addresses, words, at)
        try:
            failed = work.result(WAIT_SECONDS)
        except TookTooLong:
            return "The mail is on its way; the audit trail says if it can't be delivered."
        if failed:
            raise Refused(f"The mail server took {len(addresses) - failed} of {len(addresses)} mails.")
        return None

    def _deliver(self, archive: str, addresses: Sequence[str], words: Words, at: datetime) -> int:
        """How many failed."""
        failed = 0
        for address in addresses:
            try:
                self._mail.send(Letter(address, words), at=at)
            except MailFailed as error:
                failed += 1
                self._audit.record(
                    Event.MAIL_FAILED,
                    at=at,
                    actor=f"archive:{archive}",
                    to=mail_address.masked(address),
                    why=error.why.value,
                )
        return failed

    def _words(self, draft: Draft, clinic: str) -> Words:
        safe = nh3.clean(
            draft.html,
            tags=TAGS,
            attributes={"a": {"href"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
        )
        is_layout = draft.layout in {file.stem for file in FOLDER.glob(f"*{LAYOUT}.html")}
        layout = self._file(draft.layout).read_text() if is_layout else CONTENT
        html = layout.replace(CONTENT, safe)
        return Words(clinic, self._settings.default_language, draft.subject.strip()[:200], _text(safe), html)

    def _sent_lately(self, archive: str, at: datetime) -> int:
        with self._own_session() as session:
            newest = select(func.max(AuditEvent.id)).scalar_subquery()
            # Rows are numbered in the order of time: an hour of a busy clinic is far below this many.
            lately = select(func.count()).where(
                AuditEvent.id > newest - 100_000,
                AuditEvent.at > at - timedelta(hours=1),
                AuditEvent.event == Event.MAIL_SENT,
                AuditEvent.actor == f"archive:{archive}",
            )
            return session.scalar(lately) or 0

    @staticmethod
    def _file(name: str) -> Path:
        return FOLDER / f"{name}.html"


def _addresses(text: str) -> list[str]:
    """Raises Refused."""
    given = [part for part in re.split(r"[;,\s]+", text) if part]
    read = list(dict.fromkeys(filter(None, map(mail_address.read, given))))
    if not given or len(read) < len(set(given)):
        raise Refused("One of the addresses is none.")
    if len(read) > MOST_RECIPIENTS:
        raise Refused(f"A mail goes to {MOST_RECIPIENTS} people at most.")
    return read


def _text(html: str) -> str:
    """What a reader of plain text gets: paragraphs as lines, links written out."""
    lines = re.sub(r"(?i)<br\s*/?>|</(p|li|h[1-3]|blockquote)>", "\n", html)
    linked = re.sub(r'(?is)<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', r"\2 \1", lines)
    plain = unescape(nh3.clean(linked, tags=set()))
    return "\n".join(line.strip() for line in plain.splitlines()).strip() + "\n"
