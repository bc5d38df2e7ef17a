"""Visits and viewer tokens: what a proved grant opens, for how long, and how it ends."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from operator import or_ as or_flags
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload, sessionmaker

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain.events import Event
from app.domain.grants import Kind, Standing
from app.domain.permissions import Permission
from app.domain.release import waits
from app.models import Grant, Study, TagRule, ViewerToken, Visit
from app.services import tag_matching
from app.services.audit import Audit, StoreUnavailable
from app.services.release import Releases
from app.services.rules import SiteRules

TOKEN_PURPOSE = "viewer-token"
TOUCH_EVERY = timedelta(minutes=1)


class Ending(StrEnum):
    """Why a visit is over."""

    NONE = "none"  # there never was one (or its cookie is gone)
    SIGNED_OUT = "signed-out"
    IDLE = "idle"
    LIMIT = "limit"
    CLOSED = "closed"  # by the clinic: grant revoked, suspended, expired


class NotReleased(Exception):
    """The images of this study aren't released to this holder (any more): no token, no look."""


@dataclass(frozen=True)
class Part:
    """What one proved code brings to a visit.

    ``rule``: of a group's code, what decides which studies it opens, thousands perhaps. ``asked``: the one that was
    asked for, where the rule opens it at this moment.
    """

    visit: Visit = field(repr=False)
    grant: Grant = field(repr=False)
    rule: TagRule | None = field(default=None, repr=False)
    asked: Study | None = field(default=None, repr=False)

    @property
    def studies(self) -> list[Study]:
        """Those that it is known to open: all of a sheet's, of a group's the one that was asked for."""
        return [*self.grant.studies, *([self.asked] if self.asked is not None else [])]

    @property
    def kind(self) -> Kind:
        return Kind(self.grant.kind)

    @property
    def permissions(self) -> Permission:
        return Permission.from_names(self.grant.permissions)


@dataclass(frozen=True)
class Left:
    """How long a visit goes on: if nobody touches it, and at the longest."""

    idle: timedelta
    limit: timedelta


@dataclass(frozen=True)
class LiveVisit:
    """A visit that goes on, with what its holder may see: one part, and one more for each code added during it.
    ``left`` as of its finding; None for one that has just begun."""

    parts: tuple[Part, ...]
    left: Left | None = None

    @property
    def leader_id(self) -> int:
        """Of the visit whose key the cookie holds."""
        visit = self.parts[0].visit
        return visit.leader_id or visit.id

    @property
    def studies(self) -> list[Study]:
        """Each once, in the order of the codes; those of a group aren't among them (``Part.asked``)."""
        return list({study.id: study for part in self.parts for study in part.studies}.values())

    @property
    def groups(self) -> list[Part]:
        """Those whose studies are a list of their own, by a rule."""
        return [part for part in self.parts if part.rule is not None]

    def study(self, study_id: int) -> Study | None:
        return next((study for study in self.studies if study.id == study_id), None)

    def parts_of(self, study: Study) -> list[Part]:
        """Those that open a study, for whatever."""
        return [part for part in self.parts if any(one.id == study.id for one in part.studies)]

    def part_to(self, study: Study, wanted: Permission) -> Part:
        """The first part that opens a study for this, one that doesn't wait for its release before one that does.
        Raises LookupError where none opens it."""
        able = [part for part in self.parts_of(study) if wanted in part.permissions]
        if not able:
            raise LookupError("nothing in this visit allows that")
        return min(able, key=lambda part: waits(part.kind))

    def kind_for(self, study: Study, wanted: Permission) -> Kind:
        """As what its holder opens a study for this; where nothing allows it, as the patient."""
        try:
            return self.part_to(study, wanted).kind
        except LookupError:
            return Kind.PATIENT

    def permissions_on(self, study: Study) -> Permission:
        """What all parts together allow on a study."""
        return reduce(or_flags, (part.permissions for part in self.parts_of(study)), Permission.NONE)


def note(
    session: Session,
    audit: Audit,
    event: Event,
    part: Part,
    study_id: int | None,
    *,
    address: str,
    at: datetime,
    **details: Any,
) -> None:
    """What a holder does, on record with the rule that opens the study, where one does; it isn't new to the rule's
    group any more."""
    if part.rule is not None:
        details["rule"] = part.rule.name
        if study_id is not None:
            tag_matching.note_opening(session, part.rule, study_id, at=at)
    audit.within(
        session,
        event,
        at=at,
        actor="holder",
        address=address,
        grant_id=part.grant.id,
        study_id=study_id,
        **details,
    )


class Visits:
    """Each call is a small transaction of its own, audit row included: what is opened is on record."""

    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, settings: Settings
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._settings = settings

    def begin(self, grant_id: int, *, address: str, at: datetime) -> tuple[LiveVisit, str]:
        """Begin a visit: (the visit, the key for its cookie). Raises StoreUnavailable: no row, no visit."""
        key = secrets.token_urlsafe(32)
        with self._transaction() as session:
            part = self._begin(session, grant_id, key, None, address=address, at=at)
        return LiveVisit((part,)), key

    def add(self, live: LiveVisit, grant_id: int, *, address: str, at: datetime) -> LiveVisit:
        """Another sheet's code was proved during a visit: it opens both from now on. Raises StoreUnavailable."""
        with self._transaction() as session:
            if any(part.grant.id == grant_id for part in live.parts):
                return live
            # A key that nobody holds: the cookie stays the leader's.
            part = self._begin(
                session, grant_id, secrets.token_urlsafe(32), live.leader_id, address=address, at=at
            )
        return LiveVisit((*live.parts, part), live.left)

    def _begin(
        self, session: Session, grant_id: int, key: str, leader_id: int | None, *, address: str, at: datetime
    ) -> Part:
        grant = _grant(session, grant_id)
        visit = Visit(key=_digest(key), grant_id=grant_id, leader_id=leader_id, begun_at=at, seen_at=at)
        session.add(visit)
        session.execute(
            update(Grant)
            .where(Grant.id == grant_id)
            .values(opened_at=at, openings=Grant.openings + 1)
            .execution_options(synchronize_session=False)
        )
        part = Part(visit, grant, _rule(session, grant))
        note(session, self._audit, Event.VISIT_BEGUN, part, None, address=address, at=at)
        return part

    def find(self, key: str | None, *, study_id: int | None = None, at: datetime) -> LiveVisit | Ending:
        """The visit that a cookie names while it goes on; otherwise why it doesn't. Use keeps it alive, with all
        of its parts; a part whose grant is closed leaves it. ``study_id``: the study that is asked for, which a
        group's part has only where its rule opens it now.

        Raises StoreUnavailable.
        """
        with self._transaction() as session:
            found = self._going_on(session, key, study_id, at=at)
            if isinstance(found, LiveVisit):
                visits = [part.visit for part in found.parts]
                if at - min(visit.seen_at for visit in visits) >= TOUCH_EVERY:
                    _touch(session, visits, at)
                    left = found.left and Left(self._settings.visit_idle, found.left.limit)
                    return LiveVisit(found.parts, left)
            return found

    def left(self, key: str | None, *, at: datetime) -> Left | Ending:
        """How long the visit that a cookie names goes on, or why it doesn't. Asking doesn't keep it alive.

        Raises StoreUnavailable.
        """
        with self._transaction() as session:
            found = self._going_on(session, key, None, at=at)
        return found if isinstance(found, Ending) else found.left or Ending.NONE

    def _going_on(
        self, session: Session, key: str | None, study_id: int | None, *, at: datetime
    ) -> LiveVisit | Ending:
        if not key:
            return Ending.NONE
        leader = session.scalars(select(Visit).where(Visit.key == _digest(key))).one_or_none()
        if leader is None or leader.leader_id is not None:
            return Ending.NONE
        visits = [leader, *session.scalars(select(Visit).where(Visit.leader_id == leader.id))]
        going_on = [visit for visit in visits if visit.ended_at is None]
        if not going_on:
            return Ending(leader.ended_why or Ending.CLOSED)
        seen_at = max(visit.seen_at for visit in going_on)
        left = self._left(leader.begun_at, seen_at, at=at)
        if left.limit <= timedelta(0):
            return Ending.LIMIT
        if left.idle <= timedelta(0):
            return Ending.IDLE
        found = [(visit, _grant(session, visit.grant_id)) for visit in going_on]
        parts = tuple(
            _part(session, visit, grant, study_id, at=at)
            for visit, grant in found
            if grant.standing(at) is Standing.OPEN
        )
        return LiveVisit(parts, left) if parts else Ending.CLOSED

    def _left(self, began_at: datetime, seen_at: datetime, *, at: datetime) -> Left:
        return Left(seen_at + self._settings.visit_idle - at, began_at + self._settings.visit_limit - at)

    def end(self, live: LiveVisit, *, address: str, at: datetime) -> None:
        """The holder is done: the visit and its viewer tokens end at once. Raises StoreUnavailable."""
        with self._transaction() as session:
            session.execute(
                update(Visit)
                # Also a part that is closed for now: it may open again, but not for who comes next.
                .where(
                    or_(Visit.id == live.leader_id, Visit.leader_id == live.leader_id),
                    Visit.ended_at.is_(None),
                )
                .values(ended_at=at, ended_why=Ending.SIGNED_OUT)
            )
            for part in live.parts:
                note(session, self._audit, Event.VISIT_ENDED, part, None, address=address, at=at)

    def end_all(self, grant_id: int, *, at: datetime, actor: str) -> int:
        """End every visit of a grant that goes on, and its viewer tokens with it: how many. The grant goes on
        opening. Visits that idleness or the limit ended keep that ending. Raises StoreUnavailable."""
        with self._transaction() as session:
            ended = session.scalars(
                update(Visit)
                .where(
                    Visit.grant_id == grant_id,
                    Visit.ended_at.is_(None),
                    Visit.begun_at > at - self._settings.visit_limit,
                    Visit.seen_at > at - self._settings.visit_idle,
                )
                .values(ended_at=at, ended_why=Ending.CLOSED)
                .returning(Visit.id)
            ).all()
            self._audit.within(
                session, Event.VISIT_ENDED, at=at, actor=actor, grant_id=grant_id, visits=len(ended)
            )
            return len(ended)

    def issue_viewer_token(self, live: LiveVisit, study: Study, *, address: str, at: datetime) -> str:
        """A token for one study of the visit, under 100 characters of ``[A-Za-z0-9._~-]``.

        It exists when, and only when, the audit row does. Raises StoreUnavailable, NotReleased.
        """
        part = live.part_to(study, Permission.VIEW)
        token = ViewerToken(
            id=secrets.token_urlsafe(16), visit_id=part.visit.id, study_id=study.id, issued_at=at
        )
        with self._transaction() as session:
            session.add(token)
            # Written first: a release that is held back at this moment either is seen here or waits, and ends it.
            session.flush()
            self._check_release(session, part, study, at=at)
            note(session, self._audit, Event.VIEWER_OPENED, part, study.id, address=address, at=at)
        return self._crypto.sign(TOKEN_PURPOSE, token.id)

    def note_look(self, live: LiveVisit, study: Study, *, address: str, at: datetime) -> None:
        """The light look was opened. Raises StoreUnavailable: what isn't recorded isn't shown; NotReleased."""
        part = live.part_to(study, Permission.VIEW)
        with self._transaction() as session:
            self._check_release(session, part, study, at=at)
            note(session, self._audit, Event.LOOK_OPENED, part, study.id, address=address, at=at)

    def note_reading(
        self, live: LiveVisit, study: Study, version: int, *, address: str, at: datetime
    ) -> None:
        """The report is read. Raises StoreUnavailable: what isn't recorded isn't shown."""
        part = live.part_to(study, Permission.REPORT)
        with self._transaction() as session:
            note(
                session,
                self._audit,
                Event.REPORT_READ,
                part,
                study.id,
                address=address,
                at=at,
                version=version,
            )

    def _check_release(self, session: Session, part: Part, study: Study, *, at: datetime) -> None:
        """As the database has it now, not as the visit was read. Raises NotReleased."""
        now = session.scalars(
            select(Study).where(Study.id == study.id).with_for_update(read=True, of=Study)
        ).one()
        releases = Releases(session, SiteRules(session, self._audit), self._audit)
        if not releases.seen_by(part.kind, [now], at=at)[now.id].images.is_out:
            raise NotReleased

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        try:
            with self._own_session.begin() as session:
                yield session
        except SQLAlchemyError as error:
            raise StoreUnavailable("the visit can't be recorded") from error


def _grant(session: Session, grant_id: int) -> Grant:
    return session.get_one(Grant, grant_id, options=[selectinload(Grant.studies)])


def _rule(session: Session, grant: Grant) -> TagRule | None:
    if grant.kind != Kind.GROUP:
        return None
    return session.scalars(select(TagRule).where(TagRule.grant_id == grant.id)).one_or_none()


def _part(session: Session, visit: Visit, grant: Grant, study_id: int | None, *, at: datetime) -> Part:
    rule = _rule(session, grant)
    if rule is None or study_id is None or study_id >= tag_matching.ALL:
        return Part(visit, grant, rule)
    query = tag_matching.opened_by(rule, at).where(Study.id == study_id)
    found = session.execute(query).one_or_none()
    return Part(visit, grant, rule, found.Study if found else None)


def _touch(session: Session, visits: Sequence[Visit], at: datetime) -> None:
    """Use keeps a visit alive. Conditional: pages that load at once write once a minute, and none turns the
    clock back."""
    session.execute(
        update(Visit)
        .where(Visit.id.in_([visit.id for visit in visits]), Visit.seen_at <= at - TOUCH_EVERY)
        .values(seen_at=at)
        .execution_options(synchronize_session=False)
    )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
