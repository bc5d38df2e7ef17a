"""What is known of a token is never older than its memory, and never waited for without end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from app.models import ViewerToken, db
from app.services.audit import StoreUnavailable
from app.services.patience import Patience
from app.services.token_facts import TokenFacts
from app.services.visits import TOKEN_PURPOSE
from app.wiring import Services
from tests.support.clinic import eventually
from tests.support.factories import ADDRESS, fresh_clinic, visit

MEMORY = timedelta(seconds=0.3)
PATIENCE = 0.5  # seconds


class SlowFacts(TokenFacts):
    """Answers when it is let."""

    gate: threading.Event

    def _look_up(self, token_id: str):  # type: ignore[no-untyped-def]
        self.gate.wait(30)
        return super()._look_up(token_id)


@pytest.fixture
def token_id(services: Services) -> str:
    _, paper = fresh_clinic(services)
    live, _ = visit(services, paper)
    token = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    found = services.crypto.unsign(TOKEN_PURPOSE, token)
    assert found is not None
    services.session.rollback()
    return found


@pytest.fixture
def facts(services: Services) -> Iterator[SlowFacts]:
    made = SlowFacts(db.engine, MEMORY, Patience(PATIENCE))
    made.gate = threading.Event()
    made.gate.set()
    yield made
    made.gate.set()
    made.close()


def test_a_revocation_is_seen_once_the_memory_is_over(
    services: Services, facts: TokenFacts, token_id: str
) -> None:
    before = facts.of(token_id)
    assert before is not None
    assert before.token_revoked_at is None
    services.session.execute(update(ViewerToken).values(revoked_at=services.clock()))
    services.session.commit()

    deadline = time.monotonic() + MEMORY.total_seconds()
    time.sleep(max(0, deadline - time.monotonic()))
    after = facts.of(token_id)

    assert after is not None
    assert after.token_revoked_at is not None


def test_a_token_that_nobody_issued_is_known_as_none(facts: TokenFacts) -> None:
    assert facts.of("nobody's") is None


def test_while_the_database_is_stuck_everybody_is_refused_at_once(facts: SlowFacts, token_id: str) -> None:
    facts.gate.clear()

    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        facts.of(token_id)
    assert time.monotonic() - began < PATIENCE + 0.9

    began = time.monotonic()
    for number in range(100):
        with pytest.raises(StoreUnavailable):
            facts.of(f"another {number}")
    assert time.monotonic() - began < 0.5

    facts.gate.set()

    def recovers() -> bool:
        try:
            return facts.of(token_id) is not None
        except StoreUnavailable:
            return False

    eventually(recovers, within=5)


def test_a_lost_connection_is_made_again_without_anybody_noticing(facts: TokenFacts, token_id: str) -> None:
    assert facts.of("first") is None
    connection = facts._connection
    assert connection is not None
    if db.engine.dialect.name == "postgresql":
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with db.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    else:
        connection.connection.dbapi_connection.close()  # type: ignore[union-attr]

    assert facts.of(token_id) is not None
