"""How a picture of the light look may be asked for: closed lists of sizes and windows, each by its name.

No number of a visitor's ever reaches an archive. Which windows a series has follows from what its pixels are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Size(StrEnum):
    THUMB = "thumb"
    SMALL = "small"  # small screens and slow lines
    MEDIUM = "medium"
    LARGE = "large"  # for a picture that somebody enlarges


LONGEST_SIDE = {Size.THUMB: 128, Size.SMALL: 512, Size.MEDIUM: 1024, Size.LARGE: 2048}  # pixels
QUALITY = {Size.THUMB: 70, Size.SMALL: 80, Size.MEDIUM: 80, Size.LARGE: 85}  # of a JPEG
FIRST_PICTURE_BYTES = 100_000  # what the first picture on a screen may weigh


class Window(StrEnum):
    """What of a picture's range is shown (PS3.3 section C.11.2)."""

    MADE = "made"  # as whoever made it wants it seen
    SOFT = "soft"
    LUNG = "lung"
    BONE = "bone"
    BRAIN = "brain"
    BRIGHTER = "brighter"
    DARKER = "darker"
    INVERTED = "inverted"


HOUNSFIELD = {  # centre and width, as CT is read everywhere
    Window.SOFT: (40.0, 400.0),
    Window.LUNG: (-600.0, 1500.0),
    Window.BONE: (450.0, 1800.0),
    Window.BRAIN: (40.0, 80.0),
}
_SHIFT = {Window.BRIGHTER: -0.22, Window.DARKER: 0.22}  # of the width
SLOWEST, FASTEST = 1.0, 30.0  # pictures per second


@dataclass(frozen=True)
class Pixels:
    """What a series' pictures are. ``side``: the longest, in pixels; ``rate``: pictures per second of a film."""

    side: int = 0
    windows: tuple[Window, ...] = ()
    rate: float | None = None


def pixels_of(modality: str, tags: Mapping[str, str]) -> Pixels | None:
    """What an instance's tags, by keyword, tell of its pictures; None when it has no pixels.

    Rows (0028,0010) is there when, and only when, there are pixels (PS3.3 section C.7.6.3).
    """
    if "Rows" not in tags:
        return None
    side = max(_first(tags, "Rows") or 0, _first(tags, "Columns") or 0)
    return Pixels(int(side), _windows(modality, tags), _rate(tags))


def _windows(modality: str, tags: Mapping[str, str]) -> tuple[Window, ...]:
    if not tags.get("PhotometricInterpretation", "").startswith("MONOCHROME"):
        return ()  # colour is what it is
    if modality == "CT" and _first(tags, "RescaleIntercept") is not None:
        return (Window.MADE, *HOUNSFIELD)
    shifted = tuple(_SHIFT) if window_of(tags) else ()
    return (Window.MADE, *shifted, Window.INVERTED)


def window_of(tags: Mapping[str, str]) -> tuple[float, float] | None:
    """Centre and width that an instance brings along; of several the first, which is what Orthanc shows."""
    center, width = _first(tags, "WindowCenter"), _first(tags, "WindowWidth")
    return (center, width) if center is not None and width is not None and width >= 1 else None


def shifted(window: Window, made: tuple[float, float], *, is_light_low: bool) -> tuple[float, float]:
    """``made`` moved so that more of the picture is bright, or dark; ``is_light_low``: MONOCHROME1."""
    center, width = made
    step = _SHIFT[window] * width
    return (center - step if is_light_low else center + step), width


def _rate(tags: Mapping[str, str]) -> float | None:
    """Recommended Display Frame Rate, else Cine Rate, else from Frame Time in ms (PS3.3 section C.7.6.5)."""
    told = _first(tags, "RecommendedDisplayFrameRate") or _first(tags, "CineRate")
    if not told and (time := _first(tags, "FrameTime")):
        told = 1000 / time
    return min(max(told, SLOWEST), FASTEST) if told and told > 0 else None


def _first(tags: Mapping[str, str], keyword: str) -> float | None:
    try:
        value = float(tags[keyword].split("\\")[0])
    except (KeyError, ValueError):
        return None
    return value if abs(value) < 1e9 else None  # not NaN either
