"""``studykey visits end``: somebody calls that a telephone was stolen."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from app.cli import main
from app.config import Settings
from app.models import AuditEvent
from app.services.visits import Ending
from app.wiring import Services, utc_now
from tests.support.clock import Clock
from tests.support.factories import fresh_clinic, rows, visit


@pytest.fixture
def clock() -> Clock:
    """The command reads the real time, so the visits are of today too."""
    clock = Clock()
    clock.now = utc_now()
    return clock


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_MODE", "test")
    monkeypatch.setenv("STUDYKEY_INSTANCE", str(settings.instance))
    monkeypatch.setenv("STUDYKEY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("STUDYKEY_BASE_URL", settings.base_url)


def test_a_stolen_telephone_is_closed_and_the_trail_says_by_whom(services: Services) -> None:
    _, paper = fresh_clinic(services)
    ref = paper.grant.ref
    _, key = visit(services, paper)

    answer = CliRunner().invoke(main, ["visits", "end", ref])

    assert (answer.exit_code, answer.output) == (0, f"Ended 1 visit of {ref}.\n")
    assert services.visits.find(key, at=services.clock()) is Ending.CLOSED
    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.actor) == ("visit:ended", "staff:command-line")


def test_a_grant_that_does_not_exist_is_told_so(services: Services) -> None:
    answer = CliRunner().invoke(main, ["visits", "end", "0123456789abcdef"])

    assert answer.exit_code == 1
    assert "There is no grant 0123456789abcdef." in answer.output
