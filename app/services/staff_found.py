"""What the key in a browser's cookie stands for: somebody who is in, half in, or locked out for the moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.staff import Act
from app.models import Staff, StaffSession
from app.services.rules import Rules


@dataclass(frozen=True)
class SignedIn:
    person: Staff = field(repr=False)
    session: StaffSession = field(repr=False)
    acts: frozenset[Act]


@dataclass(frozen=True)
class NeedsSecondFactor:
    """Nothing is open yet. ``must_enrol``: there is no second factor to give, and the rules ask for one."""

    person: Staff = field(repr=False)
    session: StaffSession = field(repr=False)
    must_enrol: bool


@dataclass(frozen=True)
class Locked:
    """Nothing is open until the password is typed. ``can_unlock`` False: the person has none."""

    person: Staff = field(repr=False)
    session: StaffSession = field(repr=False)
    can_unlock: bool


Found = SignedIn | NeedsSecondFactor | Locked


def locks_at(signed_in: StaffSession, rules: Rules) -> datetime | None:
    """When a session is locked if nobody uses it: by hand at once, by itself after the rules' minutes."""
    if signed_in.locked_at is not None:
        return signed_in.locked_at
    return signed_in.seen_at + rules.lock_after if rules.lock_after else None
