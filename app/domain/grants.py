"""Grants: who may open what, with which factors, until when; and how failures slow an attacker down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain import birth_date


class Kind(StrEnum):
    """For whom a grant was issued."""

    PATIENT = "patient"
    PHYSICIAN = "physician"
    DELEGATE = "delegate"
    GUARDIAN = "guardian"
    GROUP = "group"  # whom a DICOM tag names: opens what a rule matches
    LINK = "link"  # made in Orthanc, for whoever has the link


class Policy(StrEnum):
    """The factors that prove a grant beside its access code."""

    BIRTH_DATE = "code+birth-date"
    BIRTH_DATE_AND_PASSWORD = "code+birth-date+password"
    PASSWORD = "code+password"

    @property
    def asks_birth_date(self) -> bool:
        return self is not Policy.PASSWORD

    @property
    def asks_password(self) -> bool:
        return self is not Policy.BIRTH_DATE


def policy_for(wanted: Policy, state: birth_date.State) -> Policy:
    """The site's policy where the birth date can carry it; code + password where it can't."""
    return wanted if state is birth_date.State.VALID else Policy.PASSWORD


class Standing(StrEnum):
    """Whether a grant opens at a moment. Said to a person only after every factor was right."""

    OPEN = "open"
    NOT_YET_RELEASED = "not-yet-released"  # dated ahead; not the release of a study (domain.release)
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"


def standing(
    *,
    at: datetime,
    released_at: datetime | None,
    expires_at: datetime | None,
    revoked_at: datetime | None,
    suspended_at: datetime | None,
) -> Standing:
    """The one rule for whether a grant opens; the gravest reason wins."""
    if revoked_at is not None:
        return Standing.REVOKED
    if suspended_at is not None:
        return Standing.SUSPENDED
    if expires_at is not None and at >= expires_at:
        return Standing.EXPIRED
    if released_at is not None and at < released_at:
        return Standing.NOT_YET_RELEASED
    return Standing.OPEN


@dataclass(frozen=True)
class Throttle:
    """Failures of one grant: three are free, then 30 s doubling to an hour, then it is locked.

    Only somebody who holds the 55-bit code can reach a grant's counter, so this is no lever for shutting
    a patient out. NIST SP 800-63B-4 section 3.2.2 caps consecutive failures at 100.
    """

    free: int = 3
    first_delay: timedelta = timedelta(seconds=30)
    longest_delay: timedelta = timedelta(hours=1)
    lock_without_password: int = 10
    lock_with_password: int = 20
    lock_in_life: int = 100

    def delay_after(self, failures: int) -> timedelta:
        """How long the next try has to wait after ``failures`` in a row."""
        if failures <= self.free:
            return timedelta(0)
        doublings = min(failures - self.free - 1, 20)
        return min(self.first_delay * (1 << doublings), self.longest_delay)

    def locks_at(self, policy: Policy) -> int:
        return self.lock_with_password if policy.asks_password else self.lock_without_password

    def is_locked(self, policy: Policy, *, failures: int, in_life: int) -> bool:
        """Whether no try is compared any more until staff unlock."""
        return failures >= self.locks_at(policy) or in_life >= self.lock_in_life


THROTTLE = Throttle()
