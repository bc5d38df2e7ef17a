"""What is printed, as HTML: the templates of templates/print in the patient's language.

An environment of its own: paper has no request, no session and no URLs, its language is the patient's and not the
staff member's, and what it needs comes as plain values. Everything is escaped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

_ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = _ROOT / "templates" / "print"
TRANSLATIONS = _ROOT / "app" / "translations"
INK = "#1a1a1a"


class PaperTemplates:
    """Sheet, report and what else is printed. Safe to share between threads."""

    def __init__(self, templates: Path = TEMPLATES, translations: Path = TRANSLATIONS) -> None:
        self._templates = templates
        self._translations = translations
        self._environment = lru_cache(maxsize=32)(self._make_environment)

    def html(self, name: str, *, language: str, **context: object) -> str:
        """The template ``name`` (``sheet.html``) in ``language`` (``en``, ``pt_BR``).

        Without a catalogue the page is English throughout: foreign dates in English sentences are a muddle.
        Raises babel.UnknownLocaleError or ValueError for a language that nobody speaks, and jinja2.UndefinedError
        for a context that lacks a value: a gap on paper is found too late.
        """
        return self._environment(str(Locale.parse(language))).get_template(name).render(context)

    def translator(self, language: str) -> Callable[[str], str]:
        """Texts of ``language`` for what a context brings along."""
        return Translations.load(str(self._translations), [Locale.parse(language)]).gettext

    def _make_environment(self, language: str) -> Environment:
        locale = Locale.parse(language)
        texts = Translations.load(str(self._translations), [locale])
        if not isinstance(texts, Translations) and locale.language != "en":
            locale = Locale("en")
        environment = Environment(
            loader=FileSystemLoader(self._templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
        environment.globals.update(
            locale=locale,
            lang=str(locale).replace("_", "-"),
            dir=locale.text_direction,
            paper_size=paper_size,
        )
        environment.filters.update(
            day=_day,
            moment=_moment,
            direction=direction,
            paragraphs=paragraphs,
            colour=colour,
            css=css_text,
            page_counters=page_counters,
        )
        return environment


@pass_context
def _day(context: Context, day: date) -> str:
    """The month as a word: no one takes 03/04 for the wrong month."""
    return format_date(day, "long", locale=context["locale"])


@pass_context
def _moment(context: Context, moment: datetime) -> str:
    """Date and time to the minute, in the time zone that ``moment`` comes in."""
    locale = context["locale"]
    clock = format_time(moment, "short", tzinfo=moment.tzinfo, locale=locale)
    return f"{format_date(moment.date(), 'long', locale=locale)}, {clock}"


def direction(text: str) -> str:
    """``rtl`` or ``ltr``: that of the first letter that has one (Unicode Bidirectional Algorithm, rule P2)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def paragraphs(text: str) -> list[str]:
    """What stands between empty lines; single line breaks stay within."""
    return [piece.strip("\n") for piece in re.split(r"\n\s*\n", text.replace("\r\n", "\n")) if piece.strip()]


def colour(value: str) -> str:
    """``#rrggbb``, or ink: nothing else reaches the stylesheet."""
    return value if re.fullmatch(r"#[0-9a-fA-F]{6}", value) else INK


def paper_size(value: str) -> str:
    return "letter" if value.lower() == "letter" else "A4"


def css_text(text: str) -> Markup:
    """``text`` as a CSS string. In a style element HTML's escapes don't count, so every odd sign becomes CSS's."""
    safe = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign == " ") else f"\\{ord(sign):x} " for sign in text
    )
    return Markup(f'"{safe}"')  # noqa: S704 -- letters, digits, spaces and backslashes only


def page_counters(text: str) -> Markup:
    """``text`` as CSS content, U+E000 standing for the page's number and U+E001 for how many there are."""
    pieces = re.split("([\ue000\ue001])", text)
    counters = {"\ue000": Markup("counter(page)"), "\ue001": Markup("counter(pages)")}
    return Markup(" ").join(counters.get(piece) or css_text(piece) for piece in pieces if piece)
