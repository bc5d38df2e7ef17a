"""Fixtures for all tests. Below: what needs no process but a database; tests/support/clinic.py has the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_internal_app, create_public_app
from app.adapters import crypto, keys
from app.config import ArchiveSettings, Mode, Settings
from app.demo import ohif
from app.wiring import EXTENSION, Services
from tests.support.clinic import Clinic
from tests.support.clock import Clock
from tests.support.databases import Databases
from tests.support.doors import Doors
from tests.support.post import SENDER, Box, mail_server

# Folders and files that start processes, print in every language, wait for time-outs, or walk through large tables.
SLOW = [
    "attack",
    "demo",
    "test_accounts.py",
    "test_audit.py",
    "test_backup.py",
    "test_emails.py",
    "test_group_closed.py",
    "test_hostile_report.py",
    "test_hostile_reports.py",
    "test_making_tokens.py",
    "test_paper.py",
    "test_paper_in_all_languages.py",
    "test_papers.py",
    "test_papers_of_reports.py",
    "test_pdf.py",
    "test_pdf_files.py",
    "test_sheets.py",
    "test_role_routes.py",
    "test_slow_database.py",
    "test_staff_explorer.py",
    "test_start.py",
    "test_translations.py",
    "test_validate_table.py",
]

ARCHIVE = ArchiveSettings(
    name="main",
    url="http://127.0.0.1:9/",  # discard: nothing answers there
    public_url="http://127.0.0.1:9/",
    username="studykey",
    password="service-secret-of-tests",
    gate_username="main",
    gate_password="gate-secret-of-tests",
    viewer="stone",
)


@pytest.fixture(scope="session")
def base_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("instance")
    keys.write(folder / "keys.json", keys.generate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDYKEY_MODE", "test")
        patch.setenv("STUDYKEY_INSTANCE", str(folder))
        return Settings.from_env().with_(
            mode=Mode.TEST,
            base_url="http://localhost:8045",
            archives=(ARCHIVE,),
            clinic_name="Test Clinic",
            clinic_phone="+1 555 0199",
            answer_memory=timedelta(0),
        )


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, base_settings: Settings) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"), base_settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def doors(base_settings: Settings, databases: Databases) -> Iterator[Doors]:
    shared = Doors(base_settings.with_(database_url=databases.shared_url))
    yield shared
    shared.close()


@pytest.fixture
def settings(doors: Doors, databases: Databases) -> Settings:
    """Settings with a fresh database."""
    databases.renew()
    return doors.settings


@pytest.fixture(autouse=True)
def quick_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one process does everything, hashes need not be slow: argon2id's least instead of OWASP's."""
    if request.path.parent.name in ("web", "services", "attack"):
        monkeypatch.setattr(crypto, "MEMORY_KIB", 8)
        monkeypatch.setattr(crypto, "PASSES", 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def internal_app(doors: Doors, settings: Settings, clock: Clock) -> Iterator[Flask]:
    with doors.open(create_internal_app, settings, clock) as app:
        yield app


@pytest.fixture
def public_app(doors: Doors, settings: Settings, clock: Clock) -> Iterator[Flask]:
    with doors.open(create_public_app, settings, clock) as app:
        yield app


@pytest.fixture
def services(internal_app: Flask) -> Iterator[Services]:
    """All services on a fresh database, within an app context."""
    with internal_app.app_context():
        yield internal_app.extensions[EXTENSION]


@pytest.fixture
def client(public_app: Flask) -> FlaskClient:
    return public_app.test_client()


@pytest.fixture
def internal_client(internal_app: Flask) -> FlaskClient:
    return internal_app.test_client()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a folder needs is marked by the folder's name, so that ``make quick`` can leave it out."""
    for item in items:
        parts = Path(str(item.path)).parts
        if "journeys" in parts:
            item.add_marker(pytest.mark.orthanc)
            item.add_marker(pytest.mark.browser)
        if item.path.name in SLOW or item.path.parent.name in SLOW:
            item.add_marker(pytest.mark.slow)
        if "archive" in parts:
            item.add_marker(pytest.mark.orthanc)
        fixtures = getattr(item, "fixturenames", [])
        if "databases" not in fixtures:
            item.add_marker(pytest.mark.no_database)


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """What the clinic mails."""
    with mail_server() as (box, _settings):
        yield box


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory, databases: Databases, box: Box) -> Iterator[Clinic]:
    """One clinic for all tests that leave it as they found it, with all that a clinic can have."""
    with databases.fresh() as url:
        running = Clinic(
            tmp_path_factory.mktemp("clinic"),
            url,
            ohif_folder=ohif.prepare(ohif.FOLDER, progress=print),
            STUDYKEY_ARCHIVE_MAIN_EXPLORER="yes",
            STUDYKEY_SMTP_HOST="127.0.0.1",
            STUDYKEY_SMTP_PORT=str(box.port),
            STUDYKEY_SMTP_TLS="none",
            STUDYKEY_SMTP_FROM=SENDER,
        )
        try:
            running.orthanc.start()
            running.start_studykey()
            yield running
        finally:
            running.close()


@pytest.fixture
def make_clinic(tmp_path: Path, databases: Databases) -> Iterator[Callable[..., Clinic]]:
    """Clinics for tests that stop, restart or break things. Not started yet."""
    made: list[Clinic] = []
    with ExitStack() as stack:

        def make(**options: Any) -> Clinic:
            url = stack.enter_context(databases.fresh())
            made.append(Clinic(tmp_path / f"clinic{len(made)}", url, **options))
            return made[-1]

        yield make
        for one in made:
            one.close()
