"""Where a PDF comes from: what anybody who holds one can learn from its digest, and how often they may ask.

Tells nothing that doesn't stand on the file itself, but whether it was amended since: no patient, no study. Asking is
limited by network, not because a digest could be guessed (RFC 6234: 256 bits) but because a file may be uploaded for
it. Each process counts for itself, in memory: nothing of it is worth a row.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.limits import VERIFY_NARROW, VERIFY_WIDE, Failure, Limit, networks_of
from app.models import Report
from app.services.limits import TooManyFailures
from app.services.report_copies import ReportCopies

MOST_NETWORKS = 10_000


class Origin(StrEnum):
    CURRENT = "current"  # unchanged, and the version that stands
    AMENDED = "amended"  # unchanged, but a newer version has taken its place
    UNKNOWN = "unknown"  # changed, or not from here


@dataclass(frozen=True)
class Verdict:
    """``amended_at``: when the version that stands now was signed. All but ``origin`` is empty for UNKNOWN."""

    origin: Origin
    version: int = 0
    signed_by: str = ""
    signed_at: datetime | None = None
    amended_at: datetime | None = None


class Verification:
    """Reads only. Safe to share between threads."""

    def __init__(self, session: Session, copies: ReportCopies) -> None:
        self._session = session
        self._copies = copies
        self._lock = threading.Lock()
        self._asked: dict[str, deque[datetime]] = {}

    def admit(self, address: str, *, at: datetime) -> None:
        """Count a question, before anything of it is read. Raises TooManyFailures."""
        networks = networks_of(address)
        with self._lock:
            for name, limit in ((networks.narrow, VERIFY_NARROW), (networks.wide, VERIFY_WIDE)):
                asked = [Failure(moment, is_finished=True) for moment in self._asked.get(name, ())]
                if wait := limit.wait(asked, at=at):
                    raise TooManyFailures(wait)
            for name, limit in ((networks.narrow, VERIFY_NARROW), (networks.wide, VERIFY_WIDE)):
                self._count(name, limit, at)

    def _count(self, name: str, limit: Limit, at: datetime) -> None:
        asked = self._asked.pop(name, None)
        self._asked[name] = asked = asked if asked is not None else deque(maxlen=limit.failures)
        asked.append(at)
        if len(self._asked) > MOST_NETWORKS:  # the one that asked longest ago is forgotten
            del self._asked[next(iter(self._asked))]

    def of(self, sha256: bytes) -> Verdict:
        """What a file with this digest (FIPS 180-4) is."""
        report = self._copies.known(sha256)
        if report is None or report.signed_at is None:
            return Verdict(Origin.UNKNOWN)
        newest = (
            select(Report.signed_at)
            .where(
                Report.study_id == report.study_id,
                Report.version > report.version,
                Report.signed_at.is_not(None),
            )
            .order_by(Report.version.desc())
            .limit(1)
        )
        amended_at = self._session.scalar(newest)
        return Verdict(
            Origin.AMENDED if amended_at else Origin.CURRENT,
            version=report.version,
            signed_by=report.signed_name or "",
            signed_at=report.signed_at,
            amended_at=amended_at,
        )
