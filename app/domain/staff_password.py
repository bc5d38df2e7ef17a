"""What people choose as a password: how it is read, and which ones are refused as too easy to guess.

No rules about kinds of characters and no expiry (NIST SP 800-63B-4, 3.1.1.2): length, and a look at what guessing
tries first. A word list of the commonest passwords has hardly any of twelve characters; what people do instead is to
stretch one of them, so what is obvious is taken out and the rest has to be worth something.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from app.domain.staff import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH

# Characters that have to be left when what is obvious is taken out, and different ones among all.
LEFT_OVER, DIFFERENT = 4, 5
_WORDS = (
    *("password", "passwort", "passwd", "passw0rd", "p4ssw0rd", "contrasena", "motdepasse", "senha", "haslo"),
    *("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "qwerty", "qwertz", "azerty", "asdf"),
    *("1q2w3e4r5t", "1q2w3e4r", "q1w2e3r4", "1qaz2wsx", "qazwsx", "zaq12wsx"),
    *("administrator", "admin", "letmein", "welcome", "iloveyou", "changeme", "default", "secret", "login"),
    *(
        "radiology",
        "radiologie",
        "radiologia",
        "hospital",
        "clinic",
        "klinik",
        "orthanc",
        "studykey",
        "dicom",
    ),
    *("monkey", "dragon", "football", "baseball", "sunshine", "princess", "superman", "trustno1", "master"),
)
_SIGNS = "!@#$%^&*()_+"
_LINES = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz")


class Weakness(StrEnum):
    """Why a password is refused."""

    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    REPEATED = "repeated"  # the same few characters again and again
    OBVIOUS = "obvious"  # little but common words, runs of keys, the login, the clinic's name


SENTENCES = {
    Weakness.TOO_SHORT: f"A password has {MIN_PASSWORD_LENGTH} characters or more.",
    Weakness.TOO_LONG: f"A password has {MAX_PASSWORD_LENGTH} characters at most.",
    Weakness.REPEATED: "That password repeats the same few characters.",
    Weakness.OBVIOUS: "That password is among the first that somebody would try.",
}


def normalised(typed: str) -> str:
    """The same text whatever keyboard and system it came from: NFKC (NIST SP 800-63B-4, 3.1.1.2)."""
    text = unicodedata.normalize("NFKC", typed)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no character


def weakness_of(typed: str, *, login: str = "", clinic: str = "") -> Weakness | None:
    """Why ``typed`` is refused for this account. None: it is good."""
    if len(typed) > MAX_PASSWORD_LENGTH:
        return Weakness.TOO_LONG
    text = normalised(typed)
    if len(text) < MIN_PASSWORD_LENGTH:
        return Weakness.TOO_SHORT
    plain = _plain(text)
    if len(set(text.casefold())) < DIFFERENT:
        return Weakness.REPEATED
    signs = (
        set(text.replace(_SIGNS, "")) - set(plain) - {character for character in text if character.isalnum()}
    )
    if len(_without(plain, _obvious(login, clinic))) + max(0, len(signs) - LEFT_OVER) < LEFT_OVER:
        return Weakness.OBVIOUS
    return None


def _plain(text: str) -> str:
    """Letters (without accents) and digits in lower case; other signs hardly hide a word."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in parts if character.isalnum())


def _obvious(login: str, clinic: str) -> list[str]:
    names = [login, *re.split(r"[._-]", login), clinic, *clinic.split()]
    own = {plain for plain in map(_plain, names) if len(plain) >= 3}
    return sorted(own.union(_WORDS), key=len, reverse=True)


def _without(plain: str, words: Iterable[str]) -> str:
    """What is left of it, years and runs like 1234 or fedc taken out as well."""
    for word in words:
        plain = plain.replace(word, "")
    plain = re.sub(r"(19|20)\d\d", "", plain)
    for line in (*_LINES, *(line[::-1] for line in _LINES)):
        for length in range(len(line), 2, -1):
            for start in range(len(line) - length + 1):
                plain = plain.replace(line[start : start + length], "")
    return re.sub(r"(.)\1+", r"\1", plain)
