"""Visits: how long a proved grant opens, how it ends, and what the viewer is handed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from app.models import AuditEvent, ViewerToken, Visit, db
from app.services.audit import StoreUnavailable
from app.services.grants import Paper
from app.services.visits import Ending, LiveVisit
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    ADDRESS,
    change_grant,
    counts,
    events,
    fresh_clinic,
    paper_of,
    rows,
    second_study,
    study_in,
    visit,
)


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def found(services: Services, key: str | None) -> LiveVisit | Ending:
    return services.visits.find(key, at=services.clock())


def is_live(services: Services, key: str) -> bool:
    return isinstance(found(services, key), LiveVisit)


def test_a_visit_shows_its_studies_and_is_on_record(services: Services, paper: Paper) -> None:
    other = second_study(services, paper.grant)

    live, key = visit(services, paper)

    assert [study.id for study in live.studies] == sorted([paper.grant.studies[0].id, other.id])
    assert events(services)[-1] == "visit:begun"
    assert rows(services, AuditEvent)[-1].address == ADDRESS
    assert is_live(services, key)


def test_the_database_does_not_hold_what_the_cookie_holds(services: Services, paper: Paper) -> None:
    _, key = visit(services, paper)

    assert key.encode() not in rows(services, Visit)[0].key
    assert len(key) >= 43, "256 bits"


def test_an_unused_visit_ends_after_fifteen_minutes(services: Services, paper: Paper, clock: Clock) -> None:
    _, key = visit(services, paper)
    clock.forward(minutes=15, seconds=-1)
    assert is_live(services, key)  # and this was a use

    clock.forward(minutes=15)

    assert found(services, key) is Ending.IDLE


def test_a_used_visit_ends_after_an_hour(services: Services, paper: Paper, clock: Clock) -> None:
    _, key = visit(services, paper)
    for _ in range(5):
        clock.forward(minutes=10)
        assert is_live(services, key)
    clock.forward(minutes=10)

    assert found(services, key) is Ending.LIMIT


def test_use_is_written_once_a_minute(services: Services, paper: Paper, clock: Clock) -> None:
    _, key = visit(services, paper)
    begun = clock.now
    clock.forward(seconds=59)
    found(services, key)
    assert rows(services, Visit)[0].seen_at == begun
    clock.forward(seconds=1)
    found(services, key)
    assert rows(services, Visit)[0].seen_at == begun + timedelta(minutes=1)


def test_signing_out_ends_the_visit_at_once(services: Services, paper: Paper) -> None:
    live, key = visit(services, paper)

    services.visits.end(live, address=ADDRESS, at=services.clock())

    assert found(services, key) is Ending.SIGNED_OUT
    assert events(services)[-1] == "visit:ended"


@pytest.mark.parametrize("column", ["revoked_at", "suspended_at", "expires_at"])
def test_revoking_suspending_or_expiry_ends_the_visit_at_once(
    services: Services, paper: Paper, column: str
) -> None:
    _, key = visit(services, paper)

    change_grant(services, paper.grant, **{column: services.clock()})

    assert found(services, key) is Ending.CLOSED


@pytest.mark.parametrize("key", [None, "", "x" * 43, "ÿ", "a" * 4000])
def test_a_cookie_of_nobody_is_no_visit(services: Services, paper: Paper, key: str | None) -> None:
    visit(services, paper)

    assert found(services, key) is Ending.NONE


def test_a_viewer_token_is_short_and_needs_no_encoding(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)

    tokens = {
        services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
        for _ in range(20)
    }

    assert len(tokens) == 20
    for token in tokens:
        assert re.fullmatch(r"[A-Za-z0-9._~-]{40,99}", token)


def test_each_viewer_token_has_its_row_in_the_audit_trail(services: Services, paper: Paper) -> None:
    live, _ = visit(services, paper)

    services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())

    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.grant_id, row.study_id, row.actor, row.address) == (
        "viewer:opened",
        paper.grant.id,
        live.studies[0].id,
        "holder",
        ADDRESS,
    )
    assert "token" not in str(row.details)


def test_without_its_audit_row_there_is_no_viewer_token_no_look_and_no_visit(
    services: Services, paper: Paper
) -> None:
    live, _ = visit(services, paper)
    study, at = live.studies[0], services.clock()
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE audit_event"))

    with pytest.raises(StoreUnavailable):
        services.visits.issue_viewer_token(live, study, address=ADDRESS, at=at)
    with pytest.raises(StoreUnavailable):
        services.visits.note_look(live, study, address=ADDRESS, at=at)
    with pytest.raises(StoreUnavailable):
        visit(services, paper)

    assert rows(services, ViewerToken) == []
    assert len(rows(services, Visit)) == 1


def test_a_visit_that_cannot_be_looked_up_is_an_error_not_an_opening(
    services: Services, paper: Paper
) -> None:
    _, key = visit(services, paper)
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE viewer_token"))
        connection.execute(text("DROP TABLE visit"))

    with pytest.raises(StoreUnavailable):
        found(services, key)


def test_looking_a_visit_up_writes_nothing_within_its_minute(services: Services, paper: Paper) -> None:
    _, key = visit(services, paper)
    before = counts(services)

    for _ in range(3):
        found(services, key)

    assert counts(services) == before


def test_the_clinic_ends_every_visit_of_a_grant_at_once_and_the_sheet_goes_on_opening(
    services: Services, paper: Paper
) -> None:
    keys = [visit(services, paper)[1] for _ in range(3)]

    ended = services.visits.end_all(paper.grant.id, at=services.clock(), actor="staff:clerk")

    assert ended == 3
    assert {found(services, key) for key in keys} == {Ending.CLOSED}
    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.actor, row.grant_id, row.details["visits"]) == (
        "visit:ended",
        "staff:clerk",
        paper.grant.id,
        3,
    )
    assert is_live(services, visit(services, paper)[1])


def test_ending_all_visits_leaves_other_grants_and_older_endings_alone(
    services: Services, paper: Paper, clock: Clock
) -> None:
    other = paper_of(services, study_in(services))
    services.session.commit()
    _, idle = visit(services, paper)
    clock.forward(minutes=15)
    live, signed_out = visit(services, paper)
    services.visits.end(live, address=ADDRESS, at=services.clock())
    _, others = visit(services, other)

    assert services.visits.end_all(paper.grant.id, at=services.clock(), actor="staff:clerk") == 0

    assert found(services, idle) is Ending.IDLE
    assert found(services, signed_out) is Ending.SIGNED_OUT
    assert is_live(services, others)


def test_pages_that_load_at_once_write_the_use_once(services: Services, paper: Paper, clock: Clock) -> None:
    _, key = visit(services, paper)
    at = clock.forward(minutes=1)
    writes = 0

    def count(*args: object) -> None:
        nonlocal writes
        cursor = args[1]
        writes += str(args[2]).startswith("UPDATE visit") and cursor.rowcount == 1  # type: ignore[attr-defined]

    event.listen(db.engine, "after_cursor_execute", count)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: services.visits.find(key, at=at), range(8)))
    event.remove(db.engine, "after_cursor_execute", count)

    assert all(isinstance(answer, LiveVisit) for answer in answers)
    assert writes == 1
