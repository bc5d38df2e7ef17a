"""What ends for an account: its sessions and its links, in the transaction of whatever ends them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from app.models import StaffLink, StaffSession, StaffToken, Visit
from app.services.live_visit import Ending

SESSION_IDLE = timedelta(hours=2)  # the lock comes before (services.rules.lock_minutes)
SESSION_LIMIT = timedelta(hours=12)


def alive(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions of the sessions that go on: proved, not ended, within idleness and limit. Not the lock."""
    return (
        StaffSession.proved_at.is_not(None),
        StaffSession.ended_at.is_(None),
        StaffSession.begun_at > at - SESSION_LIMIT,
        StaffSession.seen_at > at - SESSION_IDLE,
    )


def open_links(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions of the links that still work."""
    return StaffLink.used_at.is_(None), StaffLink.revoked_at.is_(None), StaffLink.expires_at > at


def tokens_alive(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions of the tokens that may open something: of a session that goes on, or a device's."""
    goes_on = StaffToken.session_id.in_(select(StaffSession.id).where(*alive(at)))
    return StaffToken.revoked_at.is_(None), or_(StaffToken.session_id.is_(None), goes_on)


def end_sessions(session: Session, staff_id: int, *where: ColumnElement[bool], at: datetime) -> int:
    """End an account's sessions, those that wait for a second factor too, and what was opened in them through a
    rule: how many."""
    ended = session.scalars(
        update(StaffSession)
        .where(
            StaffSession.staff_id == staff_id,
            StaffSession.ended_at.is_(None),
            StaffSession.begun_at > at - SESSION_LIMIT,
            *where,
        )
        .values(ended_at=at)
        .returning(StaffSession.id)
        .execution_options(synchronize_session=False)
    ).all()
    end_visits(session, Visit.staff_session_id.in_(ended), at=at)
    return len(ended)


def end_visits(session: Session, *where: ColumnElement[bool], at: datetime) -> None:
    """End visits that were begun without a code, in the session of somebody whom a rule names."""
    session.execute(
        update(Visit)
        .where(Visit.staff_session_id.is_not(None), Visit.ended_at.is_(None), *where)
        .values(ended_at=at, ended_why=Ending.CLOSED)
        .execution_options(synchronize_session=False)
    )


def revoke_links(session: Session, staff_id: int, *where: ColumnElement[bool], at: datetime) -> int:
    """Take back an account's links that still work: how many."""
    revoked = session.scalars(
        update(StaffLink)
        .where(StaffLink.staff_id == staff_id, *open_links(at), *where)
        .values(revoked_at=at)
        .returning(StaffLink.id)
        .execution_options(synchronize_session=False)
    )
    return len(revoked.all())
