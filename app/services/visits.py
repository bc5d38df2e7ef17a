"""Visits and viewer tokens: what a proved grant opens, for how long, and how it ends."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, selectinload, sessionmaker

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain.events import Event
from app.domain.grants import Kind, Standing
from app.domain.permissions import Permission
from app.models import Grant, Study, TagRule, ViewerToken, Visit
from app.services import tag_matching
from app.services.audit import Audit
from app.services.holder_acts import NotReleased, check_release, note
from app.services.live_visit import Ending, Left, LiveVisit, Part
from app.services.own_transaction import own_transaction

__all__ = ["TOKEN_PURPOSE", "TOUCH_EVERY", "Ending", "Left", "LiveVisit", "NotReleased", "Part", "Visits"]

TOKEN_PURPOSE = "viewer-token"
TOUCH_EVERY = timedelta(minutes=1)


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
            check_release(session, self._audit, part, study, at=at)
            note(session, self._audit, Event.VIEWER_OPENED, part, study.id, address=address, at=at)
        return self._crypto.sign(TOKEN_PURPOSE, token.id)

    def note_look(self, live: LiveVisit, study: Study, *, address: str, at: datetime) -> None:
        """The light look was opened. Raises StoreUnavailable: what isn't recorded isn't shown; NotReleased."""
        part = live.part_to(study, Permission.VIEW)
        with self._transaction() as session:
            check_release(session, self._audit, part, study, at=at)
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

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the visit can't be recorded")


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
