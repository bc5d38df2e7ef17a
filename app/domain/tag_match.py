"""Whether a DICOM tag names somebody: one name and its spellings, by keys that two equal spellings share.

A key is made of a tag's value when a study arrives, and of a rule's when the rule is saved; they are compared by a
database's index, whole, so nothing in a tag or a rule can widen what matches: there are no wildcards. Refuses to
guess: what may be a title or a name is a name, an initial in place of a name, or a name more, only *nearly* matches
(domain.tag_likeness), and people decide.

When what a key is made of changes, a migration has to empty study_tag_key, set ``study.tag_keys_at`` to NULL, and write
the keys of all rules anew.
"""

from __future__ import annotations

import hashlib
import unicodedata
from enum import IntEnum, StrEnum
from itertools import groupby

from app.domain.dicom import clean_text
from app.domain.search import fold, whole_words

LONGEST_KEY = 120  # characters; what is longer is told apart by its digest
MOST_VALUES = 10  # of one tag of a study (PerformingPhysicianName has VM 1-n, PS3.6)


class How(StrEnum):
    """How a rule compares."""

    NAME = "name"  # of a person: case, accents, titles, order and separators don't count
    WORDS = "words"  # of an institution: case, accents and punctuation don't count, order does
    EXACT = "exact"  # letter for letter


class _Is(IntEnum):
    """What a word of a name is."""

    NAME = 0
    NAME_IF_SHORT = 1  # where fewer than two others are left
    TITLE = 2


# Before and after names, folded. Only what is hardly anybody's name or initials: Pan, Do, Md, Doctor, Ing and Phil are
# names, HR and SR are initials.
_TITLES = frozenset(
    fold(word, is_strict=True)
    for word in (
        *("dr", "dra", "drs", "doktor", "docteur", "prof", "profa", "professor", "professeur", "profesor"),
        *("profesora", "privatdozent", "univ", "dipl", "mbbs", "mbbch", "phd", "msc", "bsc", "frcr", "frcp"),
        *("frcs", "facr", "fracp", "dds", "dmd", "oberarzt", "chefarzt", "consultant", "mr", "mrs", "ms"),
        *("miss", "mister", "herr", "frau", "sra", "srta", "senor", "senora", "senhor", "senhora"),
        *(
            "monsieur",
            "madame",
            "mme",
            "mlle",
            "др",
            "доктор",
            "проф",
            "профессор",
            "врач",
            "الدكتور",
            "دكتور",
        ),
        *("الدكتورة", "دكتورة", "بروفيسور", "פרופ", "γιατρος", "ιατρος", "δρ", "καθ"),
    )
)
# Titles beside another one, and with their point ("Dr. med.", "Dr. rer. nat. habil.").
_BESIDE_TITLES = frozenset(("med", "dent", "vet", "habil", "phil", "rer", "nat", "ing", "mag", "lek", "doc"))
# Titles with their sign: the abbreviations of doctor in Arabic and Hebrew.
_WITH_SIGN = frozenset(("د", "דר"))
# Of prefixes and suffixes, where no name is looked for.
_CREDENTIALS = frozenset(("md", "do", "fr", "sr", "senior", "esq", "pd", "oa", "pan", "pani", "hr", "sir"))
# They part father and son, so they belong to the name wherever they stand; each as the shortest of its spellings.
_GENERATIONS = {"junior": "jr"} | {
    word: word for word in ("jr", "ii", "iii", "iv", "filho", "neto", "hijo", "nieto")
}
# As they stand behind a name in scripts without spaces. Not 博士, which is a given name too.
_HONORIFICS = ("先生", "医師", "教授", "医生", "선생님", "교수")


def values(text: str) -> list[str]:
    """The values of a tag with several (a backslash between them, PS3.5 section 6.4), each cleaned; none empty."""
    found = dict.fromkeys(cleaned for part in text.split("\\") if (cleaned := _bare(part)))
    return list(found)[:MOST_VALUES]


def keys(text: str, how: How) -> list[str]:
    """What one value of a tag is found by; none where there is nothing to compare."""
    match how:
        case How.EXACT:
            exact = unicodedata.normalize("NFC", _bare(text))
            return [_bounded(f"={exact}")] if exact else []
        case How.WORDS:
            found = whole_words(clean_text(text), is_strict=True)
            return [_bounded(f"w:{' '.join(found)}")] if found else []
        case How.NAME:
            return [_bounded(f"{form}:{' '.join(sorted(parts))}") for form, parts in groups(text).items()]


def rule_keys(text: str, how: How) -> list[str]:
    """What a rule's value asks for. Of a name in several scripts only the ideographic group, where there is one:
    many people share a reading."""
    found = keys(text, how)
    if how is not How.NAME:
        return found
    by_form = {key[0]: key for key in found}
    return [by_form[form] for form in "iap" if form in by_form][:1]


def groups(text: str) -> dict[str, list[str]]:
    """The component groups of a PN value (PS3.5 section 6.2.1) as folded words without titles, by their script,
    wherever they stand: many a system writes one where another belongs. None is empty.

    ``i``: ideographic, ``p``: phonetic (kana, Hangul), ``a``: all others. A name without carets is read as words.
    """
    found: dict[str, list[str]] = {}
    for group in clean_text(_joined(text)).split("=")[:3]:
        components = group.split("^")
        # Whatever stands beyond the five components belongs to the name rather than to nothing.
        form, parts = _parts([*components[:3], *components[5:]], " ".join(components[3:5]))
        if parts:
            found.setdefault(form, parts)
    return found


def _bare(text: str) -> str:
    """Without what an empty component or group leaves at the ends."""
    return clean_text(text).strip(" ^=")


def _joined(text: str) -> str:
    """ "Moreno, Ludwig" as "Moreno^Ludwig"."""
    if "^" in text or text.count(",") != 1:
        return text
    return text.replace(",", "^")


def _parts(components: list[str], affixes: str) -> tuple[str, list[str]]:
    """A group's form and its words. ``affixes``: prefix and suffix, titles by definition but for what parts father
    and son."""
    joined = "".join(whole_words("".join("".join(components).split()), is_strict=True))
    if joined and (form := _form_without_spaces(joined)):
        honorific = next((one for one in _HONORIFICS if joined.endswith(one) and joined != one), "")
        return form, [joined.removesuffix(honorific)]
    read = [one for component in _each_read(components) for one in component]
    for word in whole_words(affixes, is_strict=True):
        if word in _GENERATIONS:
            read.append((_GENERATIONS[word], _Is.NAME))
        elif word not in _TITLES | _BESIDE_TITLES | _CREDENTIALS:
            read.append((word, _Is.NAME_IF_SHORT))
    kept = [word for word, what in read if what is _Is.NAME]
    if len(kept) < 2:
        kept = [word for word, what in read if what is not _Is.TITLE]
    return "a", kept or [word for word, _what in read]


def _each_read(components: list[str]) -> list[list[tuple[str, _Is]]]:
    """The words of each component. One of titles alone, beside others, may be somebody's initials (Rao^DR)."""
    each = [read for component in components if (read := _read(component))]
    if len(each) < 2:
        return each
    return [
        [(word, _Is.NAME_IF_SHORT) for word, _what in read]
        if all(what is _Is.TITLE for _word, what in read)
        else read
        for read in each
    ]


def _read(component: str) -> list[tuple[str, _Is]]:
    """The words of a component. A hyphen or an apostrophe within a name doesn't part it (Müller-Lüdenscheidt,
    O'Brien)."""
    chunks = component.replace(".", ". ").split()
    found = [(chunk, "".join(whole_words(chunk, is_strict=True))) for chunk in chunks]
    read: list[tuple[str, _Is]] = []
    for may_be_titles, run in groupby((one for one in found if one[1]), key=_may_be_title):
        several = list(run)
        is_of_titles = may_be_titles and any(_is_title(*one) for one in several)
        for chunk, word in several:
            what = _Is.NAME
            if is_of_titles:
                what = _Is.TITLE if _is_title(chunk, word) else _Is.NAME_IF_SHORT
            read.append((_GENERATIONS.get(word, word), what))
    return read


def _may_be_title(one: tuple[str, str]) -> bool:
    chunk, word = one
    return _is_title(chunk, word) or (word in _BESIDE_TITLES and chunk.endswith("."))


def _is_title(chunk: str, word: str) -> bool:
    return word in _TITLES or (word in _WITH_SIGN and not chunk.isalnum())


def _form_without_spaces(folded: str) -> str:
    """Of a name in a script that needs none; "" of any other."""
    names = [unicodedata.name(character, "") for character in folded]
    if not all(name.startswith(("CJK", "IDEOGRAPHIC", "HANGUL", "HIRAGANA", "KATAKANA")) for name in names):
        return ""
    return "i" if any(name.startswith("CJK") for name in names) else "p"


def _bounded(key: str) -> str:
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:80]}#{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}"
