"""What is mailed, as subject, text and HTML: the templates of templates/email in the reader's language.

An environment of its own, as paper has (adapters.paper): a letter has no request and no session, its language is the
reader's and not the sender's. HTML is escaped, text is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

_ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = _ROOT / "templates" / "email"
TRANSLATIONS = _ROOT / "app" / "translations"


@dataclass(frozen=True)
class Words:
    """A letter without its address. ``sender``: a name; ``language``: a tag of RFC 5646."""

    sender: str
    language: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class LetterTemplates:
    """Safe to share between threads."""

    def __init__(self, templates: Path = TEMPLATES, translations: Path = TRANSLATIONS) -> None:
        self._templates = templates
        self._translations = translations
        self._environment = lru_cache(maxsize=16)(self._make_environment)

    def words(self, name: str, *, language: str, sender: str, **context: object) -> Words:
        """The letter ``name`` (a folder: ``share``) in ``language``; English without a catalogue.

        Raises babel.UnknownLocaleError or ValueError for a language that nobody speaks, and
        jinja2.UndefinedError for a context that lacks a value.
        """
        environment = self._environment(str(Locale.parse(language)))
        parts = (
            environment.get_template(f"{name}/{part}").render(context)
            for part in ("subject.txt", "body.txt", "body.html")
        )
        return Words(sender, str(environment.globals["lang"]), *parts)

    def _make_environment(self, language: str) -> Environment:
        locale = Locale.parse(language)
        texts = Translations.load(str(self._translations), [locale])
        if not isinstance(texts, Translations) and locale.language != "en":
            locale = Locale("en")
        environment = Environment(
            loader=FileSystemLoader(self._templates),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
        environment.globals.update(
            locale=locale, lang=str(locale).replace("_", "-"), dir=locale.text_direction
        )
        environment.filters["day"] = _day
        return environment


@pass_context
def _day(context: Context, day: date) -> str:
    """The month as a word: no one takes 03/04 for the wrong month."""
    return format_date(day, "long", locale=context["locale"])
