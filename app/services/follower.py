"""Following the archives, so that no study is lost: log of changes, reconciliation, gate probes.

One process follows (a lease makes a second one wait). A nudge only shortens the wait; what a nudge or the log
of changes missed, the next reconciliation finds by walking the archive's studies.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.adapters.hash_slots import Busy
from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from app.config import Settings
from app.models import Archive, Study
from app.services.announcements import Announcements
from app.services.archives import Archives
from app.services.audit import StoreUnavailable
from app.services.audit_trail import AuditTrail
from app.services.deliveries import Deliveries
from app.services.ingestion import Ingestion
from app.services.leases import Leases
from app.services.purge import Purge
from app.services.search_words import SearchWords
from app.services.tag_matching import TagMatching

log = structlog.get_logger(__name__)

LEASE, LEASE_LASTS = "follower", timedelta(seconds=30)
HEAD_EVERY, PURGE_EVERY = timedelta(minutes=1), timedelta(days=1)
WORDS_EVERY = timedelta(minutes=5)
RULES_FOR = timedelta(seconds=0.5)
Clock = Callable[[], datetime]


class LeaseLost(Exception):
    """Another process follows now."""


class Follower:
    def __init__(
        self,
        session: Session,
        orthancs: dict[str, Orthanc],
        archives: Archives,
        ingestion: Ingestion,
        leases: Leases,
        trail: AuditTrail,
        purge: Purge,
        search_words: SearchWords,
        deliveries: Deliveries,
        tag_matching: TagMatching,
        announcements: Announcements,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._session = session
        self._orthancs = orthancs
        self._archives = archives
        self._ingestion = ingestion
        self._leases = leases
        self._trail = trail
        self._purge = purge
        self._search_words = search_words
        self._deliveries = deliveries
        self._tag_matching = tag_matching
        self._announcements = announcements
        self._settings = settings
        self._clock = clock
        self._due: dict[tuple[str, str], datetime] = {}
        self._seen_nudges: dict[str, datetime] = {}
        self._renew_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set. A failing archive or database is logged and tried again."""
        failing: set[str] = set()
        while not stop.wait(self._settings.nudge_every.total_seconds()):
            try:
                if not self._leases.acquire(LEASE, lasts=LEASE_LASTS, at=self._clock()):
                    stop.wait(2)
                    continue
                self._renew_at = self._clock() + LEASE_LASTS / 3
                self._tag_matching.key_rules()
                while not stop.is_set():
                    self.turn(failing, stop)
                    stop.wait(self._settings.nudge_every.total_seconds())
            except LeaseLost:
                log.warning("another process follows now")
            except (SQLAlchemyError, StoreUnavailable) as error:
                log.error("the database can't be used", why=type(error).__name__)
                self._session.rollback()
                stop.wait(2)
        self._leases.release(LEASE, at=self._clock())

    def turn(self, failing: set[str], stop: threading.Event | None = None) -> None:
        """One look at every archive. ``failing`` remembers which ones were told to be unreachable."""
        for name in self._orthancs:
            if stop is not None and stop.is_set():
                return
            try:
                has_spoken = self._follow(name)
                if has_spoken and name in failing:
                    log.info("archive reachable again", archive=name)
                    failing.discard(name)
            except ArchiveUnreachable as error:
                self._session.rollback()
                self._due[name, "changes"] = self._clock() + self._settings.follow_every
                if name not in failing:
                    log.error("archive unreachable", archive=name, why=error.why)
                    failing.add(name)
            except Busy:
                self._session.rollback()
            self._session.rollback()  # ends the read transaction
        self._deliver()
        self._keep_house()

    def _deliver(self) -> None:
        """One report into its archive each turn, and one mail, so that no study that arrives has to wait for many."""
        self._keep_lease()
        self._deliveries.work(at=self._clock())
        self._keep_lease()
        self._announcements.work(at=self._clock())

    def _keep_house(self) -> None:
        """The audit trail's head outside of the database, words to find older studies by, and once a day what is
        thrown away."""
        # A batch each turn, so that nothing that arrives has to wait; then nothing for a while.
        if self._clock() >= self._due.get(("", "words"), self._clock()) and not self._search_words.fill():
            self._due["", "words"] = self._clock() + WORDS_EVERY
        self._match_rules()
        if self._is_due("", "head", HEAD_EVERY):
            self._trail.keep_head()
        if self._is_due("", "purge", PURGE_EVERY):
            gone: Counter[str] = Counter()
            for what, rows in self._purge.run(at=self._clock()):
                gone[what] += rows
                self._keep_lease()
            self._trail.keep_head()
            log.info("purged", head=str(self._trail.head()), **gone)

    def _match_rules(self) -> None:
        """Studies from before a rule was saved: for a moment each turn."""
        until = self._clock() + RULES_FOR
        while self._tag_matching.work(at=self._clock()):
            if self._clock() >= until:
                return
        if self._clock() >= self._due.get(("", "tags"), self._clock()) and not self._tag_matching.fill(
            at=self._clock()
        ):
            self._due["", "tags"] = self._clock() + WORDS_EVERY

    def _follow(self, name: str) -> bool:
        """Do what is due; whether the archive was spoken to at all."""
        self._keep_lease()
        if self._is_due(name, "probe", self._settings.probe_every):
            self._archives.probe(name, at=self._clock())
        archive = self._archive(name)
        if archive is None:
            if not self._is_due(name, "register", self._settings.follow_every):
                return False
            self._archives.register(name)
            self._archives.probe(name, at=self._clock())
            return True
        is_draining = self._was_nudged(archive) or self._is_due(name, "changes", self._settings.follow_every)
        if is_draining:
            self._drain(archive)
        is_reconciling = self._is_due(name, "reconcile", self._settings.reconcile_every)
        if is_reconciling:
            self._reconcile(archive)
        return is_draining or is_reconciling

    def _drain(self, archive: Archive) -> None:
        """Take what the log of changes names since the stored cursor."""
        while True:
            page = self._orthancs[archive.name].changes(since=archive.change_cursor)
            if page.last < archive.change_cursor:
                # Deleting a study removes its rows; the log can even start over. The walk finds the rest.
                archive.change_cursor = page.last
                self._session.commit()
                self._due[archive.name, "reconcile"] = self._clock()
                return
            stable = (change.orthanc_id for change in page.changes if change.type == "StableStudy")
            for orthanc_id in dict.fromkeys(stable):
                self._take(archive, orthanc_id)
                self._keep_lease()
            if page.changes:
                archive.change_cursor = page.changes[-1].sequence
                self._session.commit()
            if page.is_done or not page.changes:
                return

    def _reconcile(self, archive: Archive) -> None:
        """Walk all studies: take in each stable one that is unknown or changed, notice those gone."""
        name, began = archive.name, self._clock()
        known = self._fingerprints(archive)
        seen: set[str] = set()
        taken = 0
        for listed in self._orthancs[name].studies():
            seen.add(listed.orthanc_id)
            if listed.is_stable and known.get(listed.orthanc_id) != listed.fingerprint:
                self._take(archive, listed.orthanc_id)
                taken += 1
                if taken % 500 == 0:
                    log.info("reconciling", archive=name, taken=taken, seen=len(seen))
            self._keep_lease()
            if self._was_nudged(archive):
                self._drain(archive)
        self._notice_gone(archive, known.keys() - seen)
        archive.reconciled_at = self._clock()
        self._session.commit()
        if taken:
            log.info("reconciled", archive=name, taken=taken, took=str(self._clock() - began))

    def _take(self, archive: Archive, orthanc_id: str) -> None:
        """Take one study in. One that can't be taken in must not keep the others out."""
        name = archive.name
        try:
            self._ingestion.take(archive, orthanc_id, at=self._clock())
        except (ArchiveUnreachable, Busy, OperationalError, StoreUnavailable):
            raise
        except Exception as error:
            self._session.rollback()
            log.error(
                "study can't be taken in", archive=name, orthanc_id=orthanc_id, why=type(error).__name__
            )

    def _notice_gone(self, archive: Archive, missing: Iterable[str]) -> None:
        """A walk can miss a study when another is deleted meanwhile, so each missing one is asked for."""
        for orthanc_id in missing:
            if not self._orthancs[archive.name].exists(orthanc_id):
                query = select(Study).where(Study.archive_id == archive.id, Study.orthanc_id == orthanc_id)
                self._ingestion.gone(self._session.scalars(query).one(), at=self._clock())

    def _fingerprints(self, archive: Archive) -> dict[str, str]:
        rows = self._session.execute(
            select(Study.orthanc_id, Study.fingerprint).where(
                Study.archive_id == archive.id, Study.deleted_at.is_(None)
            )
        )
        return {row.orthanc_id: row.fingerprint for row in rows}

    def _archive(self, name: str) -> Archive | None:
        return self._session.scalars(select(Archive).where(Archive.name == name)).one_or_none()

    def _was_nudged(self, archive: Archive) -> bool:
        nudged_at = self._session.scalar(select(Archive.nudged_at).where(Archive.id == archive.id))
        if nudged_at is None or self._seen_nudges.get(archive.name) == nudged_at:
            return False
        self._seen_nudges[archive.name] = nudged_at
        return True

    def _is_due(self, name: str, what: str, every: timedelta) -> bool:
        now = self._clock()
        if now < self._due.get((name, what), now):
            return False
        self._due[name, what] = now + every
        return True

    def _keep_lease(self) -> None:
        """Raises LeaseLost."""
        if self._renew_at is not None and self._clock() >= self._renew_at:
            if not self._leases.acquire(LEASE, lasts=LEASE_LASTS, at=self._clock()):
                raise LeaseLost
            self._renew_at = self._clock() + LEASE_LASTS / 3
