"""Staff: accounts, signing in under a throttle, sessions that end."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.domain.staff import Role
from app.models import Staff, StaffSession, db
from app.services.audit import StoreUnavailable
from app.services.staff import LoginTaken
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, elsewhere, events, rows

PASSWORD = "correct horse battery"


@pytest.fixture
def anna(services: Services) -> Staff:
    person = services.staff.add(
        login="Anna", name="Dr Anna Haus", roles=[Role.RADIOLOGIST], password=PASSWORD, at=services.clock(),
        actor="staff:command-line",
    )  # fmt: skip
    services.session.commit()
    return person


def sign_in(services: Services, login: str = "anna", password: str = PASSWORD) -> str | None:
    return services.staff.sign_in(login, password, address=ADDRESS, at=services.clock())


def who(services: Services, key: str | None) -> str | None:
    person = services.staff.find(key, at=services.clock())
    return person.login if person else None


def test_the_right_password_signs_in_whatever_the_case_of_the_login(services: Services, anna: Staff) -> None:
    key = sign_in(services, " ANNA ")

    assert who(services, key) == "anna"
    assert events(services) == ["staff:added", "staff:signed-in"]


@pytest.mark.parametrize(
    ("login", "password"),
    [("anna", "wrong password"), ("anna", ""), ("nobody", PASSWORD), ("", ""), ("an\x00na", PASSWORD),
     ("Änna", PASSWORD), ("anna' OR 1=1 --", PASSWORD), ("a" * 64, "b" * 256)],
)  # fmt: skip
def test_whoever_is_not_known_or_wrong_is_refused_alike(
    services: Services, anna: Staff, login: str, password: str
) -> None:
    assert sign_in(services, login, password) is None
    assert events(services)[-1] == "staff:refused"
    assert rows(services, StaffSession) == []


def test_an_unknown_login_costs_the_same_hash(services: Services, anna: Staff) -> None:
    other = elsewhere(services)
    spent = []
    for login in ("nobody", "anna", "nobody"):
        before = other.slots.taken
        sign_in(other.services, login, "wrong password")
        spent.append(other.slots.taken - before)
    other.close()

    assert spent == [1, 1, 1]


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


def test_nobody_waits_for_more_than_fifteen_minutes(services: Services, anna: Staff, clock: Clock) -> None:
    anna.failures = 40
    services.session.commit()
    sign_in(services, password="wrong password")
    clock.forward(minutes=15)

    assert sign_in(services) is not None


def test_a_disabled_account_neither_signs_in_nor_goes_on(services: Services, anna: Staff) -> None:
    key = sign_in(services)
    services.session.refresh(anna)
    anna.disabled_at = services.clock()
    services.session.commit()

    assert who(services, key) is None
    assert sign_in(services) is None


def test_a_session_ends_after_half_an_hour_without_use(services: Services, anna: Staff, clock: Clock) -> None:
    key = sign_in(services)
    clock.forward(minutes=29)
    assert who(services, key) == "anna"
    clock.forward(minutes=30)
    assert who(services, key) is None


def test_a_session_ends_after_twelve_hours(services: Services, anna: Staff, clock: Clock) -> None:
    key = sign_in(services)
    for _ in range(28):
        clock.forward(minutes=25)
        assert who(services, key) == "anna"
    clock.forward(minutes=20)
    assert who(services, key) is None


def test_signing_out_ends_the_session(services: Services, anna: Staff) -> None:
    key = sign_in(services)
    assert key is not None
    services.staff.sign_out(key, address=ADDRESS, at=services.clock())
    services.staff.sign_out(key, address=ADDRESS, at=services.clock())

    assert who(services, key) is None
    assert events(services).count("staff:signed-out") == 1


@pytest.mark.parametrize("key", [None, "", "x", "\x00", "é"])
def test_a_cookie_of_nobody_is_nobody(services: Services, anna: Staff, key: str | None) -> None:
    assert who(services, key) is None


def test_a_sign_in_that_cannot_be_recorded_does_not_happen(services: Services, anna: Staff) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE staff RENAME TO gone"))

    with pytest.raises(StoreUnavailable):
        sign_in(services)


def test_a_login_is_given_once(services: Services, anna: Staff) -> None:
    with pytest.raises(LoginTaken):
        services.staff.add(
            login="ANNA", name="", roles=[Role.DESK], password=PASSWORD, at=services.clock(), actor="x"
        )
    services.session.commit()
    assert events(services) == ["staff:added"]


@pytest.mark.parametrize(
    ("login", "password"),
    [("", PASSWORD), ("an na", PASSWORD), ("-anna", PASSWORD), ("a" * 65, PASSWORD), ("anna", "short"),
     ("anna", "x" * 257)],
)  # fmt: skip
def test_an_unusable_login_or_password_is_refused_with_a_sentence(
    services: Services, login: str, password: str
) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        services.staff.add(
            login=login, name="", roles=[Role.DESK], password=password, at=services.clock(), actor="x"
        )
