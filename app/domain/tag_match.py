"""Whether a DICOM tag names somebody: one name and its spellings, by keys that two equal spellings share.

A key is made of a tag's value when a study arrives, and of a rule's when the rule is saved; they are compared by a
database's index, whole, so nothing in a tag or a rule can widen what matches: there are no wildcards. Refuses to
guess: an initial in place of a name, or a name more, only *nearly* matches, and people decide.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from app.domain.dicom import NameGroup, clean_text, parse_person_name
from app.domain.search import fold, words

LONGEST_KEY = 120  # characters; what is longer is told apart by its digest
MOST_VALUES = 10  # of one tag of a study (PerformingPhysicianName has VM 1-n, PS3.6)


class How(StrEnum):
    """How a rule compares."""

    NAME = "name"  # of a person: case, accents, titles, order and separators don't count
    WORDS = "words"  # of an institution: case, accents and punctuation don't count, order does
    EXACT = "exact"  # letter for letter


# Before and after names, folded: none of them is anybody's whole name.
_TITLES = frozenset(
    [
        "dr",
        "dra",
        "drs",
        "doctor",
        "doktor",
        "doc",
        "docteur",
        "med",
        "medic",
        "medico",
        "dent",
        "vet",
        "habil",
        "phil",
        "rer",
        "nat",
        "univ",
        "prof",
        "profa",
        "professor",
        "professeur",
        "profesor",
        "profesora",
        "pd",
        "privatdozent",
        "mag",
        "dipl",
        "ing",
        "md",
        "mbbs",
        "mbbch",
        "phd",
        "msc",
        "bsc",
        "frcr",
        "frcp",
        "frcs",
        "facr",
        "fracp",
        "mr",
        "mrs",
        "ms",
        "miss",
        "mister",
        "herr",
        "frau",
        "hr",
        "fr",
        "sr",
        "sra",
        "srta",
        "senor",
        "senora",
        "senhor",
        "senhora",
        "monsieur",
        "madame",
        "mme",
        "mlle",
        "pan",
        "pani",
        "lek",
        "oa",
        "oberarzt",
        "chefarzt",
        "consultant",
        "do",
        "dds",
        "dmd",
        "esq",
        "jr",
        "iii",
    ]
)
# They part father and son, so they belong to the name wherever they stand.
_GENERATIONS = frozenset(("jr", "junior", "ii", "iii", "iv", "filho", "neto", "hijo"))
# As they stand behind or before a name, in scripts without spaces or with.
_HONORIFICS = ("先生", "医師", "教授", "博士", "医生", "선생님", "교수")
_TITLES_ELSEWHERE = frozenset(
    fold(word)
    for word in (
        "д-р",
        "др",
        "доктор",
        "проф",
        "профессор",
        "врач",
        "الدكتور",
        "دكتور",
        "د",
        "الدكتورة",
        "دكتورة",
        "أ",
        "بروفيسور",
        "ד״ר",
        "דר",
        "פרופ",
        "γιατρος",
        "ιατρος",
        "δρ",
        "καθ",
    )
)


def values(text: str) -> list[str]:
    """The values of a tag with several (a backslash between them, PS3.5 section 6.4), each cleaned; none empty."""
    found = dict.fromkeys(cleaned for part in text.split("\\") if (cleaned := clean_text(part).strip(" ^=")))
    return list(found)[:MOST_VALUES]


def keys(text: str, how: How) -> list[str]:
    """What one value of a tag is found by; none where there is nothing to compare."""
    match how:
        case How.EXACT:
            exact = unicodedata.normalize("NFC", clean_text(text))
            return [_bounded(f"={exact}")] if exact else []
        case How.WORDS:
            found = words(text)
            return [_bounded(f"w:{' '.join(found)}")] if found else []
        case How.NAME:
            return [_bounded(f"{form}:{' '.join(sorted(parts))}") for form, parts in _groups(text) if parts]


def rule_keys(text: str, how: How) -> list[str]:
    """What a rule's value asks for. Of a name in several scripts only the ideographic group, where there is one:
    many people share a reading."""
    found = keys(text, how)
    if how is not How.NAME:
        return found
    by_form = {key[0]: key for key in found}
    return [by_form[form] for form in "iap" if form in by_form][:1]


def nearly(text: str, wanted: str) -> bool:
    """Whether a value of a tag could mean the same person as a rule's value without matching it: an initial for a
    name, a name more or less, one letter that differs."""
    for form, parts in _groups(wanted):
        for other_form, others in _groups(text):
            if form == other_form and parts and others and _is_near(parts, others):
                return True
    return False


def _groups(text: str) -> list[tuple[str, list[str]]]:
    """The component groups of a PN value (PS3.5 section 6.2.1) as folded words without titles, each once.

    ``a``: alphabetic, ``i``: ideographic, ``p``: phonetic. A name without carets is read as words.
    """
    name = parse_person_name(_joined(text))
    forms = (("a", name.alphabetic), ("i", name.ideographic), ("p", name.phonetic))
    found: dict[str, tuple[str, list[str]]] = {}
    for form, group in forms:
        parts = _parts(group)
        if parts:
            # An ideographic name typed alone stands in the first group.
            real = "i" if form == "a" and _is_ideographic("".join(parts)) else form
            found.setdefault(real, (real, parts))
    return list(found.values())


def _joined(text: str) -> str:
    """ "Moreno, Ludwig" as "Moreno^Ludwig"."""
    if "^" in text or text.count(",") != 1:
        return text
    return text.replace(",", "^")


def _parts(group: NameGroup) -> list[str]:
    # Prefix and suffix are titles by definition, but for what parts father and son.
    text = " ".join(part for part in (group.family, group.given, group.middle) if part)
    joined = (group.family + group.given).replace(" ", "").replace("\u3000", "")
    if _is_ideographic(joined):
        for honorific in _HONORIFICS:
            joined = joined.removesuffix(honorific)
        return ["".join(words(joined))] if joined else []
    found = [word for chunk in text.replace(".", ". ").split() for word in _words_of(chunk)]
    kept = [word for word in found if word not in _TITLES and word not in _TITLES_ELSEWHERE]
    generation = [word for word in words(group.suffix) if word in _GENERATIONS]
    return (
        kept or found
    ) + generation  # a name that is spelled like a title is a name where nothing else stands


def _words_of(chunk: str) -> Iterable[str]:
    """A chunk's words; a hyphen or an apostrophe within a name doesn't part it (Müller-Lüdenscheidt, O'Brien)."""
    if fold(chunk.strip(".,;")) in _TITLES_ELSEWHERE:
        return ()
    return ["".join(words(chunk))] if words(chunk) else ()


def _is_ideographic(text: str) -> bool:
    return bool(text) and all(
        unicodedata.name(character, "").startswith(("CJK", "HANGUL"))
        for character in text
        if not character.isspace()
    )


def _is_near(parts: list[str], others: list[str]) -> bool:
    fewer, more = sorted((sorted(parts), sorted(others)), key=len)
    if fewer == more:
        return False
    left = list(more)
    inexact = 0
    for word in sorted(fewer, key=len, reverse=True):
        same = next((other for other in left if other == word), None)
        close = same or next((other for other in left if _is_close(word, other)), None)
        if close is None:
            return False
        inexact += same is None
        left.remove(close)
    # At least one whole word is the same, and of a single word it is more than an initial.
    return inexact < len(fewer) and any(len(word) > 1 for word in fewer)


def _is_close(one: str, other: str) -> bool:
    if one[0] == other[0] and 1 in (len(one), len(other)):
        return True
    return min(len(one), len(other)) > 3 and _differ_by_one(one, other)


def _differ_by_one(one: str, other: str) -> bool:
    """One letter put in, left out, or exchanged."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return True
    return (
        one[start + 1 :] == other[start + 1 :]
        or one[start:] == other[start + 1 :]
        or one[start + 1 :] == other[start:]
    )


def _bounded(key: str) -> str:
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:80]}#{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}"
