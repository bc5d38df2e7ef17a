"""``studykey site``: the clinic's look and rules from the command line."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.config import Settings
from app.wiring import Services
from tests.support.factories import events


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_MODE", "test")
    monkeypatch.setenv("STUDYKEY_INSTANCE", str(settings.instance))
    monkeypatch.setenv("STUDYKEY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("STUDYKEY_BASE_URL", settings.base_url)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["site", *words])


def test_a_rule_is_set_shown_with_its_default_and_recorded(services: Services) -> None:
    assert run("rule", "code_excluded", "PHANTOM*, TEST*").exit_code == 0

    shown = run("rules").output
    assert "PHANTOM*,TEST*  (default: none)" in shown
    assert services.rules.now().code_excluded == ("PHANTOM*", "TEST*")
    assert events(services) == ["site:changed"]


def test_what_cannot_be_used_is_told_in_a_sentence(services: Services) -> None:
    answer = run("rule", "grant_days", "many")
    assert (answer.exit_code, answer.output) == (1, "Error: Give a whole number from 0 to 3650.\n")
    assert run("rule", "nothing", "1").exit_code == 2
    assert run("set", "colour", "red").exit_code == 1
