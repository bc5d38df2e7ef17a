"""What the installed fonts can print, so that nobody finds empty boxes where a name should be.

Asks fontconfig, as the renderer does when it looks for a font. Knows nothing of layout.
"""

from __future__ import annotations

import bisect
import subprocess
import unicodedata
from functools import cache

# Characters without a glyph of their own: joiners, bidi controls, soft hyphen, variation selectors.
_INVISIBLE = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0})
_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


class FontsUnknown(Exception):
    """fontconfig didn't answer: the Debian package fontconfig is missing or broken."""


def missing(text: str) -> list[str]:
    """The characters of ``text`` that no installed font shows, once each, in order. Raises FontsUnknown."""
    starts, ends = _coverage()
    return [
        character
        for character in dict.fromkeys(unicodedata.normalize("NFC", text))
        if _has_a_shape(character) and not _covered(ord(character), starts, ends)
    ]


def _has_a_shape(character: str) -> bool:
    """Whether a reader would miss it. Combining marks have one: where a font lacks them a circle is printed.

    Controls and formats leave nothing behind; unassigned and private characters (Cn, Co) would leave a box.
    """
    category, point = unicodedata.category(character), ord(character)
    if category[0] == "Z" or category in ("Cc", "Cf", "Cs"):
        return False
    return point not in _INVISIBLE and not any(point in selectors for selectors in _SELECTORS)


def _covered(point: int, starts: list[int], ends: list[int]) -> bool:
    place = bisect.bisect_right(starts, point) - 1
    return place >= 0 and point <= ends[place]


@cache
def _coverage() -> tuple[list[int], list[int]]:
    """First and last code points of the ranges covered, sorted and merged. Read once in a process's life."""
    try:
        listing = subprocess.run(
            ["fc-list", "--format", "%{charset}\n"],  # noqa: S607 -- wherever the system keeps it
            capture_output=True,
            text=True,
            timeout=60,  # the first call after an installation builds fontconfig's cache
            check=True,
        ).stdout
        ranges = sorted({_range(piece) for piece in listing.split()})
    except (OSError, subprocess.SubprocessError, ValueError):
        raise FontsUnknown from None
    starts: list[int] = []
    ends: list[int] = []
    for start, end in ranges:
        if ends and start <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _range(piece: str) -> tuple[int, int]:
    """``20-7e`` or ``a0``: hexadecimal, both ends included (fontconfig's notation)."""
    first, _, last = piece.partition("-")
    return int(first, 16), int(last or first, 16)
