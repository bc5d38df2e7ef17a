"""The one form: a slip is told at its field, nothing typed is lost but the password, no grant is touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.config import SettingsError
from app.domain.access_code import AccessCode
from app.domain.password import Password
from app.services.proof import Claim
from app.web import i18n, landing_form
from app.web.landing_form import FieldError

TODAY = date(2026, 11, 20)
CODE = "K7QD-9M3X-4TBN"
GOOD = {"code": CODE, "day": "27", "month": "3", "year": "1958"}


def _app(language: str) -> Flask:
    app = Flask("tests")
    i18n.init(app, language, "UTC")
    return app


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[None]:
    """A request for a page in English, or in the language that a test asks for."""
    with _app(getattr(request, "param", "en")).test_request_context("/"):
        yield


def read(**fields: str) -> Claim | list[FieldError]:
    return landing_form.read(MultiDict(fields), address="198.51.100.7", today=TODAY, data_symbols=11)


def slips(**fields: str) -> list[str]:
    result = read(**fields)
    assert isinstance(result, list)
    return [error.field for error in result]


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("fields", "born", "words"),
    [
        (GOOD, date(1958, 3, 27), None),
        ({**GOOD, "code": " k7qd 9m3x 4tbn "}, date(1958, 3, 27), None),
        ({**GOOD, "month": "march"}, date(1958, 3, 27), None),
        ({**GOOD, "password": "482 917 3065"}, date(1958, 3, 27), Password("4829173065")),
        ({"code": CODE, "password": "٤٨٢٩١٧٣٠٦٥"}, None, Password("4829173065")),
        ({**GOOD, "with_password": "1", "password": ""}, date(1958, 3, 27), None),
        ({"code": "https://a.example/#K7QD9M3X4TBN!p=4829173065"}, None, Password("4829173065")),
        ({"code": "K7QD9M3X4TBN!P=4829173065", "password": " "}, None, Password("4829173065")),
        ({"code": f"{CODE}!p=4829173065", "password": "1112223334"}, None, Password("1112223334")),
        ({**GOOD, "code": "https://a.example/#K7QD9M3X4TBN!p"}, date(1958, 3, 27), None),
        ({**GOOD, "with_password": "1", "password": "   "}, date(1958, 3, 27), None),
    ],
)
def test_a_code_with_one_factor_or_two_is_a_claim(
    fields: dict[str, str], born: date | None, words: Password | None
) -> None:
    assert read(**fields) == Claim(AccessCode("K7QD9M3X4TBN"), born, words, "198.51.100.7")


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["code", "birth_date"]),
        ({"code": CODE}, ["birth_date"]),  # neither birth date nor password: a slip, no attempt
        ({"code": CODE, "with_password": "1"}, ["birth_date"]),
        ({**GOOD, "code": ""}, ["code"]),
        ({**GOOD, "code": "K7QD-9M3X-4T8N"}, ["code"]),
        ({**GOOD, "day": ""}, ["day"]),
        ({**GOOD, "month": ""}, ["month"]),
        ({**GOOD, "year": ""}, ["year"]),
        ({**GOOD, "year": "58"}, ["year"]),
        ({**GOOD, "day": "31", "month": "2"}, ["birth_date"]),
        ({**GOOD, "year": "2058"}, ["birth_date"]),
        ({**GOOD, "password": "482 917 306"}, ["password"]),
        ({**GOOD, "password": CODE}, ["password"]),
        ({"code": CODE, "password": "12"}, ["password"]),
        ({"code": CODE, "password": "4829173065", "day": "27"}, ["month"]),  # begun, so meant
        (
            {"code": "x", "day": "x", "month": "x", "year": "x", "password": "x"},
            ["code", "birth_date", "password"],
        ),
    ],
)
def test_every_slip_is_told_at_its_field_in_the_order_of_the_page(
    fields: dict[str, str], expected: list[str]
) -> None:
    assert slips(**fields) == expected


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "Enter the code, like K7QD-9M3X-4TBN"),
        ("K7QD", "The code has 12 letters and digits."),
        ("K7QD-9M3X-4TBN-N", "The code has 12 letters and digits."),
        ("К7QD-9M3X-4TBN", "The code has only the digits 0 to 9 and the letters A to Z, without U."),
        ("K7QD-9M3X-4T8N", "Compare 8 and B, 5 and S, 2 and Z, 6 and G."),
    ],
)
def test_a_message_tells_what_to_do(code: str, words: str) -> None:
    result = read(**{**GOOD, "code": code})
    assert isinstance(result, list)
    assert words in result[0].message


@pytest.mark.parametrize(
    ("page", "month"),
    [("de", "März"), ("fr", "mars"), ("es", "marzo"), ("pl", "marca"), ("pt", "março"), ("de", "march")],
    indirect=["page"],
)
def test_a_month_may_be_written_in_the_language_of_the_page_or_in_english(page: None, month: str) -> None:
    claim = read(**{**GOOD, "month": month})
    assert isinstance(claim, Claim)
    assert claim.born == date(1958, 3, 27)


@pytest.mark.parametrize("language", ["", "xx", "english", "de-DE"])
def test_a_default_language_that_nobody_knows_stops_the_start(language: str) -> None:
    with pytest.raises(SettingsError, match="STUDYKEY_DEFAULT_LANGUAGE"):
        _app(language)


def test_what_was_typed_is_given_back_but_never_the_password() -> None:
    shown = landing_form.typed(MultiDict({**GOOD, "day": " 27 ", "password": "4829173065"}))
    assert (shown.code, shown.day, shown.month, shown.year) == (CODE, "27", "3", "1958")
    assert shown.with_password
    assert "4829173065" not in repr(shown)


def test_an_endless_field_is_not_given_back_whole() -> None:
    shown = landing_form.typed(MultiDict(dict.fromkeys(("code", "day", "month", "year"), "x" * 1000000)))
    assert {len(text) for text in (shown.code, shown.day, shown.month, shown.year)} == {
        landing_form.MAX_TYPED
    }


def test_a_claim_shows_nothing_of_what_was_typed() -> None:
    with _app("en").test_request_context("/"):
        shown = repr(read(**GOOD, password="4829173065"))
    for secret in ("K7QD", "1958", "4829173065"):
        assert secret not in shown


@pytest.mark.usefixtures("page")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {}, optional={name: st.text(max_size=30) for name in (*GOOD, "password", "with_password")}
    )
)
def test_whatever_is_sent_gives_a_claim_or_messages_and_never_an_error(fields: dict[str, str]) -> None:
    result = read(**fields)
    assert isinstance(result, Claim) or (result and all(error.message for error in result))


def test_a_password_within_a_pasted_address_is_not_given_back() -> None:
    shown = landing_form.typed(MultiDict({"code": "https://a.example/#K7QD9M3X4TBN!p=4829173065"}))

    assert shown.code == "K7QD9M3X4TBN" and shown.with_password
