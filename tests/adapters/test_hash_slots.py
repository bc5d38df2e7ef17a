"""Hash slots: who comes next, who has to go, and that an attempt is never left half-way."""

from __future__ import annotations

import threading
import time

import pytest

from app.adapters.hash_slots import Busy, HashSlots


class Queue:
    """Callers who wait for a turn, in the order in which they came; ``served`` in the order of their turns."""

    def __init__(self, slots: HashSlots) -> None:
        self.slots, self.served, self.busy = slots, [], []  # type: ignore[var-annotated]
        self._threads: list[threading.Thread] = []

    def come(self, name: str, rank: int) -> None:
        def wait() -> None:
            try:
                with self.slots.turn(rank):
                    self.served.append(name)
            except Busy as busy:
                self.busy.append((name, busy.retry_after.total_seconds()))

        thread = threading.Thread(target=wait)
        self._threads.append(thread)
        thread.start()
        time.sleep(0.02)  # so that the next one comes after

    def end(self) -> None:
        for thread in self._threads:
            thread.join()


def test_who_never_failed_comes_before_who_did_whoever_came_first() -> None:
    slots = HashSlots(1)
    queue = Queue(slots)
    with slots.turn():
        for name, rank in (("failed", 2), ("failed once", 1), ("patient", 0), ("next patient", 0)):
            queue.come(name, rank)
    queue.end()

    assert queue.served == ["patient", "next patient", "failed once", "failed"]


def test_one_slot_of_two_is_kept_for_those_who_never_failed() -> None:
    slots = HashSlots(2)
    with slots.turn(1):
        before = time.monotonic()
        with pytest.raises(Busy), slots.turn(1):
            pass
        waited = time.monotonic() - before
        with slots.turn():
            pass

    assert 0.9 < waited < 3


def test_a_full_queue_sends_the_last_in_order_away_at_once() -> None:
    slots = HashSlots(1, longest_queue=2)
    queue = Queue(slots)
    with slots.turn():
        for name, rank in (("first", 0), ("failed", 1), ("second", 0), ("too late", 0)):
            queue.come(name, rank)
        sent_away = list(queue.busy)
    queue.end()

    assert sent_away == [("failed", 10), ("too late", 3)]
    assert queue.served == ["first", "second"]


def test_those_who_failed_hold_few_places_in_the_queue() -> None:
    slots = HashSlots(1)
    queue = Queue(slots)
    with slots.turn():
        for number in range(6):
            queue.come(f"failed {number}", 1)
        assert [name for name, _ in queue.busy] == ["failed 2", "failed 3", "failed 4", "failed 5"]
    queue.end()

    assert queue.served == ["failed 0", "failed 1"]


def test_within_a_turn_further_hashes_need_no_slot_of_their_own() -> None:
    slots = HashSlots(1, queue_seconds=0.01)
    with slots.turn(), slots.one(), slots.one():
        pass
    with slots.one(), pytest.raises(Busy), slots.one():
        pass
    with slots.turn():
        pass  # everything was given back


def test_a_hash_that_fails_gives_its_slot_back() -> None:
    slots = HashSlots(1, queue_seconds=0.01)
    for _ in range(3):
        with pytest.raises(MemoryError), slots.turn():
            raise MemoryError
    with slots.turn():
        pass
