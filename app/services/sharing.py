"""Sharing: a grant for somebody who isn't the patient, or one of the patient's for several studies; and the mail
that carries its link.

Refuses what would open the wrong person's images: studies of several people unless somebody has said that it is
meant, and studies that are held back. Hands code and password to the caller once; the address of a mail is kept
nowhere but masked in the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from app.adapters.letters import LetterTemplates, Words
from app.adapters.mail import Letter, Mail, MailFailed
from app.config import Settings
from app.domain import mail_address
from app.domain.events import Event
from app.domain.grants import Kind, Policy, Standing
from app.domain.permissions import Permission
from app.models import AuditEvent, Grant, Study, grant_study
from app.services.audit import Audit
from app.services.grants import Grants, Paper
from app.services.rules import SiteRules
from app.services.site import LANGUAGES, Site

MOST_STUDIES = 50
MOST_MAILS = 30  # of one person in an hour
HOUR = timedelta(hours=1)
LONGEST_LABEL = 200
PAGE_SIZE = 50


class Problem(StrEnum):
    """Why a share isn't made; a field of the form each, but the last."""

    NO_LABEL = "no-label"
    LONG_LABEL = "long-label"
    NO_PERMISSION = "no-permission"
    NO_SUCH_LIFE = "no-such-life"  # not one of the clinic's durations
    NO_BIRTH_DATE = "no-birth-date"  # the studies have no usable one in common
    SEVERAL_PEOPLE = "several-people"  # and nobody said that it is meant
    BAD_ADDRESS = "bad-address"
    MAIL_OFF = "mail-off"
    TOO_MANY_MAILS = "too-many-mails"
    PATIENT_BY_MAIL = "patient-by-mail"  # a patient's code goes out on paper
    SUSPENDED = "suspended"  # it isn't certain whose study it is


class Mailing(StrEnum):
    """What became of a mail. The last are those of adapters.mail.Why."""

    SENT = "sent"
    BAD_ADDRESS = "bad-address"
    TOO_MANY = "too-many"
    OFF = "off"
    UNREACHABLE = "unreachable"
    UNSAFE = "unsafe"
    LOGIN = "login"
    REFUSED = "refused"


@dataclass(frozen=True)
class Wish:
    """What somebody wants to share, and with whom. ``days`` None: until somebody revokes it."""

    label: str
    kind: Kind = Kind.PHYSICIAN
    permissions: Permission = Permission.VIEW | Permission.REPORT
    days: int | None = 30
    asks_birth_date: bool = False
    is_several_people_meant: bool = False
    by_mail: bool = False
    address: str = field(default="", repr=False)


@dataclass(frozen=True)
class Page:
    """Newest first; ``next_before`` continues it, None at the end."""

    grants: list[Grant]
    next_before: int | None


class Sharing:
    """Works within the caller's transaction; mailing commits it first."""

    def __init__(
        self,
        session: Session,
        grants: Grants,
        rules: SiteRules,
        site: Site,
        mail: Mail,
        templates: LetterTemplates,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._session = session
        self._grants = grants
        self._rules = rules
        self._site = site
        self._mail = mail
        self._templates = templates
        self._audit = audit
        self._settings = settings

    @property
    def is_mail_on(self) -> bool:
        return self._mail.is_on

    def studies(self, ids: Sequence[int]) -> list[Study]:
        """The studies that have these ids, in this order; those that don't exist are left out."""
        found = self._session.scalars(select(Study).where(Study.id.in_(ids[:MOST_STUDIES])))
        by_id = {study.id: study for study in found}
        return [by_id[study_id] for study_id in dict.fromkeys(ids) if study_id in by_id]

    def held_back(self, studies: Sequence[Study]) -> set[int]:
        """Ids of the studies with an access that is suspended: it isn't certain whose they are."""
        query = (
            select(grant_study.c.study_id)
            .join(Grant)
            .where(
                grant_study.c.study_id.in_([study.id for study in studies]),
                Grant.suspended_at.is_not(None),
                Grant.revoked_at.is_(None),
            )
        )
        return set(self._session.scalars(query))

    def problems(self, studies: Sequence[Study], wish: Wish, *, at: datetime, actor: str) -> list[Problem]:
        """What stands in the way of a share, in the order of the form. Nothing: it can be made."""
        rules = self._rules.now()
        lives = [*rules.share_days, *([None] if rules.share_until_revoked else [])]
        found = [
            (self.held_back(studies), Problem.SUSPENDED),
            (is_of_several_people(studies) and not wish.is_several_people_meant, Problem.SEVERAL_PEOPLE),
            (not wish.label and wish.kind is not Kind.PATIENT, Problem.NO_LABEL),
            (len(wish.label) > LONGEST_LABEL, Problem.LONG_LABEL),
            (not wish.permissions, Problem.NO_PERMISSION),
            (wish.days not in lives, Problem.NO_SUCH_LIFE),
            (wish.asks_birth_date and not has_birth_date(studies), Problem.NO_BIRTH_DATE),
            (wish.by_mail and wish.kind is Kind.PATIENT, Problem.PATIENT_BY_MAIL),
            (wish.by_mail and not self._mail.is_on, Problem.MAIL_OFF),
            (wish.by_mail and mail_address.read(wish.address) is None, Problem.BAD_ADDRESS),
            (wish.by_mail and self._has_mailed_enough(at, actor), Problem.TOO_MANY_MAILS),
        ]
        return [problem for is_so, problem in found if is_so]

    def share(
        self, studies: Sequence[Study], wish: Wish, *, at: datetime, actor: str
    ) -> Paper | list[Problem]:
        """A grant with a code and a password of its own, or what stands in its way. Raises Busy."""
        if found := self.problems(studies, wish, at=at, actor=actor):
            return found
        paper = self._grants.prepare(
            studies,
            at=at,
            kind=wish.kind,
            permissions=wish.permissions,
            label="" if wish.kind is Kind.PATIENT else wish.label,
            policy=self.policy(wish),
            life=timedelta(days=wish.days) if wish.days is not None else None,
        )
        self._grants.keep(paper, at=at, actor=actor)
        return paper

    def policy(self, wish: Wish) -> Policy | None:
        """What the holder proves beside the code; None: the clinic's rule for this kind.

        Whoever neither is the patient nor acts for them always proves the password: a birth date is known to many.
        """
        if wish.kind is not Kind.PATIENT and (
            wish.asks_birth_date or (wish.kind is Kind.GUARDIAN and wish.by_mail)
        ):
            return Policy.BIRTH_DATE_AND_PASSWORD  # a mail alone, which others may read, opens nothing
        return None if wish.kind in (Kind.PATIENT, Kind.GUARDIAN) else Policy.PASSWORD

    def link(self, paper: Paper) -> str:
        """The address that opens the form with the code in it, as a QR does ("!p": a password is asked for)."""
        marker = "!p" if Policy(paper.grant.policy).asks_password else ""
        return f"{self._settings.base_url}/#{paper.code.symbols}{marker}"

    def mailable(self, grant: Grant, *, at: datetime) -> Paper | None:
        """Code and password of a share that opens now; None when a mail couldn't carry them, or mustn't."""
        if (
            grant.kind == Kind.PATIENT
            or not Policy(grant.policy).asks_password
            or grant.standing(at) is not Standing.OPEN
        ):
            return None
        return self._grants.paper(grant, at=at)

    def mail(
        self, paper: Paper, address: str, *, language: str, sharer: str, at: datetime, actor: str
    ) -> Mailing:
        """Mail a share's link; the password goes into it only where the clinic's rules say so.

        Commits what the caller has written: nothing recalls a mail, so its grant has to be there first. Whatever
        becomes of the mail, the share goes on. ``sharer``: a name for the reader.
        """
        words, grant_id = self._words(paper, language, sharer), paper.grant.id
        studies: list[int | None] = [study.id for study in paper.grant.studies]
        self._session.commit()
        to = mail_address.read(address)
        if to is None:
            return Mailing.BAD_ADDRESS
        if self._has_mailed_enough(at, actor):
            return Mailing.TOO_MANY
        try:
            self._mail.send(Letter(to, words), at=at)
        except MailFailed as failed:
            return Mailing(failed.why.value)
        self._session.execute(
            update(Grant)
            .where(Grant.id == grant_id)
            .values(mailed_at=at)
            .execution_options(synchronize_session=False)
        )
        for study_id in studies or [None]:  # a group's has none of its own
            self._audit.within(
                self._session,
                Event.GRANT_MAILED,
                at=at,
                actor=actor,
                grant_id=grant_id,
                study_id=study_id,
                to=mail_address.masked(to),
            )
        return Mailing.SENT

    def live(self, *, at: datetime, before: int | None = None) -> Page:
        """The shares that somebody could use or that wait for a check, with their studies."""
        query = (
            select(Grant)
            .where(
                Grant.kind != Kind.PATIENT,
                Grant.revoked_at.is_(None),
                or_(Grant.expires_at.is_(None), Grant.expires_at > at),
            )
            .options(selectinload(Grant.studies))
            .order_by(Grant.id.desc())
            .limit(PAGE_SIZE + 1)
        )
        if before is not None:
            query = query.where(Grant.id < before)
        found = list(self._session.scalars(query))
        return Page(found[:PAGE_SIZE], found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None)

    def _has_mailed_enough(self, at: datetime, actor: str) -> bool:
        # One mail is one row for each study of its grant, all of the same moment.
        mails = (
            select(AuditEvent.grant_id, AuditEvent.at)
            .where(
                AuditEvent.event == Event.GRANT_MAILED, AuditEvent.actor == actor, AuditEvent.at > at - HOUR
            )
            .distinct()
            .subquery()
        )
        return cast(int, self._session.scalar(select(func.count()).select_from(mails))) >= MOST_MAILS

    def _words(self, paper: Paper, language: str, sharer: str) -> Words:
        site, grant = self._site.facts(), paper.grant
        is_in_link = self._rules.now().password_in_link
        zone = ZoneInfo(self._settings.time_zone)
        return self._templates.words(
            "share",
            language=language if language in LANGUAGES else site.letters_language,
            sender=site.name,
            clinic=site.name,
            phone=site.phone,
            sharer=sharer,
            link=self.link(paper) + (f"={paper.password.digits}" if is_in_link else ""),
            password_in_link=is_in_link,
            asks_birth_date=Policy(grant.policy).asks_birth_date,
            until=grant.expires_at.astimezone(zone).date() if grant.expires_at else None,
        )


def is_of_several_people(studies: Sequence[Study]) -> bool:
    """Whether the images could be of more than one person: anything about them that differs counts."""
    people = {
        (study.patient_id, study.patient_name.casefold().rstrip("^ "), study.birth_date_text)
        for study in studies
    }
    return len(people) > 1 or (len(studies) > 1 and not studies[0].patient_id)


def has_birth_date(studies: Sequence[Study]) -> bool:
    """Whether the studies have one usable birth date in common, so that it can be asked for."""
    dates = {study.birth_date for study in studies}
    return len(dates) == 1 and None not in dates
