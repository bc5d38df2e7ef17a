"""What is thrown away in time, and what stays."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from app.config import Settings
from app.domain.staff import Role
from app.models import Attempt, AuditEvent, Grant, StaffSession, ViewerToken, Visit
from app.services.proof import Outcome
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    ADDRESS,
    DAY,
    NOT_BORN,
    claim,
    events,
    fake_archives,
    fresh_clinic,
    rows,
    visit,
)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.with_(instance=tmp_path)


def purge(services: Services) -> dict[str, int]:
    gone: Counter[str] = Counter()
    for what, count in services.purge.run(at=services.clock()):
        gone[what] += count
    return dict(gone)


def test_nothing_goes_before_its_time(services: Services) -> None:
    _, paper = fresh_clinic(services)
    services.proof.check(claim(paper), at=services.clock())
    live, _ = visit(services, paper)
    services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())

    assert purge(services) == {}


def test_sealed_secrets_go_when_their_window_is_over_and_the_code_goes_on_opening(
    services: Services, clock: Clock
) -> None:
    _, paper = fresh_clinic(services)
    clock.now += services.settings.reprint_window

    assert purge(services)["sealed secrets"] == 1

    grant = rows(services, Grant)[0]
    assert (grant.sealed, grant.sealing_kid, grant.sealed_until) == (None, None, None)
    assert services.proof.check(claim(paper), at=services.clock()).outcome is Outcome.OPENED


def test_old_attempts_visits_tokens_and_sessions_go(services: Services, clock: Clock) -> None:
    _, paper = fresh_clinic(services)
    services.proof.check(claim(paper, born=NOT_BORN), at=services.clock())
    live, _ = visit(services, paper)
    services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    words = "correct horse battery"
    services.staff.add(
        login="anna", name="", roles=[Role.VIEWER], password=words, at=services.clock(), actor="studykey"
    )
    services.session.commit()
    services.staff_sessions.sign_in("anna", words, address=ADDRESS, at=services.clock())
    clock.now += 2 * DAY
    _, key = visit(services, paper)
    assert purge(services) == {"viewer tokens": 1, "visits": 1}
    assert [len(rows(services, table)) for table in (Visit, ViewerToken, StaffSession)] == [1, 0, 1]
    assert not isinstance(services.visits.find(key, at=services.clock()), str)

    clock.now += 29 * DAY
    assert purge(services)["attempts"] == 1
    assert rows(services, Attempt) == []
    clock.now += DAY
    assert purge(services)["staff sessions"] == 1, "until then they tell where an account is used"
    assert rows(services, StaffSession) == []


def test_the_right_proof_of_an_expired_grant_is_told_so_until_its_audit_is_purged(
    services: Services, clock: Clock
) -> None:
    study, paper = fresh_clinic(services)
    clock.now += services.settings.grant_life + DAY
    purge(services)
    assert services.proof.check(claim(paper), at=services.clock()).outcome is Outcome.EXPIRED

    clock.now += services.settings.audit_life + DAY
    gone = purge(services)

    assert gone["verifiers"] == 1
    assert services.proof.check(claim(paper), at=services.clock()).outcome is Outcome.REFUSED
    grant = rows(services, Grant)[0]
    assert (grant.pepper_kid, grant.password_hash, grant.birth_date_mac) == ("", "", None)
    assert purge(services) == {}


def test_a_study_of_a_forgotten_grant_can_still_change(services: Services, clock: Clock) -> None:
    study, _ = fresh_clinic(services)
    clock.now += services.settings.grant_life + services.settings.audit_life + 2 * DAY
    purge(services)
    study.birth_date = NOT_BORN
    grant = services.grants.of_study(study)[0]

    services.grants.renew_birth_date(grant, at=services.clock(), actor="archive:main")
    services.session.commit()

    assert grant.birth_date_mac is None


def test_the_audit_goes_after_the_configured_years_and_says_so(services: Services, clock: Clock) -> None:
    fresh_clinic(services)
    before = len(rows(services, AuditEvent))
    clock.now += services.settings.audit_life - DAY
    assert "audit rows" not in purge(services)
    clock.now += 2 * DAY

    assert purge(services)["audit rows"] == before

    assert events(services) == ["audit:purged"]
    assert rows(services, AuditEvent)[0].details["rows"] == before
    assert services.trail.verify().findings == []


def test_the_follower_purges_once_a_day_and_keeps_the_head_every_minute(
    services: Services, clock: Clock
) -> None:
    fresh_clinic(services)
    fake_archives(services)
    follower = services.follower()
    clock.now += services.settings.reprint_window - timedelta(hours=1)
    follower.turn(set())
    head = services.trail.kept_head()
    assert head == services.trail.head()

    clock.now += timedelta(hours=2)
    services.staff_sessions.sign_in("nobody", "wrong words here", address=ADDRESS, at=services.clock())
    follower.turn(set())
    assert rows(services, Grant)[0].sealed is not None
    assert services.trail.kept_head() == services.trail.head() != head

    clock.now += DAY
    follower.turn(set())
    assert rows(services, Grant)[0].sealed is None
