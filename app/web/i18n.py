"""Languages of the public door: which there are, which one a request gets, and how its people write."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_month_names
from flask import Flask, current_app, request
from flask_babel import Babel, get_locale, gettext

from app.config import ROOT, SettingsError

TRANSLATIONS = ROOT / "app" / "translations"


@cache
def languages() -> tuple[str, ...]:
    """English, which the texts are written in, and every language with a compiled catalogue."""
    return ("en", *sorted(path.parts[-3] for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.mo")))


def _(text: str, **values: object) -> str:
    """``text`` in the reader's language."""
    return str(gettext(text, **values))


def init(app: Flask, default: str, time_zone: str, wanted: Callable[[], Collection[str]] = frozenset) -> None:
    """``wanted`` says, for each request, which of the languages its reader is offered; empty: all.

    Raises SettingsError for a default language that nobody knows: every page would fail with it.
    """
    try:
        Locale.parse(default)
    except (UnknownLocaleError, ValueError):
        raise SettingsError(
            f"STUDYKEY_DEFAULT_LANGUAGE {default!r} is no language, like en or pt_BR."
        ) from None
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = default
    app.config["BABEL_DEFAULT_TIMEZONE"] = time_zone
    app.config["STUDYKEY_LANGUAGES"] = wanted
    Babel(app, locale_selector=_choose)


def _choose() -> str:
    default: str = current_app.config["BABEL_DEFAULT_LOCALE"]
    wanted = current_app.config["STUDYKEY_LANGUAGES"]()
    available = tuple(code for code in languages() if code in wanted) or languages()
    if wanted and Locale.parse(default).language not in available:
        default = available[0]
    return request.accept_languages.best_match(available, default) or default


def locale() -> Locale:
    return get_locale() or Locale("en")


def own_name(language: str) -> str:
    """A language as its speakers call it."""
    name = Locale.parse(language).get_display_name(language) or language
    return name[0].upper() + name[1:]


def direction() -> str:
    return str(locale().text_direction)


def show_date(day: date) -> str:
    """A date in the reader's form, the month as a word: no one takes 03/04 for the wrong month."""
    return format_date(day, "long", locale=locale())


def short_date(day: date) -> str:
    """A date for the staff's list: year, month, day in figures, the same in every language (ISO 8601)."""
    return day.isoformat()


def local(moment: datetime) -> datetime:
    """A moment in the clinic's time zone."""
    return moment.astimezone(ZoneInfo(current_app.config["BABEL_DEFAULT_TIMEZONE"]))


def short_moment(moment: datetime) -> str:
    """The day of a moment in the clinic's time zone, as ``short_date``."""
    return short_date(local(moment).date())


def month_day(moment: datetime) -> str:
    """The day of a moment without its year, in the reader's form: "Nov 24"."""
    return str(format_skeleton("MMMd", local(moment), locale=locale()))


def show_moment(moment: datetime) -> str:
    """A moment in the reader's form, to the minute, in the clinic's time zone."""
    here = local(moment)
    day = format_date(here.date(), "medium", locale=locale())
    return f"{day}, {format_time(here, 'short', tzinfo=here.tzinfo, locale=locale())}"


def month_names() -> dict[str, int]:
    """Every way in which a person of this language, or an English one, may write a month."""
    return _month_names(str(locale()))


@cache
def _month_names(language: str) -> dict[str, int]:
    return {
        name: number
        for spoken in ("en", language)
        for context in ("format", "stand-alone")
        for width in ("wide", "abbreviated")
        for number, name in get_month_names(width, context, Locale.parse(spoken)).items()
    }
