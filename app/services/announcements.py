"""New studies of a rule, announced by mail to those whom it names: initials, kind and day, never a name, never a code.

Each match waits in its row (``announced_at``) until a mail server took its mail, so a restart loses none; one that
comes within minutes of the last mail travels with the next. The follower does one mail a turn. Refuses to announce what
was there before the rule, and what the rule doesn't show any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.letters import LetterTemplates, Words
from app.adapters.mail import Letter, Mail, MailFailed, Why
from app.config import Settings
from app.domain import mail_address
from app.domain.events import Event
from app.domain.grants import Standing
from app.domain.initials import initials
from app.domain.modality import N_, meanings
from app.models import Grant, Study, TagRule, TagRuleMatch
from app.services.audit import Audit
from app.services.site import Site
from app.services.tag_matching import since

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(seconds=30)
MAIL_EVERY = timedelta(minutes=5)  # of one rule, at most
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
LISTED = 20  # studies of one mail; of the others it says how many
MOST = 5_000  # studies of one mail

_WHY = {
    Why.OFF: N_("Mailing is switched off: no mail server is set up."),
    Why.UNREACHABLE: N_("The mail server doesn't answer."),
    Why.UNSAFE: N_("The connection to the mail server isn't safe."),
    Why.LOGIN: N_("The mail server refuses Studykey's password."),
    Why.REFUSED: N_("The mail server refuses to send to this address. Check it."),
}


@dataclass(frozen=True)
class _Job:
    """What a mail of one rule tells; no row of a session."""

    rule_id: int
    grant_id: int
    name: str
    addresses: tuple[str, ...]
    ids: list[int]  # of the studies it is about
    silent: list[int]  # the rule doesn't show them any more, or its code opens nothing
    lines: list[dict[str, Any]]


class Announcements:
    """Works in transactions of its own; none is open while a mail server is waited for. ``_due`` and ``_tries`` belong
    to the one process that follows."""

    def __init__(
        self,
        own_session: sessionmaker[Session],
        mail: Mail,
        templates: LetterTemplates,
        site: Site,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._own_session = own_session
        self._mail = mail
        self._templates = templates
        self._site = site
        self._audit = audit
        self._settings = settings
        self._look_at: datetime | None = None
        self._due: dict[int, datetime] = {}
        self._tries: dict[int, int] = {}

    def work(self, *, at: datetime) -> bool:
        """Announce what waits longest of one rule; whether there was something. Raises StoreUnavailable."""
        if self._look_at is not None and at < self._look_at:
            return False
        rule_id = self._next(at)
        if rule_id is None:
            self._look_at = at + LOOK_EVERY
            return False
        job = self._job(rule_id, at)
        if not job.ids or self._send(job, at):
            self._settle(job, at)
        return True

    def waiting(self, rule: TagRule) -> tuple[int, datetime | None]:
        """How many studies of a rule wait for their mail, and since when."""
        with self._own_session() as session:
            query = select(func.count(), func.min(TagRuleMatch.matched_at)).where(
                TagRuleMatch.rule_id == rule.id, TagRuleMatch.announced_at.is_(None)
            )
            count, first = session.execute(query).one()
        return count, first

    def _next(self, at: datetime) -> int | None:
        with self._own_session() as session:
            waits = (
                select(TagRuleMatch.study_id)
                .where(TagRuleMatch.rule_id == TagRule.id, TagRuleMatch.announced_at.is_(None))
                .exists()
            )
            query = select(TagRule.id).where(TagRule.announce_to != "", TagRule.ended_at.is_(None), waits)
            ready = [
                one for one in session.scalars(query.order_by(TagRule.id)) if self._due.get(one, at) <= at
            ]
        return min(ready, key=lambda one: self._due.get(one, at), default=None)

    def _job(self, rule_id: int, at: datetime) -> _Job:
        with self._own_session() as session:
            rule = session.get_one(TagRule, rule_id)
            is_open = session.get_one(Grant, rule.grant_id).standing(at) is Standing.OPEN
            first = since(rule, at)
            query = (
                select(Study, TagRuleMatch.listed_on)
                .join(TagRuleMatch, TagRuleMatch.study_id == Study.id)
                .where(TagRuleMatch.rule_id == rule_id, TagRuleMatch.announced_at.is_(None))
                .order_by(TagRuleMatch.listed_on.desc(), Study.id.desc())
                .limit(MOST)
            )
            found = session.execute(query).all()
        shown = [
            row
            for row in found
            if is_open and row.Study.deleted_at is None and (first is None or row.listed_on >= first)
        ]
        ids = {row.Study.id for row in shown}
        return _Job(
            rule_id,
            rule.grant_id,
            rule.name,
            tuple(rule.announce_to.split()),
            [row.Study.id for row in shown],
            [row.Study.id for row in found if row.Study.id not in ids],
            [
                {
                    "initials": initials(row.Study.patient_name),
                    "kinds": meanings(row.Study.modalities),
                    "day": row.listed_on,
                }
                for row in shown[:LISTED]
            ],
        )

    def _send(self, job: _Job, at: datetime) -> bool:
        """Whether anybody was told. An address that is refused while another isn't: on record, not tried again."""
        words, sent = self._words(job), 0
        for address in job.addresses:
            try:
                self._mail.send(Letter(address, words), at=at)
            except MailFailed as failed:
                self._failed(job, address, failed.why, at)
                if failed.why is not Why.REFUSED:
                    break  # the next one would wait as long
                continue
            sent += 1
            self._note(Event.RULE_ANNOUNCED, job, at, to=mail_address.masked(address), studies=len(job.ids))
        if sent:
            self._tries.pop(job.rule_id, None)
            self._due[job.rule_id] = at + MAIL_EVERY
            return True
        tries = self._tries[job.rule_id] = self._tries.get(job.rule_id, 0) + 1
        self._due[job.rule_id] = at + min(FIRST_WAIT * 2 ** min(tries - 1, 20), LONGEST_WAIT)
        return False

    def _failed(self, job: _Job, address: str, why: Why, at: datetime) -> None:
        log.error("studies not announced", rule=job.rule_id, why=why.value, studies=len(job.ids))
        if why is not Why.REFUSED:  # the mail server, whatever the address: all rules wait for it
            self._look_at = at + FIRST_WAIT
        if job.rule_id not in self._tries:  # once, not at each try
            self._note(Event.RULE_ANNOUNCE_FAILED, job, at, to=mail_address.masked(address), why=_WHY[why])

    def _settle(self, job: _Job, at: datetime) -> None:
        told = job.ids + job.silent
        with self._own_session.begin() as session:
            for start in range(0, len(told), 500):
                session.execute(
                    update(TagRuleMatch)
                    .where(
                        TagRuleMatch.rule_id == job.rule_id,
                        TagRuleMatch.study_id.in_(told[start : start + 500]),
                    )
                    .values(announced_at=at)
                )

    def _note(self, event: Event, job: _Job, at: datetime, **details: Any) -> None:
        self._audit.record(event, at=at, actor="studykey", grant_id=job.grant_id, rule=job.name, **details)

    def _words(self, job: _Job) -> Words:
        site = self._site.facts()
        return self._templates.words(
            "rule",
            language=site.letters_language,
            sender=site.name,
            clinic=site.name,
            phone=site.phone,
            group=job.name,
            address=f"{self._settings.base_url}/",
            studies=job.lines,
            count=len(job.ids),
            more=len(job.ids) - len(job.lines),
        )
