"""Tokens of people and devices: whom they stand for, how long, and what ends them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.domain.staff import Act, Role
from app.models import AuditEvent, Staff, StaffSession, StaffToken
from app.services.profiles import NOBODY, Profile
from app.services.staff_sessions import SignedIn
from app.services.staff_tokens import NotADevice, Unusable
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, elsewhere, events, fresh_clinic, rows, visit
from tests.support.people import PASSWORD, account, sign_in


@pytest.fixture
def anna(services: Services) -> Staff:
    return account(services, "anna", Role.RADIOLOGIST)


@pytest.fixture
def key(services: Services, anna: Staff) -> str:
    found = sign_in(services)
    assert found is not None
    return found


@pytest.fixture
def token(services: Services, key: str) -> str:
    return issued(services, key)


@pytest.fixture
def device(services: Services) -> Staff:
    return account(services, "ct1", Role.DEVICE)


def issued(services: Services, key: str, *, may_change: bool = True) -> str:
    found = services.staff_sessions.find(key, at=services.clock())
    assert isinstance(found, SignedIn)
    return services.staff_tokens.issue(found.session, may_change=may_change, at=services.clock())


def made(services: Services, device: Staff, name: str = "console") -> str:
    return services.staff_tokens.make(device, name, at=services.clock(), actor="staff:boss")


def profile(services: Services, token: str) -> Profile:
    return services.profiles.of_token(token, at=services.clock())


def basic(services: Services, login: str, password: str = PASSWORD) -> Profile:
    return services.profiles.of_device(login, password, address=ADDRESS, at=services.clock())


# People.


def test_a_token_is_what_every_viewer_can_carry(token: str) -> None:
    assert re.fullmatch(r"staff~[A-Za-z0-9._~-]+", token) and len(token) < 100


def test_a_persons_token_tells_what_their_roles_allow_in_orthanc(services: Services, token: str) -> None:
    told = profile(services, token)
    assert (told.login, told.name, told.is_unlimited) == ("anna", "Dr Anna Haus", False)
    assert {Act.VIEW, Act.UPLOAD, Act.MODIFY} < told.acts
    assert not told.acts & {Act.DELETE, Act.SETTINGS, Act.WRITE, Act.READ, Act.SEE}


def test_an_admins_token_has_no_limits_unless_the_session_may_only_look(services: Services) -> None:
    boss = account(services, "boss", Role.ADMIN)
    for may_change in (True, False):
        key = services.staff_sessions.begin_for(
            boss, may_change=may_change, address=ADDRESS, at=services.clock()
        )
        assert key is not None
        told = profile(services, issued(services, key))
        assert told.is_unlimited is may_change
        assert told.acts >= {Act.VIEW} and (Act.DELETE in told.acts) is may_change


def test_a_viewers_token_looks_and_changes_nothing(services: Services, key: str) -> None:
    told = profile(services, issued(services, key, may_change=False))
    assert (told.login, told.acts) == ("anna", {Act.VIEW, Act.DOWNLOAD})


ENDINGS: dict[str, Callable[[Services, Staff, str, Clock], object]] = {
    "signed out": lambda services, _anna, key, clock: services.staff_sessions.sign_out(
        key, address=ADDRESS, at=clock.now
    ),
    "account disabled": lambda services, anna, _key, clock: services.staff.disable(
        anna, at=clock.now, actor="x"
    ),
    "new password": lambda services, anna, _key, clock: services.staff.set_password(
        anna, "another horse's battery", at=clock.now, actor="x"
    ),
    "sessions ended": lambda services, anna, _key, clock: services.staff_sessions.end_all(
        anna, at=clock.now, actor="x"
    ),
    "locked": lambda services, _anna, key, clock: services.staff_sessions.lock(
        key, address=ADDRESS, at=clock.now
    ),
    "left alone": lambda _services, _anna, _key, clock: clock.forward(minutes=10),
    "over its limit": lambda _services, _anna, _key, clock: clock.forward(hours=12),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_token_opens_nothing_when_its_session_does_not(
    services: Services, clock: Clock, anna: Staff, key: str, token: str, how: str
) -> None:
    account(services, "boss", Role.ADMIN)
    ENDINGS[how](services, anna, key, clock)
    assert profile(services, token) is NOBODY


def test_a_locked_sessions_token_works_again_once_the_password_is_typed(
    services: Services, clock: Clock, key: str, token: str
) -> None:
    clock.forward(minutes=11)
    assert profile(services, token) is NOBODY
    assert services.staff_sessions.unlock(key, PASSWORD, address=ADDRESS, at=clock.now)
    assert profile(services, token).login == "anna"


def test_looking_at_images_keeps_the_session_from_locking(
    services: Services, clock: Clock, key: str, token: str
) -> None:
    for _ in range(5):
        clock.forward(minutes=9)
        assert profile(services, token).login == "anna"
    assert isinstance(services.staff_sessions.find(key, at=clock.now), SignedIn)


def test_use_is_written_once_a_minute(services: Services, clock: Clock, token: str) -> None:
    profile(services, token)
    first = clock.now
    for _ in range(3):
        clock.forward(seconds=19)
        profile(services, token)
    (row,) = rows(services, StaffToken)
    (session,) = rows(services, StaffSession)
    assert row.used_at == session.seen_at == first
    clock.forward(seconds=3)
    profile(services, token)
    assert rows(services, StaffToken)[0].used_at == clock.now


def test_new_roles_count_at_the_next_question(services: Services, anna: Staff, token: str) -> None:
    services.staff.change(anna, roles=[Role.VIEWER], at=services.clock(), actor="x")
    assert profile(services, token).acts == {Act.VIEW}


# Devices.


def test_a_device_stores_and_does_nothing_else(services: Services, device: Staff) -> None:
    token = made(services, device)
    assert re.fullmatch(r"device~[A-Za-z0-9._~-]+", token) and len(token) < 100
    for told in (profile(services, token), basic(services, "ct1")):
        assert (told.login, told.acts, told.is_unlimited) == ("ct1", {Act.UPLOAD}, False)


def test_making_and_revoking_a_token_is_on_record_and_the_token_is_not(
    services: Services, device: Staff
) -> None:
    token, other = made(services, device, " CT\n1 "), made(services, device, "spare")
    (newest, oldest) = sorted(services.staff_tokens.of(device), key=lambda row: row.name, reverse=True)
    assert (newest.name, oldest.name) == ("spare", "CT 1")
    assert services.staff_tokens.revoke(device, oldest.id, at=services.clock(), actor="staff:boss")
    assert profile(services, token) is NOBODY
    assert profile(services, other).acts == {Act.UPLOAD}
    assert not services.staff_tokens.revoke(device, oldest.id, at=services.clock(), actor="staff:boss")
    assert [row.id for row in services.staff_tokens.of(device)] == [newest.id]
    trail = rows(services, AuditEvent)
    assert events(services)[-3:] == ["staff:token-issued", "staff:token-issued", "staff:token-revoked"]
    assert trail[-1].details == {"login": "ct1", "token": "CT 1"}
    assert not any(secret in str(row.details) for row in trail for secret in (token, other, oldest.id))


def test_a_token_of_another_account_or_of_a_session_cannot_be_revoked_as_a_devices(
    services: Services, device: Staff, anna: Staff, token: str
) -> None:
    (row,) = rows(services, StaffToken)
    for account_ in (device, anna):
        assert not services.staff_tokens.revoke(account_, row.id, at=services.clock(), actor="x")
    assert profile(services, token).login == "anna"


def test_people_and_disabled_devices_get_no_lasting_token(
    services: Services, device: Staff, anna: Staff
) -> None:
    services.staff.disable(device, at=services.clock(), actor="x")
    for account_ in (device, anna):
        with pytest.raises(NotADevice):
            made(services, account_)
    assert rows(services, StaffToken) == []


def test_a_name_has_its_bounds(services: Services, device: Staff) -> None:
    with pytest.raises(Unusable, match=r"80 characters\.$"):
        made(services, device, "x" * 81)


def test_a_disabled_device_stores_nothing_by_token_or_password(services: Services, device: Staff) -> None:
    token = made(services, device)
    assert basic(services, "ct1") is not NOBODY
    services.staff.disable(device, at=services.clock(), actor="x")
    assert profile(services, token) is NOBODY
    assert basic(services, "ct1") is NOBODY


# Passwords of devices.


def test_a_password_that_was_right_lately_costs_no_hash_and_no_row(services: Services, device: Staff) -> None:
    there = elsewhere(services)
    for _ in range(3):
        assert basic(there.services, "ct1").login == "ct1"
    assert there.slots.taken == 1
    assert rows(services, Staff)[0].failures == 0
    there.close()


def test_after_a_quarter_of_an_hour_it_is_compared_again(
    services: Services, clock: Clock, device: Staff
) -> None:
    there = elsewhere(services)
    basic(there.services, "ct1")
    clock.forward(minutes=15)
    assert basic(there.services, "ct1").login == "ct1"
    assert there.slots.taken == 2
    there.close()


def test_a_changed_password_counts_at_once(services: Services, device: Staff) -> None:
    assert basic(services, "ct1") is not NOBODY
    services.staff.set_password(device, "another horse's battery", at=services.clock(), actor="x")
    assert basic(services, "ct1") is NOBODY
    assert basic(services, "ct1", "another horse's battery") is not NOBODY


def test_guessing_is_slowed_and_does_not_stop_the_device_that_is_sending(
    services: Services, device: Staff
) -> None:
    sending, fresh = elsewhere(services), elsewhere(services)
    assert basic(sending.services, "ct1") is not NOBODY
    for number in range(6):
        assert basic(services, "ct1", f"wrong {number}") is NOBODY
    assert basic(fresh.services, "ct1") is NOBODY, "right, but it has to wait"
    assert basic(sending.services, "ct1") is not NOBODY
    assert events(services).count("staff:refused") == 7
    sending.close()
    fresh.close()


def test_a_person_is_as_unknown_here_as_a_stranger(services: Services, anna: Staff) -> None:
    there = elsewhere(services)
    for login in ("anna", "nobody", "", "\0", "'", "ANNA", "x" * 500, "\ud800"):
        assert basic(there.services, login) is NOBODY
    assert there.slots.taken == 8, "one hash each"
    assert rows(services, Staff)[0].failures == 0, "nobody keeps anna waiting from here"
    there.close()


@pytest.mark.parametrize("spelling", ["CT1", " ct1", "ct1 "])
def test_a_login_has_one_spelling(services: Services, device: Staff, spelling: str) -> None:
    assert basic(services, spelling) is NOBODY


# Tokens are told apart by what they were signed for.


def test_no_kind_of_token_passes_for_another(services: Services, device: Staff, token: str) -> None:
    _, paper = fresh_clinic(services)
    live, _ = visit(services, paper)
    shared = services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
    person, machine = token.removeprefix("staff~"), made(services, device).removeprefix("device~")
    forged = [
        "", "staff~", "device~", "~", "staff~.", shared, person, machine, "staff~" + shared, "device~" + shared,
        "staff~" + machine, "device~" + person, "staff~staff~" + person, "Staff~" + person, token[:-1], token + "A",
        token.partition(".")[0], "staff~\ud800.x",
    ]  # fmt: skip
    assert [one for one in forged if profile(services, one) is not NOBODY] == []


class TestLookUps:
    def test_an_account_has_a_name_and_that_opens_nothing(self, services: Services, anna: Staff) -> None:
        assert services.profiles.of_login("anna") == Profile("anna", "Dr Anna Haus")
        account(services, "boss", Role.ADMIN)
        services.staff.disable(anna, at=services.clock(), actor="x")
        assert services.profiles.of_login("anna") == Profile("anna", "Dr Anna Haus")

    @pytest.mark.parametrize("login", ["", "nobody", "ANNA", "\0", "anna\n", "' OR 1=1"])
    def test_nobody_else_has(self, services: Services, anna: Staff, login: str) -> None:
        assert services.profiles.of_login(login) is None
