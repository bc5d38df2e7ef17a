"""The process killed at any point of an attempt: no free guess, no token without an audit row, no locked
database. Every point is tried, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from app.domain.grants import THROTTLE
from app.models import Attempt, AuditEvent, Grant, ViewerToken, Visit, db
from app.services.grants import Paper
from app.services.proof import Outcome
from app.wiring import Services
from tests.attack.dying import Death, nurse
from tests.support.factories import BORN, NOT_BORN, UNKNOWN_CODE, claim, fresh_clinic, rows

PATIENCE_SECONDS = 2.0
MOST_STEPS = 400


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def form(paper: Paper, *, is_right: bool) -> dict[str, str]:
    born = BORN if is_right else NOT_BORN
    day = {"day": str(born.day), "month": str(born.month), "year": str(born.year)}
    return {"code": paper.code.grouped, **day, "go": "images"}


def deaths(attempt: Callable[[int], Death]) -> Iterator[tuple[Death, bool]]:
    """(what was passed, whether it died), at every step until an attempt lives."""
    for step in range(1, MOST_STEPS):
        death = attempt(step)
        yield death, death.status is None
        if death.status is not None:
            return
    raise AssertionError(f"more than {MOST_STEPS} steps")


def make_good_again(services: Services) -> None:
    """As if nobody had tried. The database takes a write at once: the dead left no lock."""
    services.session.rollback()
    began = time.monotonic()
    with db.engine.begin() as connection:
        connection.execute(update(Grant).values(failures=0, failures_in_life=0, next_try_at=None))
        connection.execute(update(Visit).values(ended_at=services.clock(), ended_why="closed"))
    assert time.monotonic() - began < PATIENCE_SECONDS


def failures(services: Services) -> tuple[int, int]:
    grant = rows(services, Grant)[0]
    return grant.failures, grant.failures_in_life


def openings(services: Services) -> dict[str, int]:
    told = [row.event for row in rows(services, AuditEvent)]
    return {name: told.count(name) for name in ("grant:proved", "visit:begun", "viewer:opened")}


def test_a_wrong_guess_is_counted_before_its_second_hash_wherever_the_process_dies(
    services: Services, paper: Paper
) -> None:
    seen = set()
    with nurse(services.settings, services.clock(), form(paper, is_right=False)) as attempt:
        for death, has_died in deaths(attempt):
            counted = failures(services)
            seen.add((death.hashes, counted))
            if death.hashes == 2:
                assert counted == (1, 1), death.steps
                assert len(rows(services, Attempt)) == 1, "the attempt is on record too"
            else:
                assert counted in ((0, 0), (1, 1)), death.steps
            if not has_died:
                assert death.status == 403
            make_good_again(services)
            with db.engine.begin() as connection:
                connection.execute(text("DELETE FROM attempt"))

    assert seen >= {(1, (0, 0)), (1, (1, 1)), (2, (1, 1))}, "points before and after the count were hit"
    assert openings(services) == {"grant:proved": 0, "visit:begun": 0, "viewer:opened": 0}


def test_a_right_answer_opens_nothing_off_the_record_wherever_the_process_dies(
    services: Services, paper: Paper
) -> None:
    ends = []
    with nurse(services.settings, services.clock(), form(paper, is_right=True)) as attempt:
        for death, has_died in deaths(attempt):
            told = openings(services)
            visits, tokens = len(rows(services, Visit)), len(rows(services, ViewerToken))
            # Rows and their audit rows are one transaction: never one without the other.
            assert told["visit:begun"] == visits, death.steps
            assert told["viewer:opened"] == tokens, death.steps
            assert told["grant:proved"] >= visits >= tokens, death.steps
            if death.hashes == 2 and told["grant:proved"] == sum(ends):
                # Compared, but the verdict isn't on record: it stays counted as a failure.
                assert failures(services) == (1, 1), death.steps
            ends.append(told["grant:proved"] > sum(ends))
            if not has_died:
                assert death.status == 303
                assert failures(services) == (0, 0)
            make_good_again(services)

    assert any(ends) and not all(ends), "points before and after the verdict were hit"
    assert len(rows(services, ViewerToken)) >= 1


def test_an_unknown_code_leaves_nothing_locked_either(services: Services, paper: Paper) -> None:
    typed = form(paper, is_right=True) | {"code": UNKNOWN_CODE.grouped}
    with nurse(services.settings, services.clock(), typed) as attempt:
        for _ in deaths(attempt):
            make_good_again(services)

    assert failures(services) == (0, 0)
    assert rows(services, Visit) == []


def test_the_holder_still_comes_in_after_the_process_died_at_each_point(
    services: Services, paper: Paper
) -> None:
    """Deaths cost what wrong guesses cost and no more: the sheet opens when the wait is over."""
    with nurse(services.settings, services.clock(), form(paper, is_right=False)) as attempt:
        for _ in deaths(attempt):
            pass

    counted = failures(services)
    assert counted[0] <= THROTTLE.free + 1, "tries during the wait don't count"
    later = services.clock() + timedelta(minutes=1)
    assert services.proof.check(claim(paper), at=later).outcome is Outcome.OPENED
