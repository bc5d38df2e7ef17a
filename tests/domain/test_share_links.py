"""How long a link made in Orthanc lasts, whatever a client sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.share_links import Lasting, read_moment

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DEFAULT, LONGEST = timedelta(days=30), timedelta(days=365)
LASTING = Lasting((7, 365, 30), until_revoked=False, default=DEFAULT)
ENDLESS = Lasting((7, 365, 30), until_revoked=True, default=DEFAULT)


@pytest.mark.parametrize(
    ("seconds", "life"),
    [
        (3600, timedelta(hours=1)),
        (1296000, timedelta(days=15)),
        (0.5, timedelta(seconds=0.5)),
        (400 * 86400, LONGEST),  # longer than the site allows
        (139870310347725, DEFAULT),  # memory that nobody set, as seen from a plugin
        (-5, DEFAULT),
        (float("inf"), DEFAULT),
        (float("nan"), DEFAULT),
        ("3600", DEFAULT),
        (True, DEFAULT),
        ([], DEFAULT),
    ],
)
def test_a_duration_is_believed_within_reason(seconds: object, life: timedelta) -> None:
    assert LASTING.life(seconds=seconds, expires_at=None, at=NOW) == life
    assert ENDLESS.life(seconds=seconds, expires_at=None, at=NOW) == life


@pytest.mark.parametrize("seconds", [0, None])
def test_no_end_is_given_only_where_the_site_allows_it(seconds: object) -> None:
    assert LASTING.life(seconds=seconds, expires_at=None, at=NOW) == LONGEST
    assert ENDLESS.life(seconds=seconds, expires_at=None, at=NOW) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T12:00:00Z", NOW + timedelta(days=1)),
        ("2026-11-22T12:00:00", NOW + timedelta(days=1)),
        ("2026-11-22T14:00:00+02:00", NOW + timedelta(days=1)),
        (" 2026-11-22T12:00:00.000Z ", NOW + timedelta(days=1)),
        ("", None),
        (None, None),
    ],
)
def test_dates_are_read_as_clients_write_them(text: object, moment: datetime | None) -> None:
    assert read_moment(text) == moment


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01T00:00:00Z", 20261122, "2026-11-22T12:00:00+99:00"])
def test_what_is_no_date_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        read_moment(text)


def test_a_date_comes_before_a_duration_and_one_in_the_past_is_not_meant() -> None:
    assert LASTING.life(seconds=60, expires_at=NOW + timedelta(days=2), at=NOW) == timedelta(days=2)
    assert LASTING.life(seconds=60, expires_at=NOW - timedelta(days=2), at=NOW) == DEFAULT
    assert LASTING.life(seconds=60, expires_at=NOW + timedelta(days=9000), at=NOW) == DEFAULT
    assert LASTING.life(seconds=60, expires_at=NOW + timedelta(days=900), at=NOW) == LONGEST
