"""What is printed, as HTML: the templates of templates/print in the patient's language.

An environment of its own: paper has no request, no session and no URLs, its language is the patient's and not the
staff member's, and what it needs comes as plain values. Everything is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time
from babel.support import Translations
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from app.adapters import formatted
from app.adapters.templates import TRANSLATIONS, environment_of
from app.domain.formatting import direction as direction

INK = "#1a1a1a"
# Labels of label printers, width and height in mm: 62 mm endless roll, and 4 × 6 inches.
LABELS = {"62x100": (62, 100), "102x152": (102, 152)}
DOT_MM = 25.4 / 300  # of a label printer
SMALLEST_DOTS = 4  # of a QR module: 0.34 mm


class PaperTemplates:
    """Sheet, report and what else is printed. Safe to share between threads."""

    def __init__(self, translations: Path = TRANSLATIONS) -> None:
        self._translations = translations

    def html(self, name: str, *, language: str, reader: str = "", **context: object) -> str:
        """The template ``name`` (``sheet.html``) in ``language`` (``en``, ``pt_BR``), its access block in that of
        ``reader``, where there is one.

        Without a catalogue the page is English throughout: foreign dates in English sentences are a muddle.
        Raises babel.UnknownLocaleError or ValueError for a language that nobody speaks, and jinja2.UndefinedError
        for a context that lacks a value: a gap on paper is found too late.
        """
        environment = self._environment(language)

        def access_block(access: object, site: object) -> Markup:
            spoken = self._environment(reader) if reader else environment
            block = spoken.get_template("access_block.html").render(access=access, site=site)
            return Markup(block)  # noqa: S704 -- what a template made: everything in it is escaped

        return environment.get_template(name).render(context, access_block=access_block)

    def translator(self, language: str) -> Callable[[str], str]:
        """Texts of ``language`` for what a context brings along."""
        return Translations.load(str(self._translations), [Locale.parse(language)]).gettext

    def _environment(self, language: str) -> Environment:
        return _environment(str(Locale.parse(language)), self._translations)


@lru_cache(maxsize=32)
def _environment(language: str, translations: Path) -> Environment:
    """One for all services that print: compiling its templates takes longer than filling them in."""
    made = environment_of("print", language, translations)
    made.globals.update(paper_size=paper_size, labels=LABELS)
    made.filters.update(
        moment=_moment,
        direction=direction,
        formatted=formatted.html,
        colour=colour,
        apart=apart,
        css=css_text,
        page_counters=page_counters,
        whole_dots=whole_dots,
    )
    return made


@pass_context
def _moment(context: Context, moment: datetime) -> str:
    """Date and time to the minute, in the time zone that ``moment`` comes in."""
    locale = context["locale"]
    clock = format_time(moment, "short", tzinfo=moment.tzinfo, locale=locale)
    return f"{format_date(moment.date(), 'long', locale=locale)}, {clock}"


def colour(value: str) -> str:
    """``#rrggbb``, or ink: nothing else reaches the stylesheet."""
    return value if re.fullmatch(r"#[0-9a-fA-F]{6}", value) else INK


def paper_size(value: str) -> str:
    return "letter" if value.lower() == "letter" else "A4"


def whole_dots(modules: int, room_mm: float) -> float:
    """The side in mm of a QR code of ``modules`` in ``room_mm``: each of as many whole dots of a label printer as fit,
    so that none is broader than its neighbour. Raises ValueError where it would be too small to be read."""
    dots = int(room_mm / modules / DOT_MM)
    if dots < SMALLEST_DOTS:
        raise ValueError(f"{modules} modules don't fit into {room_mm} mm")
    return round(modules * dots * DOT_MM, 3)


def css_text(text: str) -> Markup:
    """``text`` as a CSS string. In a style element HTML's escapes don't count, so every odd sign becomes CSS's."""
    safe = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign == " ") else f"\\{ord(sign):x} " for sign in text
    )
    return Markup(f'"{safe}"')  # noqa: S704 -- letters, digits, spaces and backslashes only


def apart(texts: Iterable[str]) -> str:
    """Pieces of several directions in one line, none of which moves its neighbours (UAX #9, isolates X5c, X6a)."""
    pieces = list(texts)
    if any(direction(piece) == "rtl" for piece in pieces):
        pieces = [f"\u2068{piece}\u2069" for piece in pieces]
    return " · ".join(pieces)


def page_counters(text: str) -> Markup:
    """``text`` as CSS content, U+E000 standing for the page's number and U+E001 for how many there are."""
    pieces = re.split("([\ue000\ue001])", text)
    counters = {"\ue000": Markup("counter(page)"), "\ue001": Markup("counter(pages)")}
    return Markup(" ").join(counters.get(piece) or css_text(piece) for piece in pieces if piece)
