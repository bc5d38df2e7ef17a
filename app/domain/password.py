"""The password of a grant: ten digits, because every phone has a numeric keypad in every script.

Owns how it is drawn, shown (3-3-4) and read. Hashing is known to ``adapters.crypto`` alone.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

DIGITS = 10


class Mistyped(StrEnum):
    """Why what was typed can't be a password of ours. A typing error, never an attempt."""

    MISSING = "missing"
    NOT_DIGITS = "not-digits"
    WRONG_LENGTH = "wrong-length"


@dataclass(frozen=True)
class Password:
    """Ten decimal digits (33.2 bits). ``repr`` hides them."""

    digits: str

    @property
    def grouped(self) -> str:
        return f"{self.digits[:3]} {self.digits[3:6]} {self.digits[6:]}"

    def __repr__(self) -> str:
        return "Password(…)"

    __str__ = __repr__


def generate() -> Password:
    return Password(f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}")


def read(typed: str) -> Password | Mistyped:
    """Read ten digits of any script (Unicode decimal digits); everything that is no letter separates."""
    digits = ""
    for character in unicodedata.normalize("NFKC", typed):
        if (digit := unicodedata.decimal(character, None)) is not None:
            digits += str(digit)
        elif character.isalpha():
            return Mistyped.NOT_DIGITS
    if not digits:
        return Mistyped.MISSING
    return Password(digits) if len(digits) == DIGITS else Mistyped.WRONG_LENGTH
