"""Checking the audit trail in steps: the same answer as at once, and no browser can make up a better one."""

from __future__ import annotations

import pytest

from app.domain.audit_chain import Head
from app.domain.events import Event
from app.services import audit_verification
from app.services.audit_verification import SENTENCES, Fault, Finding, Verification
from app.wiring import Services
from tests.services.test_audit_trail import tamper
from tests.support.clock import Clock

BY = "staff:anna"


@pytest.fixture
def trail(services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setattr("app.services.audit_verification.PAGE", 2)
    monkeypatch.setattr("app.services.audit_verification.STEP", 4)
    for _number in range(10):
        services.audit.record(Event.STAFF_REFUSED, at=clock.now, actor="unknown")
    return services


def in_steps(services: Services, *outside: Head) -> tuple[Verification, int]:
    """The result, and how many steps it took; between two of them the walk is text."""
    checks, crypto = services.audit_verification, services.crypto
    walk, steps = checks.begin(), 0
    while not walk.is_done:
        checks.go_on(walk)
        text = audit_verification.signed(walk, crypto, by=BY, at=services.clock())
        found = audit_verification.unsigned(text, crypto, by=BY, at=services.clock())
        assert found == walk
        walk, steps = found, steps + 1
    return checks.finish(walk, outside), steps


def test_a_whole_trail_is_whole_in_steps_too(trail: Services) -> None:
    result, steps = in_steps(trail, trail.trail.head())

    assert (result.checked, result.findings, steps) == (10, [], 3)
    assert result.head == trail.trail.head()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_event SET actor = 'holder' WHERE id = 4",
        "UPDATE audit_event SET actor = 'holder' WHERE id = 5",
        "DELETE FROM audit_event WHERE id IN (4, 5)",
        "DELETE FROM audit_event WHERE id > 8",
        "UPDATE audit_chain SET last_id = 9",
        "UPDATE audit_event SET kid = 'gone' WHERE id = 3",
    ],
)
def test_steps_find_what_one_walk_finds(trail: Services, change: str) -> None:
    tamper(change)

    result, _steps = in_steps(trail, Head(99, b"x"))

    assert result.findings == trail.trail.verify([Head(99, b"x")]).findings
    assert len(result.findings) >= 2


def test_a_trail_without_one_right_row_stops_soon(trail: Services) -> None:
    tamper(
        "UPDATE audit_event SET actor = 'holder'",
        *(f"DELETE FROM audit_event WHERE id = {n}" for n in (2, 7)),
    )
    result, _steps = in_steps(trail)

    assert len(result.findings) <= audit_verification.MAX_FINDINGS


def test_a_walk_is_its_auditors_alone_and_not_for_ever(trail: Services, clock: Clock) -> None:
    crypto = trail.crypto
    text = audit_verification.signed(trail.audit_verification.begin(), crypto, by=BY, at=clock.now)

    assert audit_verification.unsigned(text, crypto, by="staff:ben", at=clock.now) is None
    assert audit_verification.unsigned("0" + text, crypto, by=BY, at=clock.now) is None
    assert audit_verification.unsigned("", crypto, by=BY, at=clock.now) is None
    assert audit_verification.unsigned(text, crypto, by=BY, at=clock.forward(hours=1)) is not None
    assert audit_verification.unsigned(text, crypto, by=BY, at=clock.forward(seconds=1)) is None


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_its_sentence(fault: Fault) -> None:
    why = Finding(7, fault, first=7, last=9, kid="pepper-1").why

    assert why
    assert "%" not in why
    assert fault in SENTENCES
