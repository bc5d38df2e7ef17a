"""The clinic's rules that people change while Studykey runs: sharing, signing in, which studies get a code, release.

Beside ``services.site``, which knows how the clinic looks; both keep their values in ``site_setting``, absent: the
default. A value that can't be read any more (an older version wrote it) counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.exclusion import LeftOut, why_left_out
from app.domain.grants import Policy
from app.domain.modality import N_
from app.domain.release import AT_ONCE, AT_SIGNING, LONGEST_DELAY, Line, Rule, Timing, What, When
from app.domain.share_links import PUBLICATIONS, LinkType
from app.domain.staff import PEOPLE, Role
from app.models import SiteSetting, Staff
from app.services import site_rows
from app.services.audit import Audit
from app.services.site import PATIENT_LANGUAGES
from app.services.site_rows import Unusable as Unusable

log = structlog.get_logger(__name__)

PREFIX = "rule."
LONGEST_DAYS = 3650
LONGEST_PATTERN, MOST_PATTERNS = 64, 100


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
    # What a link made in Orthanc asks for on the landing page …
    link_policy: Policy = Policy.BIRTH_DATE
    # … and the types of such links that ask nothing: whoever has one sees the images.
    direct_links: tuple[LinkType, ...] = ()
    # Roles that can't sign in without a second factor.
    second_factor_roles: tuple[Role, ...] = ()
    # A page left alone for this many minutes locks. 0: it never does.
    lock_minutes: int = 10
    # Whether the reading room's screen counts as used while it is shown, so that it doesn't lock.
    splash_unlocked: bool = False
    # Languages that patients are offered. Empty: all that Studykey has.
    languages: tuple[str, ...] = ()
    # Whether stable studies get no code by themselves for now.
    codes_paused: bool = False
    # The only modalities that get a code by themselves. Empty: all.
    code_modalities: tuple[str, ...] = ()
    # Patients who get none: names or IDs, "*" for any characters ("PHANTOM*").
    code_excluded: tuple[str, ...] = ()
    # When patients see the images of a study, and its report …
    release_images: Timing = AT_ONCE
    release_report: Timing = AT_SIGNING
    # … and what counts for a modality in their place ("MG images at-signing+48h").
    release_by_modality: tuple[Line, ...] = ()
    # Whether signed reports are stored in the archive, beside their images, once they are released.
    archive_reports: bool = False

    @property
    def lock_after(self) -> timedelta | None:
        return timedelta(minutes=self.lock_minutes) if self.lock_minutes else None

    @property
    def grant_life(self) -> timedelta | None:
        """None: as the settings of the installation say."""
        return timedelta(days=self.grant_days) if self.grant_days else None

    @property
    def release(self) -> Rule:
        return Rule(self.release_images, self.release_report, self.release_by_modality)

    def left_out(self, *, modalities: str, patient_name: str, patient_id: str) -> LeftOut | None:
        """Why a study gets no code by itself; ``modalities`` as DICOM joins them, by backslashes."""
        return why_left_out(
            is_paused=self.codes_paused,
            modalities_with_code=self.code_modalities,
            patterns=self.code_excluded,
            modalities=modalities.split("\\"),
            patient_name=patient_name,
            patient_id=patient_id,
        )


NAMES = tuple(field.name for field in fields(Rules))


def read(name: str, text: str) -> Any:
    """The value of a rule as a form or the command line writes it. Raises Unusable."""
    default = getattr(Rules, name)
    parts = tuple(part for part in (one.strip() for one in text.replace("\n", ",").split(",")) if part)
    if isinstance(default, bool):
        if text not in ("yes", "no"):
            raise Unusable(N_("Answer with yes or no."))
        return text == "yes"
    match name:
        case "share_days":
            days = {_number(part, 1, LONGEST_DAYS) for part in parts}
            if not days:
                raise Unusable(N_("Give at least one number of days."))
            return tuple(sorted(days))
        case "second_factor_roles":
            if unknown := set(parts) - set(PEOPLE):
                raise Unusable(N_("There is no role %(name)s."), name=sorted(unknown)[0])
            return tuple(role for role in PEOPLE if role in parts)
        case "direct_links":
            if unknown := set(parts) - set(PUBLICATIONS):
                raise Unusable(N_("There are no links of the type %(name)s."), name=sorted(unknown)[0])
            return tuple(type_ for type_ in PUBLICATIONS if type_ in parts)
        case "link_policy":
            if text not in list(Policy):
                raise Unusable(N_("Choose birth date, password or both."))
            return Policy(text)
        case "languages":
            if unknown := set(parts) - set(PATIENT_LANGUAGES):
                raise Unusable(N_("There is no language %(name)s."), name=sorted(unknown)[0])
            return tuple(code for code in PATIENT_LANGUAGES if code in parts)
        case "code_modalities":
            return tuple(sorted({_modality(part) for part in parts}))
        case "code_excluded":
            return _patterns(parts)
        case "release_images":
            return _timing(What.IMAGES, text)
        case "release_report":
            return _timing(What.REPORT, text)
        case "release_by_modality":
            return _lines(parts)
    return _number(text.strip(), 0, 24 * 60 if name == "lock_minutes" else LONGEST_DAYS)


def _number(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdecimal() and lowest <= int(text[:9]) <= highest):
        raise Unusable(
            N_("Give a whole number from %(lowest)s to %(highest)s."), lowest=lowest, highest=highest
        )
    return int(text)


def _modality(text: str) -> str:
    """A code string (PS3.5 section 6.2, VR CS: at most 16 of A-Z, 0-9, space, underscore)."""
    code = text.upper()
    if len(code) > 16 or not (code.isascii() and code.replace("_", "").replace(" ", "").isalnum()):
        raise Unusable(N_("A modality is written like CT or MR, not %(name)s."), name=text[:20])
    return code


def _patterns(parts: tuple[str, ...]) -> tuple[str, ...]:
    if any(not part.strip("* ^") for part in parts):
        raise Unusable(N_("A star alone would leave out everybody."))
    if any(len(part) > LONGEST_PATTERN for part in parts) or len(parts) > MOST_PATTERNS:
        raise Unusable(
            N_("At most %(count)s lines of at most %(length)s characters."),
            count=MOST_PATTERNS,
            length=LONGEST_PATTERN,
        )
    return tuple(dict.fromkeys(parts))


def _lines(parts: tuple[str, ...]) -> tuple[Line, ...]:
    lines: dict[tuple[str, What], Line] = {}
    for part in parts:
        code, what, timing = ([*part.rsplit(maxsplit=2), "", ""])[:3]
        if what not in list(What):
            raise Unusable(
                N_("Write a line like MG images at-signing+48h, not %(name)s."), name=part[:LONGEST_PATTERN]
            )
        line = Line(_modality(code), What(what), _timing(What(what), timing))
        if (line.modality, line.what) in lines:
            raise Unusable(N_("There are two lines for %(name)s."), name=line.modality)
        lines[line.modality, line.what] = line
    return tuple(sorted(lines.values(), key=lambda line: (line.modality, line.what)))


def _timing(what: What, text: str) -> Timing:
    if text.startswith("+"):
        raise Unusable(N_("A delay begins at a moment: choose at once or at signing with it."))
    try:
        timing = Timing.read(text)
    except ValueError:
        raise Unusable(
            N_("Give a delay in whole hours or days, at most %(days)s days."), days=LONGEST_DELAY.days
        ) from None
    if what is What.REPORT and timing.when is not When.AT_SIGNING:
        raise Unusable(N_("No report is released before it is signed."))
    return timing


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
        rules = Rules()
        for key, row in site_rows.stored(self._session).items():
            name = key.removeprefix(PREFIX)
            try:
                if name != key and name in NAMES:
                    rules = replace(rules, **{name: read(name, row.text or "")})
            except Unusable:
                log.error("a rule can't be read, its default counts", rule=name)
        return rules

    def checked(self, changes: Mapping[str, str]) -> tuple[Rules, dict[str, Unusable]]:
        """The rules as they would be, and by name what can't be used. Raises KeyError for an unknown name."""
        rules, problems = self.now(), {}
        for name, text in changes.items():
            if name not in NAMES:
                raise KeyError(name)
            try:
                rules = replace(rules, **{name: read(name, text)})
            except Unusable as problem:
                problems[name] = problem
        return rules, problems

    def set(self, changes: Mapping[str, str], *, at: datetime, actor: str) -> list[str]:
        """Set rules, given as text: the names of those that changed. Raises Unusable, KeyError."""
        before, (after, problems) = self.now(), self.checked(changes)
        if problems:
            raise next(iter(problems.values()))
        changed = [name for name in changes if getattr(after, name) != getattr(before, name)]
        for name in changed:
            key, value = PREFIX + name, getattr(after, name)
            if value == getattr(Rules, name):
                site_rows.drop(self._session, key)
            else:
                site_rows.keep(self._session, SiteSetting(name=key, text=write(value)))
            self._audit.within(
                self._session,
                Event.SITE_CHANGED,
                at=at,
                actor=actor,
                setting=name,
                was=write(getattr(before, name)),
                to=write(value),
            )
        return changed

    def without_second_factor(self) -> dict[Role, list[str]]:
        """By role, the names of those who would be asked to set one up at their next sign-in."""
        query = (
            select(Staff)
            .where(Staff.disabled_at.is_(None), Staff.totp_sealed.is_(None), Staff.password_hash.isnot(None))
            .order_by(Staff.name)
        )
        people = self._session.scalars(query).all()
        return {role: [person.name for person in people if role in person.role_set] for role in PEOPLE}
