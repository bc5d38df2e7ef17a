"""The light look in words and addresses: ways to see a picture, sizes for each screen, series to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from app.domain.looks import LONGEST_SIDE, Size, Window
from app.domain.modality import N_
from app.domain.study import Series
from app.web import study_texts
from app.web.i18n import _

WINDOWS = {
    Window.MADE: N_("As taken"),
    Window.SOFT: N_("Soft tissue"),
    Window.LUNG: N_("Lungs"),
    Window.BONE: N_("Bones"),
    Window.BRAIN: N_("Brain"),
    Window.BRIGHTER: N_("Brighter"),
    Window.DARKER: N_("Darker"),
    Window.INVERTED: N_("Black and white swapped"),
}
USUAL_RATE = 8.0  # pictures per second, for what isn't a film


def window_named(name: str | None, offered: Sequence[Window]) -> Window:
    """The window of that name if the series has it, else as taken."""
    return next((window for window in offered if window == name), Window.MADE)


def asked(window: Window) -> dict[str, str]:
    """What an address says of a window: nothing of the usual one; swapping is done by the page."""
    return {} if window in (Window.MADE, Window.INVERTED) else {"window": window.value}


def describe(current: dict[str, Any], series: Series, window: Window, *, base: str) -> dict[str, Any]:
    """``current`` (study_texts.position) with all that the page needs to show it."""
    number = current["image_number"]

    def page(at: int, seen_as: Window) -> str:
        how = {"series": series.number, "image": at}
        return f"{base}?{urlencode(how if seen_as is Window.MADE else {**how, 'window': seen_as.value})}"

    def picture(size: Size) -> str:
        return f"{current['image_url']}?{urlencode({**asked(window), 'size': size.value})}"

    side = series.pixels.side or LONGEST_SIDE[Size.LARGE]
    sizes = [
        size for size in (Size.SMALL, Size.MEDIUM) if size is Size.SMALL or side > LONGEST_SIDE[Size.SMALL]
    ]
    return {
        **current,
        "image_url": picture(Size.SMALL),
        "srcset": ", ".join(f"{picture(size)} {min(LONGEST_SIDE[size], side)}w" for size in sizes),
        "large_url": picture(Size.LARGE),
        "previous_url": current["previous_url"] and page(number - 1, window),
        "next_url": current["next_url"] and page(number + 1, window),
        "side": min(side, LONGEST_SIDE[Size.LARGE]),
        "rate": series.pixels.rate or USUAL_RATE,
        "window": window.value,
        "window_name": _(WINDOWS[window]),
        "windows": [
            {"value": one.value, "name": _(WINDOWS[one]), "url": page(number, one), "is_shown": one is window}
            for one in series.pixels.windows
        ],
    }


def describe_series(series: Series, *, base: str) -> dict[str, Any]:
    """A line of the choice of series, with a small picture from its middle."""
    middle = (len(series.pictures) + 1) // 2
    return {
        **study_texts.describe_series(series),
        "url": f"{base}?series={series.number}",
        "thumb_url": f"{base}/{series.number}/{middle}.jpg?size={Size.THUMB.value}"
        if series.pictures
        else None,
    }
