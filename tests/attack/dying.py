"""A public door that dies at a chosen step of an attempt, as by ``kill -9`` or a power cut.

A step is the moment before or after a statement, a commit or a hash: whatever the code does, no step is left
out. A nurse (a process of its own) builds the door once and forks it for each attempt.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from app import create_public_app
from app.adapters import crypto
from app.config import Settings
from app.models import db
from app.wiring import EXTENSION, Services
from tests.support.portal import TOKEN


@dataclass(frozen=True)
class Death:
    """``steps``: what was passed, the last one being the one of death. ``status``: of the answer, when it
    lived to give one."""

    steps: tuple[str, ...]
    status: int | None

    @property
    def hashes(self) -> int:
        """Hashes that were begun."""
        return self.steps.count("before hash")


@contextmanager
def nurse(settings: Settings, at: datetime, form: dict[str, str]) -> Iterator[Callable[[int], Death]]:
    """``attempt(step)`` sends the form, each time from a network of its own, to a fresh door that dies at
    that step (counted from 1)."""
    settings = settings.with_(trusted_hops=1)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    hashing = crypto.MEMORY_KIB, crypto.PASSES  # as in this process
    process = context.Process(target=_nurse, args=(settings, at, form, hashing, there), daemon=True)
    process.start()
    there.close()

    def attempt(step: int) -> Death:
        here.send(step)
        death: Death = here.recv()
        return death

    try:
        yield attempt
    finally:
        here.close()
        process.join(10)


def _nurse(
    settings: Settings, at: datetime, form: dict[str, str], hashing: tuple[int, int], pipe: Connection
) -> None:
    crypto.MEMORY_KIB, crypto.PASSES = hashing
    app = create_public_app(settings, clock=lambda: at)
    client = app.test_client()
    found = TOKEN.search(client.get("/").text)
    assert found is not None
    services: Services = app.extensions[EXTENSION]
    with app.app_context():
        db.engine.dispose()  # a connection must not be shared by parent and child
        engine = db.engine
    while True:
        try:
            step = pipe.recv()
        except EOFError:
            return
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _die_at(step, services, engine, writing)
            network = {"X-Forwarded-For": f"198.{18 + step // 256}.{step % 256}.7"}
            answer = client.post("/", data={"csrf_token": found[1], **form}, headers=network)
            os.write(writing, f"answer {answer.status_code}\n".encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as told:
            lines = told.read().splitlines()
        os.waitpid(child, 0)
        status = int(lines.pop().split()[1]) if lines and lines[-1].startswith("answer") else None
        pipe.send(Death(tuple(lines), status))


def _die_at(step: int, services: Services, engine: Any, writing: int) -> None:
    passed = 0

    def pass_step(name: str) -> None:
        nonlocal passed
        passed += 1
        os.write(writing, f"{name}\n".encode())
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(engine, "before_cursor_execute")
    def before(*args: Any) -> None:
        pass_step(f"before {args[2].split()[0]}")

    @event.listens_for(engine, "after_cursor_execute")
    def after(*args: Any) -> None:
        pass_step(f"after {args[2].split()[0]}")

    @event.listens_for(engine, "commit")
    def committing(*_: Any) -> None:
        pass_step("before commit")

    @event.listens_for(Session, "after_commit")
    def committed(*_: Any) -> None:
        pass_step("after commit")

    crypto: Any = services.crypto
    for name in ("code_indexes", "verify_password"):
        setattr(crypto, name, _noticed(getattr(crypto, name), pass_step))


def _noticed(hash_: Callable[..., Any], pass_step: Callable[[str], None]) -> Callable[..., Any]:
    def hashing(*args: Any) -> Any:
        pass_step("before hash")
        result = hash_(*args)
        pass_step("after hash")
        return result

    return hashing
