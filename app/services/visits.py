"""Visits and viewer tokens: what a proved grant opens, for how long, and how it ends."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload, sessionmaker

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain.events import Event
from app.domain.grants import Standing
from app.domain.permissions import Permission
from app.models import Grant, Study, ViewerToken, Visit
from app.services.audit import Audit, StoreUnavailable

TOKEN_PURPOSE = "viewer-token"
TOUCH_EVERY = timedelta(minutes=1)


class Ending(StrEnum):
    """Why a visit is over."""

    NONE = "none"  # there never was one (or its cookie is gone)
    SIGNED_OUT = "signed-out"
    IDLE = "idle"
    LIMIT = "limit"
    CLOSED = "closed"  # by the clinic: grant revoked, suspended, expired


@dataclass(frozen=True)
class LiveVisit:
    """A visit that goes on, with what its holder may see."""

    visit: Visit = field(repr=False)
    grant: Grant = field(repr=False)

    @property
    def permissions(self) -> Permission:
        return Permission.from_names(self.grant.permissions)

    @property
    def studies(self) -> list[Study]:
        return list(self.grant.studies)

    def study(self, study_id: int) -> Study | None:
        return next((study for study in self.grant.studies if study.id == study_id), None)


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
            grant = _grant(session, grant_id)
            visit = Visit(key=_digest(key), grant_id=grant_id, begun_at=at, seen_at=at)
            session.add(visit)
            session.execute(
                update(Grant)
                .where(Grant.id == grant_id)
                .values(opened_at=at, openings=Grant.openings + 1)
                .execution_options(synchronize_session=False)
            )
            self._note(session, Event.VISIT_BEGUN, grant_id, None, address=address, at=at)
        return LiveVisit(visit, grant), key

    def find(self, key: str | None, *, at: datetime) -> LiveVisit | Ending:
        """The visit that a cookie names while it goes on; otherwise why it doesn't. Use keeps it alive.

        Raises StoreUnavailable.
        """
        if not key:
            return Ending.NONE
        with self._transaction() as session:
            visit = session.scalars(select(Visit).where(Visit.key == _digest(key))).one_or_none()
            if visit is None:
                return Ending.NONE
            if visit.ended_at is not None:
                return Ending(visit.ended_why or Ending.CLOSED)
            if at >= visit.begun_at + self._settings.visit_limit:
                return Ending.LIMIT
            if at >= visit.seen_at + self._settings.visit_idle:
                return Ending.IDLE
            grant = _grant(session, visit.grant_id)
            if grant.standing(at) is not Standing.OPEN:
                return Ending.CLOSED
            if at - visit.seen_at >= TOUCH_EVERY:
                _touch(session, visit.id, at)
            return LiveVisit(visit, grant)

    def end(self, live: LiveVisit, *, address: str, at: datetime) -> None:
        """The holder is done: the visit and its viewer tokens end at once. Raises StoreUnavailable."""
        with self._transaction() as session:
            session.execute(
                update(Visit)
                .where(Visit.id == live.visit.id, Visit.ended_at.is_(None))
                .values(ended_at=at, ended_why=Ending.SIGNED_OUT)
            )
            self._note(session, Event.VISIT_ENDED, live.grant.id, None, address=address, at=at)

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

        It exists when, and only when, the audit row does. Raises StoreUnavailable.
        """
        token = ViewerToken(
            id=secrets.token_urlsafe(16), visit_id=live.visit.id, study_id=study.id, issued_at=at
        )
        with self._transaction() as session:
            session.add(token)
            self._note(session, Event.VIEWER_OPENED, live.grant.id, study.id, address=address, at=at)
        return self._crypto.sign(TOKEN_PURPOSE, token.id)

    def note_look(self, live: LiveVisit, study: Study, *, address: str, at: datetime) -> None:
        """The light look was opened. Raises StoreUnavailable: what isn't recorded isn't shown."""
        with self._transaction() as session:
            self._note(session, Event.LOOK_OPENED, live.grant.id, study.id, address=address, at=at)

    def _note(
        self,
        session: Session,
        event: Event,
        grant_id: int,
        study_id: int | None,
        *,
        address: str,
        at: datetime,
    ) -> None:
        self._audit.within(
            session, event, at=at, actor="holder", address=address, grant_id=grant_id, study_id=study_id
        )

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        try:
            with self._own_session.begin() as session:
                yield session
        except SQLAlchemyError as error:
            raise StoreUnavailable("the visit can't be recorded") from error


def _grant(session: Session, grant_id: int) -> Grant:
    return session.get_one(Grant, grant_id, options=[selectinload(Grant.studies)])


def _touch(session: Session, visit_id: int, at: datetime) -> None:
    """Use keeps a visit alive. Conditional: pages that load at once write once a minute, and none turns the
    clock back."""
    session.execute(
        update(Visit)
        .where(Visit.id == visit_id, Visit.seen_at <= at - TOUCH_EVERY)
        .values(seen_at=at)
        .execution_options(synchronize_session=False)
    )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
