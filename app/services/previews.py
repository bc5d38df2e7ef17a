"""A small picture of a study, so that its holder sees at once that it is the right one.

The picture that the light look begins with: the middle of the first series that has any.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.adapters.orthanc_images import OrthancImages
from app.models import Study
from app.services.look import Look

SIZE_PIXELS = 360
QUALITY = 70


class Previews:
    def __init__(self, orthancs: Mapping[str, OrthancImages], look: Look) -> None:
        self._orthancs = orthancs
        self._look = look

    def picture(self, archive: str, study: Study) -> tuple[str, bytes] | None:
        """(media type, picture) of some 20 KB; None where the study has none that can be shown.

        Raises ArchiveUnreachable.
        """
        pictures = next((one.pictures for one in self._look.series(archive, study) if one.pictures), None)
        if not pictures:
            return None
        middle = pictures[(len(pictures) - 1) // 2]
        return self._orthancs[archive].rendered(middle, size=SIZE_PIXELS, quality=QUALITY)
