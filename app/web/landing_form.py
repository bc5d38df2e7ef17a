"""Reading the landing form: what was typed becomes a claim, or messages at the fields, nothing lost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from werkzeug.datastructures import MultiDict

from app.domain import access_code, birth_date, password
from app.domain.access_code import AccessCode
from app.domain.password import Password
from app.services.proof import Claim
from app.web import i18n
from app.web.i18n import _

MAX_TYPED = 200  # characters of a field that are given back
EXAMPLE = "K7QD-9M3X-4TBN"


@dataclass(frozen=True)
class Typed:
    """The form as typed, for showing it again; the password is not given back."""

    code: str = ""
    day: str = ""
    month: str = ""
    year: str = ""
    with_password: bool = False
    again: str = ""  # services.proof.Proof.second_chance


@dataclass(frozen=True)
class FieldError:
    field: str
    message: str


# The end of an address of ours: a password is asked for, and where the clinic's rules say so, here it is.
_MARKER = re.compile(r"!p(?:=(?P<password>\d{10}))?$", re.IGNORECASE)


def typed(form: MultiDict[str, str]) -> Typed:
    def text(name: str) -> str:
        return form.get(name, "").strip()[:MAX_TYPED]

    code, in_link = _code_and_password(text("code"))
    has_password = bool(form.get("with_password") or text("password") or in_link)
    return Typed(code, text("day"), text("month"), text("year"), has_password, text("again"))


def _code_and_password(text: str) -> tuple[str, str]:
    """What is the code in what was typed, and the password: somebody may have copied a whole address into it."""
    fragment = text.rpartition("#")[2]
    found = _MARKER.search(fragment)
    return (fragment[: found.start()], found["password"] or "") if found else (text, "")


def read(
    form: MultiDict[str, str], *, address: str, today: date, data_symbols: int
) -> Claim | list[FieldError]:
    """A claim, or what to put right, in the order of the page. Nothing here touches a grant."""
    shown = typed(form)
    errors: list[FieldError] = []
    code = access_code.read(shown.code.rpartition("#")[2], data_symbols=data_symbols)
    if not isinstance(code, AccessCode):
        errors.append(FieldError("code", _code_message(code, data_symbols + 1)))
    in_link = _code_and_password(form.get("code", "").strip()[:MAX_TYPED])[1]
    typed_password = form.get("password", "").strip()[:MAX_TYPED] or in_link
    words = password.read(typed_password) if typed_password.strip() else None
    entry = birth_date.Entry(shown.day, shown.month, shown.year)
    born: date | birth_date.Mistyped | None = None
    if words is None or not entry.is_empty():  # with a password, the date may stay empty
        born = birth_date.read(entry, months=i18n.month_names(), today=today)
    if isinstance(born, birth_date.Mistyped):
        errors.append(_birth_date_error(born))
    if isinstance(words, password.Mistyped):
        errors.append(FieldError("password", _("Enter the 10 digits of the password")))
    if errors:
        return errors
    assert isinstance(code, AccessCode)
    assert not isinstance(born, birth_date.Mistyped)
    assert words is None or isinstance(words, Password)
    return Claim(code, born, words, address, shown.again)


def _code_message(mistyped: access_code.Mistyped, length: int) -> str:
    match mistyped:
        case access_code.Mistyped.MISSING:
            return _("Enter the code, like %(example)s", example=EXAMPLE)
        case access_code.Mistyped.TOO_SHORT | access_code.Mistyped.TOO_LONG:
            return _(
                "The code has %(length)s letters and digits. Check that none is missing or typed twice.",
                length=length,
            )
        case access_code.Mistyped.FOREIGN_SYMBOL:
            return _("The code has only the digits 0 to 9 and the letters A to Z, without U.")
        case access_code.Mistyped.CHECK_FAILED:
            return _("One of the characters looks wrong. Compare 8 and B, 5 and S, 2 and Z, 6 and G.")


def _birth_date_error(mistyped: birth_date.Mistyped) -> FieldError:
    errors = {
        birth_date.Mistyped.MISSING: ("birth_date", _("Enter the date of birth")),
        birth_date.Mistyped.DAY_MISSING: ("day", _("The date of birth needs a day")),
        birth_date.Mistyped.MONTH_MISSING: ("month", _("The date of birth needs a month")),
        birth_date.Mistyped.YEAR_MISSING: ("year", _("The date of birth needs a year")),
        birth_date.Mistyped.YEAR_NOT_FOUR_DIGITS: ("year", _("Enter the year with four digits, like 1958")),
        birth_date.Mistyped.IMPOSSIBLE: (
            "birth_date",
            _("This date doesn't exist. Check day, month and year"),
        ),
        birth_date.Mistyped.NOT_PAST: ("birth_date", _("The date of birth has to be in the past")),
    }
    return FieldError(*errors[mistyped])
