"""Reading DICOM values: person names, dates, UIDs. Every input is hostile.

Values arrive as UTF-8 text (Orthanc decodes the character sets). What leaves here is safe to show as
text: no control characters, no bidirectional overrides, bounded length. Escaping for HTML stays with
the templates.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

MAX_TEXT = 1024  # far above any VR we show (LO 64, PN 5 × 64 × 3, PS3.5 table 6.2-1)
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def clean_text(value: object) -> str:
    """``value`` as one line of harmless text: no control, format (bidi) or unassigned characters.

    ZERO WIDTH JOINER and NON-JOINER stay: Persian and Indic names are spelled with them.
    """
    if not isinstance(value, str):
        return ""
    kept = (
        " " if character in "\r\n\t" else character
        for character in value[:MAX_TEXT]
        if character in "\r\n\t\u200c\u200d" or unicodedata.category(character)[0] != "C"
    )
    return " ".join("".join(kept).split())


def is_uid(value: str) -> bool:
    """Whether ``value`` is a UID as of PS3.5 section 9.1: digits and dots, at most 64 characters.

    Leading zeros of a component are forbidden by the standard; real ones have them, but a UID that gates
    access has to be literal, so they are refused.
    """
    return len(value) <= 64 and _UID.fullmatch(value) is not None


def parse_date(value: str) -> date | None:
    """A DA value (PS3.5 section 6.2: YYYYMMDD; the retired YYYY.MM.DD is read too), or None."""
    text = value.strip()
    if re.fullmatch(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}", text):
        text = text.replace(".", "")
    if not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


@dataclass(frozen=True)
class NameGroup:
    """One component group of a PN value: family, given, middle, prefix, suffix."""

    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""

    @property
    def shown(self) -> str:
        """As its bearer writes it: family first in East Asian scripts, given first elsewhere."""
        parts = [self.prefix, self.given, self.middle, self.family, self.suffix]
        if any(_is_east_asian(character) for character in self.family + self.given):
            parts = [self.family, self.given, self.middle]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class PersonName:
    """A PN value (PS3.5 section 6.2.1): alphabetic, ideographic and phonetic component groups."""

    alphabetic: NameGroup
    ideographic: NameGroup
    phonetic: NameGroup

    @property
    def shown(self) -> str:
        """For people: the ideographic group leads where there is one; "" when no name is given."""
        forms = [group.shown for group in (self.ideographic, self.phonetic, self.alphabetic)]
        leading, *others = [form for form in forms if form] or [""]
        return f"{leading} ({', '.join(others)})" if others else leading


def _is_east_asian(character: str) -> bool:
    # Half-width katakana stand in the first group of Japanese names (PS3.5 section H.3.2).
    name = unicodedata.name(character, "").removeprefix("HALFWIDTH ")
    return name.startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"))


def parse_person_name(value: object) -> PersonName:
    """Read a PN value; missing groups and components are empty, surplus ones are ignored."""
    groups = [
        NameGroup(*[" ".join(component.split()) for component in group.split("^")[:5]])
        for group in clean_text(value).split("=")[:3]
    ]
    groups += [NameGroup()] * (3 - len(groups))
    return PersonName(*groups)
