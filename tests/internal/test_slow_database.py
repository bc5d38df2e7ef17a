"""A database that is frozen or gone: the internal door refuses within 2 s, hangs nowhere, and recovers by itself.

With a real server process: a real PostgreSQL behind a line that the test freezes; SQLite locked by another process,
as somebody's shell does. (Readers of SQLite's WAL wait for nobody: https://sqlite.org/wal.html section 2.2.)
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy.engine import make_url

from app.services.visits import LiveVisit
from app.wiring import Services
from tests.support import databases as support
from tests.support.clinic import GATE, Clinic, eventually
from tests.support.databases import Databases
from tests.support.factories import ADDRESS, fresh_clinic, visit
from tests.support.relay import Relay, relay

on_postgresql = pytest.mark.skipif(not support.SERVER, reason="PostgreSQL's pass of the suite runs this")
on_sqlite = pytest.mark.skipif(bool(support.SERVER), reason="SQLite's pass of the suite runs this")
LIMIT_SECONDS = 2.0


class Door:
    def __init__(self, clinic: Clinic, token: str, orthanc_id: str) -> None:
        self.clinic = clinic
        self._body = {
            "level": "study",
            "method": "get",
            "orthanc-id": orthanc_id,
            "token-key": "token",
            "token-value": token,
        }

    def ask(self, path: str = "/tokens/validate", **changes: str) -> tuple[int, bool, float]:
        """(status, granted, seconds)."""
        began = time.monotonic()
        answer = requests.post(self.clinic.door + path, json=self._body | changes, auth=GATE, timeout=10)
        granted = answer.status_code == 200 and answer.json().get("granted") is True
        return answer.status_code, granted, time.monotonic() - began


@contextmanager
def _door(folder: Path, url: str) -> Iterator[Door]:
    clinic = Clinic(folder, url, gate=False)
    with clinic.services() as services:
        token, orthanc_id = _open(services)
    clinic.start_studykey("internal")
    try:
        yield Door(clinic, token, orthanc_id)
    finally:
        clinic.close()


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    with databases.fresh() as fresh:
        yield fresh


@pytest.fixture
def line(url: str) -> Iterator[Relay]:
    place = make_url(url)
    with relay((place.host or "", place.port or 0)) as line:
        yield line


@pytest.fixture
def remote(tmp_path: Path, url: str, line: Relay) -> Iterator[Door]:
    through = make_url(url).set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)
    with _door(tmp_path, through) as door:
        yield door
        line.mend()


def _open(services: Services) -> tuple[str, str]:
    study, paper = fresh_clinic(services)
    live: LiveVisit
    live, _ = visit(services, paper)
    token = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    services.session.refresh(study)
    return token, study.orthanc_id


def _asked_by_many(door: Door) -> None:
    """Refused within the limit, by answers that say so; whoever brings nothing that is ours is told that."""
    time.sleep(1.1)  # what was read is forgotten
    with ThreadPoolExecutor(16) as pool:
        others = [pool.submit(door.ask, "/signals/stable-study") for _ in range(8)]
        asked = [pool.submit(door.ask) for _ in range(48)]
        answers = [one.result() for one in asked]
        signals = [one.result() for one in others]

    assert not any(granted for _, granted, _ in answers)
    assert max(seconds for _, _, seconds in answers[-32:]) < LIMIT_SECONDS
    assert {status for status, _, _ in [*answers, *signals]} == {503}
    assert door.ask(**{"token-value": "foreign"})[0] == 200


def _comes_back(door: Door) -> None:
    eventually(lambda: door.ask()[1], within=15, what="recovery")
    eventually(lambda: door.ask("/signals/stable-study")[0] == 204, within=15, what="recovery of the signals")


@on_postgresql
@pytest.mark.parametrize("how", ["freeze", "cut"])
def test_without_its_database_the_door_refuses_quickly_and_comes_back(
    remote: Door, line: Relay, how: str
) -> None:
    eventually(lambda: remote.ask()[1], within=10)
    getattr(line, how)()
    _asked_by_many(remote)
    line.mend()
    _comes_back(remote)


@contextmanager
def _locked(url: str) -> Iterator[None]:
    """The database, locked by another process until the block ends."""
    hold = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20);"
    hold += "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(make_url(url).database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            other.stdin.close()


@on_sqlite
def test_while_another_process_writes_images_go_on(tmp_path: Path, url: str) -> None:
    with _door(tmp_path, url) as door:
        eventually(lambda: door.ask()[1], within=10)
        with _locked(url):
            time.sleep(1.1)
            answers = [door.ask() for _ in range(20)]
        assert all(granted for _, granted, _ in answers)
        assert max(seconds for _, _, seconds in answers) < LIMIT_SECONDS


@on_sqlite
def test_what_has_to_write_is_refused_quickly_while_another_process_does(tmp_path: Path, url: str) -> None:
    """A signal that waits holds up nothing for longer than the limit; images are refused meanwhile, and come back."""
    with _door(tmp_path, url) as door:
        eventually(lambda: door.ask()[1], within=10)
        with _locked(url):
            _asked_by_many(door)
        _comes_back(door)
