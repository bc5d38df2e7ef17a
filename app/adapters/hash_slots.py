"""How many hashes run at once: a flood of attempts may eat neither the memory nor the patients' turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

QUEUE_SECONDS = 8.0


class Busy(Exception):
    """No hash slot came free in time. Answer 503 with Retry-After; nothing was compared."""


class HashSlots:
    """At most ``slots`` hashes at a time in this process: a flood may not eat the memory."""

    def __init__(self, slots: int, *, queue_seconds: float = QUEUE_SECONDS) -> None:
        self._free = threading.BoundedSemaphore(slots)
        self._queue_seconds = queue_seconds

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises Busy."""
        if not self._free.acquire(timeout=self._queue_seconds):
            raise Busy
        try:
            yield
        finally:
            self._free.release()
