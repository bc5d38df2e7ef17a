"""Recovery codes: what takes the place of a lost second factor, each once (NIST SP 800-63B-4, 4.2.1.1).

Owns how a code looks and is read. 16 symbols of Crockford's base32, 80 random bits: nobody types them in a hurry,
and nobody guesses them.
"""

from __future__ import annotations

import secrets
import unicodedata

from app.domain.access_code import ALPHABET, is_offensive

SYMBOLS = 16
HOW_MANY = 10
_READ_AS = {"O": "0", "I": "1", "L": "1", "İ": "1"}


def fresh() -> str:
    """16 random symbols."""
    while True:
        symbols = "".join(secrets.choice(ALPHABET) for _ in range(SYMBOLS))
        if not is_offensive(symbols):
            return symbols


def grouped(symbols: str) -> str:
    """As it is shown: groups of four, joined by hyphens."""
    return "-".join(symbols[i : i + 4] for i in range(0, len(symbols), 4))


def read(typed: str) -> str | None:
    """Any width and case, any separators, O for 0, I and L for 1. None: can't be one of ours."""
    symbols = []
    for character in unicodedata.normalize("NFKC", typed[:64]).upper():
        symbol = _READ_AS.get(character, character)
        if symbol in ALPHABET:
            symbols.append(symbol)
        elif character.isalnum():
            return None
    return "".join(symbols) if len(symbols) == SYMBOLS else None
