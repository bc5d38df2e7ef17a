"""The follower: no study is lost, whatever is missed, and one bad archive or study stops no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.adapters.crypto import Crypto
from app.adapters.hash_slots import Busy
from app.config import Settings
from app.domain.access_code import AccessCode
from app.models import Grant, Study
from app.services.follower import LEASE, LEASE_LASTS, Follower, LeaseLost
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    DAY,
    archive_row,
    elsewhere,
    events,
    fake_archives,
    record,
    registered,
    rows,
)
from tests.support.fake_orthanc import FakeOrthanc


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Two archives: what happens to one must not matter to the other."""
    second = replace(settings.archives[0], name="second", gate_username="second")
    return settings.with_(archives=(settings.archives[0], second))


@pytest.fixture
def orthancs(services: Services) -> dict[str, FakeOrthanc]:
    return fake_archives(services)


@pytest.fixture
def turn(services: Services, orthancs: dict[str, FakeOrthanc], clock: Clock) -> Callable[..., None]:
    """One look at every archive; before it, time passes. The first turns register the archives."""
    follower = services.follower()
    failing: set[str] = set()

    def one(**passes: float) -> None:
        clock.forward(**passes)
        follower.turn(failing)

    one()
    one(seconds=3)
    return one


def studies(services: Services) -> list[str]:
    return [study.orthanc_id for study in rows(services, Study)]


def live_grants(services: Services) -> int:
    return len([grant for grant in rows(services, Grant) if grant.revoked_at is None])


def test_a_study_in_the_log_of_changes_gets_its_grant(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    told = orthancs["main"].put(record(updated_at=services.clock()))

    turn(seconds=3)

    assert studies(services) == [told.orthanc_id]
    assert live_grants(services) == 1
    assert archive_row(services).change_cursor == orthancs["main"].log[-1].sequence


def test_a_nudge_shortens_the_wait(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None], clock: Clock
) -> None:
    orthancs["main"].put(record(updated_at=services.clock()))
    turn(seconds=0)
    assert studies(services) == []

    services.archives.nudge("main", at=clock.forward(milliseconds=100))
    turn(seconds=0)

    assert len(studies(services)) == 1


def test_a_hundred_and_fifty_studies_are_taken_page_by_page(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    for _ in range(150):
        orthancs["main"].put(record(is_derived=True))  # without grants: they cost two hashes each

    turn(seconds=3)

    assert len(studies(services)) == 150


def test_a_study_told_many_times_in_one_page_is_read_once(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    told = orthancs["main"].put(record(updated_at=services.clock()))
    for _ in range(9):
        orthancs["main"].put(told)
    reads = orthancs["main"].reads

    turn(seconds=3)

    assert orthancs["main"].reads == reads + 1
    assert live_grants(services) == 1


def test_a_missed_signal_is_found_by_the_next_reconciliation(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    told = orthancs["main"].put(record(updated_at=services.clock()), is_signalled=False)
    turn(seconds=3)
    assert studies(services) == []

    turn(seconds=300)

    assert studies(services) == [told.orthanc_id]
    assert live_grants(services) == 1


def test_an_unchanged_archive_is_walked_without_reading_its_studies_again(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    orthancs["main"].put(record(updated_at=services.clock()))
    turn(seconds=3)
    reads = orthancs["main"].reads

    turn(seconds=300)

    assert orthancs["main"].reads == reads
    assert archive_row(services).reconciled_at == services.clock()


def test_a_log_that_started_over_loses_nothing(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    main = orthancs["main"]
    for _ in range(3):
        main.put(record(is_derived=True))
    turn(seconds=3)
    # When Orthanc's database is made anew, its numbers begin at 1 again
    main.log.clear()
    main._sequence = 0
    told = main.put(record(updated_at=services.clock()))

    turn(seconds=3)

    assert told.orthanc_id in studies(services)
    assert archive_row(services).change_cursor == 1
    again = main.put(record(updated_at=services.clock()))
    turn(seconds=3)
    assert again.orthanc_id in studies(services)


def test_a_study_that_still_grows_waits_for_its_signal(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    told = orthancs["main"].put(record(is_stable=False, updated_at=services.clock()))
    turn(seconds=300)
    assert studies(services) == []

    orthancs["main"].change(told.orthanc_id, is_stable=True)
    turn(seconds=3)

    assert studies(services) == [told.orthanc_id]


def test_a_deleted_study_is_noticed_and_revived_when_it_comes_back(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    told = orthancs["main"].put(record(updated_at=services.clock()))
    turn(seconds=3)
    orthancs["main"].delete(told.orthanc_id)
    turn(seconds=300)
    assert rows(services, Study)[0].deleted_at is not None

    orthancs["main"].put(told)
    turn(seconds=3)

    assert rows(services, Study)[0].deleted_at is None
    assert live_grants(services) == 1


def test_a_study_that_the_walk_passed_over_is_not_called_deleted(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    class Jumping(FakeOrthanc):
        def studies(self, *, page_size: int = 200):  # type: ignore[no-untyped-def]
            return iter(list(super().studies())[1:])

    orthancs["main"].put(record(updated_at=services.clock()))
    turn(seconds=3)
    orthancs["main"].__class__ = Jumping

    turn(seconds=300)

    assert rows(services, Study)[0].deleted_at is None


def test_a_study_that_cannot_be_read_does_not_keep_the_others_out(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    main = orthancs["main"]
    bad, good = (main.put(record(updated_at=services.clock())) for _ in range(2))
    main.poison.add(bad.orthanc_id)

    turn(seconds=3)
    assert studies(services) == [good.orthanc_id]

    main.poison.clear()
    turn(seconds=300)
    assert live_grants(services) == 2


def test_an_archive_that_does_not_answer_keeps_no_other_waiting(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    orthancs["main"].is_unreachable = True
    missed = orthancs["main"].put(record(updated_at=services.clock()))
    told = orthancs["second"].put(record(updated_at=services.clock()))

    turn(seconds=3)
    assert studies(services) == [told.orthanc_id]

    orthancs["main"].is_unreachable = False
    turn(seconds=3)
    assert missed.orthanc_id in studies(services)


def test_an_archive_that_was_down_at_the_start_is_registered_when_it_answers(
    services: Services, orthancs: dict[str, FakeOrthanc], clock: Clock
) -> None:
    orthancs["second"].is_unreachable = True
    follower = services.follower()
    failing: set[str] = set()
    follower.turn(failing)
    assert failing == {"second"}
    assert not services.archives.is_registered("second")

    orthancs["second"].is_unreachable = False
    clock.forward(seconds=3)
    follower.turn(failing)

    assert services.archives.is_registered("second")
    assert failing == set()


class NoSlotFree(Crypto):
    def code_indexes(self, code: AccessCode) -> dict[str, bytes]:
        raise Busy


def test_a_study_found_by_reconciliation_while_hashing_was_busy_still_gets_its_grant(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None], clock: Clock
) -> None:
    told = orthancs["main"].put(record(updated_at=services.clock()), is_signalled=False)
    busy = elsewhere(services, NoSlotFree)
    busy.services.follower().turn(set())
    busy.close()
    assert (studies(services), live_grants(services)) == ([told.orthanc_id], 0)

    turn(seconds=300)

    assert live_grants(services) == 1


def test_the_follower_sees_an_open_gate(
    services: Services, orthancs: dict[str, FakeOrthanc], turn: Callable[..., None]
) -> None:
    orthancs["main"].is_open = True

    turn(seconds=30)
    turn(seconds=30)

    assert events(services).count("archive:open") == 1
    assert services.archives.open_ones() == ["main"]


def test_the_backlog_is_walked_without_grants(
    services: Services, orthancs: dict[str, FakeOrthanc], clock: Clock
) -> None:
    for _ in range(3):
        orthancs["main"].put(record(updated_at=clock.now - DAY))
    follower = services.follower()
    for _ in range(2):
        clock.forward(seconds=3)
        follower.turn(set())

    assert len(studies(services)) == 3
    assert live_grants(services) == 0


# One process follows.


def test_a_second_follower_waits_and_takes_over_when_the_lease_runs_out(
    services: Services, clock: Clock
) -> None:
    other = elsewhere(services)
    mine, theirs = services.leases, other.services.leases
    assert mine.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)
    assert not theirs.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)
    assert mine.acquire(LEASE, lasts=LEASE_LASTS, at=clock.forward(seconds=20)), "renewed"
    assert not theirs.acquire(LEASE, lasts=LEASE_LASTS, at=clock.forward(seconds=29))
    assert theirs.acquire(LEASE, lasts=LEASE_LASTS, at=clock.forward(seconds=1))
    assert not mine.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)
    other.close()


def test_a_follower_that_ends_lets_the_next_one_in_at_once(services: Services, clock: Clock) -> None:
    other = elsewhere(services)
    services.leases.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)
    other.services.leases.release(LEASE, at=clock.now)  # not its own: nothing happens
    assert not other.services.leases.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)

    services.leases.release(LEASE, at=clock.now)

    assert other.services.leases.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)
    other.close()


def test_a_follower_that_lost_its_lease_stops_working(
    services: Services, orthancs: dict[str, FakeOrthanc], clock: Clock
) -> None:
    registered(services)
    orthancs["main"].put(record(updated_at=clock.now))
    follower = services.follower()
    follower._renew_at = clock.now + timedelta(seconds=10)
    other = elsewhere(services)
    other.services.leases.acquire(LEASE, lasts=timedelta(days=1), at=clock.now)
    clock.forward(seconds=11)

    with pytest.raises(LeaseLost):
        follower.turn(set())

    assert studies(services) == []
    other.close()


def test_run_follows_until_it_is_told_to_stop_and_then_gives_its_lease_back(
    services: Services, orthancs: dict[str, FakeOrthanc], clock: Clock
) -> None:
    registered(services)
    registered(services, "second")
    orthancs["main"].put(record(updated_at=clock.now))
    stop = threading.Event()
    orthancs["main"].before_study = stop.set
    quick = services.settings.with_(nudge_every=timedelta(milliseconds=1))
    follower = Follower(
        services.session,
        services.orthancs,
        services.archives,
        services.ingestion,
        services.leases,
        services.trail,
        services.purge,
        services.search_words,
        services.deliveries,
        services.tag_matching,
        services.announcements,
        quick,
        services.clock,
    )

    follower.run(stop)

    assert len(studies(services)) == 1
    other = elsewhere(services)
    assert other.services.leases.acquire(LEASE, lasts=LEASE_LASTS, at=clock.now)
    other.close()
