"""The catalogues: nothing missing, nothing left over, and what is quoted or filled in is the same in every language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from app.services.site import PAPER_LANGUAGES

ROOT = Path(__file__).parents[2]
TRANSLATIONS = ROOT / "app" / "translations"
TRANSLATED = [language for language in PAPER_LANGUAGES if language != "en"]
# Which texts a language has, where it hasn't all: patients' pages and paper, or paper alone.
TEXTS_OF = {"ar": "babel-patients.cfg", "ja": "babel-paper.cfg"}
QUOTES = {"ar": "«»", "es": "«»", "fr": "«»", "de": "„“", "ja": "「」", "pl": "„”", "pt": "“”"}
ENDS = str.maketrans("。．؟？！：", "..??!:")
OTHER_QUOTES = "\"'`«»„“”‹›‚‘「」『』"  # ’ is an apostrophe too
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
NARROW_SPACE = "\u202f"

Key = str | tuple[str, ...]


@cache
def _extracted(language: str) -> frozenset[Key]:
    """The texts that the sources hold now for a language, as scripts/translations extracts them."""
    with (ROOT / TEXTS_OF.get(language, "babel.cfg")).open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(
        ROOT,
        methods,
        options,
        keywords={**DEFAULT_KEYWORDS, "N_": None},
        directory_filter=lambda folder: (
            Path(folder).relative_to(ROOT).parts[:1] in (("app",), ("templates",))
        ),
    )
    return frozenset(message for _file, _line, message, _comments, _context in found)


@cache
def _catalogue(language: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def _messages(language: str) -> Iterator[Message]:
    return (message for message in _catalogue(language) if message.id)


def _key(message: Message) -> Key:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _forms(text: str | Sequence[str] | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or ())


def _translated(language: str) -> Iterator[tuple[str, str]]:
    """Every English text with its translation; of a plural each form, with the English plural."""
    for message in _messages(language):
        for form in _forms(message.string):
            yield _forms(message.id)[-1], form


def test_every_language_of_paper_has_a_catalogue_and_no_other_is_there() -> None:
    assert sorted(path.parts[-3] for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.mo")) == sorted(
        TRANSLATED
    )


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_catalogue_holds_exactly_the_texts_of_the_sources(language: str) -> None:
    held = {
        message.id if isinstance(message.id, str) else tuple(message.id) for message in _messages(language)
    }

    assert held ^ _extracted(language) == set(), "run scripts/translations"


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_none_is_a_guess(language: str) -> None:
    forms = _catalogue(language).num_plurals
    for message in _messages(language):
        assert not message.fuzzy, message.id
        assert all(_forms(message.string) or [""]), message.id
        assert len(_forms(message.string)) == (1 if isinstance(message.id, str) else forms), message.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_form_of_a_text_has_the_placeholders_of_the_english_one(language: str) -> None:
    for message in _messages(language):
        for number, text in enumerate(_forms(message.string)):
            allowed = set(PLACEHOLDER.findall(_forms(message.id)[-1]))
            # The form for one may leave the number out; in Arabic those for none and for two too.
            says_it = number < (3 if language == "ar" else 1) and not isinstance(message.id, str)
            may_lack = {"count", "num"} if says_it else set()
            found = PLACEHOLDER.findall(text)
            assert allowed - may_lack <= set(found) <= allowed, message.id
            # None is said more often than in English.
            assert Counter(found) <= Counter(PLACEHOLDER.findall(_forms(message.id)[-1])), message.id
    for english, text in _translated(language):
        assert "%" not in PLACEHOLDER.sub("", text).replace("%%", ""), english


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_catalogue_says_what_the_readable_one_says(language: str) -> None:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        compiled = GNUTranslations(file)
    # What gettext has read: a text by its id, a plural by its singular and the number of the form.
    read = {key: text for key, text in vars(compiled)["_catalog"].items() if key}
    written: dict[str | tuple[str, int], str] = {}
    for message in _messages(language):
        if isinstance(message.id, str):
            written[message.id] = str(message.string)
        else:
            written |= {(message.id[0], number): form for number, form in enumerate(_forms(message.string))}

    assert read == written, "compile the catalogues"
    plural_forms = compiled.info()["plural-forms"].rstrip(";").replace(" ", "")
    assert plural_forms == _catalogue(language).plural_forms.rstrip(";").replace(" ", "")


# What somebody could type, no button.
EXAMPLES = {"Ana's mother", "Chest, low dose", "nlung", "Lungs clear."}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_button_quoted_in_a_sentence_is_called_what_it_says_on_the_page(
    language: str,
) -> None:
    labels = {_plain(english): text for english, text in _translated(language)}
    opening, closing = list(QUOTES[language])
    checked = set()
    for english, text in _translated(language):
        # Not what is put in at run time.
        quoted = [name for name in re.findall("“([^”]*)”", english) if "%(" not in name]
        if EXAMPLES.intersection(quoted):
            continue
        shown = [name for name in re.findall(f"{opening}([^{closing}]*){closing}", text) if "%(" not in name]
        # Where no page speaks the language, its readers see the English one.
        assert [name.strip(NARROW_SPACE).replace("\u00a0", " ") for name in shown] == [
            labels.get(_plain(name), name) if language in TEXTS_OF else labels[_plain(name)]
            for name in quoted
        ], english
        checked.update(quoted)

    assert {_plain(name) for name in checked} >= {"I was given a password", "See the images", "I'm done"}


def _plain(text: str) -> str:
    return text.replace("’", "'")


@pytest.mark.parametrize("language", TRANSLATED)
def test_texts_start_and_end_as_the_english_ones_do(language: str) -> None:
    for english, text in _translated(language):
        assert text == text.strip(), english
        if len(english) > len("Accession no."):  # a dot there is an abbreviation's, not a sentence's
            assert [text.translate(ENDS).endswith(sign) for sign in ".?!:"] == [
                english.endswith(sign) for sign in ".?!:"
            ], english


@pytest.mark.parametrize("language", TRANSLATED)
def test_quotes_and_spaces_are_those_of_the_language(language: str) -> None:
    for english, text in _translated(language):
        if re.search(r"\(\?\)|press \?|\* and \?", english):  # the sign itself
            continue
        strange = set(OTHER_QUOTES) - set(QUOTES[language])
        assert not strange & set(text), english
        assert "  " not in text and "&" not in text, english
        if language == "es":
            assert text.count("¿") == text.count("?") and text.count("¡") == text.count("!"), english
        if language == "fr":
            # A colon between two digits is part of a number.
            assert not re.search(f"[^{NARROW_SPACE}](?!(?<=[0-9]):[0-9])[:;?!»]", text) and not re.search(
                f"«[^{NARROW_SPACE}]", text
            ), english
        else:
            assert NARROW_SPACE not in text and not re.search(r"\s[:;?!]", text), english
