"""Not waiting for what is stuck: one patience for everything that one thread waits for.

Whoever waits first waits to the end of the patience; from then on everybody is refused at once, until the stuck work
comes back by itself (a frozen database that thaws, a line that is cut).
"""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any, TypeVar

from app.services.audit import StoreUnavailable

Result = TypeVar("Result")


class Patience:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._stuck: Future[Any] | None = None

    def check(self) -> None:
        """Raises StoreUnavailable while something is stuck: don't even begin."""
        if self._stuck is not None and not self._stuck.done():
            raise StoreUnavailable("the database doesn't answer")

    def wait(self, work: Future[Result]) -> Result:
        """The result, or what the work raises. Raises StoreUnavailable when it takes too long; it goes on."""
        try:
            return work.result(self.seconds)
        except TookTooLong:
            self._stuck = work
            raise StoreUnavailable("the database doesn't answer") from None
