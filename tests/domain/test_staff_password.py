"""Which passwords people may choose."""

from __future__ import annotations

import pytest

from app.domain.staff_password import Weakness, normalised, weakness_of

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize(
    "typed",
    ["correct horse battery", "Zug fährt 17 mal", "kS9#vQ2!mN7$", "une girafe bleue", "パスワードではない言葉です",
     "long password", "}{<>|~^`;:?/", "x" * 4 + "mein Haus am See"],
)  # fmt: skip
def test_length_is_enough(typed: str) -> None:
    assert weakness_of(typed, login="anna", clinic="Test Clinic") is None


@pytest.mark.parametrize(
    ("typed", "weakness"),
    [("eleven char", Weakness.TOO_SHORT), ("e\u0301" * 11, Weakness.TOO_SHORT), ("x" * 257, Weakness.TOO_LONG),
     ("aaaaaaaaaaaa", Weakness.REPEATED), ("abcabcabcabc", Weakness.REPEATED), ("            ", Weakness.REPEATED),
     ("123456789012", Weakness.OBVIOUS), ("password1234", Weakness.OBVIOUS), ("Passwort!2026", Weakness.OBVIOUS),
     ("qwertyuiop12", Weakness.OBVIOUS), ("abcdefghijkl", Weakness.OBVIOUS), ("!@#$%^&*()_+", Weakness.OBVIOUS),
     ("anna.haus2026", Weakness.OBVIOUS), ("Test-Clinic-1", Weakness.OBVIOUS), ("Contraseña123", Weakness.OBVIOUS),
     ("AdminAdmin123", Weakness.OBVIOUS), ("Welcome to Radiology", Weakness.OBVIOUS)],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(typed: str, weakness: Weakness) -> None:
    assert weakness_of(typed, login="anna.haus", clinic="Test Clinic") is weakness


def test_the_same_text_is_the_same_from_every_keyboard() -> None:
    assert normalised("A\u030a") == normalised("\u212b") == "\u00c5"
    assert normalised("\uff11") == "1"
    assert normalised("\ud800") == "?"
