"""The second factor's codes (TOTP, RFC 6238): the only module that knows pyotp.

SHA-1, six digits, steps of 30 seconds: what every authenticator app can do. Owns how a secret is made and read,
and which step a typed code belongs to; that no step works twice is the business of ``services.second_factor``.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from datetime import datetime

import pyotp

STEP_SECONDS = 30
DIGITS = 6
# A clock that is half a minute off, and the time it takes to type (RFC 6238 section 5.2: at most one step).
TOLERANCE = 1
_SECRET = re.compile(r"[A-Z2-7]{32}")  # 160 bits, as RFC 4226 section 4 recommends


def fresh_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32(32)


def is_secret(text: str) -> bool:
    """Whether ``fresh_secret`` makes such."""
    return _SECRET.fullmatch(text) is not None


def uri(secret: str, *, account: str, issuer: str) -> str:
    """The ``otpauth:`` address that an app reads from a QR code."""
    # A colon separates issuer and account, so that neither may hold one.
    return pyotp.TOTP(secret).provisioning_uri(
        name=account.replace(":", " "), issuer_name=issuer.replace(":", " ").strip() or "Studykey"
    )


def read(typed: str) -> str | None:
    """Six digits of any script, however they were grouped. None: no such code."""
    digits = []
    for character in typed[:64]:
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            digits.append(str(digit))
        elif not character.isspace() and character not in "-.":
            return None
    return "".join(digits) if len(digits) == DIGITS else None


def matching_step(secret: str, typed: str, *, at: datetime) -> int | None:
    """The time step (30 s since 1970) whose code was typed, one off at most. None: none."""
    code = read(typed)
    if code is None:
        return None
    totp, now = pyotp.TOTP(secret), int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found
