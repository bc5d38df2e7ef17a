"""What the text of a report made elsewhere gives away about whose it is: before somebody signs for it.

A help against mix-ups, no proof: a scan has no text, and a name can be written in more ways than are known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

from app.domain.dicom import PersonName


def shows_birth_date(text: str, born: date) -> bool:
    """Whether a date like ``born`` stands in ``text``: in figures in any order, or with its month as a word."""
    told = "".join(_figure(sign) for sign in text)
    day, month = rf"0?{born.day}", rf"0?{born.month}"
    year, short = str(born.year), f"{born.year % 100:02}"
    apart = r"\s?[-./年月日 ]\s?"
    forms = (
        rf"{day}{apart}{month}{apart}(?:{year}|{short})",
        rf"{month}{apart}{day}{apart}(?:{year}|{short})",
        rf"{year}{apart}{month}{apart}{day}",
        born.strftime("%Y%m%d"),
        born.strftime("%d%m%Y"),
        rf"{day}(?:st|nd|rd|th)?[^\d\n]{{3,20}}{year}",  # 27 March 1958, 27 de marzo de 1958
        rf"[^\W\d_]{{3,12}}\.?\s{day}(?:st|nd|rd|th)?,?\s{year}",  # March 27, 1958
    )
    return any(re.search(rf"(?<!\d){form}(?!\d)", told) for form in forms)


def names_somebody(text: str, name: PersonName) -> bool:
    """Whether the family name of any of its scripts stands in ``text``, accents and capitals aside."""
    words = _plain(text)
    spaced = " " + re.sub(r"[\W_]+", " ", words) + " "
    for group in (name.alphabetic, name.ideographic, name.phonetic):
        family = re.sub(r"[\W_]+", " ", _plain(group.family)).strip()
        if family and (f" {family} " in spaced if family.isascii() else family in words):
            return True
    return False


def shows_any(text: str, marks: Iterable[str]) -> bool:
    """Whether one of these (a patient's ID, say) stands in ``text`` by itself."""
    told = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(mark.casefold())}(?!\w)", told) for mark in marks if mark)


def _figure(sign: str) -> str:
    """The digits of every script as ours."""
    return str(unicodedata.decimal(sign)) if sign.isdecimal() and not sign.isascii() else sign


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
