"""Issuing, re-issuing, revoking and suspending grants; code and password for paper while they are sealed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain import access_code, grants, password
from app.domain import birth_date as birth_dates
from app.domain.access_code import AccessCode
from app.domain.events import Event
from app.domain.grants import Kind, Policy, Standing
from app.domain.password import Password
from app.domain.permissions import PATIENT, Permission
from app.models import Grant, Study, Visit, grant_study
from app.services.audit import Audit
from app.services.live_visit import Ending
from app.services.rules import SiteRules

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Paper:
    """What a sheet shows. Lives only as long as it takes to print it."""

    grant: Grant
    code: AccessCode
    password: Password


class Default(Enum):
    """In place of a value that the site's settings give."""

    LIFE = "life"


class AlreadyRevoked(Exception):
    """The grant is dead; what took its place may live."""


class Grants:
    """Works within the caller's transaction, which has nothing written yet: hashing takes its time."""

    def __init__(
        self, session: Session, crypto: Crypto, audit: Audit, settings: Settings, rules: SiteRules
    ) -> None:
        self._session = session
        self._crypto = crypto
        self._audit = audit
        self._settings = settings
        self._rules = rules

    @property
    def life(self) -> timedelta:
        """How long a patient's grant opens its study."""
        return self._rules.now().grant_life or self._settings.grant_life

    def prepare(
        self,
        studies: Sequence[Study],
        *,
        at: datetime,
        kind: Kind = Kind.PATIENT,
        permissions: Permission = PATIENT,
        automatic: bool = False,
        label: str = "",
        policy: Policy | None = None,
        life: timedelta | None | Default = Default.LIFE,
    ) -> Paper:
        """A grant with a fresh code and password that is not written yet (two hashes). Raises Busy.

        ``policy`` and ``life``: the site's for this kind unless given; a life of None is until revoked.
        """
        life = self.life if life is Default.LIFE else life
        code = access_code.generate(self._settings.code_symbols)
        words = password.generate()
        ref = secrets.token_hex(8)
        kid = self._crypto.pepper_kid
        born = _common_birth_date(studies)
        state = birth_dates.State.VALID if born else birth_dates.State.MISSING
        grant = Grant(
            ref=ref,
            kind=kind,
            policy=grants.policy_for(policy or self._settings.policy_for(kind), state),
            permissions=permissions.names,
            automatic_study_id=studies[0].id if automatic else None,
            pepper_kid=kid,
            code_index=self._crypto.code_indexes(code)[kid],
            password_hash=self._crypto.hash_password(words, kid=kid),
            birth_date_mac=self._crypto.birth_date_mac(kid, ref, born) if born else None,
            label=label,
            issued_at=at,
            expires_at=at + life if life is not None else None,
            studies=list(studies),
        )
        if self._settings.reprint_window:
            grant.sealing_kid, grant.sealed = self._crypto.seal(ref, code, words)
            grant.sealed_until = at + self._settings.reprint_window
        return Paper(grant, code, words)

    def prepare_again(self, grant: Grant, *, at: datetime) -> Paper:
        """What takes the place of ``grant``, not written yet. Raises Busy."""
        return self.prepare(
            grant.studies,
            at=at,
            kind=Kind(grant.kind),
            permissions=Permission.from_names(grant.permissions),
            label=grant.label,
            # A patient's follows the clinic's rule of today; for others somebody chose.
            policy=None if grant.kind == Kind.PATIENT else Policy(grant.policy),
            life=Default.LIFE if grant.expires_at is not None else None,
        )

    def keep(
        self,
        paper: Paper,
        *,
        at: datetime,
        actor: str,
        replaces: Grant | None = None,
        address: str | None = None,
    ) -> None:
        """Write a prepared grant; ``replaces`` dies with its paper. Of two automatic ones for a study the
        second meets IntegrityError. ``address``: of a holder who gives on."""
        if replaces is not None:  # new paper is no way around what holds the old one back
            paper.grant.released_at = replaces.released_at
            paper.grant.suspended_at = replaces.suspended_at
            paper.grant.suspended_why = replaces.suspended_why
        paper.grant.issued_by = actor
        self._session.add(paper.grant)
        self._session.flush()
        self._note(
            Event.GRANT_ISSUED, paper.grant, at=at, actor=actor, address=address, policy=paper.grant.policy
        )
        if replaces is not None:
            self.revoke(replaces, at=at, actor=actor)
            self._note(Event.GRANT_REISSUED, replaces, at=at, actor=actor, by=paper.grant.ref)

    def issue(
        self,
        studies: Sequence[Study],
        *,
        at: datetime,
        actor: str,
        kind: Kind = Kind.PATIENT,
        permissions: Permission = PATIENT,
        automatic: bool = False,
    ) -> Paper:
        """Prepare and write a grant. ``automatic``: for the archive's signal, once in a study's life."""
        paper = self.prepare(studies, at=at, kind=kind, permissions=permissions, automatic=automatic)
        self.keep(paper, at=at, actor=actor)
        return paper

    def reissue(self, grant: Grant, *, at: datetime, actor: str) -> Paper:
        """A fresh grant in place of ``grant``. Raises AlreadyRevoked, Busy."""
        if grant.revoked_at is not None:
            raise AlreadyRevoked
        paper = self.prepare_again(grant, at=at)
        self.keep(paper, at=at, actor=actor, replaces=grant)
        return paper

    def paper(self, grant: Grant, *, at: datetime) -> Paper | None:
        """Code and password within the reprint window; None after it: then printing re-issues."""
        if grant.sealed is None or grant.sealing_kid is None or grant.sealed_until is None:
            return None
        if at >= grant.sealed_until or grant.revoked_at is not None:
            return None
        try:
            code, words = self._crypto.unseal(grant.ref, grant.sealing_kid, grant.sealed)
        except (KeyError, ValueError):  # its key was retired, or the row was tampered with
            log.error("a seal can't be opened", grant=grant.ref)
            return None
        return Paper(grant, code, words)

    def revoke(self, grant: Grant, *, at: datetime, actor: str) -> None:
        """End a grant for good, and what its holder gave on: whoever has a lost sheet may have given it on.
        Its visits and viewer tokens are worth nothing from this moment."""
        if grant.revoked_at is None:
            grant.end(at)
            self._note(Event.GRANT_REVOKED, grant, at=at, actor=actor)
        for given_on in self.given_on([grant]):
            self.revoke(given_on, at=at, actor=actor)

    def given_on(self, grants: Sequence[Grant]) -> list[Grant]:
        """What the holders of these gave on and is not revoked, newest first, with its studies."""
        query = (
            select(Grant)
            .where(Grant.parent_id.in_([grant.id for grant in grants]), Grant.revoked_at.is_(None))
            .options(selectinload(Grant.studies))
            .order_by(Grant.id.desc())
        )
        return list(self._session.scalars(query))

    def ends_with(self, grant: Grant, *, at: datetime) -> list[Grant]:
        """What a holder gave on and still opens: it dies when ``grant`` is revoked or re-issued."""
        return [one for one in self.given_on([grant]) if one.standing(at) is not Standing.EXPIRED]

    def suspend(
        self, study: Study, why: str, *, at: datetime, actor: str, was: tuple[str, str] | None = None
    ) -> None:
        """Hold back every grant that opens ``study`` until staff confirm: it may show the wrong person.

        ``was``: PatientName and PatientID before, for whoever has to confirm; the audit trail doesn't keep them.
        """
        for grant in self.of_study(study):
            if grant.suspended_at is None and grant.revoked_at is None:
                grant.suspended_at, grant.suspended_why = at, "\n".join((why, *(was or ())))
                self._note(Event.GRANT_SUSPENDED, grant, at=at, actor=actor, why=why)

    def confirm(self, grant: Grant, *, at: datetime, actor: str) -> None:
        """Staff have looked: the grant opens again, for the birth date that the images carry now."""
        if grant.suspended_at is not None:
            grant.suspended_at = grant.suspended_why = None
            self.renew_birth_date(grant, at=at, actor=actor)
            self._note(Event.GRANT_CONFIRMED, grant, at=at, actor=actor)

    def renew_birth_date(self, grant: Grant, *, at: datetime, actor: str) -> None:
        """The verifier and policy for the birth date that the images carry now. Visits end: they were
        opened with the other one."""
        if not grant.pepper_kid:
            return  # purged: nothing opens it ever again
        born = _common_birth_date(grant.studies)
        if born is None:
            grant.policy, grant.birth_date_mac = Policy.PASSWORD, None
        else:
            # The policy stays: a sheet without a date line must not ask for a date, nor one without a
            # password for a password.
            grant.birth_date_mac = self._crypto.birth_date_mac(grant.pepper_kid, grant.ref, born)
        self._session.execute(
            update(Visit)
            .where(Visit.grant_id == grant.id, Visit.ended_at.is_(None))
            .values(ended_at=at, ended_why=Ending.CLOSED)
        )
        self._note(Event.STUDY_CHANGED, grant, at=at, actor=actor, what="birth date")

    def extend(self, grant: Grant, until: datetime | None, *, at: datetime, actor: str) -> bool:
        """Let a grant end later; ``until`` None: when it is revoked. False, and nothing is changed, for one that
        is revoked or would not end later. One that has ended opens again, with the same code."""
        if grant.revoked_at is not None or grant.expires_at is None:
            return False
        if until is not None and until <= max(at, grant.expires_at):
            return False
        grant.expires_at = until
        self._note(Event.GRANT_EXTENDED, grant, at=at, actor=actor, until=until.isoformat() if until else "")
        return True

    def show(self, grant: Grant, *, at: datetime, actor: str) -> Paper | None:
        """Code and password for somebody's screen: on record, committed, before they are unsealed. None after
        the reprint window. Raises StoreUnavailable."""
        if self.paper(grant, at=at) is None:
            return None
        for study_id in _ids(grant):
            self._audit.record(Event.GRANT_SHOWN, at=at, actor=actor, grant_id=grant.id, study_id=study_id)
        return self.paper(grant, at=at)

    def unlock(self, grant: Grant, *, at: datetime, actor: str) -> None:
        """Forget the failures that stand against a grant."""
        grant.failures = grant.failures_in_life = 0
        grant.next_try_at = None
        self._note(Event.GRANT_UNLOCKED, grant, at=at, actor=actor)

    def of_study(self, study: Study) -> list[Grant]:
        """Every grant that names ``study``, oldest first, with its studies; none that a rule opens it through."""
        query = (
            select(Grant)
            .join(grant_study, grant_study.c.grant_id == Grant.id)
            .where(grant_study.c.study_id == study.id, Grant.kind != Kind.GROUP)
            .options(selectinload(Grant.studies))
            .order_by(Grant.id)
        )
        return list(self._session.scalars(query))

    def current(self, study: Study) -> Grant | None:
        """The patient's grant of a study: the newest that is not revoked."""
        return next(
            (
                grant
                for grant in reversed(self.of_study(study))
                if grant.revoked_at is None and grant.kind == Kind.PATIENT
            ),
            None,
        )

    def by_id(self, grant_id: int) -> Grant:
        """Raises NoResultFound."""
        query = select(Grant).where(Grant.id == grant_id).options(selectinload(Grant.studies))
        return self._session.scalars(query).one()

    def by_ref(self, ref: str) -> Grant | None:
        if not (ref.isascii() and ref.isalnum()):
            return None  # PostgreSQL refuses to look for some of what an address can hold
        query = select(Grant).where(Grant.ref == ref).options(selectinload(Grant.studies))
        return self._session.scalars(query).one_or_none()

    def _note(
        self,
        event: Event,
        grant: Grant,
        *,
        at: datetime,
        actor: str,
        address: str | None = None,
        **details: str,
    ) -> None:
        for study_id in _ids(grant):
            self._audit.within(
                self._session,
                event,
                at=at,
                actor=actor,
                address=address,
                grant_id=grant.id,
                study_id=study_id,
                **details,
            )


def _ids(grant: Grant) -> list[int | None]:
    """Of the studies for which the trail has a row. A group's has none of its own: one row for the grant itself."""
    return [study.id for study in grant.studies] or [None]


def _common_birth_date(studies: Sequence[Study]) -> date | None:
    """The one usable birth date of all studies; None when there is none, or more than one."""
    dates = {study.birth_date for study in studies}
    return dates.pop() if len(dates) == 1 else None
