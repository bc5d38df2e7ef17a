"""Proof: what was typed against what was issued. Throttle, record, compare, verdict, in this order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from app.adapters.crypto import Crypto
from app.domain.access_code import AccessCode
from app.domain.grants import THROTTLE, Policy
from app.domain.limits import networks_of
from app.domain.password import Password
from app.models import Attempt, AuditEvent, Grant, Visit, db
from app.services.audit import StoreUnavailable
from app.services.grants import Paper
from app.services.proof import Outcome, Verdict
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    BORN,
    DAY,
    NOT_BORN,
    UNKNOWN_CODE,
    WRONG_PASSWORD,
    change_grant,
    claim,
    elsewhere,
    events,
    fresh_clinic,
    rows,
)


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def check(services: Services, paper: Paper, **typed: object) -> Verdict:
    return services.proof.check(claim(paper, **typed), at=services.clock())  # type: ignore[arg-type]


def fail(services: Services, paper: Paper, times: int = 1) -> None:
    for _ in range(times):
        assert check(services, paper, born=NOT_BORN).outcome is Outcome.REFUSED


def as_if_failed(services: Services, paper: Paper, failures: int, *, in_life: int | None = None) -> None:
    """Failures of yesterday: no delay runs any more."""
    services.session.refresh(paper.grant)
    change_grant(
        services,
        paper.grant,
        failures=failures,
        failures_in_life=failures if in_life is None else in_life,
        next_try_at=services.clock() - DAY,
    )


def state(services: Services) -> tuple[int, int]:
    grant = rows(services, Grant)[0]
    return grant.failures, grant.failures_in_life


def test_code_and_birth_date_open_the_study_and_the_audit_trail_says_so(
    services: Services, paper: Paper
) -> None:
    verdict = check(services, paper)

    assert verdict == Verdict(Outcome.OPENED, paper.grant.id)
    assert events(services)[-1] == "grant:proved"
    assert state(services) == (0, 0)
    assert [attempt.outcome for attempt in rows(services, Attempt)] == ["opened"]


RIGHT, WRONG, MISSING = "right", "wrong", "missing"
BORN_TYPED = {RIGHT: BORN, WRONG: NOT_BORN, MISSING: None}
OPENS = {
    Policy.BIRTH_DATE: lambda born, password: born == RIGHT,
    Policy.PASSWORD: lambda born, password: password == RIGHT,
    Policy.BIRTH_DATE_AND_PASSWORD: lambda born, password: born == RIGHT and password == RIGHT,
}


@pytest.mark.parametrize("policy", Policy)
def test_each_policy_asks_for_its_factors_and_ignores_the_other(
    services: Services, paper: Paper, policy: Policy
) -> None:
    change_grant(services, paper.grant, policy=policy)
    passwords = {RIGHT: paper.password, WRONG: WRONG_PASSWORD, MISSING: None}
    for born_is, born in BORN_TYPED.items():
        for password_is, password in passwords.items():
            as_if_failed(services, paper, 0)
            expected = OPENS[policy](born_is, password_is)

            outcome = check(services, paper, born=born, password=password).outcome

            assert (outcome is Outcome.OPENED) is expected, (policy, born_is, password_is)
            assert outcome in (Outcome.OPENED, Outcome.REFUSED)


def test_without_a_usable_birth_date_only_the_password_opens_the_study(services: Services) -> None:
    _, paper = fresh_clinic(services, birth_date_text="")

    assert paper.grant.policy == Policy.PASSWORD
    assert check(services, paper, born=date.min).outcome is Outcome.REFUSED
    assert check(services, paper, born=None).outcome is Outcome.REFUSED
    assert check(services, paper, born=None, password=paper.password).outcome is Outcome.OPENED


def test_unknown_code_wrong_birth_date_wrong_password_and_locked_get_one_answer(
    services: Services, paper: Paper
) -> None:
    unknown = services.proof.check(replace(claim(paper), code=UNKNOWN_CODE), at=services.clock())
    wrong_date = check(services, paper, born=NOT_BORN)
    change_grant(services, paper.grant, policy=Policy.PASSWORD)
    wrong_password = check(services, paper, password=WRONG_PASSWORD)
    as_if_failed(services, paper, THROTTLE.lock_with_password)
    locked = check(services, paper, password=paper.password)

    assert unknown == wrong_date == wrong_password == locked == Verdict(Outcome.REFUSED, None)


def test_every_attempt_costs_two_hashes_whatever_was_typed(services: Services, paper: Paper) -> None:
    other = elsewhere(services)
    spent = []

    def cost(which: str, what: object) -> None:
        before = other.slots.taken
        other.services.proof.check(what, at=services.clock())  # type: ignore[arg-type]
        spent.append((which, other.slots.taken - before))

    cost("unknown code, the first of this process", replace(claim(paper), code=UNKNOWN_CODE))
    cost("unknown code", replace(claim(paper), code=UNKNOWN_CODE))
    cost("right", claim(paper))
    cost("wrong date", claim(paper, born=NOT_BORN))
    cost("no date, wrong password", claim(paper, born=None, password=WRONG_PASSWORD))
    as_if_failed(services, paper, THROTTLE.lock_without_password)
    cost("locked", claim(paper))
    change_grant(services, paper.grant, revoked_at=services.clock(), failures=0)
    cost("revoked", claim(paper))
    other.close()

    assert {hashes for _, hashes in spent} == {2}, spent


class DyingCrypto(Crypto):
    """The process dies (here: raises) between counting an attempt and comparing it."""

    def verify_password(self, kid: str, encoded: str, password: Password | str) -> bool:
        raise MemoryError


def test_an_attempt_is_on_record_before_anything_is_compared(services: Services, paper: Paper) -> None:
    dying = elsewhere(services, DyingCrypto)

    with pytest.raises(MemoryError):
        dying.services.proof.check(claim(paper), at=services.clock())
    with pytest.raises(MemoryError):
        dying.services.proof.check(replace(claim(paper), code=UNKNOWN_CODE), at=services.clock())
    dying.close()

    assert state(services) == (1, 1)
    assert [(row.grant_id, row.outcome) for row in rows(services, Attempt)] == [
        (paper.grant.id, None),
        (None, None),
    ]


def test_dying_over_and_over_yields_no_free_guesses(services: Services, paper: Paper) -> None:
    dying = elsewhere(services, DyingCrypto)
    for _ in range(8):
        with pytest.raises(MemoryError):
            dying.services.proof.check(claim(paper), at=services.clock())
    dying.close()

    assert state(services) == (THROTTLE.free + 1, THROTTLE.free + 1)
    assert check(services, paper).outcome is Outcome.REFUSED


def test_three_failures_are_free_and_the_fourth_costs_thirty_seconds(
    services: Services, paper: Paper, clock: Clock
) -> None:
    fail(services, paper, 4)
    clock.forward(seconds=29)
    early = check(services, paper)
    clock.forward(seconds=1)
    in_time = check(services, paper)

    assert early.outcome is Outcome.REFUSED
    assert in_time.outcome is Outcome.OPENED


def test_three_failures_do_not_keep_the_patient_waiting(services: Services, paper: Paper) -> None:
    fail(services, paper, 3)

    assert check(services, paper).outcome is Outcome.OPENED


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(3, 30), (4, 60), (5, 120), (6, 240), (7, 480), (8, 960), (9, 1920), (10, 3600), (18, 3600)],
)
def test_each_further_failure_doubles_the_wait_up_to_an_hour(
    services: Services, paper: Paper, failures: int, seconds: int
) -> None:
    change_grant(services, paper.grant, policy=Policy.PASSWORD)
    as_if_failed(services, paper, failures)

    check(services, paper, password=WRONG_PASSWORD)

    assert rows(services, Grant)[0].next_try_at == services.clock() + timedelta(seconds=seconds)


def test_tries_during_a_wait_neither_count_nor_make_it_longer(
    services: Services, paper: Paper, clock: Clock
) -> None:
    fail(services, paper, 4)
    ends = rows(services, Grant)[0].next_try_at
    for _ in range(5):
        clock.forward(seconds=5)
        fail(services, paper)

    assert rows(services, Grant)[0].next_try_at == ends
    assert state(services) == (4, 4)
    clock.forward(seconds=5)
    assert check(services, paper).outcome is Outcome.OPENED


@pytest.mark.parametrize(
    ("policy", "last"), [(Policy.BIRTH_DATE, 9), (Policy.BIRTH_DATE_AND_PASSWORD, 19), (Policy.PASSWORD, 19)]
)
def test_the_last_failure_in_a_row_locks_the_grant_for_good(
    services: Services, paper: Paper, clock: Clock, policy: Policy, last: int
) -> None:
    change_grant(services, paper.grant, policy=policy)
    as_if_failed(services, paper, last)
    check(services, paper, born=NOT_BORN, password=WRONG_PASSWORD)
    clock.forward(days=60)

    assert check(services, paper, password=paper.password).outcome is Outcome.REFUSED
    assert state(services) == (last + 1, last + 1)


@pytest.mark.parametrize("policy", Policy)
def test_one_try_before_the_lock_the_right_factors_still_open(
    services: Services, paper: Paper, policy: Policy
) -> None:
    change_grant(services, paper.grant, policy=policy)
    as_if_failed(services, paper, THROTTLE.locks_at(policy) - 1)

    assert check(services, paper, password=paper.password).outcome is Outcome.OPENED
    assert state(services)[0] == 0


def test_a_hundred_failures_in_a_grants_life_lock_it_however_far_apart(
    services: Services, paper: Paper
) -> None:
    as_if_failed(services, paper, 0, in_life=99)
    fail(services, paper)
    as_if_failed(services, paper, 0, in_life=state(services)[1])

    assert check(services, paper).outcome is Outcome.REFUSED


def test_success_forgets_the_failures_in_a_row_but_not_those_of_the_grants_life(
    services: Services, paper: Paper
) -> None:
    fail(services, paper, 3)
    check(services, paper)

    assert state(services) == (0, 3)
    assert rows(services, Grant)[0].next_try_at is None


def test_staff_can_unlock_a_locked_grant(services: Services, paper: Paper) -> None:
    as_if_failed(services, paper, THROTTLE.lock_without_password)
    services.grants.unlock(
        services.grants.by_ref(paper.grant.ref),  # type: ignore[arg-type]
        at=services.clock(),
        actor="staff:clerk",
    )
    services.session.commit()

    assert check(services, paper).outcome is Outcome.OPENED
    assert "grant:unlocked" in events(services)


def storm(services: Services, claims: list[object]) -> list[Outcome]:
    """All of ``claims`` at once, within one moment of the clock, each from another corner of the internet."""
    claims = [replace(what, address=f"10.{number}.0.1") for number, what in enumerate(claims)]  # type: ignore[type-var]
    start = threading.Barrier(len(claims))
    at = services.clock()

    def guess(what: object) -> Outcome:
        start.wait()
        return services.proof.check(what, at=at).outcome  # type: ignore[arg-type]

    with ThreadPoolExecutor(len(claims)) as threads:
        return list(threads.map(guess, claims))


def test_fifty_guesses_at_once_are_no_more_than_the_free_ones_and_one(
    services: Services, paper: Paper
) -> None:
    guesses: list[object] = [claim(paper, born=date(1958, 4, 1) + n * DAY) for n in range(50)]

    outcomes = storm(services, guesses)

    # Each compare that could have opened anything was counted first.
    assert state(services) == (THROTTLE.free + 1, THROTTLE.free + 1)
    assert set(outcomes) == {Outcome.REFUSED}
    assert len(rows(services, Attempt)) == 50
    assert check(services, paper).outcome is Outcome.REFUSED, "a wait runs now"


def test_fifty_right_answers_at_once_during_a_wait_open_nothing(services: Services, paper: Paper) -> None:
    fail(services, paper, 4)

    outcomes = storm(services, [claim(paper)] * 50)

    assert set(outcomes) == {Outcome.REFUSED}


def test_one_try_before_the_lock_a_storm_gets_one_try(services: Services, paper: Paper) -> None:
    as_if_failed(services, paper, THROTTLE.lock_without_password - 1)

    storm(services, [claim(paper, born=NOT_BORN)] * 20)

    assert state(services)[0] == THROTTLE.lock_without_password


NOT_OPEN = [
    ("revoked_at", timedelta(0), Outcome.REVOKED),
    ("suspended_at", timedelta(0), Outcome.SUSPENDED),
    ("expires_at", timedelta(0), Outcome.EXPIRED),
    ("released_at", DAY, Outcome.NOT_YET_RELEASED),
]


@pytest.mark.parametrize(("column", "when", "told"), NOT_OPEN)
def test_why_a_grant_does_not_open_is_said_only_after_full_proof(
    services: Services, paper: Paper, column: str, when: timedelta, told: Outcome
) -> None:
    change_grant(services, paper.grant, **{column: services.clock() + when})

    assert check(services, paper, born=NOT_BORN) == Verdict(Outcome.REFUSED, None)
    assert check(services, paper).outcome is told


def test_a_sheet_opens_until_its_last_moment_and_not_after(
    services: Services, paper: Paper, clock: Clock
) -> None:
    change_grant(services, paper.grant, expires_at=services.clock() + timedelta(seconds=1))
    assert check(services, paper).outcome is Outcome.OPENED
    clock.forward(seconds=1)
    assert check(services, paper).outcome is Outcome.EXPIRED


@pytest.mark.parametrize("table", ["attempt", "audit_event"])
def test_when_the_store_is_down_nothing_is_compared_or_opened(
    services: Services, paper: Paper, table: str
) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {table}"))

    with pytest.raises(StoreUnavailable):
        check(services, paper)

    assert rows(services, Visit) == []
    if table == "audit_event":  # counted, and the right answer did not take the count back
        assert state(services) == (1, 1)


def test_the_audit_trail_and_the_attempts_hold_nothing_that_was_typed(
    services: Services, paper: Paper
) -> None:
    check(services, paper, password=paper.password)
    check(services, paper, born=NOT_BORN, password=WRONG_PASSWORD)

    told = repr([(row.details, row.actor, row.address) for row in rows(services, AuditEvent)])
    for secret in (paper.code.symbols, paper.code.grouped, paper.password.digits, "1958", "19580327"):
        assert secret not in told


def test_neither_claim_nor_paper_shows_its_secrets_when_printed(services: Services, paper: Paper) -> None:
    shown = repr(claim(paper, password=paper.password)) + repr(paper.code) + repr(paper.password)

    for secret in (paper.code.symbols, paper.password.digits, "1958"):
        assert secret not in shown


def test_two_sheets_do_not_answer_for_each_other(services: Services, paper: Paper) -> None:
    change_grant(services, paper.grant, policy=Policy.PASSWORD)
    other = services.grants.reissue(
        services.grants.by_ref(paper.grant.ref),  # type: ignore[arg-type]
        at=services.clock(),
        actor="staff:clerk",
    )
    services.session.commit()
    mixed = replace(claim(paper, password=other.password), code=AccessCode(paper.code.symbols))

    assert services.proof.check(mixed, at=services.clock()).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_addresses_are_counted_by_network(address: str, network: str) -> None:
    assert networks_of(address).narrow == network
