"""Links that are made in Orthanc ("Share" in Orthanc Explorer 2): their types, and how long they last.

Facts of the Authorization plugin: a duration that nobody gave arrives as 0 or not at all, or, from some versions, as
whatever stood in memory; dates come naive, with Z, or with an offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

LONGEST_BELIEVED = timedelta(days=3660)


class LinkType(StrEnum):
    STONE = "stone-viewer-publication"
    OHIF = "ohif-viewer-publication"
    VOLVIEW = "volview-viewer-publication"
    OSIMIS = "osimis-viewer-publication"
    VIEW_NOW = "viewer-instant-link"  # of somebody signed in to Orthanc Explorer: their own next click
    DOWNLOAD_NOW = "download-instant-link"

    @property
    def viewer(self) -> str | None:
        """A key of domain.viewers.VIEWERS; None: Orthanc Explorer makes the address itself."""
        return None if self in INSTANT else self.removesuffix("-viewer-publication")


INSTANT = (LinkType.VIEW_NOW, LinkType.DOWNLOAD_NOW)
PUBLICATIONS = tuple(type_ for type_ in LinkType if type_ not in INSTANT)
# An instant link serves the click that asked for it, and lasts no longer than a visit would.
INSTANT_LIFE = timedelta(hours=1)

NOT_SERVED = {
    "inbox-link": "Studykey has no inbox links: ask for a share, or for an account that may upload.",
    "meddream-viewer-publication": "MedDream needs its own token service, which isn't configured.",
    "meddream-instant-link": "MedDream needs its own token service, which isn't configured.",
}


@dataclass(frozen=True)
class Lasting:
    """What a site allows: the choices of its share form, in days, and whether there may be no end."""

    days: Sequence[int]
    until_revoked: bool
    default: timedelta

    @property
    def longest(self) -> timedelta:
        return timedelta(days=max(self.days))

    def life(self, *, seconds: object, expires_at: datetime | None, at: datetime) -> timedelta | None:
        """How long a link made ``at`` lasts; None: until it is revoked.

        ``expires_at`` comes first where both are given. 0 or nothing asks for no end; what can't be meant (negative,
        beyond ten years, no number) gets the site's default. Never longer than the site's longest.
        """
        if expires_at is not None:
            asked = expires_at - at
        elif seconds in (0, None):
            return None if self.until_revoked else self.longest
        elif isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            asked = timedelta(0)
        else:
            asked = (
                timedelta(seconds=seconds)
                if 0 < seconds <= LONGEST_BELIEVED.total_seconds()
                else timedelta(0)
            )
        if not timedelta(0) < asked <= LONGEST_BELIEVED:
            asked = self.default
        return min(asked, self.longest)


def read_moment(value: object) -> datetime | None:
    """An ISO 8601 date and time, naive taken as UTC; None when there is none.

    Raises ValueError for what is no moment.
    """
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise ValueError("a moment is written as text")
    moment = datetime.fromisoformat(value.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
