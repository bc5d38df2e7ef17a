"""How long a network has to wait, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.limits import NARROW, UNFINISHED_WAIT, WIDE, Failure, Networks, networks_of, rank_of

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def failures(*ago: float, is_finished: bool = True) -> list[Failure]:
    return [Failure(NOW - seconds * SECOND, is_finished) for seconds in ago]


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("203.0.113.7", Networks("203.0.113.7", "203.0.113.0/24")),
        ("::ffff:203.0.113.7", Networks("203.0.113.7", "203.0.113.0/24")),
        ("2001:db8:1:2:3:4:5:6", Networks("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("2001:db8:1:2:ffff::1", Networks("2001:db8:1:2::/64", "2001:db8:1::/48")),
    ],
)
def test_addresses_are_counted_by_line_and_by_the_network_around_it(address: str, networks: Networks) -> None:
    assert networks_of(address) == networks


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError):
        networks_of("unknown")


@pytest.mark.parametrize(
    ("ago", "seconds"),
    [
        ([], 0),
        ([0] * 9, 0),
        ([0] * 10, 60),
        ([59] * 10, 1),
        ([60] * 10, 0),
        ([601] + [300] * 8 + [0], 0),
        ([590] + [300] * 8 + [0], 10),
        ([300] * 10 + [61, 1], 59),
        ([0] * 500, 60),
    ],
)
def test_ten_failures_in_ten_minutes_then_one_a_minute(ago: list[float], seconds: float) -> None:
    assert NARROW.wait(failures(*ago), at=NOW) == seconds * SECOND


@pytest.mark.parametrize(
    ("ago", "wait"), [([1] * 99, 0), ([3599] * 100, 1), ([3601] + [5] * 99, 0), ([0] * 300, 3600)]
)
def test_a_hundred_failures_an_hour_from_the_network_around(ago: list[float], wait: float) -> None:
    assert WIDE.wait(failures(*ago), at=NOW) == wait * SECOND


def test_twenty_who_come_in_together_are_told_to_wait_for_two_seconds_only() -> None:
    assert NARROW.wait(failures(*[0.1] * 20, is_finished=False), at=NOW) == UNFINISHED_WAIT


def test_the_one_try_of_a_minute_is_somebodys_just_now() -> None:
    those = failures(*[61] * 10) + failures(0.1, is_finished=False)

    assert NARROW.wait(those, at=NOW) == UNFINISHED_WAIT


@pytest.mark.parametrize(
    ("failed", "people", "is_second_chance", "rank"),
    [
        (0, 0, False, 0),
        (1, 0, False, 1),
        (4, 20, False, 0),
        (9, 1, False, 8),
        (1, 0, True, 0),
        (3, 0, True, 0),
        (4, 0, True, 4),
    ],
)
def test_whoever_failed_stands_back_unless_people_get_in_there_or_it_is_the_same_code(
    failed: int, people: int, is_second_chance: bool, rank: int
) -> None:
    assert rank_of(failed, people, is_second_chance=is_second_chance) == rank
