"""Birth dates: how good the one in the images is, and how a person types theirs.

A birth date guards against mix-ups; it is no secret. Where the images don't carry a usable one, the grant
asks for the password instead (``domain.grants``): never "accept anything".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from app.domain import dicom

EARLIEST = date(1900, 1, 2)  # 19000101 is what modalities write when nobody typed a date
MAX_AGE_YEARS = 120
SHORTEST_PREFIX = 3  # letters of a month's name


class State(StrEnum):
    """What PatientBirthDate (0010,0030) is worth."""

    VALID = "valid"
    MISSING = "missing"
    PARTIAL = "partial"
    SUSPECT = "suspect"


def judge(value: str, *, study_date: date) -> tuple[State, date | None]:
    """The state of a DICOM birth date (VR DA, PS3.5 section 6.2) and the date, only when it is VALID.

    ``study_date`` bounds it: nobody is imaged before birth, nor at more than 120 years.
    """
    text = value.strip()
    if not any(character.isdigit() for character in text):
        return State.MISSING, None
    born = dicom.parse_date(text)
    if born is None:
        digits = "".join(character for character in text if character.isdigit())
        return (State.PARTIAL if len(digits) < 8 or digits.endswith("00") else State.SUSPECT), None
    if EARLIEST <= born <= study_date and study_date.year - born.year <= MAX_AGE_YEARS:
        return State.VALID, born
    return State.SUSPECT, None


class Mistyped(StrEnum):
    """Typing errors, in the order in which they are reported (missing, impossible, not in the past)."""

    MISSING = "missing"
    DAY_MISSING = "day-missing"
    MONTH_MISSING = "month-missing"
    YEAR_MISSING = "year-missing"
    YEAR_NOT_FOUR_DIGITS = "year-not-four-digits"
    IMPOSSIBLE = "impossible"
    NOT_PAST = "not-past"


@dataclass(frozen=True)
class Entry:
    """The three fields as typed."""

    day: str
    month: str
    year: str

    def is_empty(self) -> bool:
        return not (self.day.strip() or self.month.strip() or self.year.strip())


def _number(text: str) -> int | None:
    # "27." is how German and Polish hands end a day.
    digits = [unicodedata.decimal(character, None) for character in text.strip().rstrip(".")]
    if not digits or len(digits) > 4 or None in digits:
        return None
    return int("".join(str(digit) for digit in digits))


def _fold(text: str) -> str:
    """A month name without case, accents, dots on the i (Turkish ı) and the dot of an abbreviation."""
    decomposed = unicodedata.normalize("NFKD", text.strip().rstrip(". ").casefold().replace("ı", "i"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _month(text: str, months: Mapping[str, int]) -> int | None:
    """A month by number, by name, or by the beginning of a name when only one month begins so ("Sept")."""
    if (number := _number(text)) is not None:
        return number
    names, typed = {_fold(name): number for name, number in months.items()}, _fold(text)
    if typed in names:
        return names[typed]
    begun = {number for name, number in names.items() if name.startswith(typed)}
    return begun.pop() if len(begun) == 1 and len(typed) >= SHORTEST_PREFIX else None


def read(entry: Entry, *, months: Mapping[str, int], today: date) -> date | Mistyped:
    """Read a typed birth date. ``months`` maps month names of the page's language (any form) to 1..12.

    ``today`` is of UTC: somewhere it is tomorrow already, and newborns are imaged on their first day, so
    only later dates are refused. Dates that no grant can have (before 1900-01-02) are IMPOSSIBLE: a slip
    in the year must not cost an attempt.
    """
    if entry.is_empty():
        return Mistyped.MISSING
    for text, missing in (
        (entry.day, Mistyped.DAY_MISSING),
        (entry.month, Mistyped.MONTH_MISSING),
        (entry.year, Mistyped.YEAR_MISSING),
    ):
        if not text.strip():
            return missing
    day, year = _number(entry.day), _number(entry.year)
    month = _month(entry.month, months)
    if year is not None and len(entry.year.strip()) < 4:
        return Mistyped.YEAR_NOT_FOUR_DIGITS
    if day is None or month is None or year is None:
        return Mistyped.IMPOSSIBLE
    try:
        typed = date(year, month, day)
    except ValueError:
        return Mistyped.IMPOSSIBLE
    if typed > today + timedelta(days=1):
        return Mistyped.NOT_PAST
    if typed < EARLIEST:
        return Mistyped.IMPOSSIBLE
    return typed
