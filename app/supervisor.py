"""``studykey serve``: the two doors and the follower as processes of one command.

They live and die together: when one ends, the others are ended and the command fails, so that whatever
started it (systemd, a container) starts all of it again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from app.config import ROOT, Settings

STOP_SECONDS = 10


@dataclass(frozen=True)
class Part:
    name: str
    command: Sequence[str]


def parts(settings: Settings) -> list[Part]:
    """The processes of an installation."""
    # More threads cost more than they bring: they wait for each other at every statement, and an attempt that
    # takes 0.1 s with 8 takes 0.5 s with 32 while pages are flooded (bench.attack).
    public = _door(
        "public", settings.public_host, settings.public_port, workers=settings.public_workers, threads=8
    )
    # More threads cost the internal door throughput: its answers take a fraction of a millisecond.
    internal = _door("internal", settings.internal_host, settings.internal_port, workers=1, threads=1)
    return [public, internal, Part("follower", [sys.executable, "-m", "app.cli", "follow"])]


def _door(name: str, host: str, port: int, *, workers: int, threads: int) -> Part:
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--http", "1"),
        *("--host", host, "--port", str(port), "--workers", str(workers)),
        *("--blocking-threads", str(threads), "--log-level", "warning"),
        *("--http1-header-read-timeout", "10000"),
        f"wsgi:{name}",
    ]
    return Part(name, command)


class Supervisor:
    """Starts the parts, and ends them. A context manager."""

    def __init__(self, parts: Sequence[Part], environ: Mapping[str, str], *, log: int | None = None) -> None:
        """``log``: a file descriptor for what the parts print; their own standard error if None."""
        self._parts = parts
        # Without a bound, glibc keeps the memory of a hash (19 MiB) for every thread that ever made one.
        self._environ = {"MALLOC_ARENA_MAX": "2", **environ}
        self._log = log
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Supervisor:
        for part in self._parts:
            self._processes[part.name] = subprocess.Popen(
                part.command,
                cwd=ROOT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone; it ends the parts in order
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ended(self) -> str | None:
        """The name of a part that ended by itself, or None while all run."""
        return next((name for name, process in self._processes.items() if process.poll() is not None), None)

    @property
    def pids(self) -> list[int]:
        """The process ids of the parts; each may have workers of its own."""
        return [process.pid for process in self._processes.values()]

    def kill(self, name: str) -> None:
        """End one part at once, as a crash would."""
        process = self._processes[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):  # workers that outlived their parent
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def end_on_signals() -> None:
    """From now on SIGINT, SIGTERM and, without nohup, a closed terminal raise KeyboardInterrupt, once.

    A terminal and make may both pass a signal on, and people press Ctrl-C twice: the second must not cut the ending
    short, or processes stay behind.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        numbers.append(signal.SIGHUP)

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, end)


def run(supervisor: Supervisor) -> str | None:
    """Wait until a part ends (its name) or somebody ends us by SIGINT or SIGTERM (None)."""
    end_on_signals()
    try:
        while (name := supervisor.ended()) is None:
            time.sleep(0.25)
        return name
    except KeyboardInterrupt:
        return None
