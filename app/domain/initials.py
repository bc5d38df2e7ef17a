"""A patient's initials, for where a name must not stand (a mail that many can read)."""

from __future__ import annotations

import unicodedata

from app.domain.dicom import parse_person_name

# One sign of these scripts is a whole name, or half of one.
_WHOLE = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA", "HALFWIDTH", "BOPOMOFO", "IDEOGRAPHIC", "YI ")


def initials(patient_name: str) -> str:
    """Of a PN value, family name first ("M. E."); empty where a letter would be a name: of a name of one letter, and in
    scripts that write syllables or words."""
    group = parse_person_name(patient_name).alphabetic
    found = [_initial(part) for part in (group.family, group.given) if part]
    return " ".join(found) if all(found) else ""


def _initial(part: str) -> str:
    letters = [letter for letter in part if letter.isalpha()]
    if len(letters) < 2 or unicodedata.name(letters[0], "").startswith(_WHOLE):
        return ""
    return f"{letters[0].upper()}."
