"""Access codes: what stands on the sheet and what a patient types.

Owns the alphabet, the check symbol, the way of showing a code and of reading what a person typed. It
knows nothing of grants: whether a code opens anything is the business of ``services.proof``.

Alphabet: Crockford's base32 (no I, L, O, U). The last symbol is a check symbol over GF(32), a weighted
sum with the powers of a primitive element, so that every single substitution and every adjacent or jump
transposition is caught before anything is compared, and the symbol itself can always be typed.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BITS_PER_SYMBOL = 5
DEFAULT_DATA_SYMBOLS = 11
MIN_DATA_SYMBOLS, MAX_DATA_SYMBOLS = 8, 16

_VALUE = {symbol: value for value, symbol in enumerate(ALPHABET)}
# Crockford: what looks like a digit is read as that digit.
# İ is what a Turkish keyboard makes of an i when it capitalises.
_READ_AS = {**_VALUE, "O": _VALUE["0"], "I": _VALUE["1"], "İ": _VALUE["1"], "L": _VALUE["1"]}
_FIELD_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1
# No vowels but A and E exist in the alphabet; 0, 1, 3, 4, 5, 8 are read as letters by people.
_OFFENSIVE = (
    *("SEX", "S3X", "F4G", "FAG", "N1G", "NEG", "KKK", "ANA1", "PEN1S", "T1T", "C0CK", "D1CK", "RAPE"),
    *("SH1T", "CRAP", "DEAD", "DEATH", "H1V", "T0D", "MERD", "PVTA", "P0RN", "SS88", "H1T1ER"),
)


class Mistyped(StrEnum):
    """Why a typed code can't be one of ours. A typing error, never an attempt."""

    MISSING = "missing"
    FOREIGN_SYMBOL = "foreign-symbol"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    CHECK_FAILED = "check-failed"


@dataclass(frozen=True)
class AccessCode:
    """A well-formed access code: data symbols and the check symbol that belongs to them.

    ``repr`` hides the symbols, so that no log line or traceback shows a code.
    """

    symbols: str

    def __post_init__(self) -> None:
        if check_symbol(self.symbols[:-1]) != self.symbols[-1]:
            raise ValueError("the check symbol does not belong to the other symbols")

    @property
    def grouped(self) -> str:
        """The code as it is always shown: groups of four, joined by hyphens."""
        return "-".join(self.symbols[i : i + 4] for i in range(0, len(self.symbols), 4))

    def __repr__(self) -> str:
        return "AccessCode(…)"

    __str__ = __repr__


def _times_primitive(value: int) -> int:
    value <<= 1
    return value ^ _FIELD_POLYNOMIAL if value & 0b100000 else value


def check_symbol(data: str) -> str:
    """The check symbol for ``data``: the sum over GF(32) of a^(i+1)·d_i, i = 0 at the left, a = 2."""
    total, weight = 0, 1
    for symbol in data:
        weight = _times_primitive(weight)
        total ^= _product(weight, _VALUE[symbol])
    return ALPHABET[total]


def _product(a: int, b: int) -> int:
    result = 0
    while b:
        if b & 1:
            result ^= a
        a, b = _times_primitive(a), b >> 1
    return result


def is_offensive(symbols: str) -> bool:
    return any(word in symbols for word in _OFFENSIVE)


def generate(
    data_symbols: int = DEFAULT_DATA_SYMBOLS, *, choice: Callable[[str], str] = secrets.choice
) -> AccessCode:
    """A fresh random code of ``data_symbols`` symbols (5 bits each) and its check symbol.

    Raises ValueError for a length outside 8..16. Codes that spell something offensive are drawn again.
    """
    if not MIN_DATA_SYMBOLS <= data_symbols <= MAX_DATA_SYMBOLS:
        raise ValueError(f"an access code has {MIN_DATA_SYMBOLS} to {MAX_DATA_SYMBOLS} data symbols")
    while True:
        data = "".join(choice(ALPHABET) for _ in range(data_symbols))
        symbols = data + check_symbol(data)
        if not is_offensive(symbols):
            return AccessCode(symbols)


def read(typed: str, *, data_symbols: int = DEFAULT_DATA_SYMBOLS) -> AccessCode | Mistyped:
    """Read what a person typed: any width and case, any separators, O for 0, I and L for 1.

    ``data_symbols`` is the length that the site issues now. A code of another length is still read when
    its check symbol agrees: sheets printed before a change of the setting go on working.
    """
    values: list[int] = []
    for character in unicodedata.normalize("NFKC", typed).upper():
        if character in _READ_AS:
            values.append(_READ_AS[character])
        elif (digit := unicodedata.decimal(character, None)) is not None:
            values.append(digit)
        elif character.isalpha():
            return Mistyped.FOREIGN_SYMBOL
        # All else is a separator: hyphens, dashes, dots, spaces, and what a keyboard puts beside them.
    if not values:
        return Mistyped.MISSING
    symbols = "".join(ALPHABET[value] for value in values)
    plausible = MIN_DATA_SYMBOLS + 1 <= len(symbols) <= MAX_DATA_SYMBOLS + 1
    if plausible and check_symbol(symbols[:-1]) == symbols[-1]:
        return AccessCode(symbols)
    if len(symbols) < data_symbols + 1:
        return Mistyped.TOO_SHORT
    if len(symbols) > data_symbols + 1:
        return Mistyped.TOO_LONG
    return Mistyped.CHECK_FAILED
