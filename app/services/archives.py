"""The archives as such: registering them, and knowing whether their gates are closed.

A gate that didn't load leaves an Orthanc open to everybody; then no viewer token is issued for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.orthanc import Orthanc
from app.domain.events import Event
from app.domain.study import GateState
from app.models import Archive, Study
from app.services.audit import Audit

log = structlog.get_logger(__name__)

# How old a probe may be on which a token is issued.
FRESH = timedelta(seconds=20)
# No log of changes gets there; Orthanc answers with its newest sequence number.
BEYOND = 2**63 - 1


class Archives:
    """Works in transactions of its own: an alarm stands whatever becomes of the request that met it."""

    def __init__(
        self, own_session: sessionmaker[Session], orthancs: Mapping[str, Orthanc], audit: Audit
    ) -> None:
        self._own_session = own_session
        self._orthancs = orthancs
        self._audit = audit

    def register(self, name: str) -> None:
        """Make the archive known, if it isn't. What it holds by its own clock now is the backlog.

        Raises ArchiveUnreachable.
        """
        if self.is_registered(name):
            return
        orthanc = self._orthancs[name]
        # Beyond the end of the log: the reconciliation walks the backlog, the log tells what comes.
        registered_at, cursor = orthanc.now(), orthanc.changes(since=BEYOND, limit=1).last
        with self._own_session.begin() as session:
            if session.scalar(select(Archive.id).where(Archive.name == name)) is None:
                session.add(Archive(name=name, registered_at=registered_at, change_cursor=cursor))

    def is_registered(self, name: str) -> bool:
        with self._own_session() as session:
            return session.scalar(select(Archive.id).where(Archive.name == name)) is not None

    def nudge(self, name: str, *, at: datetime) -> None:
        """The gate says that there is something to follow."""
        with self._own_session.begin() as session:
            archive = session.scalar(select(Archive).where(Archive.name == name))
            if archive is not None:
                archive.nudged_at = at

    def probe(self, name: str, *, at: datetime) -> GateState:
        """Ask the archive for studies without a token and keep what it said. OPEN raises the alarm."""
        orthanc = self._orthancs.get(name)
        if orthanc is None:
            return GateState.UNREACHABLE  # taken out of the settings
        state = orthanc.gate_state()
        with self._own_session.begin() as session:
            archive = session.scalar(select(Archive).where(Archive.name == name))
            if archive is None:
                return state
            archive.gate_checked_at = at
            before = archive.gate_state
            # A gate that was seen open stays an alarm until it is seen closed.
            if before != GateState.OPEN or state is GateState.GUARDED:
                archive.gate_state = state
            if archive.gate_state != before and GateState.OPEN in (archive.gate_state, before):
                event = Event.ARCHIVE_OPEN if state is GateState.OPEN else Event.ARCHIVE_GUARDED
                self._audit.within(session, event, at=at, actor="studykey", archive=name)
        if state is GateState.OPEN:
            log.error(
                "ALARM: this archive gives studies to everybody; no viewer tokens are issued for it",
                archive=name,
            )
        return state

    def gate_state(self, name: str, *, at: datetime) -> GateState:
        """The state as of at most 20 s ago; probes where it is older."""
        with self._own_session() as session:
            archive = session.scalar(select(Archive).where(Archive.name == name))
        is_fresh = archive and archive.gate_checked_at and at - archive.gate_checked_at <= FRESH
        if archive and is_fresh and archive.gate_state == GateState.GUARDED:
            return GateState.GUARDED
        return self.probe(name, at=at)

    def all(self) -> list[Archive]:
        """The archives of the settings that were registered, by name."""
        with self._own_session() as session:
            return list(session.scalars(self._ours().order_by(Archive.name)))

    def _ours(self) -> Select[Archive]:
        return select(Archive).where(Archive.name.in_(self._orthancs))

    def name_of(self, study: Study) -> str:
        """The name of the archive that holds ``study``."""
        with self._own_session() as session:
            return session.get_one(Archive, study.archive_id).name

    def open_ones(self) -> list[str]:
        """Names of the archives whose gate was found open: the alarm of the staff pages."""
        with self._own_session() as session:
            query = self._ours().where(Archive.gate_state == GateState.OPEN)
            return [archive.name for archive in session.scalars(query.order_by(Archive.name))]
