"""A whole clinic of real processes: Orthanc with its gate, Studykey's two doors, its follower.

What a test does here goes through the same doors that people and Orthanc use; the database is read beside
them, in this process, to see what came of it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import requests
from sqlalchemy import select

from app import create_internal_app
from app.config import Settings
from app.demo import studies
from app.demo.orthanc_server import GATE_FILE, GateSettings, OrthancServer
from app.demo.place import free_port
from app.demo.studies import SyntheticStudy
from app.models import Study, db
from app.services.grants import Paper
from app.supervisor import Supervisor, parts
from app.wiring import EXTENSION, Services

Result = TypeVar("Result")

SERVICE = ("studykey", "service-secret-of-tests")
GATE = ("main", "gate-secret-of-tests")
PATIENCE_SECONDS = 30


def eventually(
    look: Callable[[], Result],
    *,
    within: float = PATIENCE_SECONDS,
    every: float = 0.05,
    what: str = "it",
) -> Result:
    """What ``look`` finds as soon as it is truthy; fails the test after ``within`` seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(every)
    raise AssertionError(f"{what} didn't happen within {within} s")


class Clinic:
    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        nudge: bool = True,
        gate: bool = True,
        gate_mode: str = "gate",
        gate_script: Path = GATE_FILE,
        ohif_folder: Path | None = None,
        stable_age_seconds: int = 1,
        **environ: str,
    ) -> None:
        ports = {name: free_port() for name in ("public", "internal", "orthanc")}
        self.portal = f"http://localhost:{ports['public']}"
        self.door = f"http://127.0.0.1:{ports['internal']}"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STUDYKEY_")},
            "STUDYKEY_MODE": "test",
            "STUDYKEY_INSTANCE": str(folder / "instance"),
            "STUDYKEY_DATABASE_URL": database_url,
            "STUDYKEY_BASE_URL": self.portal,
            "STUDYKEY_PUBLIC_PORT": str(ports["public"]),
            "STUDYKEY_PUBLIC_WORKERS": "1",
            "STUDYKEY_INTERNAL_PORT": str(ports["internal"]),
            "STUDYKEY_CLINIC_NAME": "Test Clinic",
            "STUDYKEY_CLINIC_PHONE": "+1 555 0199",
            "STUDYKEY_ARCHIVE_MAIN_URL": f"http://127.0.0.1:{ports['orthanc']}",
            "STUDYKEY_ARCHIVE_MAIN_PASSWORD": SERVICE[1],
            "STUDYKEY_ARCHIVE_MAIN_GATE_PASSWORD": GATE[1],
            "STUDYKEY_ARCHIVE_MAIN_VIEWER": "ohif",
            "STUDYKEY_VALIDITY_SECONDS": "1",
            "STUDYKEY_PROBE_SECONDS": "1",
            "STUDYKEY_NUDGE_SECONDS": "0.2",  # twice the product's: nobody waits here, and it costs all the time
            **environ,
        }
        kept = dict(os.environ)
        os.environ.clear()
        os.environ.update(self._environ)
        self.settings = Settings.from_env()
        os.environ.clear()
        os.environ.update(kept)
        self.log = folder / "studykey.log"
        self._gate = GateSettings(
            url=self.door,
            username=GATE[0],
            password=GATE[1],
            users=dict([SERVICE]),
            nudge=nudge,
            mode=gate_mode,
            script=gate_script,
            ohif_folder=ohif_folder,
        )
        self.orthanc = OrthancServer(
            folder / "orthanc",
            http_port=ports["orthanc"],
            stable_age_seconds=stable_age_seconds,
            gate=self._gate if gate else None,
        )
        self._app = create_internal_app(self.settings)
        self._http = requests.Session()  # a connection for each question would cost more than its answer
        self._running: Supervisor | None = None
        self._started: list[str] = []

    def start_studykey(self, *names: str) -> None:
        """The parts that a test needs, of ``public``, ``internal`` and ``follower``; all of them unless named.

        Each is a process that loads the whole program: about a second of a processor.
        """
        wanted = [part for part in parts(self.settings) if not names or part.name in names]
        self._started = [part.name for part in wanted]
        with self.log.open("ab") as log:
            self._running = Supervisor(wanted, self._environ, log=log.fileno())
            self._running.__enter__()
        asked = {"public": f"{self.portal}/", "internal": f"{self.door}/health"}
        addresses = [address for name, address in asked.items() if name in self._started]
        eventually(lambda: all(map(_answers, addresses)), what="start")
        if self.orthanc.is_running and "follower" in self._started:
            with self.services() as services:
                eventually(lambda: services.archives.is_registered("main"), what="registration")

    def stop_studykey(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def close(self) -> None:
        """Ended at once: Orthanc's own end takes seconds, and nobody looks at what it leaves."""
        if self._running is not None:
            for name in self._started:
                self._running.kill(name)
            self._running = None
        self.orthanc.kill()
        self._http.close()
        with self._app.app_context():
            services: Services = self._app.extensions[EXTENSION]
            services.renderer.close()
            services.pdf_files.close()
            db.session.remove()
            db.engine.dispose()

    @contextmanager
    def services(self) -> Iterator[Services]:
        """The services on the clinic's database; what the test changes is committed at the end."""
        with self._app.app_context():
            services: Services = self._app.extensions[EXTENSION]
            yield services
            services.session.commit()

    def send(self, study: SyntheticStudy) -> None:
        studies.send(self.orthanc.url, studies.files(study), auth=SERVICE, progress=lambda _: None)

    def paper(self, uid: str, *, within: float = PATIENCE_SECONDS) -> Paper:
        """Code and password of a study, once it has a grant."""

        def look() -> Paper | None:
            with self.services() as services:
                study = services.session.scalars(
                    select(Study).where(Study.study_instance_uid == uid).order_by(Study.id.desc())
                ).first()
                grant = services.grants.current(study) if study is not None else None
                if study is None or grant is None:
                    return None
                paper = services.grants.paper(grant, at=services.clock())
                services.session.expunge_all()
                return paper

        return eventually(look, within=within, what="a grant")

    def receive(self, study: SyntheticStudy) -> Paper:
        """Send a study and wait for its code."""
        (paper,) = self.receive_all(study)
        return paper

    def receive_all(self, *wanted: SyntheticStudy) -> list[Paper]:
        """Send studies and wait for their codes: together, since each is stable after two seconds only."""
        for study in wanted:
            self.send(study)
        return [self.paper(study.study_instance_uid) for study in wanted]

    def enter(self, paper: Paper, study: SyntheticStudy, *, narrow: bool = False) -> Visitor:
        """Come in through the landing page, as a browser without script does."""
        visitor = Visitor(self.portal)
        visitor.prove(paper, study, narrow=narrow)
        return visitor

    def as_studykey(self, path: str) -> requests.Response:
        """A request to Orthanc with full rights, to see what is really there."""
        return self._http.get(f"{self.orthanc.url}{path}", auth=SERVICE, timeout=10)


class Visitor:
    """A browser of few words: cookies, forms, no script."""

    def __init__(self, portal: str) -> None:
        self.portal = portal
        self.http = requests.Session()
        self.answer: requests.Response | None = None

    def prove(self, paper: Paper, study: SyntheticStudy, *, narrow: bool = False, **typed: str) -> None:
        form = {"code": paper.code.grouped, "narrow": "1" if narrow else "0", "go": "images"}
        if study.birth_date is not None:
            born = study.birth_date
            form |= {"day": str(born.day), "month": str(born.month), "year": str(born.year)}
        else:
            form |= {"password": paper.password.grouped}
        self.answer = self.post("/", **{**form, **typed})

    def post(self, path: str, **form: str) -> requests.Response:
        page = self.http.get(f"{self.portal}/?another", timeout=10).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        return self.http.post(
            f"{self.portal}{path}", data={"csrf_token": found[1], **form}, allow_redirects=False, timeout=30
        )

    @property
    def token(self) -> str:
        """The viewer token of the redirect after proof."""
        assert self.answer is not None
        found = re.search(r"token=([A-Za-z0-9._~-]+)", self.answer.headers.get("Location", ""))
        assert found is not None, f"no token: {self.answer.status_code} {self.answer.headers}"
        return found[1]


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).status_code < 600
    except requests.RequestException:
        return False
