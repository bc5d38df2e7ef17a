"""TOTP: the vectors of RFC 6238, and what people type."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from app.adapters import totp

# RFC 6238 appendix B, SHA-1, the last six of its eight digits.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
           (2000000000, "279037"), (20000000000, "353130")]  # fmt: skip

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.is_secret(SECRET)
    assert totp.matching_step(SECRET, code, at=at) == seconds // 30


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    at = datetime.fromtimestamp(1234567890, UTC)
    step = 1234567890 // 30
    for seconds, found in ((-60, None), (-30, step), (0, step), (30, step), (60, None)):
        assert totp.matching_step(SECRET, "005924", at=at + timedelta(seconds=seconds)) == found


@pytest.mark.parametrize("typed", ["005924", " 005 924 ", "005-924", "٠٠٥٩٢٤", "００５９２４"])
def test_digits_of_any_script_however_they_are_grouped(typed: str) -> None:
    assert totp.read(typed) == "005924"


@pytest.mark.parametrize("typed", ["", "00592", "0059244", "00592x", "\x00005924", "½½½½½½", "0" * 70_000])
def test_all_else_is_no_code(typed: str) -> None:
    assert totp.read(typed) is None
    assert totp.matching_step(SECRET, typed, at=datetime.fromtimestamp(0, UTC)) is None


def test_secrets_are_of_160_bits_and_differ() -> None:
    made = {totp.fresh_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(totp.is_secret(one) and len(base64.b32decode(one)) == 20 for one in made)
    assert not any(
        totp.is_secret(text) for text in ("", SECRET[:-1], SECRET.lower(), SECRET + "\n", "1" * 32)
    )


def test_a_clinics_name_with_a_colon_breaks_no_address() -> None:
    uri = totp.uri(SECRET, account="anna", issuer="Clinic: North & Süd?")
    assert uri.startswith("otpauth://totp/Clinic%20%20North%20%26%20S%C3%BCd%3F:anna?secret=" + SECRET)
