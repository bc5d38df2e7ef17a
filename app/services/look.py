"""The light look: a study's pictures as JPEGs, rendered by its archive, for phones and slow lines.

A picture is named by its place in the study (series and picture, both from 1), never by an id of the
archive: so an address that a person changes can't leave the study.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from app.adapters.orthanc import Orthanc
from app.domain.study import Series
from app.models import Study

SIZE_PIXELS = 768
QUALITY = 80
_CACHED_STUDIES = 64


class NotRenderable(Exception):
    """The archive can't make a picture of this instance (a film, a broken file)."""


class Look:
    def __init__(self, orthancs: Mapping[str, Orthanc]) -> None:
        self._orthancs = orthancs
        # The fingerprint changes with the study, so an entry never goes stale; it only gets unused.
        self._listed = lru_cache(maxsize=_CACHED_STUDIES)(self._list)

    def series(self, archive: str, study: Study) -> tuple[Series, ...]:
        """The series of a study in reading order. Raises ArchiveUnreachable."""
        return self._listed(archive, study.orthanc_id, study.fingerprint)

    def picture(self, archive: str, study: Study, series: int, number: int) -> tuple[str, bytes] | None:
        """(media type, picture), or None when there is no such place in the study.

        Raises NotRenderable, ArchiveUnreachable.
        """
        listed = self.series(archive, study)
        if not 1 <= series <= len(listed) or not 1 <= number <= len(listed[series - 1].pictures):
            return None
        picture = listed[series - 1].pictures[number - 1]
        rendered = self._orthancs[archive].rendered(picture, size=SIZE_PIXELS, quality=QUALITY)
        if rendered is None:
            raise NotRenderable
        return rendered

    def _list(self, archive: str, orthanc_id: str, fingerprint: str) -> tuple[Series, ...]:
        del fingerprint  # part of the key only
        return self._orthancs[archive].series(orthanc_id)
