"""Languages of the public door: which there are, which one a request gets, and how its people write.

Patients switch on the landing page: ``/?lang=ar``. A cookie that holds nothing but this keeps it, on this device, for
``KEPT``; no banner is owed for what somebody asked for (docs/adr/0016). "I'm done" drops it with all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_month_names
from babel.units import format_unit
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, get_locale, gettext
from werkzeug.wrappers import Response

from app.config import ROOT, SettingsError
from app.services.site import LANGUAGES, PATIENT_LANGUAGES

TRANSLATIONS = ROOT / "app" / "translations"
KEPT = timedelta(days=30)
# Names of months that another country has for the same language.
_NEIGHBOURS = {"ar": ("ar_SY", "ar_DZ", "ar_MA")}


@cache
def languages() -> tuple[str, ...]:
    """English, which the texts are written in, and every language that has all pages."""
    return _compiled(LANGUAGES)


@cache
def patient_languages() -> tuple[str, ...]:
    """Every language that has the patients' pages, in the order of the list that they choose from."""
    return _compiled(PATIENT_LANGUAGES)


def _compiled(wanted: Collection[str]) -> tuple[str, ...]:
    compiled = {path.parts[-3] for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.mo")} | {"en"}
    return tuple(code for code in wanted if code in compiled)


def _(text: str, **values: object) -> str:
    """``text`` in the reader's language."""
    return str(gettext(text, **values))


def init(app: Flask, default: str, time_zone: str, wanted: Callable[[], Collection[str]] = frozenset) -> None:
    """``wanted`` says, for each request, which of the patients' languages its reader is offered; empty: those
    that have all pages, and nothing to choose.

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
    app.url_defaults(_carry)
    Babel(app, locale_selector=_choose)


def _choose() -> str:
    default: str = current_app.config["BABEL_DEFAULT_LOCALE"]
    offers = offered()
    if chosen := _in_address() or _in_cookie():
        return chosen
    available = offers or languages()
    if offers and Locale.parse(default).language not in available:
        default = available[0]
    return request.accept_languages.best_match(available, default) or default


def offered() -> tuple[str, ...]:
    """What the reader of this page may choose from; empty: nothing."""
    if "languages_offered" not in g:
        wanted = current_app.config["STUDYKEY_LANGUAGES"]()
        g.languages_offered = tuple(code for code in patient_languages() if code in wanted)
    offers: tuple[str, ...] = g.languages_offered
    return offers


def _in_address() -> str:
    asked = request.args.get("lang", "")
    return asked if asked in offered() else ""


def _in_cookie() -> str:
    kept = request.cookies.get(_cookie(), "")
    return kept if kept in offered() else ""


def _cookie() -> str:
    return f"{'__Host-' if _is_secure() else ''}studykey_language"


def _is_secure() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])


def remember(response: Response) -> Response:
    """``response`` with the cookie, where the address chooses a language."""
    if asked := _in_address():
        response.set_cookie(
            _cookie(), asked, max_age=KEPT, secure=_is_secure(), httponly=True, samesite="Lax", path="/"
        )
    return response


def _carry(endpoint: str, values: dict[str, object]) -> None:
    """Where no cookie holds the language, links do: to the page after "I'm done", which drops every cookie, from
    there to the form, and from the form to itself."""
    if endpoint not in ("patient.done", "patient.landing") or not has_request_context():
        return
    kept = _in_cookie()
    language = _in_address() or (kept if endpoint == "patient.done" else "")
    if language and not (endpoint == "patient.landing" and kept == language):
        values.setdefault("lang", language)


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


def clock_time(moment: datetime) -> str:
    """What a clock shows at a moment, in the reader's form and the clinic's time zone."""
    here = local(moment)
    return format_time(here, "short", tzinfo=here.tzinfo, locale=locale())


def show_megabytes(count: int) -> str:
    """A file's size in the reader's form: 7 MB, 130 MB, 1.3 GB."""
    unit, value = ("gigabyte", count / 1000) if count >= 1000 else ("megabyte", float(count))
    return format_unit(value, f"digital-{unit}", "short", format="#,##0.#", locale=locale())


def month_names() -> dict[str, int]:
    """Every way in which a person of this language, or an English one, may write a month."""
    return _month_names(str(locale()))


@cache
def _month_names(language: str) -> dict[str, int]:
    return {
        name: number
        for spoken in ("en", language, *_NEIGHBOURS.get(language, ()))
        for context in ("format", "stand-alone")
        for width in ("wide", "abbreviated")
        for number, name in get_month_names(width, context, Locale.parse(spoken)).items()
    }
