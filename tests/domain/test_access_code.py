"""Codes as people type them: what is read back, what is caught as a slip, what never gets printed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import access_code
from app.domain.access_code import ALPHABET, AccessCode, Mistyped

CODE = "K7QD9M3X4TBN"

lengths = st.integers(access_code.MIN_DATA_SYMBOLS, access_code.MAX_DATA_SYMBOLS)
data = lengths.flatmap(lambda length: st.text(ALPHABET, min_size=length, max_size=length))
codes = data.map(lambda symbols: symbols + access_code.check_symbol(symbols))


def read(typed: str) -> AccessCode | Mistyped:
    return access_code.read(typed)


@pytest.mark.parametrize(
    ("symbols", "check"),
    [
        ("K7QD9M3X4TB", "N"),
        ("00000000001", "7"),
        ("10000000000", "2"),
        ("ZZZZZZZZZZZ", "K"),
        ("ABCDEFGHJKM", "7"),
        ("0123456789A", "K"),
    ],
)
def test_the_check_symbol_agrees_with_the_published_vectors(symbols: str, check: str) -> None:
    assert access_code.check_symbol(symbols) == check


# Any width, any case, O for 0, I and L for 1, digits of any script, whatever stands between.
LOOKS_LIKE = {"0": "0OoＯ٠०", "1": "1IiLlıİＩ१"}
FORMS = {
    symbol: LOOKS_LIKE.get(symbol, "")
    + symbol
    + symbol.lower()
    + chr(ord(symbol) + 0xFEE0)
    + chr(ord(symbol.lower()) + 0xFEE0)
    for symbol in ALPHABET
}
separators = st.text(" -–—_.:,;/|\u00a0\u200b\u200e\u202f\u3000\t\n·•'\"()", max_size=3)


@st.composite
def typed_forms(draw: st.DrawFn) -> tuple[str, str]:
    code = draw(codes)
    typed = "".join(draw(separators) + draw(st.sampled_from(FORMS[symbol])) for symbol in code)
    return code, typed + draw(separators)


@given(typed_forms())
def test_a_code_is_read_in_every_form_in_which_a_hand_or_a_keyboard_writes_it(pair: tuple[str, str]) -> None:
    code, typed = pair
    assert read(typed) == AccessCode(code)


@pytest.mark.parametrize(
    "typed", ["k7qd 9m3x 4tbn", "K7QD-9M3X-4TBN", "Ｋ７ＱＤ－９Ｍ３Ｘ－４ＴＢＮ", "k7qd9m3x4tbn."]
)
def test_the_code_of_the_example_sheet_opens_however_it_is_typed(typed: str) -> None:
    assert read(typed) == AccessCode(CODE)


@given(codes, st.data())
def test_one_wrong_symbol_is_always_noticed(code: str, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(code) - 1))
    for other in set(ALPHABET) - {code[at]}:
        assert isinstance(read(code[:at] + other + code[at + 1 :]), Mistyped)


@given(codes)
def test_two_swapped_symbols_are_always_noticed(code: str) -> None:
    for apart in (1, 2):  # adjacent, and with one between them
        for i in range(len(code) - apart):
            swapped = list(code)
            swapped[i], swapped[i + apart] = swapped[i + apart], swapped[i]
            if swapped != list(code):
                assert isinstance(read("".join(swapped)), Mistyped)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", Mistyped.MISSING),
        (" -\u200b- ", Mistyped.MISSING),
        ("K7QD-9M3X", Mistyped.TOO_SHORT),
        ("K7QD-9M3X-4TB", Mistyped.TOO_SHORT),
        ("K7QD-9M3X-4TBN-N", Mistyped.TOO_LONG),
        ("K7QD-9M3X-4T8N", Mistyped.CHECK_FAILED),
        ("K7QD-9M3X-4TBU", Mistyped.FOREIGN_SYMBOL),
        ("К7QD-9M3X-4TBN", Mistyped.FOREIGN_SYMBOL),  # a Cyrillic Ka, which looks the same
        ("Κ7QD-9M3X-4TBN", Mistyped.FOREIGN_SYMBOL),  # a Greek Kappa
        ("パスワード", Mistyped.FOREIGN_SYMBOL),
    ],
)
def test_a_slip_says_what_kind_of_slip_it_is(typed: str, why: Mistyped) -> None:
    assert read(typed) is why


@given(st.text(max_size=200))
def test_whatever_is_typed_is_a_code_of_ours_or_a_slip(typed: str) -> None:
    result = access_code.read(typed)
    if isinstance(result, AccessCode):
        assert result.symbols[-1] == access_code.check_symbol(result.symbols[:-1])
        assert access_code.MIN_DATA_SYMBOLS < len(result.symbols) <= access_code.MAX_DATA_SYMBOLS + 1
    else:
        assert isinstance(result, Mistyped)


@given(codes)
def test_a_sheet_from_before_a_change_of_the_length_still_opens(code: str) -> None:
    for issued_now in range(access_code.MIN_DATA_SYMBOLS, access_code.MAX_DATA_SYMBOLS + 1):
        assert access_code.read(code, data_symbols=issued_now) == AccessCode(code)


@pytest.mark.parametrize("length", [7, 17, 0, -1])
def test_no_code_is_issued_outside_the_lengths_that_can_be_read(length: int) -> None:
    with pytest.raises(ValueError, match="8 to 16"):
        access_code.generate(length)


@pytest.mark.parametrize("length", range(8, 17))
def test_an_issued_code_is_read_back_from_how_it_is_shown(length: int) -> None:
    code = access_code.generate(length)
    assert len(code.symbols) == length + 1
    assert access_code.read(code.grouped, data_symbols=length) == code


def test_a_code_is_always_shown_in_groups_of_four() -> None:
    assert AccessCode(CODE).grouped == "K7QD-9M3X-4TBN"


def test_a_code_that_spells_something_offensive_is_drawn_again() -> None:
    drawn = iter("SEX00000000" + "K7QD9M3X4TB")
    assert access_code.generate(choice=lambda _: next(drawn)) == AccessCode(CODE)


def test_an_offence_that_only_the_check_symbol_completes_is_noticed_too() -> None:
    start = next(
        f"{number:09d}SE" for number in range(1000) if access_code.check_symbol(f"{number:09d}SE") == "X"
    )
    drawn = iter(start + "K7QD9M3X4TB")
    assert access_code.generate(choice=lambda _: next(drawn)) == AccessCode(CODE)


def test_codes_are_drawn_from_the_whole_alphabet_and_never_twice_the_same() -> None:
    drawn = {access_code.generate().symbols for _ in range(500)}
    assert len(drawn) == 500
    assert set("".join(drawn)) == set(ALPHABET)


def test_no_symbol_can_be_taken_for_another_or_for_none() -> None:
    assert set("ILOU").isdisjoint(ALPHABET)
    assert len(ALPHABET) == 32
    assert all(unicodedata.normalize("NFKC", symbol).upper() == symbol for symbol in ALPHABET)


def test_neither_log_nor_traceback_shows_a_code() -> None:
    code = AccessCode(CODE)
    for shown in (repr(code), str(code), f"{code}", f"{[code]}"):
        assert CODE not in shown
        assert "K7QD" not in shown


def test_a_code_with_a_wrong_check_symbol_cannot_exist() -> None:
    with pytest.raises(ValueError, match="check symbol") as caught:
        AccessCode(CODE[:-1] + "P")
    assert "K7QD" not in str(caught.value)
