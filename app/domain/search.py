"""Words to find a study by, in every script: what is stored of a study, and what is asked for.

Both sides are folded alike: no case, no accents, no vowel points, one form for letters that people type differently.
A folded word has letters, figures and vowel signs only, so that no sign in it can mean anything to a database.
When this folding changes, a migration has to set ``study.search_words`` to "" so that it is made anew.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date

from app.domain.dicom import clean_text

MAX_WORD = 40  # characters; what is longer is found by its beginning
MAX_STORED = 80  # words of one study
MAX_ASKED = 8
NO_WORDS = "-"  # stored for a study without any: no word of a search is like it

# Letters that Unicode (UAX #15) doesn't decompose, and those that one language writes with two keys.
_LETTERS = (
    str.maketrans("łøđðıħŧŋĸəىیکة", "loddihtnkaييكه", "ـ\u200c\u200d")
    | str.maketrans({"þ": "th", "æ": "ae", "œ": "oe"})
    # Katakana as hiragana: the phonetic group of a name is written in either.
    | {code: chr(code - 0x60) for code in range(0x30A1, 0x30F7)}
)
# How these are written where a keyboard, or a modality, lacks them.
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_DAY = re.compile(r"(\d{4})[-/](\d{1,2})(?:[-/](\d{1,2}))?|(\d{1,2})\.(\d{1,2})\.(\d{4})\.?", re.ASCII)
_EAST_ASIAN = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+"
)
# Of Latin, Greek and Cyrillic letters; the vowel points of Hebrew, Arabic and Syriac.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0483-\u0487"
    "\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0730-\u074a]"
)
_PLAIN = re.compile("[a-z0-9]+")
_LONGEST_NAME = 10  # characters of an East Asian word that is also found from its middle


def fold(text: str, *, is_strict: bool = False) -> str:
    """``text`` without case and accents (NFKD, combining marks taken away, NFC). ``is_strict``: but for marks that
    make another letter of it, as Nakashima of Nakajima in kana, or another vowel in Thai."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS))
    # Composed again, or a Korean syllable would count as three letters.
    kept = "".join(
        character
        for character in plain
        if not unicodedata.combining(character) or (is_strict and not _ACCENTS.match(character))
    )
    return unicodedata.normalize("NFC", kept).translate(_LETTERS)


def words(text: str) -> list[str]:
    """The folded words of ``text`` in their order. East Asian runs are words of their own."""
    return [word[:MAX_WORD] for word in whole_words(text)]


def whole_words(text: str, *, is_strict: bool = False) -> list[str]:
    """As ``words``, however long they are. ``is_strict``: as ``fold``."""
    if text.isascii():  # most texts of most clinics
        return _PLAIN.findall(text.lower())
    return [word for run in _runs(fold(text, is_strict=is_strict)) for word in _by_script(run)]


def study_words(
    *,
    patient_name: str,
    texts: Iterable[str],
    physicians: Iterable[str],
    study_date: date | None,
) -> str:
    """What is stored of a study: words separated by one space, each once; never empty.

    ``patient_name`` and ``physicians`` are PN values (PS3.5 section 6.2.1): of each, every component group counts,
    and a group in East Asian script also as one word (山田^太郎 is found by 山田太郎). ``texts``: IDs, numbers,
    descriptions, modalities; a number with signs in it is found with and without them.
    """
    found: dict[str, None] = {}
    if study_date is not None:
        found[study_date.strftime("%Y%m%d")] = None
    for name in (patient_name, *physicians):
        for group in clean_text(name).split("="):
            joined = "".join(group.split("^")[:2]).replace(" ", "").replace("\u3000", "")
            if _EAST_ASIAN.search(joined):
                found |= dict.fromkeys(_spellings(joined))
            found |= dict.fromkeys(_spellings(group.replace("^", " ")))
    for text in texts:
        found |= dict.fromkeys(_spellings(clean_text(text).replace("\\", " ")))
    return " ".join(list(found)[:MAX_STORED]) or NO_WORDS


def asked(text: str) -> list[tuple[str, ...]]:
    """What a search asks for: for each word typed its spellings, of which one has to begin a word of the study.

    A date as people write it (2026-11-21, 21.11.2026; 2026-11 for a month) is one word.
    """
    wanted: dict[tuple[str, ...], None] = {}
    for typed in clean_text(text).split():
        if day := _DAY.fullmatch(unicodedata.normalize("NFKC", typed)):
            year, month, number = day[1] or day[6], day[2] or day[5], day[3] or day[4] or ""
            wanted[(f"{year}{month:0>2}{number.zfill(2) if number else ''}",)] = None
            continue
        # As typed, and as it is spelled where ü is missing, word by word.
        plain, spelled = words(typed), words(_spell_out(typed))
        if len(plain) != len(spelled):
            spelled = plain
        wanted |= {tuple(dict.fromkeys(pair)): None for pair in zip(plain, spelled, strict=True)}
    return list(wanted)[:MAX_ASKED]


def _runs(folded: str) -> Iterator[str]:
    """Letters, figures and the vowel signs (category M) that stay after folding."""
    word: list[str] = []
    for character in folded:
        if unicodedata.category(character)[0] in "LNM":
            word.append(character)
        elif word:
            yield "".join(word)
            word = []
    if word:
        yield "".join(word)


def _by_script(run: str) -> Iterator[str]:
    at = 0
    for match in _EAST_ASIAN.finditer(run):
        if match.start() > at:
            yield run[at : match.start()]
        yield match[0]
        at = match.end()
    if at < len(run):
        yield run[at:]


def _spellings(text: str) -> Iterator[str]:
    """Every way in which a text may be asked for."""
    for chunk in text.split():
        for form in (chunk,) if chunk.isascii() else dict.fromkeys((chunk, _spell_out(chunk))):
            parts = words(form)
            yield from parts
            if len(parts) > 1 and not _EAST_ASIAN.search(form):
                yield "".join(parts)[:MAX_WORD]  # O'Brien by obrien, A-17/3 by a173
            if chunk.isascii():
                continue
            for part in parts:
                if _EAST_ASIAN.match(part) and len(part) <= _LONGEST_NAME:
                    yield from (part[start:] for start in range(1, len(part)))


def _spell_out(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().translate(_SPELLED_OUT)
