"""How the text of a report is shown: as it was typed, with two marks only.

``**bold**`` within a line, and lines that begin with ``- ``, which are the items of a list. Not Markdown, which would
change figures ("3*4*5 mm", "3. Liver"); see docs/adr/0013-the-text-of-a-report.md. A mark that isn't certainly one
stays as typed. What is kept in the database is never touched: this is about showing it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

ITEM = "- "
# Nothing of it is ever seen but the two overrides, which turn figures round (Unicode Bidirectional Algorithm, X4, X5):
# controls but tab and line feed, halves of surrogate pairs.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff]")
_STARS = re.compile(r"(?<!\*)\*\*(?!\*)")


class Run(NamedTuple):
    """A piece of a line."""

    text: str
    is_strong: bool = False


Line = tuple[Run, ...]


@dataclass(frozen=True)
class Paragraph:
    """Lines that stand together."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Items:
    """A list, each item without its mark."""

    lines: tuple[Line, ...]


def blocks(text: str) -> Iterator[Paragraph | Items]:
    """What stands between empty lines, and the lists within. Takes time in proportion to the text."""
    lines: list[Line] = []
    kind: type[Paragraph | Items] = Paragraph
    for line in shown(text).split("\n"):
        is_item = line.startswith(ITEM) and bool(line[2:].strip())
        wanted: type[Paragraph | Items] = Items if is_item else Paragraph
        if lines and (wanted is not kind or not line.strip()):
            yield kind(tuple(lines))
            lines = []
        if line.strip():
            kind = wanted
            lines.append(tuple(_runs(line[2:] if is_item else line)))
    if lines:
        yield kind(tuple(lines))


def plain(text: str) -> str:
    """``text`` without the marks of bold print. The dashes of a list stay: there they say what they say on paper."""
    return "\n".join("".join(run.text for run in _runs(line)) for line in shown(text).split("\n"))


def shown(text: str) -> str:
    """``text`` with lines that end alike, without controls that nobody sees."""
    return _UNSHOWN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def tidied(text: str) -> str:
    """``text`` as it is kept: as ``shown``, no spaces at the ends of lines, no empty lines around."""
    return "\n".join(line.rstrip() for line in shown(text).split("\n")).strip("\n")


def direction(text: str) -> str:
    """``rtl`` or ``ltr``: that of the first letter that has one (Unicode Bidirectional Algorithm, rule P2)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def _runs(line: str) -> Iterator[Run]:
    """The line's pieces: of several marks that could open, the last before a closing one does."""
    done, opening = 0, -1
    for found in _STARS.finditer(line):
        start, end = found.span()
        before, after = line[max(0, start - 1) : start], line[end : end + 1]
        if opening >= 0 and _ends(before) and not _joins(after):
            if done < opening:
                yield Run(line[done:opening])
            yield Run(line[opening + 2 : start], is_strong=True)
            done, opening = end, -1
        elif _ends(after) and not _joins(before):
            opening = start
    if done < len(line):
        yield Run(line[done:])


def _ends(neighbour: str) -> bool:
    """Whether bold print can begin or end at this character: not at a space."""
    return bool(neighbour.strip())


def _joins(neighbour: str) -> bool:
    """Whether stars beside this character belong to a figure or a word ("2**3"). Wide scripts have no spaces
    between words, so there they may be marks."""
    return neighbour.isalnum() and unicodedata.east_asian_width(neighbour) not in ("W", "F")
