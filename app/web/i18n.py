"""Languages of the public door: which there are, which one a request gets, and how its people write."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_month_names
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


def init(app: Flask, default: str, time_zone: str) -> None:
    """Raises SettingsError for a default language that nobody knows: every page would fail with it."""
    try:
        Locale.parse(default)
    except (UnknownLocaleError, ValueError):
        raise SettingsError(
            f"STUDYKEY_DEFAULT_LANGUAGE {default!r} is no language, like en or pt_BR."
        ) from None
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = default
    app.config["BABEL_DEFAULT_TIMEZONE"] = time_zone
    Babel(app, locale_selector=_choose)


def _choose() -> str:
    default: str = current_app.config["BABEL_DEFAULT_LOCALE"]
    return request.accept_languages.best_match(languages(), default) or default


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


def show_moment(moment: datetime) -> str:
    """A moment in the reader's form, to the minute, in the clinic's time zone."""
    local = moment.astimezone(ZoneInfo(current_app.config["BABEL_DEFAULT_TIMEZONE"]))
    day = format_date(local.date(), "medium", locale=locale())
    return f"{day}, {format_time(local, 'short', tzinfo=local.tzinfo, locale=locale())}"


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
