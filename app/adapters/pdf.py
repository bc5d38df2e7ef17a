"""HTML to PDF, in processes of their own: WeasyPrint isn't thread-safe, and a document may be hostile.

Owns the workers (adapters.pdf_worker): few, started when first needed, each with one document at a time, ended when
they exceed time or memory, replaced after some hundreds of documents, gone when this process is. Plain pipes, not
multiprocessing: servers run us in daemonic processes, which may have no such children.

No exception carries a word of a document.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.adapters.pdf_worker import EXHAUSTED, FAILED, LENGTH, PDF, READY

WORKER = Path(__file__).with_name("pdf_worker.py")
START_SECONDS = 60.0  # the first start after an installation of fonts builds fontconfig's cache
MAX_HTML = 8 * 1024 * 1024
MAX_PDF = 64 * 1024 * 1024
MEMORY_BYTES = 384 * 1024 * 1024
# What a worker may know of our environment: nothing that is ours (keys, passwords of archives).
_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "XDG_CACHE_HOME",
)


class RenderingFailed(Exception):
    """This document can't be printed, or no worker starts. The message is for the log, without document text."""


class RenderingTookTooLong(RenderingFailed):
    """The time limit passed; the worker was ended."""


class RenderersBusy(Exception):
    """All workers had work, and too many callers were waiting, or waited too long. Answer 503 with Retry-After."""


class Pool:
    """At most ``workers`` processes. Safe to share between threads; close it, or leave it to exit.

    ``seconds`` is for one document (wall time, and processor time within the worker), ``queue_seconds`` for the wait
    before it, ``waiting`` is how many callers may wait, ``renders`` after how many documents a worker is replaced.
    """

    trade: Path | None = None  # what they do, where it isn't HTML to PDF: a script with a ``worker()``

    def __init__(
        self,
        *,
        workers: int = 2,
        seconds: float = 20.0,
        queue_seconds: float = 15.0,
        waiting: int = 32,
        renders: int = 500,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._seconds = seconds
        self._queue_seconds = queue_seconds
        self._renders = renders
        self._memory_bytes = memory_bytes
        self._free = threading.BoundedSemaphore(workers)
        self._places = threading.BoundedSemaphore(workers + waiting)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def ask(self, question: bytes) -> bytes:
        """A worker's answer. Raises RenderingFailed, RenderingTookTooLong, RenderersBusy."""
        with self._turn():
            worker = self._take()
            try:
                answer = worker.ask(question, self._seconds)
            except BaseException:
                worker.end()
                raise
            self._give_back(worker)
        return answer

    def close(self) -> None:
        """End the idle workers now, the busy ones after their document. Later calls raise RenderingFailed."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for worker in idle:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The idle workers' process ids, for measurements."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise RenderersBusy
        try:
            if not self._free.acquire(timeout=self._queue_seconds):
                raise RenderersBusy
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._places.release()

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                if self._closed:
                    raise RenderingFailed("the renderer is closed")
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return _Worker(self._memory_bytes, self._seconds, self.trade)
            if worker.alive:
                return worker
            worker.end()  # ended while idle, perhaps by the kernel's out-of-memory killer

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            keep = not self._closed and worker.answered < self._renders
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.end()


class Renderer(Pool):
    """HTML to PDF."""

    def render(self, html: str) -> bytes:
        """``html`` as a tagged PDF (PDF/UA-1). Its root needs ``lang``, its head a ``title``.

        Raises RenderingFailed, RenderingTookTooLong, RenderersBusy.
        """
        question = html.encode(errors="replace")
        if len(question) > MAX_HTML:
            raise RenderingFailed("the document is over 8 MB")
        return self.ask(question)


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self, memory_bytes: int, seconds: float, trade: Path | None) -> None:
        """Raises RenderingFailed when it doesn't get ready: libraries of the system are missing."""
        self.answered = 0
        # -I: neither the working directory nor this folder, whose files have names like fonts.py, is searched.
        command = [sys.executable, "-I", str(WORKER), str(memory_bytes), str(int(seconds) + 1)]
        self._process = subprocess.Popen(
            command + ([str(trade)] if trade else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        assert self._process.stdin and self._process.stdout
        self._questions: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        try:
            with self._deadline(START_SECONDS):
                status, body = self._read()
            if status != READY:
                raise RenderingFailed(f"no PDF worker starts: {body.decode(errors='replace')}")
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: bytes, seconds: float) -> bytes:
        """Raises RenderingFailed, RenderingTookTooLong; then this worker has to be ended."""
        with self._deadline(seconds):
            try:
                self._questions.write(LENGTH.pack(len(question)) + question)
                self._questions.flush()
            except OSError:
                raise RenderingFailed("the PDF worker died") from None
            status, body = self._read()
        self.answered += 1
        if status == PDF:
            return body
        if status == EXHAUSTED:
            raise RenderingFailed("the document needs too much memory")
        kind = body.decode(errors="replace") if status == FAILED else "unknown answer"
        raise RenderingFailed(f"the document can't be rendered: {kind}")

    def end(self) -> None:
        """Kill it, whatever it does. It holds nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._questions, self._answers):
            with suppress(OSError):  # what couldn't be written to a dead process
                pipe.close()

    def _read(self) -> tuple[bytes, bytes]:
        head = self._answers.read(1 + LENGTH.size)
        if len(head) == 1 + LENGTH.size:
            (length,) = LENGTH.unpack(head[1:])
            if length <= MAX_PDF and len(body := self._answers.read(length)) == length:
                return head[:1], body
        raise RenderingFailed("the PDF worker died")

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Kill the process after ``seconds``: whatever we wait for, its pipes then end the wait."""
        passed = threading.Event()

        def stop() -> None:
            passed.set()
            self._process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        except RenderingFailed:
            if passed.is_set():
                raise RenderingTookTooLong(f"not done after {seconds:g} s") from None
            raise
        finally:
            timer.cancel()
            timer.join()  # or it could kill a worker that already has its next document
