"""Who may open what, until when, and how guessing is slowed down: truth tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain import birth_date, grants, staff
from app.domain.grants import THROTTLE, Policy, Standing
from app.domain.permissions import PATIENT, Permission

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=1)


@pytest.mark.parametrize("wanted", list(Policy))
@pytest.mark.parametrize("state", list(birth_date.State))
def test_a_birth_date_is_a_factor_only_where_the_images_carry_a_usable_one(
    wanted: Policy, state: birth_date.State
) -> None:
    policy = grants.policy_for(wanted, state)
    if state is birth_date.State.VALID:
        assert policy is wanted
    else:
        assert not policy.asks_birth_date
        assert policy.asks_password


@pytest.mark.parametrize(
    ("policy", "asks_birth_date", "asks_password"),
    [
        (Policy.BIRTH_DATE, True, False),
        (Policy.BIRTH_DATE_AND_PASSWORD, True, True),
        (Policy.PASSWORD, False, True),
    ],
)
def test_every_policy_asks_for_something_beside_the_code(
    policy: Policy, asks_birth_date: bool, asks_password: bool
) -> None:
    assert (policy.asks_birth_date, policy.asks_password) == (asks_birth_date, asks_password)


@pytest.mark.parametrize(
    ("released", "expires", "revoked", "suspended", "expected"),
    [
        (None, FUTURE, None, None, Standing.OPEN),
        (PAST, FUTURE, None, None, Standing.OPEN),
        (NOW, FUTURE, None, None, Standing.OPEN),
        (FUTURE, FUTURE, None, None, Standing.NOT_YET_RELEASED),
        (None, NOW, None, None, Standing.EXPIRED),  # "until" excludes its moment
        (None, NOW + timedelta(microseconds=1), None, None, Standing.OPEN),
        (FUTURE, PAST, None, None, Standing.EXPIRED),
        (None, FUTURE, None, PAST, Standing.SUSPENDED),
        (None, PAST, None, PAST, Standing.SUSPENDED),
        (None, FUTURE, PAST, None, Standing.REVOKED),
        (None, FUTURE, PAST, PAST, Standing.REVOKED),
        (FUTURE, PAST, PAST, PAST, Standing.REVOKED),
        (None, FUTURE, FUTURE, None, Standing.REVOKED),  # clocks differ: revoked is revoked
    ],
)
def test_a_grant_opens_only_while_nothing_speaks_against_it(
    released: datetime | None,
    expires: datetime,
    revoked: datetime | None,
    suspended: datetime | None,
    expected: Standing,
) -> None:
    standing = grants.standing(
        at=NOW, released_at=released, expires_at=expires, revoked_at=revoked, suspended_at=suspended
    )
    assert standing is expected


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (1, 0), (3, 0), (4, 30), (5, 60), (6, 120), (9, 960), (10, 1920), (11, 3600), (1000, 3600)],
)
def test_three_slips_are_free_and_then_waiting_doubles_up_to_an_hour(failures: int, seconds: int) -> None:
    assert THROTTLE.delay_after(failures) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("policy", "failures"),
    [(Policy.BIRTH_DATE, 10), (Policy.BIRTH_DATE_AND_PASSWORD, 20), (Policy.PASSWORD, 20)],
)
def test_a_grant_locks_sooner_when_only_a_birth_date_stands_beside_its_code(
    policy: Policy, failures: int
) -> None:
    assert THROTTLE.locks_at(policy) == failures
    assert THROTTLE.lock_in_life == 100  # NIST SP 800-63B-4 section 3.2.2


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (3, 0), (4, 15), (5, 30), (9, 480), (10, 900), (10_000, 900)]
)
def test_staff_wait_after_three_wrong_passwords_and_never_longer_than_a_quarter_of_an_hour(
    failures: int, seconds: int
) -> None:
    assert staff.delay_after(failures) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("login", "is_one"),
    [("amoreno", True), ("a.moreno-2_x", True), ("", False), (".a", False), ("Ana", False), ("a b", False)]
    + [("a" * 64, True), ("a" * 65, False), ("ana\n", False), ("аna", False)],
)
def test_a_login_is_plain_letters_that_no_other_login_looks_like(login: str, is_one: bool) -> None:
    assert bool(staff.LOGIN.fullmatch(login)) is is_one


@pytest.mark.parametrize(
    ("permission", "names"),
    [
        (Permission.NONE, ""),
        (Permission.VIEW, "view"),
        (Permission.VIEW | Permission.DOWNLOAD, "view,download"),
        (PATIENT, "view,report,download"),
    ],
)
def test_permissions_are_stored_so_that_they_are_read_back_unchanged(
    permission: Permission, names: str
) -> None:
    assert permission.names == names
    assert Permission.from_names(names) is permission


def test_a_permission_of_another_version_is_refused_rather_than_dropped() -> None:
    with pytest.raises(KeyError):
        Permission.from_names("view,annotate")
