"""Signing in under a throttle, sessions that lock and end, and the second factor's place in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.domain.staff import LOOKING, Act, Role
from app.models import AuditEvent, Staff, StaffSession, db
from app.services.audit import StoreUnavailable
from app.services.staff_sessions import Locked, NeedsSecondFactor, SignedIn
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, elsewhere, events, rows
from tests.support.people import (
    BROWSER,
    PASSWORD,
    account,
    at_once,
    code,
    found,
    sign_in,
    who,
    with_app,
)

ELSEWHERE = "198.51.100.9"


@pytest.fixture
def anna(services: Services) -> Staff:
    return account(services)


def rule(services: Services, **rules: str) -> None:
    services.rules.set(rules, at=services.clock(), actor="staff:test")
    services.session.commit()


def prove(services: Services, key: str | None, typed: str) -> bool:
    return services.staff_sessions.prove_second_factor(key, typed, address=ADDRESS, at=services.clock())


def unlock(services: Services, key: str | None, password: str = PASSWORD) -> bool:
    return services.staff_sessions.unlock(key, password, address=ADDRESS, at=services.clock())


# The password.


def test_the_right_password_signs_in_whatever_the_case_of_the_login(services: Services, anna: Staff) -> None:
    key = sign_in(services, " ANNA ")

    assert who(services, key) == "anna"
    assert events(services) == ["staff:added", "staff:signed-in"]
    one = rows(services, StaffSession)[0]
    assert (one.address, one.browser) == (ADDRESS, BROWSER)
    assert key is not None and key.encode() not in one.key


@pytest.mark.parametrize(
    ("login", "password"),
    [("anna", "wrong password"), ("anna", ""), ("nobody", PASSWORD), ("", ""), ("an\x00na", PASSWORD),
     ("Änna", PASSWORD), ("anna' OR 1=1 --", PASSWORD), ("a" * 64, "b" * 256), ("invited", "")],
)  # fmt: skip
def test_whoever_is_not_known_or_wrong_is_refused_alike(
    services: Services, anna: Staff, login: str, password: str
) -> None:
    account(services, "invited", password=None)
    assert sign_in(services, login, password) is None
    assert events(services)[-1] == "staff:refused"
    assert rows(services, StaffSession) == []


def test_a_device_has_no_session(services: Services) -> None:
    device = account(services, "ct1", Role.DEVICE)

    assert sign_in(services, "ct1") is None
    assert services.staff_sessions.begin_for(device, address=ADDRESS, at=services.clock()) is None
    assert events(services) == ["staff:added", "staff:refused"]


def test_an_unknown_login_costs_the_same_hash(services: Services, anna: Staff) -> None:
    other = elsewhere(services)
    spent = []
    for login in ("nobody", "anna", "nobody"):
        before = other.slots.taken
        sign_in(other.services, login, "wrong password")
        spent.append(other.slots.taken - before)
    other.close()

    assert spent == [1, 1, 1]


@pytest.mark.parametrize("browser", ["\x00", "a\x00\nb", "x" * 5000, "", "\u202e"])
def test_no_browser_is_an_error(services: Services, anna: Staff, browser: str) -> None:
    key = services.staff_sessions.sign_in(
        "anna", PASSWORD, address=ADDRESS, browser=browser, at=services.clock()
    )
    assert who(services, key) == "anna"
    assert len(rows(services, StaffSession)[0].browser) <= 200


def test_a_password_that_changes_while_it_is_compared_opens_nothing(services: Services, anna: Staff) -> None:
    compare = services.crypto.verify_password

    def slowly(kid: str, encoded: str, password: str) -> bool:
        services.crypto.verify_password = compare  # type: ignore[method-assign,assignment]
        services.staff.set_password(anna, "another one entirely", at=services.clock(), actor="x")
        return compare(kid, encoded, password)

    services.crypto.verify_password = slowly  # type: ignore[method-assign,assignment]
    assert sign_in(services) is None
    assert rows(services, StaffSession) == []


# The throttle.


def test_the_fourth_wrong_password_makes_even_the_right_one_wait(
    services: Services, anna: Staff, clock: Clock
) -> None:
    for _ in range(4):
        sign_in(services, password="wrong password")
    assert sign_in(services) is None
    clock.forward(seconds=14)
    assert sign_in(services) is None, "trying again does not make it shorter"
    clock.forward(seconds=1)
    assert sign_in(services) is not None, "nor longer"
    assert rows(services, Staff)[0].failures == 0


def set_failures(services: Services, failures: int) -> None:
    services.session.rollback()
    rows(services, Staff)[0].failures = failures
    services.session.commit()


def test_nobody_waits_for_more_than_fifteen_minutes(services: Services, anna: Staff, clock: Clock) -> None:
    set_failures(services, 40)
    sign_in(services, password="wrong password")
    clock.forward(minutes=14, seconds=59)
    assert sign_in(services) is None
    clock.forward(seconds=1)
    assert sign_in(services) is not None


@pytest.mark.parametrize(
    ("before", "here"), [(ADDRESS, ADDRESS), ("2001:db8:1:2::7", "2001:db8:1:2:3:4:5:6")]
)
def test_who_only_knows_the_login_hardly_delays_its_owner(
    services: Services, anna: Staff, clock: Clock, before: str, here: str
) -> None:
    assert sign_in(services, address=before) is not None
    clock.forward(days=29)
    set_failures(services, 40)
    sign_in(services, password="wrong password", address=ELSEWHERE)

    clock.forward(seconds=59)
    assert sign_in(services, address=here) is None
    clock.forward(seconds=1)
    assert sign_in(services, address=ELSEWHERE) is None
    assert sign_in(services, address=here) is not None


def test_a_known_network_waits_a_minute_between_its_own_tries_too(
    services: Services, anna: Staff, clock: Clock
) -> None:
    sign_in(services)
    set_failures(services, 40)
    for _ in range(5):
        sign_in(services, password="wrong password")
    assert rows(services, Staff)[0].failures == 41
    clock.forward(minutes=1)
    for _ in range(5):
        sign_in(services, password="wrong password")
    assert rows(services, Staff)[0].failures == 42


def test_a_network_is_forgotten_after_thirty_days(services: Services, anna: Staff, clock: Clock) -> None:
    sign_in(services)
    clock.forward(days=30, seconds=1)
    set_failures(services, 40)
    sign_in(services, password="wrong password", address=ELSEWHERE)
    clock.forward(minutes=2)
    assert sign_in(services) is None


def test_a_hundred_wrong_tries_at_once_are_counted(services: Services, anna: Staff) -> None:
    answers = at_once(services, lambda place: sign_in(place, password="wrong password"), times=8)

    assert answers == [None] * 8
    assert rows(services, Staff)[0].failures == 4, "after the fourth the others had to wait"


def test_a_sign_in_that_cannot_be_recorded_does_not_happen(services: Services, anna: Staff) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE staff RENAME TO gone"))

    with pytest.raises(StoreUnavailable):
        sign_in(services)


# A session goes on, locks, ends.


@pytest.mark.parametrize("key", [None, "", "x", "\x00", "é", "\ud800"])
def test_a_cookie_of_nobody_is_nobody(services: Services, anna: Staff, key: str | None) -> None:
    assert found(services, key) is None


def test_a_session_that_is_left_alone_locks_then_ends(services: Services, anna: Staff, clock: Clock) -> None:
    key = sign_in(services)
    clock.forward(minutes=9, seconds=59)
    assert isinstance(found(services, key, touches=False), SignedIn)
    clock.forward(seconds=1)
    assert isinstance(found(services, key), Locked)
    clock.forward(minutes=1)
    assert isinstance(found(services, key), Locked), "asking doesn't unlock"
    clock.forward(hours=2)
    assert found(services, key) is None


def test_use_keeps_a_session_and_polling_does_not(services: Services, anna: Staff, clock: Clock) -> None:
    key, other = sign_in(services), sign_in(services)
    for _ in range(4):
        clock.forward(minutes=3)
        assert who(services, key) == "anna"
        polled = found(services, other, touches=False)
    assert isinstance(polled, Locked)
    assert isinstance(found(services, other), Locked)


def test_a_clinic_can_choose_its_minutes_or_none(services: Services, anna: Staff, clock: Clock) -> None:
    key = sign_in(services)
    rule(services, lock_minutes="2")
    clock.forward(minutes=2)
    assert isinstance(found(services, key), Locked)
    rule(services, lock_minutes="0")
    clock.forward(minutes=117)
    assert isinstance(found(services, key), SignedIn)
    clock.forward(hours=2)
    assert found(services, key) is None


def test_a_session_ends_after_twelve_hours_of_use(services: Services, anna: Staff, clock: Clock) -> None:
    key = sign_in(services)
    for _ in range(79):
        clock.forward(minutes=9)
        assert who(services, key) == "anna"
    clock.forward(minutes=9)
    assert found(services, key) is None


def test_a_locked_session_opens_with_the_password_alone(
    services: Services, anna: Staff, clock: Clock
) -> None:
    key = sign_in(services)
    services.staff_sessions.lock(key, address=ADDRESS, at=services.clock())
    services.staff_sessions.lock(key, address=ADDRESS, at=services.clock())
    locked = found(services, key)
    assert isinstance(locked, Locked) and locked.can_unlock

    assert not unlock(services, key, "wrong password")
    assert isinstance(found(services, key), Locked)
    assert not unlock(services, "another key")
    assert unlock(services, key)
    assert who(services, key) == "anna"
    assert not unlock(services, key), "there is nothing to unlock"
    assert events(services)[2:] == ["staff:locked", "staff:refused", "staff:unlocked"]
    assert rows(services, Staff)[0].failures == 0


def test_guessing_at_the_lock_is_slowed_down_as_signing_in_is(services: Services, anna: Staff) -> None:
    key = sign_in(services)
    services.staff_sessions.lock(key, address=ADDRESS, at=services.clock())
    for _ in range(4):
        assert not unlock(services, key, "wrong password")
    assert not unlock(services, key)


def test_a_lock_by_hand_is_not_undone_by_a_page_that_loads(
    services: Services, anna: Staff, clock: Clock
) -> None:
    key = sign_in(services)
    services.staff_sessions.lock(key, address=ADDRESS, at=services.clock())
    clock.forward(minutes=3)
    found(services, key)
    assert rows(services, StaffSession)[0].seen_at == clock() - timedelta(minutes=3)


def test_who_has_no_password_signs_in_anew(services: Services) -> None:
    person = account(services, "guest", Role.VIEWER, password=None)
    key = services.staff_sessions.begin_for(person, address=ADDRESS, at=services.clock())
    services.staff_sessions.lock(key, address=ADDRESS, at=services.clock())
    locked = found(services, key)
    assert isinstance(locked, Locked) and not locked.can_unlock
    assert not unlock(services, key, "")


def test_signing_out_ends_the_session_locked_or_not(services: Services, anna: Staff) -> None:
    for locks in (False, True):
        key = sign_in(services)
        if locks:
            services.staff_sessions.lock(key, address=ADDRESS, at=services.clock())
        for _ in range(2):
            services.staff_sessions.sign_out(key, address=ADDRESS, at=services.clock())
        assert found(services, key) is None
    assert events(services).count("staff:signed-out") == 2


def test_only_looking_is_left_to_a_session_that_may_not_change(services: Services) -> None:
    root = account(services, "root", Role.ADMIN)
    key = services.staff_sessions.begin_for(root, may_change=False, address=ADDRESS, at=services.clock())
    signed_in = found(services, key)
    assert isinstance(signed_in, SignedIn)
    assert signed_in.acts == LOOKING and Act.DELETE not in signed_in.acts


# Sessions that are listed and ended.


def test_a_person_sees_and_ends_their_sessions_and_nobody_elses(
    services: Services, anna: Staff, clock: Clock
) -> None:
    otto = account(services, "otto")
    first, second, of_otto = sign_in(services), sign_in(services), sign_in(services, "otto")
    listed = services.staff_sessions.of(anna, at=clock())
    assert [one.browser for one in listed] == [BROWSER] * 2
    theirs = services.staff_sessions.of(otto, at=clock())[0].id

    for number in (theirs, 0, -1, 1 << 70):
        assert not services.staff_sessions.end(anna, number, at=clock(), actor="staff:anna")
    assert services.staff_sessions.end(anna, listed[1].id, at=clock(), actor="staff:anna", address=ADDRESS)
    assert not services.staff_sessions.end(anna, listed[1].id, at=clock(), actor="staff:anna")

    assert [who(services, key) for key in (first, second, of_otto)] == [None, "anna", "otto"]
    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.actor, row.details) == (
        "staff:signed-out",
        "staff:anna",
        {"login": "anna", "sessions": 1},
    )


def test_all_others_end_and_all_end(services: Services, anna: Staff, clock: Clock) -> None:
    keys = [sign_in(services) for _ in range(3)]
    assert services.staff_sessions.end_others(keys[1], address=ADDRESS, at=clock()) == 2
    assert [who(services, key) for key in keys] == [None, "anna", None]
    assert services.staff_sessions.end_others("x", address=ADDRESS, at=clock()) == 0
    assert services.staff_sessions.end_all(anna, at=clock(), actor="staff:root") == 1
    assert services.staff_sessions.end_all(anna, at=clock(), actor="staff:root") == 0
    assert who(services, keys[1]) is None
    assert services.staff_sessions.of(anna, at=clock()) == []


# The second factor.


def test_with_a_second_factor_the_password_alone_opens_nothing(
    services: Services, anna: Staff, clock: Clock
) -> None:
    secret, _ = with_app(services, anna)
    clock.forward(minutes=1)
    key = sign_in(services)
    half = found(services, key)
    assert isinstance(half, NeedsSecondFactor) and not half.must_enrol
    assert services.staff_sessions.of(anna, at=clock()) == []
    assert "staff:signed-in" not in events(services)
    assert not prove(services, key, "000000")
    assert prove(services, key, code(secret, clock()))
    assert who(services, key) == "anna"
    assert events(services)[-2:] == ["staff:refused", "staff:signed-in"]
    assert rows(services, Staff)[0].failures == 0


def test_half_a_sign_in_lives_ten_minutes_and_is_not_prolonged(
    services: Services, anna: Staff, clock: Clock
) -> None:
    secret, _ = with_app(services, anna)
    key = sign_in(services)
    clock.forward(minutes=9)
    assert isinstance(found(services, key), NeedsSecondFactor)
    clock.forward(minutes=1)
    assert found(services, key) is None
    assert not prove(services, key, code(secret, clock()))


def test_a_code_that_somebody_saw_works_no_second_time(services: Services, anna: Staff, clock: Clock) -> None:
    secret, _ = with_app(services, anna)
    assert not prove(services, sign_in(services), code(secret, clock())), "it was used to set it up"
    clock.forward(seconds=60)
    shown = code(secret, clock())
    assert prove(services, sign_in(services), shown)
    assert not prove(services, sign_in(services), shown)
    assert not prove(services, sign_in(services), code(secret, clock(), steps=-1)), "nor an earlier one"
    assert prove(services, sign_in(services), code(secret, clock(), steps=1))


def test_one_code_opens_one_of_two_sessions_at_once(services: Services, anna: Staff, clock: Clock) -> None:
    secret, codes = with_app(services, anna)
    clock.forward(seconds=60)
    for typed in (code(secret, clock()), codes[0]):
        keys = [sign_in(services), sign_in(services)]
        left = iter(keys)
        answers = at_once(services, lambda place: prove(place, next(left), typed))  # noqa: B023
        assert sorted(answers) == [False, True]
        assert sorted(who(services, key) or "" for key in keys) == ["", "anna"]


def test_a_recovery_code_opens_once_and_is_on_record(services: Services, anna: Staff) -> None:
    _, codes = with_app(services, anna)
    typed = codes[3].lower().replace("-", " ").replace("0", "o").replace("1", "l")

    assert prove(services, sign_in(services), typed)
    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.details) == ("staff:signed-in", {"second_factor": "recovery code"})
    assert not prove(services, sign_in(services), typed)
    assert services.second_factor.remaining(anna) == 9


@pytest.mark.parametrize(
    "typed", ["", "\x00", "12345", "1234567", "é" * 16, "0" * 16, "x" * 70_000, "\ud800", "１２３４５６"]
)
def test_what_is_no_code_is_wrong(services: Services, anna: Staff, typed: str) -> None:
    with_app(services, anna)
    assert not prove(services, sign_in(services), typed)


def test_who_has_the_password_cannot_guess_second_factors_without_end(
    services: Services, anna: Staff, clock: Clock
) -> None:
    """Signing in with the right password again and again doesn't wipe out the failures of the second factor."""
    secret, _ = with_app(services, anna)
    clock.forward(minutes=1)
    compared = 0
    for _ in range(30):
        key = sign_in(services)
        if key is None:
            break
        assert not prove(services, key, "000000")
        compared += 1
    assert compared == 4
    key = sign_in(services)
    assert key is None
    clock.forward(seconds=15)
    key = sign_in(services)
    assert not prove(services, key, "000000")
    assert not prove(services, key, code(secret, clock())), "the right one has to wait as well"
    clock.forward(seconds=30)
    assert prove(services, key, code(secret, clock()))


def test_a_second_factor_of_somebody_else_opens_nothing(
    services: Services, anna: Staff, clock: Clock
) -> None:
    otto = account(services, "otto")
    secret, codes = with_app(services, otto)
    with_app(services, anna)
    clock.forward(minutes=1)
    key = sign_in(services)
    assert not prove(services, key, code(secret, clock()))
    assert not prove(services, key, codes[0])
    assert services.second_factor.remaining(otto) == 10


def test_a_role_that_needs_a_second_factor_sets_it_up_before_anything_opens(
    services: Services, anna: Staff, clock: Clock
) -> None:
    rule(services, second_factor_roles="radiologist")
    key = sign_in(services)
    half = found(services, key)
    assert isinstance(half, NeedsSecondFactor) and half.must_enrol
    secret = services.second_factor.begin(half.person).secret
    sessions = services.staff_sessions

    assert not prove(services, key, code(secret, clock()))
    assert sessions.enrol(key, secret, "000000", address=ADDRESS, at=clock()) is None
    assert sessions.enrol(key, "short", code(secret, clock()), address=ADDRESS, at=clock()) is None
    codes = sessions.enrol(key, secret, code(secret, clock()), address=ADDRESS, at=clock())

    assert codes is not None and len(set(codes)) == 10
    assert who(services, key) == "anna"
    assert sessions.enrol(key, secret, code(secret, clock()), address=ADDRESS, at=clock()) is None
    assert prove(services, sign_in(services), codes[0])


def test_a_session_that_waits_for_its_second_factor_ends_with_the_others(
    services: Services, anna: Staff, clock: Clock
) -> None:
    _, codes = with_app(services, anna)
    key = sign_in(services)
    services.staff.set_password(anna, "another one entirely", at=clock(), actor="staff:anna")
    assert found(services, key) is None
    assert not prove(services, key, codes[0])


def test_a_second_factor_is_taken_away_with_one_of_its_codes(
    services: Services, anna: Staff, clock: Clock
) -> None:
    secret, codes = with_app(services, anna)
    clock.forward(minutes=1)

    def remove(typed: str) -> bool:
        return services.staff_sessions.remove_second_factor(anna, typed, address=ADDRESS, at=clock())

    assert not remove("000000")
    assert services.second_factor.is_set(anna)
    assert remove(code(secret, clock()))
    assert not services.second_factor.is_set(anna)
    assert not remove(codes[0])
    assert who(services, sign_in(services)) == "anna"


def test_checking_ones_password_is_counted(services: Services, anna: Staff) -> None:
    def check(password: str) -> bool:
        return services.staff_sessions.check_password(anna, password, address=ADDRESS, at=services.clock())

    assert check(PASSWORD)
    for _ in range(4):
        assert not check("wrong password")
    assert not check(PASSWORD)
