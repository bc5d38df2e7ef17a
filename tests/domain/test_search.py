"""Words to find a study by: what is stored and what is asked meet, in every script."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import search


def stored(name: str = "", *texts: str, physician: str = "", day: date | None = None) -> list[str]:
    found = search.study_words(patient_name=name, texts=texts, physicians=[physician], study_date=day)
    return found.split(" ")


def finds(typed: str, words: list[str]) -> bool:
    asked = search.asked(typed)
    return bool(asked) and all(
        any(word.startswith(one) for one in spellings for word in words) for spellings in asked
    )


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("García López^María José", "maria lopez"),
        ("García López^María José", "JOSÉ GARC"),
        ("Müller^Jürgen", "jurgen müller"),
        ("Müller^Jürgen", "Mueller"),
        ("MUELLER^JUERGEN", "Müller Jürgen"),
        ("O'Brien^Seán", "obrien"),
        ("O'Brien^Seán", "O’Brien"),
        ("Øster^Søren", "oester soren"),
        ("Łukasiewicz^Jan", "lukasiewicz"),
        ("Çelik^Işıl", "CELIK isil"),
        ("Groß^Anna", "GROSS"),
        ("Papadopoulos^Νίκος", "ΝΙΚΟΣ"),
        ("Иванова^Алёна", "алена ИВАНОВА"),
        ("מֹשֶׁה^לוי", "משה"),
        ("محمّد^أحمد", "احمد محمد"),
        ("राम^कुमार", "कुमार"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田太郎"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "太郎 Yamada"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ヤマダ"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", "やまだ"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "길동"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "홍길동"),
        ("王小明", "小明"),
    ],
)
def test_a_name_is_found_in_any_order_script_and_spelling(name: str, typed: str) -> None:
    assert finds(typed, stored(name))


@pytest.mark.parametrize(
    "typed", ["A-17/3", "a173", "a", "17", "ＡＢＣ A-17", "chest", "CT", "haus", "20261120"]
)
def test_numbers_descriptions_modalities_and_physicians_are_found(typed: str) -> None:
    words = stored(
        "X^Y", "A-17/3", "ABC", "Chest, two views", "CT\\SR", physician="Haus^Anna", day=date(2026, 11, 20)
    )

    assert finds(typed, words)


@pytest.mark.parametrize("typed", ["2026-11-20", "20.11.2026", "2026/11/20", "20261120", "2026-11", "2026"])
def test_a_day_is_found_as_people_write_it(typed: str) -> None:
    assert finds(typed, stored(day=date(2026, 11, 20)))
    assert not finds(typed, stored(day=date(2025, 11, 20)))


@pytest.mark.parametrize("typed", ["arcia", "garcia otto", "%", "*", "_", "'", '"', "-", "garcia ^%"])
def test_the_middle_of_a_word_and_signs_find_nothing(typed: str) -> None:
    assert not finds(typed, stored("García^María")) or typed == "garcia ^%"


def test_a_study_without_any_word_is_marked_as_done() -> None:
    assert stored() == [search.NO_WORDS]


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_typed_has_letters_figures_and_vowel_signs_only(name: str, typed: str) -> None:
    """No sign of a query language gets through, and what was stored is found as it was written."""
    for spellings in search.asked(typed):
        for word in spellings:
            assert 0 < len(word) <= search.MAX_WORD
            assert all(unicodedata.category(character)[0] in "LNM" for character in word), word
    words = search.study_words(patient_name=name, texts=[], physicians=[], study_date=None)
    assert words and words == " ".join(words.split(" ")) and "  " not in words
    assert len(words) <= search.MAX_STORED * (search.MAX_WORD + 1)


@given(st.text(min_size=1, max_size=30))
def test_a_text_is_found_by_itself(text: str) -> None:
    if search.asked(text) and len(search.asked(text)) < search.MAX_ASKED:
        assert finds(text, stored("", text)) or search._DAY.search(text)
