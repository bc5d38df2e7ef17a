"""The lists of people and of devices, each in one query: what the pages show, no more.

Owns where an account stands. Refuses to change anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.staff import Role
from app.models import Staff, StaffLink, StaffSession
from app.services.staff_links import Purpose


class State(StrEnum):
    ACTIVE = "active"
    INVITED = "invited"  # no password yet, and a link to choose one is on its way
    NO_WAY_IN = "no-way-in"  # neither password nor link
    DISABLED = "disabled"


@dataclass(frozen=True)
class Row:
    """An account as the list shows it."""

    person: Staff
    state: State
    has_second_factor: bool
    seen_at: datetime | None  # None: never signed in


class StaffList:
    def __init__(self, session: Session) -> None:
        self._session = session

    def people(self, *, at: datetime) -> list[Row]:
        """By name; those who can't sign in any more come last."""
        last = (
            select(StaffSession.staff_id, func.max(StaffSession.seen_at).label("seen_at"))
            .where(StaffSession.proved_at.is_not(None))
            .group_by(StaffSession.staff_id)
            .subquery()
        )
        open_links = select(StaffLink.staff_id).where(
            StaffLink.purpose != Purpose.SIGN_IN,
            StaffLink.used_at.is_(None),
            StaffLink.revoked_at.is_(None),
            StaffLink.expires_at > at,
        )
        query = (
            select(Staff, last.c.seen_at, Staff.id.in_(open_links))
            .outerjoin(last, last.c.staff_id == Staff.id)
            .where(Staff.roles != Role.DEVICE)
            .order_by(Staff.disabled_at.is_not(None), func.lower(Staff.name), Staff.id)
        )
        return [
            Row(person, _state(person, is_invited), person.totp_sealed is not None, seen_at)
            for person, seen_at, is_invited in self._session.execute(query)
        ]

    def devices(self) -> list[Staff]:
        """By name; the disabled ones last."""
        query = select(Staff).where(Staff.roles == Role.DEVICE)
        return list(
            self._session.scalars(query.order_by(Staff.disabled_at.is_not(None), func.lower(Staff.name)))
        )


def _state(person: Staff, is_invited: bool) -> State:
    if person.disabled_at is not None:
        return State.DISABLED
    if person.password_hash is not None or person.subject is not None:
        return State.ACTIVE
    return State.INVITED if is_invited else State.NO_WAY_IN
