"""When images and report are released: the table of rules, hands and moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.grants import Kind
from app.domain.release import (
    LONGEST_DELAY,
    WAITS,
    Line,
    Part,
    Rule,
    Timing,
    What,
    When,
    at_once,
    release,
    waits,
)

STABLE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIGNED = STABLE + 5 * HOUR


def rule(images: str = "at-once", report: str = "at-signing", *lines: str) -> Rule:
    split = [line.split() for line in lines]
    return Rule(
        Timing.read(images),
        Timing.read(report),
        tuple(Line(code, What(what), Timing.read(timing)) for code, what, timing in split),
    )


def has(
    wanted: Rule,
    *,
    modalities: str = "CT",
    signed: bool = False,
    after: timedelta = timedelta(0),
    **hand: datetime,
) -> tuple[bool, bool]:
    """(images, report) that the patient has ``after`` the study was stable."""
    now = release(
        wanted,
        modalities=modalities,
        stable_at=STABLE,
        signed_at=SIGNED if signed else None,
        at=STABLE + after,
        **hand,
    )
    return now.images.is_out, now.report.is_out


@pytest.mark.parametrize(
    ("images", "report", "signed", "hours", "expected"),
    [
        ("at-once", "at-signing", False, 0, (True, False)),
        ("at-once", "at-signing", True, 5, (True, True)),
        ("at-once+2h", "at-signing", False, 1, (False, False)),
        ("at-once+2h", "at-signing", False, 2, (True, False)),
        ("at-once+1d", "at-signing", True, 6, (False, True)),
        ("at-signing", "at-signing", False, 9999, (False, False)),
        ("at-signing", "at-signing", True, 5, (True, True)),
        ("at-signing+48h", "at-signing+48h", True, 5 + 47, (False, False)),
        ("at-signing+48h", "at-signing+48h", True, 5 + 48, (True, True)),
        ("at-once", "at-signing+2d", True, 5 + 47, (True, False)),
        ("at-once", "at-signing+2d", True, 5 + 48, (True, True)),
    ],
)
def test_the_rule_for_every_study(
    images: str, report: str, signed: bool, hours: int, expected: tuple[bool, bool]
) -> None:
    assert has(rule(images, report), signed=signed, after=hours * HOUR) == expected


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        ("CT", True),
        ("MG", False),  # its own line
        ("CT\\MG", False),  # the most restrictive counts
        ("MG\\US", False),
        ("", True),  # nothing told: every study's
        ("MR", True),  # its own line is the more generous one
        ("MR\\SR", True),  # a dose report asks for nothing
        ("SR", True),
        ("CT\\KO", False),  # unless it has a line of its own
        ("MR\\US", True),
    ],
)
def test_of_several_modalities_the_most_restrictive_counts(modalities: str, expected: bool) -> None:
    lines = rule(
        "at-once+1h", "at-signing", "MG images at-signing+48h", "MR images at-once", "KO images at-once+3h"
    )

    assert has(lines, modalities=modalities, after=HOUR)[0] is expected


def test_a_more_generous_line_does_not_open_what_another_modality_keeps_closed() -> None:
    assert has(rule("at-once+9h", "at-signing", "MR images at-once"), modalities="CT\\MR")[0] is False


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("images", ["at-once", "at-once+1h", "at-signing", "at-signing+365d"])
def test_what_is_held_back_is_closed_whatever_the_rule_and_the_other_hand_say(
    images: str, signed: bool
) -> None:
    now = release(
        rule(images),
        modalities="CT",
        stable_at=STABLE,
        signed_at=SIGNED if signed else None,
        released_at=STABLE,
        held_at=STABLE,
        at=STABLE + LONGEST_DELAY * 3,
    )

    assert now.images == now.report == Part(is_out=False, is_held=True)


def test_released_by_hand_is_open_at_once_and_the_report_once_it_is_signed() -> None:
    strict = rule("at-signing+30d", "at-signing+30d")

    assert has(strict, released_at=STABLE) == (True, False)
    assert has(strict, signed=True, after=5 * HOUR, released_at=STABLE) == (True, True)


def test_a_release_by_hand_never_closes_what_was_open_before() -> None:
    now = release(
        rule(),
        modalities="CT",
        stable_at=STABLE,
        signed_at=SIGNED,
        released_at=SIGNED + HOUR,
        at=SIGNED + HOUR,
    )

    assert (now.images.from_, now.report.from_) == (STABLE, SIGNED)


def test_it_says_what_it_waits_for() -> None:
    now = release(
        rule("at-once+2h", "at-signing+3d"), modalities="CT", stable_at=STABLE, signed_at=None, at=STABLE
    )

    assert now.images == Part(False, STABLE + 2 * HOUR)
    assert now.report == Part(False, None, waits_for_signature=True, delay=timedelta(days=3))


def test_a_delay_ends_on_a_full_minute_so_that_what_was_told_is_true() -> None:
    due = Timing(When.AT_ONCE, HOUR).due(stable_at=STABLE + timedelta(seconds=7), signed_at=None)

    assert due == STABLE + timedelta(hours=1, minutes=1)
    assert Timing(When.AT_ONCE, HOUR).due(stable_at=STABLE, signed_at=None) == STABLE + HOUR


def test_every_kind_of_holder_is_decided_and_an_unknown_one_waits() -> None:
    assert set(WAITS) == set(Kind)
    assert [kind for kind in Kind if not waits(kind)] == [Kind.PHYSICIAN, Kind.GROUP, Kind.LINK]
    assert waits("somebody") is True  # type: ignore[arg-type]


def test_who_does_not_wait_still_reads_only_what_is_signed() -> None:
    assert at_once(stable_at=STABLE, signed_at=None).report.is_out is False
    assert at_once(stable_at=STABLE, signed_at=SIGNED).report.is_out is True


@pytest.mark.parametrize("text", ["at-once", "at-signing", "at-once+1h", "at-signing+48h", "at-once+365d"])
def test_a_timing_is_read_as_it_is_written(text: str) -> None:
    assert Timing.read(str(Timing.read(text))) == Timing.read(text)


@pytest.mark.parametrize(
    "text", ["", "soon", "at-once+", "at-once+h", "at-once+366d", "at-once+9999h", "at-once-1h"]
)
def test_what_is_no_timing_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Timing.read(text)
