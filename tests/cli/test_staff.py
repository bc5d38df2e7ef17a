"""``studykey staff``: the first admin, and the way back in for everybody else."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.config import Settings
from app.domain.staff import Role
from app.models import AuditEvent, Staff
from app.services.staff_sessions import SignedIn
from app.wiring import Services, utc_now
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, rows
from tests.support.people import PASSWORD, account, found, sign_in, who, with_app

LINK = re.compile(r"^http://localhost:8045/staff/join#(\S+)$", re.MULTILINE)


@pytest.fixture
def clock() -> Clock:
    """Commands read the real time."""
    clock = Clock()
    clock.now = utc_now()
    return clock


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_MODE", "test")
    monkeypatch.setenv("STUDYKEY_INSTANCE", str(settings.instance))
    monkeypatch.setenv("STUDYKEY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("STUDYKEY_BASE_URL", settings.base_url)


def run(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["staff", *words], input=typed)


def token_in(answer: Result) -> str:
    found = LINK.search(answer.output)
    assert found is not None, answer.output
    return found[1]


def test_the_first_admin_is_made_with_a_password_that_is_asked_for(services: Services) -> None:
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    answer = run("add", "Root", "--role", "admin", "--role", "desk", "--name", "The Admin", typed=typed)

    assert (answer.exit_code, answer.output.splitlines()[-1]) == (0, "Added root (admin,desk).")
    assert PASSWORD not in answer.output
    assert who(services, sign_in(services, "root")) == "root"
    assert run("list").output == "root\tThe Admin\tadmin,desk\n"


def test_an_account_without_a_password_gets_a_link(services: Services) -> None:
    token = token_in(run("add", "anna", "--no-password"))

    assert run("list").output == "anna\tanna\tviewer; no password\n"
    key = services.staff_links.use_for_password(token, PASSWORD, address=ADDRESS, at=services.clock())
    assert who(services, key) == "anna"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(("add", "anna", "--password", "short"), "12 characters or more"), (("add", "an na", "--no-password"), "A login"),
     (("disable", "nobody"), "There is no account nobody."), (("roles", "root", "viewer"), "the last admin"),
     (("disable", "root"), "the last admin"), (("link", "gone"), "is disabled")],
)  # fmt: skip
def test_what_is_refused_says_why(services: Services, words: tuple[str, ...], sentence: str) -> None:
    account(services, "root", Role.ADMIN)
    services.staff.disable(account(services, "gone"), at=services.clock(), actor="x")
    before = len(rows(services, AuditEvent))
    answer = run(*words)

    assert answer.exit_code == 1
    assert sentence in answer.output and "Traceback" not in answer.output
    assert len(rows(services, AuditEvent)) == before


def test_roles_change_and_accounts_are_disabled_and_enabled(services: Services) -> None:
    account(services)
    assert run("roles", "anna", "viewer", "desk").output == "anna is now desk,viewer.\n"
    assert run("disable", "anna").exit_code == 0
    assert "desk,viewer; disabled since" in run("list").output
    assert sign_in(services) is None
    assert run("enable", "anna").exit_code == 0
    assert sign_in(services) is not None
    told = [(row.event, row.actor) for row in rows(services, AuditEvent)]
    for event in ("staff:changed", "staff:disabled", "staff:enabled"):
        assert (event, "staff:command-line") in told


def test_links_for_a_new_password_and_for_signing_in_once(services: Services) -> None:
    account(services)
    look = services.staff_links.look(token_in(run("invite", "anna")), at=utc_now())
    assert look is not None and look.purpose == "password"

    key = services.staff_links.use_to_sign_in(
        token_in(run("link", "anna", "--look-only")), address=ADDRESS, at=utc_now()
    )
    signed_in = found(services, key)
    assert isinstance(signed_in, SignedIn) and not signed_in.session.may_change


def test_a_lost_second_factor_is_taken_away_and_sessions_end(services: Services) -> None:
    anna = account(services)
    key = sign_in(services)
    with_app(services, anna)
    assert "second factor" in run("list").output
    assert run("reset-second-factor", "anna").exit_code == 0
    assert rows(services, Staff)[0].totp_sealed is None

    assert "Firefox" in run("sessions", "anna").output
    assert run("end-sessions", "anna").output == "Ended 1 session of anna.\n"
    assert who(services, key) is None
