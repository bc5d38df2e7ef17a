"""A database that is frozen or gone: the internal door refuses within 2 s, hangs nowhere, and recovers by itself.

With a real server process and a real PostgreSQL behind a line that the test freezes. (SQLite is a file of the same
machine: its readers wait for nobody.)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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

pytestmark = pytest.mark.skipif(not support.SERVER, reason="PostgreSQL's pass of the suite runs this")
LIMIT_SECONDS = 2.0


class Door:
    def __init__(self, clinic: Clinic, line: Relay, token: str, orthanc_id: str) -> None:
        self.clinic, self.line = clinic, line
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


@pytest.fixture
def door(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Door]:
    with databases.fresh() as url:
        place = make_url(url)
        with relay((place.host or "", place.port or 0)) as line:
            through = place.set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)
            clinic = Clinic(tmp_path_factory.mktemp("slow"), through, gate=False)
            with clinic.services() as services:
                token, orthanc_id = _open(services)
            clinic.start_studykey(follower=False)
            try:
                yield Door(clinic, line, token, orthanc_id)
            finally:
                line.mend()
                clinic.close()


def _open(services: Services) -> tuple[str, str]:
    study, paper = fresh_clinic(services)
    live: LiveVisit
    live, _ = visit(services, paper)
    token = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    services.session.refresh(study)
    return token, study.orthanc_id


@pytest.mark.parametrize("how", ["freeze", "cut"])
def test_without_its_database_the_door_refuses_quickly_and_comes_back(door: Door, how: str) -> None:
    eventually(lambda: door.ask()[1], within=10)
    time.sleep(1.1)  # what was read is forgotten
    getattr(door.line, how)()

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(door.ask) for _ in range(48)]
        others = [pool.submit(door.ask, "/signals/stable-study") for _ in range(8)]
        answers = [one.result() for one in asked]
        signals = [one.result() for one in others]

    assert not any(granted for _, granted, _ in answers)
    assert max(seconds for _, _, seconds in answers[-32:]) < LIMIT_SECONDS
    assert {status for status, _, _ in [*answers, *signals]} == {503}
    # … and those who bring nothing that is ours are told so, database or not
    assert door.ask(**{"token-value": "foreign"})[0] == 200

    door.line.mend()

    eventually(lambda: door.ask()[1], within=10, what="recovery")
    eventually(lambda: door.ask("/signals/stable-study")[0] == 204, within=10, what="recovery of the signals")
