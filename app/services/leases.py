"""Leases: one process at a time does what only one may do. They live in the database, whichever it is."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from app.models import Lease


class Leases:
    def __init__(self, own_session: sessionmaker[Session], holder: str) -> None:
        """``holder`` names this process among all processes on all machines."""
        self._own_session = own_session
        self._holder = holder

    def acquire(self, name: str, *, lasts: timedelta, at: datetime) -> bool:
        """Take or renew the lease; False while another holder's has not expired."""
        renewed = (
            update(Lease)
            .where(Lease.name == name, or_(Lease.holder == self._holder, Lease.expires_at <= at))
            .values(holder=self._holder, expires_at=at + lasts)
            .returning(Lease.name)
        )
        with self._own_session.begin() as session:
            if session.execute(renewed).first() is not None:
                return True
        try:
            with self._own_session.begin() as session:
                session.add(Lease(name=name, holder=self._holder, expires_at=at + lasts))
            return True
        except IntegrityError:
            return False

    def release(self, name: str, *, at: datetime) -> None:
        """Let a waiting process have it now."""
        with self._own_session.begin() as session:
            session.execute(
                update(Lease).where(Lease.name == name, Lease.holder == self._holder).values(expires_at=at)
            )
