"""People with an account: their names for signing in, their roles, how failures slow an attacker down."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MIN_PASSWORD_LENGTH = 12  # NIST SP 800-63B-4 section 3.1.1.2 asks for 15 where it is the only factor
MAX_PASSWORD_LENGTH = 256


class Act(StrEnum):
    """What a role may do on the staff pages."""

    SEE = "see"  # the list of studies, a study's page
    PRINT = "print"  # sheets and reports; re-issue
    WRITE = "write"  # reports


class Role(StrEnum):
    ADMIN = "admin"
    RADIOLOGIST = "radiologist"
    DESK = "desk"
    VIEWER = "viewer"
    DEVICE = "device"


MAY: dict[Role, frozenset[Act]] = {
    Role.ADMIN: frozenset(Act),
    Role.RADIOLOGIST: frozenset(Act),
    Role.DESK: frozenset({Act.SEE, Act.PRINT}),
    Role.VIEWER: frozenset({Act.SEE}),
    Role.DEVICE: frozenset(),
}


def delay_after(failures: int) -> timedelta:
    """How long the next sign-in waits: nothing for three failures, then 15 s doubling to 15 min."""
    if failures <= 3:
        return timedelta(0)
    return min(timedelta(seconds=15) * (1 << min(failures - 4, 10)), timedelta(minutes=15))
