"""The images of an archive's studies: which pictures there are, each as a JPEG that it renders, all as a ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from app.adapters.orthanc_http import ArchiveUnreachable, OrthancHttp
from app.domain import dicom, looks
from app.domain.looks import Window
from app.domain.study import Picture, Series

MEDIA_TIMEOUT_SECONDS = (2.0, 60.0)  # packing may take a while between bytes
PIECE_BYTES = 64 * 1024


class Media:
    """A ZIP on its way from an archive, in pieces of at most PIECE_BYTES. Whoever holds it closes it."""

    def __init__(self, answer: requests.Response, archive: str) -> None:
        self._answer = answer
        self._archive = archive

    def __iter__(self) -> Iterator[bytes]:
        """Raises ArchiveUnreachable when it breaks off."""
        try:
            yield from self._answer.iter_content(PIECE_BYTES)
        except requests.RequestException as error:
            raise ArchiveUnreachable(self._archive, type(error).__name__) from None

    def close(self) -> None:
        """Hang up, whatever has come by then: the archive stops packing."""
        self._answer.close()


class OrthancImages(OrthancHttp):
    def series(self, orthanc_id: str) -> tuple[Series, ...]:
        """The series of a study in reading order, with their pictures. Raises ArchiveUnreachable."""
        rows = self._rows(f"studies/{orthanc_id}/series") or []
        rows.sort(key=lambda row: _number(row, "SeriesNumber"))
        return tuple(self._one_series(number, row) for number, row in enumerate(rows, start=1))

    def _one_series(self, number: int, row: dict[str, Any]) -> Series:
        tags = row.get("MainDicomTags", {})
        title = dicom.clean_text(tags.get("SeriesDescription") or tags.get("ProtocolName"))
        modality = dicom.clean_text(tags.get("Modality"))
        instances = self._rows(f"series/{row['ID']}/instances") or []
        pixels = looks.pixels_of(modality, self._texts(instances[0]["ID"])) if instances else None
        if pixels is None:
            return Series(number, title, modality, ())
        pictures = [
            Picture(instance["ID"], frame)
            for instance in sorted(instances, key=_reading_order)
            for frame in range(min(max(_number(instance, "NumberOfFrames"), 1), 10_000))
        ]
        return Series(number, title, modality, tuple(pictures), pixels)

    def _texts(self, instance_id: str) -> dict[str, str]:
        """An instance's tags that are text, by keyword; empty when it is gone. Raises ArchiveUnreachable."""
        told = self._object(f"instances/{instance_id}/simplified-tags") or {}
        return {keyword: value for keyword, value in told.items() if isinstance(value, str)}

    def shifted(self, picture: Picture, window: Window) -> tuple[float, float] | None:
        """Centre and width that show a picture brighter or darker than it was made; None when it doesn't say how
        it was made. Raises ArchiveUnreachable."""
        tags = self._texts(picture.instance_id)
        made = looks.window_of(tags)
        is_light_low = tags.get("PhotometricInterpretation") == "MONOCHROME1"
        return looks.shifted(window, made, is_light_low=is_light_low) if made else None

    def rendered(
        self, picture: Picture, *, size: int, quality: int, window: tuple[float, float] | None = None
    ) -> tuple[str, bytes] | None:
        """A picture as (media type, JPEG), at most ``size`` pixels wide and high; None when it has none.
        ``window``: centre and width, after the picture's own rescaling; without, as it was made.

        Raises ArchiveUnreachable.
        """
        params: dict[str, float] = {"width": size, "height": size, "quality": quality}
        if window:
            params |= {"window-center": window[0], "window-width": window[1]}
        answer = self._ask(
            "GET",
            f"instances/{picture.instance_id}/frames/{picture.frame}/rendered",
            params=params,
            headers={"Accept": "image/jpeg"},
        )
        media_type = answer.headers.get("Content-Type", "")
        if answer.status_code != 200 or media_type not in ("image/jpeg", "image/png"):
            return None
        return media_type, answer.content

    def size(self, orthanc_id: str) -> int | None:
        """Bytes of all DICOM files of a study; None when it isn't there. Raises ArchiveUnreachable."""
        told = self._object(f"studies/{orthanc_id}/statistics")
        if told is None:
            return None
        try:
            return int(told["UncompressedSize"])  # Orthanc writes 64-bit numbers as texts
        except (KeyError, TypeError, ValueError):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's") from None

    def media(self, orthanc_id: str) -> Media | None:
        """A study as a ZIP with DICOMDIR (PS3.10), as Orthanc packs it; None when it isn't there.

        Raises ArchiveUnreachable.
        """
        answer = self._ask(
            "GET",
            f"studies/{orthanc_id}/media",
            headers={"Accept-Encoding": "identity"},
            timeout=MEDIA_TIMEOUT_SECONDS,
            stream=True,
        )
        if answer.status_code == 200:
            return Media(answer, self.name)
        answer.close()
        if answer.status_code == 404:
            return None
        raise ArchiveUnreachable(self.name, f"status {answer.status_code}")


def _number(row: dict[str, Any], tag: str) -> int:
    try:
        return int(row.get("MainDicomTags", {}).get(tag, 0))
    except (TypeError, ValueError):
        return 0


def _reading_order(instance: dict[str, Any]) -> tuple[int, int]:
    return _number(instance, "InstanceNumber"), int(instance.get("IndexInSeries") or 0)
