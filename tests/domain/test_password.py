"""Passwords: ten digits in every script; never in a log."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import password
from app.domain.password import Mistyped, Password

DIGITS_OF_EVERY_SCRIPT = {
    str(value): [
        chr(point) for point in range(sys.maxunicode + 1) if unicodedata.decimal(chr(point), None) == value
    ]
    for value in range(10)
}

passwords = st.text("0123456789", min_size=10, max_size=10)
separators = st.text(" -–.\u00a0\u200e\u200f\u202f\u3000", max_size=2)


@st.composite
def typed_forms(draw: st.DrawFn) -> tuple[str, str]:
    digits = draw(passwords)
    return digits, "".join(
        draw(separators) + draw(st.sampled_from(DIGITS_OF_EVERY_SCRIPT[digit])) for digit in digits
    )


@given(typed_forms())
def test_a_password_is_read_in_the_digits_of_every_script(pair: tuple[str, str]) -> None:
    digits, typed = pair
    assert password.read(typed) == Password(digits)


@pytest.mark.parametrize(
    "typed",
    [
        "482 917 3065",
        "4829173065",
        "٤٨٢ ٩١٧ ٣٠٦٥",
        "۴۸۲ ۹۱۷ ۳۰۶۵",
        "४८२ ९१७ ३०६५",
        "４８２－９１７－３０６５",
    ],
)
def test_the_password_of_the_example_sheet_is_read(typed: str) -> None:
    assert password.read(typed) == Password("4829173065")


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", Mistyped.MISSING),
        (" - ", Mistyped.MISSING),
        ("482 917 306", Mistyped.WRONG_LENGTH),
        ("482 917 30655", Mistyped.WRONG_LENGTH),
        ("482 917 3O65", Mistyped.NOT_DIGITS),
        ("K7QD-9M3X-4TBN", Mistyped.NOT_DIGITS),  # the code typed into the wrong field
        ("四八二", Mistyped.NOT_DIGITS),
    ],
)
def test_a_slip_is_told_before_anything_is_compared(typed: str, why: Mistyped) -> None:
    assert password.read(typed) is why


@given(st.text(max_size=60))
def test_whatever_is_typed_is_ten_digits_or_a_slip(typed: str) -> None:
    result = password.read(typed)
    if isinstance(result, Password):
        assert len(result.digits) == 10
        assert result.digits.isascii()
        assert result.digits.isdigit()


def test_an_issued_password_is_read_back_from_how_it_is_shown() -> None:
    drawn = {password.generate() for _ in range(200)}
    assert len(drawn) == 200
    assert all(password.read(words.grouped) == words for words in drawn)


def test_leading_zeros_are_part_of_a_password() -> None:
    assert Password("0000000042").grouped == "000 000 0042"
    assert password.read("000 000 0042") == Password("0000000042")


def test_neither_log_nor_traceback_shows_a_password() -> None:
    for shown in (repr(Password("4829173065")), str(Password("4829173065")), f"{Password('4829173065')}"):
        assert not any(character.isdigit() for character in shown)
