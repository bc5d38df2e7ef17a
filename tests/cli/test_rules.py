"""``studykey rule``: seeing and ending rules for DICOM tags."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.config import Settings
from app.domain.permissions import Permission
from app.domain.tag_match import How
from app.models import TagRule, TagRuleMatch
from app.services.tag_keys import Wanted
from app.wiring import Services
from tests.support.factories import fake_archives, registered, rows, study_in


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_MODE", "test")
    monkeypatch.setenv("STUDYKEY_KEYS_FILE", str(settings.keys_file))
    monkeypatch.setenv("STUDYKEY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("STUDYKEY_BASE_URL", settings.base_url)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture
def ref(services: Services) -> str:
    """Of the grant of a rule with one match."""
    fake_archives(services)
    registered(services)
    _rule, paper = services.tag_rules.make(
        "Dr Ludwig Moreno",
        Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",)),
        permissions=Permission.VIEW,
        at=services.clock(),
        actor="staff:ada",
    )
    services.session.commit()
    ref = paper.grant.ref
    study_in(services, referring_physician="Moreno^Ludwig")
    services.session.commit()
    return ref


def test_rules_are_listed_with_what_they_match(ref: str) -> None:
    answer = run("rule", "list")

    assert answer.exit_code == 0, answer.output
    for told in (ref, "Dr Ludwig Moreno", "ReferringPhysicianName: Moreno^Ludwig", "1 studies; "):
        assert told in answer.output


def test_a_rule_that_is_ended_opens_nothing(services: Services, ref: str) -> None:  # noqa: ARG001
    number = rows(services, TagRule)[0].id

    answer = run("rule", "end", str(number))

    assert answer.exit_code == 0, answer.output
    assert not rows(services, TagRuleMatch)
    assert "Dr Ludwig Moreno" not in run("rule", "list").output
    assert "Dr Ludwig Moreno" in run("rule", "list", "--ended").output
    assert run("rule", "end", "4711").exit_code == 1


def test_a_groups_code_is_not_made_anew_behind_its_rule(ref: str) -> None:
    answer = run("grant", "reissue", ref)

    assert answer.exit_code == 1
    assert "rule" in answer.output
