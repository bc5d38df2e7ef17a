"""What keeps people out at the moment: codes that failed too often, accounts that wait, a follower that is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.grants import THROTTLE
from app.domain.staff import Role
from app.models import Staff
from app.models.grant import FAILING
from app.services.follower import LEASE
from app.services.grants import Paper
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import DAY, MINUTE, change_grant, fresh_clinic, rows


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def test_the_index_says_what_the_rule_says() -> None:
    assert f"failures > {THROTTLE.free} OR failures_in_life > {THROTTLE.lock_in_life - 1}" == FAILING


@pytest.mark.parametrize(
    ("failures", "in_life", "is_locked"),
    [(3, 99, None), (4, 4, False), (9, 9, False), (10, 10, True), (0, 100, True)],
)
def test_a_code_is_listed_when_its_failures_are_no_longer_free(
    services: Services, paper: Paper, failures: int, in_life: int, is_locked: bool | None
) -> None:
    grant = services.session.merge(paper.grant)
    wait = MINUTE if failures > 3 else None
    change_grant(
        services,
        grant,
        failures=failures,
        failures_in_life=in_life,
        next_try_at=services.clock() + wait if wait else None,
    )

    held = services.condition.grants(at=services.clock())

    assert [one.is_locked for one in held] == ([] if is_locked is None else [is_locked])
    if held:
        assert held[0].wait == (wait or timedelta(0))
        assert len(held[0].studies) == 1


@pytest.mark.parametrize("what", ["revoked_at", "expires_at"])
def test_a_code_that_opens_nothing_any_more_is_not_listed(
    services: Services, paper: Paper, what: str
) -> None:
    change_grant(services, services.session.merge(paper.grant), failures=10, **{what: services.clock()})

    assert services.condition.grants(at=services.clock()) == []


def test_accounts_are_listed_while_they_wait(services: Services, clock: Clock) -> None:
    services.staff.add(
        login="anna",
        name="Dr Anna",
        roles=[Role.DESK],
        password="correct horse battery",
        at=clock.now,
        actor="test",
    )
    (person,) = rows(services, Staff)
    person.failures, person.next_try_at = 4, clock.now + MINUTE
    services.session.commit()

    (account,) = services.condition.accounts(at=clock.now)

    assert (account.login, account.failures, account.wait) == ("anna", 4, MINUTE)
    assert services.condition.accounts(at=clock.forward(minutes=1)) == []


def test_archives_are_followed_while_the_lease_lasts(services: Services, clock: Clock) -> None:
    assert not services.condition.follows(at=clock.now)
    services.leases.acquire(LEASE, lasts=MINUTE, at=clock.now)

    assert services.condition.follows(at=clock.now)
    assert not services.condition.follows(at=clock.now + DAY)


def test_an_archive_that_was_never_reached_is_listed(services: Services, paper: Paper) -> None:
    told = services.condition.archives(["new", "main"])

    assert list(told) == ["main", "new"]
    assert told["new"] is None
    assert told["main"] is not None
