"""``studykey audit`` and ``studykey purge``, as an auditor types them."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from app.cli import main
from app.config import Settings
from app.domain.events import Event
from app.models import Grant, db
from app.services.grants import Paper
from app.wiring import Services, utc_now
from tests.support.clock import Clock
from tests.support.factories import events, fresh_clinic, rows


@pytest.fixture
def clock() -> Clock:
    """Commands read the real time."""
    clock = Clock()
    clock.now = utc_now()
    return clock


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance folder of its own: the head outside of the database is kept there."""
    settings = settings.with_(instance=tmp_path)
    monkeypatch.setenv("STUDYKEY_MODE", "test")
    monkeypatch.setenv("STUDYKEY_INSTANCE", str(tmp_path))
    monkeypatch.setenv("STUDYKEY_KEYS_FILE", str(settings.keys_file))
    monkeypatch.setenv("STUDYKEY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("STUDYKEY_BASE_URL", settings.base_url)
    monkeypatch.setenv("STUDYKEY_TIME_ZONE", "Europe/Madrid")
    return settings


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_a_whole_trail_is_said_to_be_whole_and_by_what_it_was_measured(
    services: Services, paper: Paper
) -> None:
    head = run("audit", "head").stdout.strip()
    assert "No head was kept outside." in run("audit", "verify").stdout
    services.trail.keep_head()

    answer = run("audit", "verify", "--head", head)

    assert answer.exit_code == 0
    assert answer.stdout == f"2 rows are whole. It holds the head kept outside. Head: {head}\n"


def test_a_broken_trail_is_an_error_that_names_the_first_row(services: Services, paper: Paper) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        if db.engine.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_event_kept"))
        else:
            connection.execute(text("DROP TRIGGER audit_event_kept ON audit_event"))
        connection.execute(text("DELETE FROM audit_event WHERE id = 2"))

    answer = run("audit", "verify")

    assert answer.exit_code == 1
    assert "Row 2: it is missing: the end was cut off.\n" in answer.stdout
    assert "first at row 2" in answer.stderr


@pytest.mark.parametrize("head", ["x", "1", "1:zz", ":", "-1:00"])
def test_what_is_no_head_is_refused(services: Services, head: str) -> None:
    answer = run("audit", "verify", "--head", head)

    assert answer.exit_code == 1
    assert "A head can't be read" in answer.stderr


def test_an_export_is_on_record_and_holds_no_secret(services: Services, paper: Paper) -> None:
    answer = run("audit", "export", "--grant", paper.grant.ref)

    assert answer.exit_code == 0
    *told, end = [json.loads(line) for line in answer.stdout.splitlines()]
    assert end == {"end": True, "rows": 2}, "a file that broke off lacks this line"
    assert [row["event"] for row in told] == ["grant:issued", "audit:exported"]
    assert told[0]["grant"] == paper.grant.ref
    assert told[0]["study"].startswith("1.2.826.")
    for secret in (paper.code.symbols, paper.code.grouped, paper.password.digits, "1958-03-27", "19580327"):
        assert secret not in answer.stdout
    assert events(services)[-1] == "audit:exported"


def test_a_spreadsheet_finds_no_formula_in_an_export(services: Services) -> None:
    for actor in ("=HYPERLINK(0)", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "a;=1", "staff:anna"):
        services.audit.record(Event.SITE_CHANGED, at=services.clock(), actor=actor, text='=1+1,"x"')

    *table, end = csv.DictReader(StringIO(run("audit", "export", "--format", "csv").stdout))

    assert (end["row"], end["at"]) == ("end", "9 rows")
    assert [row["actor"] for row in table][-2:] == ["staff:anna", "staff:command-line"]
    assert all("'" in row["actor"] for row in table[:-2])
    assert {json.loads(row["details"])["text"] for row in table[:-1]} == {'=1+1,"x"'}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row.values())


def test_an_export_is_of_the_clinics_days_and_into_a_new_file_alone(
    services: Services, tmp_path: Path, clock: Clock
) -> None:
    for moment in ("2026-03-01T22:59:59+00:00", "2026-03-01T23:00:00+00:00", "2026-03-02T23:00:00+00:00"):
        services.audit.record(Event.SITE_CHANGED, at=clock.now.fromisoformat(moment), actor="studykey")
    file = tmp_path / "export.jsonl"
    words = ("audit", "export", "--since", "2026-03-02", "--until", "2026-03-03", "--output", str(file))

    assert run(*words).exit_code == 0

    assert [json.loads(line)["row"] for line in file.read_text().splitlines()[:-1]] == [2]
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(*words).exit_code == 1  # never overwritten


def test_the_export_of_an_unknown_grant_says_so(services: Services) -> None:
    answer = run("audit", "export", "--grant", "0123456789abcdef")

    assert (answer.exit_code, answer.stdout) == (1, "")


def test_without_its_row_nothing_is_written_out(services: Services, paper: Paper) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_chain"))

    answer = run("audit", "export")

    assert (answer.exit_code, answer.stdout) == (1, "")


def test_a_purge_says_what_went(services: Services, paper: Paper) -> None:
    assert run("purge").stdout == "Nothing was due.\n"
    grant = services.session.merge(paper.grant)
    grant.sealed_until = services.clock()
    services.session.commit()

    assert run("purge").stdout == "sealed secrets 1\n"
    assert rows(services, Grant)[0].sealed is None
