"""The clinic's rules that people change while Studykey runs: sharing, signing in, which studies get a code.

Beside ``services.site``, which knows how the clinic looks; both keep their values in ``site_setting``, absent: the
default. A value that can't be read any more (an older version wrote it) counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.staff import PEOPLE, Role
from app.models import SiteSetting
from app.services.audit import Audit

log = structlog.get_logger(__name__)

PREFIX = "rule."
LONGEST_DAYS = 3650


class Unusable(ValueError):
    """A value that can't be used; the message is a sentence for whoever set it."""


@dataclass(frozen=True)
class Rules:
    """Defaults are safe: nothing opens longer, asks less or tells more than a clinic chose."""

    # How long a share can last, in days, ascending.
    share_days: tuple[int, ...] = (7, 15, 30, 90, 365)
    # Whether a share can last until somebody revokes it.
    share_until_revoked: bool = False
    # Whether the link of a mailed share may carry the password, so that it alone opens the images.
    password_in_link: bool = False
    # How long a patient's code works, in days. 0: as the settings of the installation say.
    grant_days: int = 0
    # Roles that can't sign in without a second factor.
    second_factor_roles: tuple[Role, ...] = ()
    # A page left alone for this many minutes locks. 0: it never does.
    lock_minutes: int = 10
    # Whether stable studies get no code by themselves for now.
    codes_paused: bool = False
    # The only modalities that get a code by themselves. Empty: all.
    code_modalities: tuple[str, ...] = ()
    # Patients who get none: names or IDs, "*" for any characters ("PHANTOM*").
    code_excluded: tuple[str, ...] = ()

    @property
    def lock_after(self) -> timedelta | None:
        return timedelta(minutes=self.lock_minutes) if self.lock_minutes else None


def read(name: str, text: str) -> Any:
    """The value of a rule as a form or the command line writes it. Raises Unusable."""
    default = getattr(Rules, name)
    parts = tuple(part for part in (one.strip() for one in text.replace("\n", ",").split(",")) if part)
    if isinstance(default, bool):
        if text not in ("yes", "no"):
            raise Unusable("Answer with yes or no.")
        return text == "yes"
    if name == "share_days":
        days = {_number(part, 1, LONGEST_DAYS) for part in parts}
        if not days:
            raise Unusable("Give at least one number of days.")
        return tuple(sorted(days))
    if name == "second_factor_roles":
        if unknown := set(parts) - set(PEOPLE):
            raise Unusable(f"There is no role {sorted(unknown)[0]}.")
        return tuple(role for role in PEOPLE if role in parts)
    if name == "code_modalities":
        return tuple(sorted({part.upper()[:16] for part in parts}))
    if name == "code_excluded":
        if any(not part.strip("*") for part in parts):
            raise Unusable("A star alone would leave out everybody.")
        return tuple(part[:64] for part in parts[:100])
    highest = 24 * 60 if name == "lock_minutes" else LONGEST_DAYS
    return _number(text.strip(), 0, highest)


def _number(text: str, lowest: int, highest: int) -> int:
    if not (text.isdecimal() and lowest <= int(text[:9]) <= highest):
        raise Unusable(f"Give a whole number from {lowest} to {highest}.")
    return int(text)


def write(value: Any) -> str:
    """The text that ``read`` takes for a value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)


class SiteRules:
    """Works within the caller's transaction."""

    def __init__(self, session: Session, audit: Audit) -> None:
        self._session = session
        self._audit = audit

    def now(self) -> Rules:
        """The rules that count at this moment."""
        known = {field.name for field in fields(Rules)}
        rules = Rules()
        query = select(SiteSetting.name, SiteSetting.text).where(SiteSetting.name.startswith(PREFIX))
        for key, text in self._session.execute(query):
            name = key.removeprefix(PREFIX)
            try:
                if name in known:
                    rules = replace(rules, **{name: read(name, text or "")})
            except Unusable:
                log.error("a rule can't be read, its default counts", rule=name)
        return rules

    def set(self, changes: dict[str, str], *, at: datetime, actor: str) -> list[str]:
        """Set rules, given as text: the names of those that changed. Raises Unusable, KeyError."""
        before = self.now()
        values = {name: read(name, text) for name, text in _known(changes)}
        changed = [name for name, value in values.items() if value != getattr(before, name)]
        for name in changed:
            key = PREFIX + name
            if values[name] == getattr(Rules, name):
                self._session.execute(delete(SiteSetting).where(SiteSetting.name == key))
            else:
                self._session.merge(SiteSetting(name=key, text=write(values[name])))
            self._audit.within(
                self._session, Event.SITE_CHANGED, at=at, actor=actor, setting=name, to=write(values[name])
            )
        return changed


def _known(changes: dict[str, str]) -> Iterable[tuple[str, str]]:
    for name, text in changes.items():
        if name not in {field.name for field in fields(Rules)}:
            raise KeyError(name)
        yield name, text
