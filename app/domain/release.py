"""When a study's images and its report are released to the patient, and to those whom the patient lets in.

A rule says when, for every study or for a modality; staff can release a study by hand or hold it back. It is reckoned
anew each time it is asked for: nothing is written when a delay is over, and a rule that changes counts at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.grants import Kind
from app.domain.modality import NOT_IMAGES

LONGEST_DELAY = timedelta(days=365)
MINUTE = timedelta(minutes=1)

# Who waits for the release. Whoever a new kind is for: it waits until somebody decides otherwise here.
WAITS = {
    Kind.PATIENT: True,  # for whom the rule is made
    Kind.GUARDIAN: True,  # stands in the patient's place
    Kind.DELEGATE: True,  # let in by the patient: nobody sees more through the patient than the patient does
    Kind.PHYSICIAN: False,  # treats the patient, and often before the report is there; staff chose to share
    Kind.GROUP: False,  # physicians whom the study itself names
    Kind.LINK: False,  # made in Orthanc by staff, for colleagues as a rule
}


class When(StrEnum):
    AT_ONCE = "at-once"  # images: once the study is stable
    AT_SIGNING = "at-signing"  # of the report's first version


class What(StrEnum):
    IMAGES = "images"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Timing:
    """A moment, and how long after it. As text: "at-once", "at-signing+48h", "at-signing+3d"."""

    when: When
    delay: timedelta = timedelta(0)

    def __str__(self) -> str:
        hours = int(self.delay.total_seconds()) // 3600
        if not hours:
            return self.when.value
        return f"{self.when}+{hours // 24}d" if hours % 24 == 0 else f"{self.when}+{hours}h"

    @classmethod
    def read(cls, text: str) -> Timing:
        """Raises ValueError for what is no timing, and for a delay of more than LONGEST_DELAY."""
        found = _TIMING.fullmatch(text.strip())
        if found is None:
            raise ValueError("no timing")
        number = int(found["number"] or 0)
        delay = timedelta(days=number) if found["unit"] == "d" else timedelta(hours=number)
        if delay > LONGEST_DELAY:
            raise ValueError("too long a delay")
        return cls(When(found["when"]), delay)

    def due(self, *, stable_at: datetime, signed_at: datetime | None) -> datetime | None:
        """None while it waits for a signature. A delay ends on a full minute, as pages tell it."""
        begun = stable_at if self.when is When.AT_ONCE else signed_at
        if begun is None or not self.delay:
            return begun
        end = begun + self.delay
        return end if end == end.replace(second=0, microsecond=0) else _minute_after(end)


_TIMING = re.compile(r"(?P<when>at-once|at-signing)(?:\+(?P<number>[0-9]{1,4})(?P<unit>[hd]))?")
AT_ONCE, AT_SIGNING = Timing(When.AT_ONCE), Timing(When.AT_SIGNING)


@dataclass(frozen=True, slots=True)
class Line:
    """What counts for one modality in place of the rule for every study: "MG images at-signing+48h"."""

    modality: str
    what: What
    timing: Timing

    def __str__(self) -> str:
        return f"{self.modality} {self.what} {self.timing}"


@dataclass(frozen=True, slots=True)
class Rule:
    images: Timing = AT_ONCE
    report: Timing = AT_SIGNING
    by_modality: tuple[Line, ...] = ()

    def timings(self, what: What, modalities: str) -> list[Timing]:
        """All that count for a study, one for each of its modalities (codes joined by a backslash).

        Objects without images (a dose report beside the pictures) don't ask for the rule of every study, unless
        there is nothing else; where they have a line of their own, it counts.
        """
        own = {line.modality: line.timing for line in self.by_modality if line.what is what}
        codes = [code for code in modalities.split("\\") if code]
        shown = [code for code in codes if code not in NOT_IMAGES] or codes
        general = self.images if what is What.IMAGES else self.report
        return [own.get(code, general) for code in codes if code in shown or code in own] or [general]


@dataclass(frozen=True, slots=True)
class Part:
    """The images, or the report. ``from_``: since when it is out, or from when it will be; None: not known.

    ``delay`` is how long after the signature it comes, while it waits for one.
    """

    is_out: bool
    from_: datetime | None = None
    waits_for_signature: bool = False
    is_held: bool = False
    delay: timedelta = timedelta(0)


HELD = Part(is_out=False, is_held=True)


@dataclass(frozen=True, slots=True)
class Release:
    images: Part
    report: Part


def waits(kind: Kind) -> bool:
    """Whether the holder of such a grant sees no more than what is released."""
    return WAITS.get(kind, True)


def release(
    rule: Rule,
    *,
    modalities: str,
    stable_at: datetime,
    signed_at: datetime | None,
    released_at: datetime | None = None,
    held_at: datetime | None = None,
    at: datetime,
) -> Release:
    """What the patient has of a study at a moment (all UTC).

    ``signed_at``: of the report's first version. An amendment takes the place of what is out at once, without a
    delay of its own: nobody is left with a text that its author has withdrawn. ``released_at``, ``held_at``: by
    hand. Of several modalities the most restrictive counts. Even by hand no report is out before it is signed.
    """
    if held_at is not None:
        return Release(HELD, HELD)
    images, report = (
        _latest(rule.timings(what, modalities), stable_at=stable_at, signed_at=signed_at, at=at)
        for what in What
    )
    if signed_at is None:
        report = Part(False, waits_for_signature=True, delay=report.delay)
    if released_at is not None:
        images = _by_hand(images, released_at, at)
        report = (
            _by_hand(report, max(released_at, signed_at), at) if signed_at else replace(report, delay=NONE)
        )
    return Release(images, report)


def at_once(*, stable_at: datetime, signed_at: datetime | None) -> Release:
    """What somebody has who doesn't wait for the release."""
    report = Part(signed_at is not None, signed_at, waits_for_signature=signed_at is None)
    return Release(Part(True, stable_at), report)


NONE = timedelta(0)


def _latest(
    timings: Iterable[Timing], *, stable_at: datetime, signed_at: datetime | None, at: datetime
) -> Part:
    timings = list(timings)
    known = [timing.due(stable_at=stable_at, signed_at=signed_at) for timing in timings]
    dues = [due for due in known if due is not None]
    if len(dues) < len(known):
        delay = max(timing.delay for timing in timings if timing.when is When.AT_SIGNING)
        return Part(False, waits_for_signature=True, delay=delay)
    return Part(at >= max(dues), max(dues))


def _by_hand(part: Part, released_at: datetime, at: datetime) -> Part:
    since = min(released_at, part.from_) if part.from_ else released_at
    return Part(at >= since, since)


def _minute_after(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + MINUTE
