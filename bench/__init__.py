"""Benchmarks: each prints a table and, as its last line, one JSON object.

Ending one by SIGTERM ends its servers and processes and removes its folders, as Ctrl-C does.
"""

import multiprocessing
import os
import signal
from types import FrameType


def _end(number: int, _frame: FrameType | None) -> None:
    status = 128 + number
    if multiprocessing.parent_process() is not None:  # nobody waits for what a child still wants to do
        os._exit(status)
    signal.signal(number, signal.SIG_IGN)  # a second one must not cut the ending short
    raise SystemExit(status)


signal.signal(signal.SIGTERM, _end)
