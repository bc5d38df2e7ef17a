"""How many hashes run at once, and whose turn it is: a flood may eat neither the memory nor the patients' turn."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

QUEUE_SECONDS = 8.0
LONGEST_QUEUE = 60  # the threads of the server mostly bound it before
# Whoever has failed before holds a thread of the server for a moment only, and few of them.
RANKED_QUEUE_SECONDS = 1.0
LONGEST_RANKED_QUEUE = 2


class Busy(Exception):
    """No hash slot came free in time. Answer 503 with Retry-After; nothing was compared."""

    def __init__(self, retry_after: timedelta = timedelta(seconds=3)) -> None:
        super().__init__("no hash slot came free")
        self.retry_after = retry_after


class _Waiter:
    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.is_put_off = False


class HashSlots:
    """At most ``slots`` hashes at a time in this process, in the order of rank, then of arrival.

    Rank 0 (networks without recent failures) comes before all others, and of two slots or more one is never
    given to any other. The queue is short: who would wait too long is told so (Busy), and the lowest
    rank leaves first.
    """

    def __init__(
        self, slots: int, *, queue_seconds: float = QUEUE_SECONDS, longest_queue: int = LONGEST_QUEUE
    ) -> None:
        self._free = slots
        self._reserved = 1 if slots > 1 else 0
        self._queue_seconds = queue_seconds
        self._longest_queue = longest_queue
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, _Waiter]] = []
        self._arrivals = itertools.count()
        self._mine = threading.local()

    @contextmanager
    def turn(self, rank: int = 0) -> Iterator[None]:
        """A slot for all hashes that this thread does within: an attempt is not left half-way. Raises Busy."""
        with self._slot(rank):
            self._mine.has_turn = True
            try:
                yield
            finally:
                self._mine.has_turn = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """A slot for one hash; within a turn it is the turn's. Raises Busy."""
        if getattr(self._mine, "has_turn", False):
            yield
            return
        with self._slot(0):
            yield

    @contextmanager
    def _slot(self, rank: int) -> Iterator[None]:
        self._take(rank)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _take(self, rank: int) -> None:
        me = _Waiter(rank)
        place = (rank, next(self._arrivals), me)
        patience = min(self._queue_seconds, RANKED_QUEUE_SECONDS) if rank else self._queue_seconds
        deadline = time.monotonic() + patience
        with self._changed:
            heapq.heappush(self._waiting, place)
            self._shorten()
            while not (self._waiting and self._waiting[0] is place and self._is_free_for(rank)):
                left = deadline - time.monotonic()
                if me.is_put_off or left <= 0:
                    self._leave(place)
                    raise Busy(timedelta(seconds=10 if rank else 3))
                self._changed.wait(left)
            heapq.heappop(self._waiting)
            self._free -= 1
            self._changed.notify_all()  # the next one may find a slot too

    def _is_free_for(self, rank: int) -> bool:
        return self._free > (self._reserved if rank else 0)

    def _shorten(self) -> None:
        """Put off the last in the order, until the queue and its ranked part are short enough."""
        while True:
            ranked = [place for place in self._waiting if place[0]]
            if len(ranked) > LONGEST_RANKED_QUEUE:
                last = max(ranked)
            elif len(self._waiting) > self._longest_queue + self._free:
                last = max(self._waiting)
            else:
                return
            last[2].is_put_off = True
            self._leave(last)
            self._changed.notify_all()

    def _leave(self, place: tuple[int, int, _Waiter]) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
            heapq.heapify(self._waiting)
