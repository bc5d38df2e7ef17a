"""Taking the images away: a ZIP with DICOMDIR, passed on from the archive as it comes, never whole in memory.

Each download holds a thread of its worker until its last byte is through, on a slow line for many minutes. So a worker
lets few go on at once, and of one visit one; the others are told to come again. It ends when the visit or the grant is
ended or the release is taken back, within seconds; not when the visit is only idle or at its limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.orthanc_images import Media, OrthancImages
from app.domain.events import Event
from app.domain.grants import Kind, Standing
from app.domain.permissions import Permission
from app.models import Grant, Study, Visit, grant_study
from app.services.audit import Audit
from app.services.holder_acts import NotReleased, note
from app.services.live_visit import LiveVisit, Part
from app.services.own_transaction import own_transaction
from app.services.release import Releases
from app.services.rules import SiteRules

AT_ONCE = 3  # of a worker's eight threads (app.supervisor)
CHECK_SECONDS = 2.0
_CACHED_SIZES = 256


class TooManyDownloads(Exception):
    """No place just now. ``is_own``: this visit has one that goes on."""

    def __init__(self, *, is_own: bool) -> None:
        super().__init__("too many downloads at once")
        self.is_own = is_own


class DownloadEnded(Exception):
    """The holder may not have it any more: what is through is cut off."""


class Download:
    """Pieces of a file on its way. Whoever holds it closes it: only then are its place and the archive free again."""

    def __init__(
        self, media: Media, goes_on: Callable[[], bool], leave: Callable[[], None], check_seconds: float
    ) -> None:
        self._media = media
        self._check_seconds = check_seconds
        self._pieces = iter(media)
        self._goes_on = goes_on
        self._leave = leave
        self._checked = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Raises ArchiveUnreachable when the archive breaks off, DownloadEnded."""
        if time.monotonic() - self._checked >= self._check_seconds:
            if not self._goes_on():
                raise DownloadEnded
            self._checked = time.monotonic()
        return next(self._pieces)

    def close(self) -> None:
        self._media.close()
        self._leave()


class Places:
    """Who is downloading in this process. Safe to share between threads."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._taken: set[int] = set()

    def take(self, visit_id: int) -> Callable[[], None]:
        """What gives the place back; calling it again does nothing. Raises TooManyDownloads."""
        with self._lock:
            if visit_id in self._taken:
                raise TooManyDownloads(is_own=True)
            if len(self._taken) >= self._at_once:
                raise TooManyDownloads(is_own=False)
            self._taken.add(visit_id)
        once = iter((visit_id,))

        def leave() -> None:
            with self._lock:
                for taken in once:
                    self._taken.discard(taken)

        return leave


class Downloads:
    """Each call is a small transaction of its own."""

    def __init__(
        self,
        own_session: sessionmaker[Session],
        orthancs: Mapping[str, OrthancImages],
        audit: Audit,
        clock: Callable[[], datetime],
        *,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._own_session = own_session
        self._orthancs = orthancs
        self._audit = audit
        self._clock = clock  # a download outlives its request: it has to ask later, too
        self._check_seconds = check_seconds
        self._places = Places()
        # The fingerprint changes with the study, so an entry never goes stale; it only gets unused.
        self._sizes = lru_cache(maxsize=_CACHED_SIZES)(self._size)

    def most_bytes(self, archive: str, study: Study) -> int | None:
        """How large the ZIP is at most: its files before they are packed; None: the study isn't there.

        Raises ArchiveUnreachable.
        """
        return self._sizes(archive, study.orthanc_id, study.fingerprint)

    def begin(
        self, live: LiveVisit, study: Study, archive: str, *, address: str, at: datetime
    ) -> Download | None:
        """The study's images as a ZIP, on record before their first byte. None: the archive hasn't got them.

        Raises TooManyDownloads, ArchiveUnreachable, StoreUnavailable, NotReleased; LookupError where nothing in the
        visit allows a download.
        """
        part = live.part_to(study, Permission.DOWNLOAD)
        leave = self._places.take(live.leader_id)
        media = None
        try:
            media = self._orthancs[archive].media(study.orthanc_id)
            if media is None:
                leave()
                return None
            self._note(part, study.id, address=address, at=at)
        except BaseException:
            if media is not None:
                media.close()
            leave()
            raise
        visit_id, kind, study_id = part.visit.id, part.kind, study.id

        def goes_on() -> bool:
            return self._goes_on(visit_id, kind, study_id, at=self._clock())

        return Download(media, goes_on, leave, self._check_seconds)

    def _note(self, part: Part, study_id: int, *, address: str, at: datetime) -> None:
        with self._transaction() as session:
            if not self._is_released(session, part.kind, study_id, at=at):
                raise NotReleased
            note(session, self._audit, Event.STUDY_DOWNLOADED, part, study_id, address=address, at=at)

    def _goes_on(self, visit_id: int, kind: Kind, study_id: int, *, at: datetime) -> bool:
        with self._transaction() as session:
            visit = session.get_one(Visit, visit_id)
            grant = session.get_one(Grant, visit.grant_id)
            if visit.ended_at is not None or grant.standing(at) is not Standing.OPEN:
                return False
            row = (grant_study.c.grant_id == grant.id, grant_study.c.study_id == study_id)
            if session.execute(select(grant_study).where(*row)).first() is None:
                return False  # its tag names somebody else now
            return self._is_released(session, kind, study_id, at=at)

    def _is_released(self, session: Session, kind: Kind, study_id: int, *, at: datetime) -> bool:
        """As the database has it now, not as the visit was read."""
        study = session.get_one(Study, study_id)
        releases = Releases(session, SiteRules(session, self._audit), self._audit)
        return study.deleted_at is None and releases.seen_by(kind, [study], at=at)[study_id].images.is_out

    def _size(self, archive: str, orthanc_id: str, fingerprint: str) -> int | None:
        del fingerprint  # part of the key only
        return self._orthancs[archive].size(orthanc_id)

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the download can't be recorded")
