"""Grants in the hands of staff: extended, shown, held back with who it was before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.models import AuditEvent, Grant
from app.services.grants import Paper
from app.services.proof import Outcome
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import DAY, claim, events, fresh_clinic, rows

CLERK = "staff:clerk"


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def the_grant(services: Services, paper: Paper) -> Grant:
    services.session.rollback()
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None
    return grant


def extend(services: Services, paper: Paper, days: int | None) -> bool:
    until = services.clock() + timedelta(days=days) if days is not None else None
    done = services.grants.extend(the_grant(services, paper), until, at=services.clock(), actor=CLERK)
    services.session.commit()
    return done


def test_an_extended_grant_opens_after_its_old_end(services: Services, paper: Paper, clock: Clock) -> None:
    assert extend(services, paper, 365)
    clock.forward(days=200)

    assert services.proof.check(claim(paper), at=clock.now).outcome is Outcome.OPENED
    (row,) = [row for row in rows(services, AuditEvent) if row.event == "grant:extended"]
    assert row.details["until"].startswith("2027-11-20")


def test_a_grant_that_has_ended_opens_again_with_the_same_code(
    services: Services, paper: Paper, clock: Clock
) -> None:
    clock.forward(days=91)
    assert services.proof.check(claim(paper), at=clock.now).outcome is Outcome.EXPIRED

    assert extend(services, paper, 7)

    assert services.proof.check(claim(paper), at=clock.now).outcome is Outcome.OPENED


def test_a_grant_without_an_end_stays_so(services: Services, paper: Paper, clock: Clock) -> None:
    assert extend(services, paper, None)
    assert not extend(services, paper, 365), "that would be shorter"
    clock.forward(days=3000)

    assert services.proof.check(claim(paper), at=clock.now).outcome is Outcome.OPENED


@pytest.mark.parametrize("days", [-1, 0, 7, 90])
def test_extending_never_shortens(services: Services, paper: Paper, days: int) -> None:
    before = the_grant(services, paper).expires_at

    assert not extend(services, paper, days)
    assert the_grant(services, paper).expires_at == before
    assert "grant:extended" not in events(services)


def test_a_revoked_grant_stays_dead(services: Services, paper: Paper) -> None:
    services.grants.revoke(the_grant(services, paper), at=services.clock(), actor=CLERK)
    services.session.commit()

    assert not extend(services, paper, 365)
    assert not extend(services, paper, None)


def test_showing_is_on_record_before_anything_is_shown(services: Services, paper: Paper) -> None:
    shown = services.grants.show(the_grant(services, paper), at=services.clock(), actor=CLERK)
    services.session.rollback()  # whatever becomes of the page

    assert shown is not None and shown.code == paper.code
    assert events(services)[-1] == "grant:shown"


def test_nothing_is_shown_or_recorded_after_the_window(
    services: Services, paper: Paper, clock: Clock
) -> None:
    clock.forward(days=14)

    assert services.grants.show(the_grant(services, paper), at=clock.now, actor=CLERK) is None
    assert "grant:shown" not in events(services)


def test_a_suspension_keeps_who_it_was_until_somebody_has_confirmed(services: Services, paper: Paper) -> None:
    study = the_grant(services, paper).studies[0]
    for was in (
        ("Muster^Erika", "P1"),
        ("Somebody^Else", "P2"),
    ):  # changed twice: the paper was the first one's
        services.grants.suspend(study, "Changed.", at=services.clock(), actor="archive:main", was=was)
    services.session.commit()

    grant = the_grant(services, paper)
    assert (grant.suspension, grant.identity_before) == ("Changed.", ("Muster^Erika", "P1"))

    services.grants.confirm(grant, at=services.clock(), actor=CLERK)
    services.session.commit()

    grant = the_grant(services, paper)
    assert (grant.suspension, grant.identity_before) == ("", None)


def test_a_grant_is_locked_in_a_row_and_in_its_life(services: Services, paper: Paper) -> None:
    grant = the_grant(services, paper)
    for failures, in_life, is_locked in [(9, 9, False), (10, 10, True), (0, 99, False), (1, 100, True)]:
        grant.failures, grant.failures_in_life = failures, in_life
        assert grant.is_locked is is_locked


def test_a_lost_sheet_is_replaced_while_it_could_be_printed_again(
    services: Services, paper: Paper, clock: Clock
) -> None:
    from app.services.papers import Wish

    clock.forward(days=1)
    study = the_grant(services, paper).studies[0]
    services.papers.sheet(study, Wish(replaces=paper.grant.ref), at=clock.now, actor=CLERK)
    services.session.commit()

    assert the_grant(services, paper).revoked_at == clock.now
    fresh = services.grants.current(study)
    assert fresh is not None and fresh.expires_at == clock.now + 90 * DAY
