"""Templates outside a page, of paper and letters: an environment in one language, with its texts and its dates.

No request, no session and no URLs: what a template needs comes as plain values, and a lacking one is an error.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

_ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = _ROOT / "templates"
TRANSLATIONS = _ROOT / "app" / "translations"


def environment_of(folder: str, language: str, translations: Path = TRANSLATIONS) -> Environment:
    """The templates of templates/``folder`` in ``language`` (``en``, ``pt_BR``), everything escaped but in text files.

    Without a catalogue it is English throughout: foreign dates in English sentences are a muddle. Raises
    babel.UnknownLocaleError or ValueError for a language that nobody speaks.
    """
    locale = Locale.parse(language)
    texts = Translations.load(str(translations), [locale])
    if not isinstance(texts, Translations) and locale.language != "en":
        locale = Locale("en")
    made = Environment(
        loader=FileSystemLoader(TEMPLATES / folder),
        autoescape=select_autoescape(disabled_extensions=["txt"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(locale=locale, lang=str(locale).replace("_", "-"), dir=locale.text_direction)
    made.filters["day"] = _day
    return made


@pass_context
def _day(context: Context, day: date) -> str:
    """The month as a word: no one takes 03/04 for the wrong month."""
    return format_date(day, "long", locale=context["locale"])
