"""The light look: a study's pictures as JPEGs, rendered by its archive, for phones and slow lines.

A picture is named by its place in the study (series and picture, both from 1), never by an id of the
archive: so an address that a person changes can't leave the study. How it is shown comes from closed lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from app.adapters.orthanc_images import OrthancImages
from app.domain.looks import FIRST_PICTURE_BYTES, HOUNSFIELD, LONGEST_SIDE, QUALITY, Size, Window
from app.domain.study import Picture, Series
from app.models import Study

_CACHED_STUDIES = 64
_CACHED_WINDOWS = 4096
_LOW_QUALITY = 55


class NotRenderable(Exception):
    """The archive can't make a picture of this instance (a film, a broken file)."""


class Look:
    def __init__(self, orthancs: Mapping[str, OrthancImages]) -> None:
        self._orthancs = orthancs
        # The fingerprint changes with the study, so an entry never goes stale; it only gets unused.
        self._listed = lru_cache(maxsize=_CACHED_STUDIES)(self._list)
        self._shifted = lru_cache(maxsize=_CACHED_WINDOWS)(self._shift)

    def series(self, archive: str, study: Study) -> tuple[Series, ...]:
        """The series of a study in reading order. Raises ArchiveUnreachable."""
        return self._listed(archive, study.orthanc_id, study.fingerprint)

    def picture(
        self,
        archive: str,
        study: Study,
        series: int,
        number: int,
        *,
        size: Size = Size.MEDIUM,
        window: Window = Window.MADE,
    ) -> tuple[str, bytes] | None:
        """(media type, picture), or None when there is no such place in the study, or no such window there.

        Raises NotRenderable, ArchiveUnreachable.
        """
        listed = self.series(archive, study)
        if not 1 <= series <= len(listed) or not 1 <= number <= len(listed[series - 1].pictures):
            return None
        shown = listed[series - 1]
        if window is not Window.MADE and window not in shown.pixels.windows:
            return None
        picture = shown.pictures[number - 1]
        values = HOUNSFIELD.get(window)
        if window in (Window.BRIGHTER, Window.DARKER):
            values = self._shifted(archive, study.fingerprint, picture, window)
        # Larger than it is would cost bytes and show no more: browsers enlarge as well as Orthanc does.
        side = min(LONGEST_SIDE[size], shown.pixels.side or LONGEST_SIDE[size])
        orthanc, rendered = self._orthancs[archive], None
        for smaller, quality in _attempts(size, side):
            rendered = orthanc.rendered(picture, size=smaller, quality=quality, window=values)
            if rendered is None:
                raise NotRenderable
            if size is Size.LARGE or len(rendered[1]) <= FIRST_PICTURE_BYTES:
                break
        return rendered

    def _list(self, archive: str, orthanc_id: str, fingerprint: str) -> tuple[Series, ...]:
        del fingerprint  # part of the key only
        return self._orthancs[archive].series(orthanc_id)

    def _shift(
        self, archive: str, fingerprint: str, picture: Picture, window: Window
    ) -> tuple[float, float] | None:
        del fingerprint
        return self._orthancs[archive].shifted(picture, window)


def _attempts(size: Size, side: int) -> tuple[tuple[int, int], ...]:
    """Sides and qualities, best first: noise makes some pictures weigh three times what others do."""
    return (
        (side, QUALITY[size]),
        (side, _LOW_QUALITY),
        (side * 2 // 3, _LOW_QUALITY),
        (side // 3, _LOW_QUALITY),
    )
