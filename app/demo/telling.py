"""What the demo is doing, on the screen: a sentence, then a dot for each second that it takes.

Owns the one line that is being written. Refuses to be silent: whoever waits for a download sees that it goes on.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import click


class Telling:
    """A context manager; its end, or the next sentence, ends the line."""

    def __init__(self) -> None:
        self._is_over = threading.Event()
        self._dots: threading.Thread | None = None

    def say(self, sentence: str) -> None:
        """What begins now."""
        self.hush()
        click.echo(sentence, nl=False)
        self._is_over = threading.Event()
        self._dots = threading.Thread(target=_dots, args=(self._is_over,), name="dots", daemon=True)
        self._dots.start()

    def hush(self) -> None:
        """It is done, or something else writes from here on."""
        if self._dots is not None:
            self._is_over.set()
            self._dots.join()
            self._dots = None
            click.echo()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hush()


def _dots(is_over: threading.Event) -> None:
    while not is_over.wait(1):
        click.echo(".", nl=False)
