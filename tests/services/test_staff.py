"""Accounts: added, changed, disabled; passwords; the last admin stays."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.domain.staff import Role
from app.domain.staff_password import Weakness
from app.models import AuditEvent, Staff, db
from app.services.audit import StoreUnavailable
from app.services.staff import LastAdmin, LoginTaken, Unusable, WeakPassword
from app.services.staff_links import Purpose
from app.wiring import Services
from tests.support.factories import events, rows
from tests.support.people import PASSWORD, account, at_once, sign_in, who

NEW = "another horse's battery"


@pytest.fixture
def anna(services: Services) -> Staff:
    return account(services)


def test_a_login_is_given_once_whatever_its_case(services: Services, anna: Staff) -> None:
    with pytest.raises(LoginTaken):
        account(services, " ANNA ")
    assert events(services) == ["staff:added"]


@pytest.mark.parametrize(
    ("login", "password"),
    [("", PASSWORD), ("an na", PASSWORD), ("-anna", PASSWORD), ("a" * 65, PASSWORD), ("an\x00na", PASSWORD),
     ("anna", "short"), ("anna", "x" * 257), ("anna", "anna" * 6), ("anna", "test clinic 2026")],
)  # fmt: skip
def test_an_unusable_login_or_password_is_refused_with_a_sentence(
    services: Services, login: str, password: str
) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        account(services, login, password=password)
    assert rows(services, Staff) == []


def test_a_device_has_no_other_role(services: Services) -> None:
    with pytest.raises(Unusable, match="stores and can't read"):
        account(services, "ct1", Role.DEVICE, Role.VIEWER)
    device = account(services, "ct1", Role.DEVICE, password=None)
    with pytest.raises(Unusable):
        services.staff.change(device, roles=[Role.VIEWER], at=services.clock(), actor="x")


def test_a_name_is_one_line_that_every_database_takes(services: Services) -> None:
    person = services.staff.add(
        login="otto", name=" Otto\x00\n\u202eHaus ", roles=[Role.DESK], password=None, at=services.clock(),
        actor="x",
    )  # fmt: skip
    assert person.name == "Otto Haus"
    with pytest.raises(Unusable):
        services.staff.change(person, name="x" * 121, at=services.clock(), actor="x")


def test_new_roles_count_for_whoever_is_in(services: Services, anna: Staff) -> None:
    key = sign_in(services)
    services.staff.change(anna, name="", roles=[Role.VIEWER, Role.DESK], at=services.clock(), actor="staff:x")

    signed_in = services.staff_sessions.find(key, at=services.clock())
    assert signed_in is not None and signed_in.person.role_set == {Role.DESK, Role.VIEWER}
    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.details) == (
        "staff:changed",
        {"login": "anna", "name": "anna", "roles": "desk,viewer"},
    )
    before = len(events(services))
    services.staff.change(anna, roles=[Role.DESK, Role.VIEWER], at=services.clock(), actor="staff:x")
    assert len(events(services)) == before, "nothing changed, nothing to tell"


# The last admin.


def test_the_last_admin_who_can_sign_in_stays_one(services: Services) -> None:
    admin = account(services, "root", Role.ADMIN, Role.RADIOLOGIST)
    account(services, "invited", Role.ADMIN, password=None)
    services.staff.disable(account(services, "gone", Role.ADMIN), at=services.clock(), actor="x")
    before = len(events(services))

    with pytest.raises(LastAdmin):
        services.staff.change(admin, roles=[Role.VIEWER], at=services.clock(), actor="x")
    with pytest.raises(LastAdmin):
        services.staff.disable(admin, at=services.clock(), actor="x")

    assert sign_in(services, "root") is not None
    assert len(events(services)) == before + 1
    account(services, "second", Role.ADMIN)
    services.staff.disable(admin, at=services.clock(), actor="x")
    assert sign_in(services, "root") is None


def test_two_admins_who_demote_each_other_at_once_leave_one(services: Services) -> None:
    people = [account(services, "one", Role.ADMIN), account(services, "two", Role.ADMIN)]
    left = iter(people)

    def demote(place: Services) -> str:
        try:
            place.staff.change(next(left), roles=[Role.VIEWER], at=place.clock(), actor="x")
        except LastAdmin:
            return "refused"
        return "demoted"

    assert sorted(at_once(services, demote)) == ["demoted", "refused"]
    assert sum(Role.ADMIN in person.role_set for person in rows(services, Staff)) == 1


# Disabled.


def test_a_disabled_account_is_out_at_once_and_stays_out_when_enabled(
    services: Services, anna: Staff
) -> None:
    key = sign_in(services)
    link = services.staff_links.make(anna, Purpose.SIGN_IN, by="x", at=services.clock(), actor="staff:x")
    services.staff.disable(anna, at=services.clock(), actor="staff:x")
    services.staff.disable(anna, at=services.clock(), actor="staff:x")

    assert who(services, key) is None
    assert sign_in(services) is None
    assert services.staff_links.look(link, at=services.clock()) is None
    assert services.staff_sessions.begin_for(anna, address="192.0.2.1", at=services.clock()) is None
    row = next(row for row in rows(services, AuditEvent) if row.event == "staff:disabled")
    assert row.details == {"login": "anna", "sessions": 1, "links": 1}

    services.staff.enable(anna, at=services.clock(), actor="staff:x")
    assert who(services, key) is None
    assert services.staff_links.look(link, at=services.clock()) is None
    assert who(services, sign_in(services)) == "anna"
    assert events(services).count("staff:disabled") == 1


# Passwords.


def test_a_new_password_ends_the_other_sessions_and_open_links(services: Services, anna: Staff) -> None:
    mine, other = sign_in(services), sign_in(services)
    link = services.staff_links.make(anna, Purpose.PASSWORD, by="x", at=services.clock(), actor="staff:x")
    here = services.staff_sessions.find(mine, at=services.clock())
    assert here is not None

    services.staff.set_password(anna, NEW, at=services.clock(), actor="staff:anna", keep=here.session.id)

    assert (who(services, mine), who(services, other)) == ("anna", None)
    assert services.staff_links.look(link, at=services.clock()) is None
    assert sign_in(services) is None
    assert sign_in(services, password=NEW) is not None
    told = next(row for row in rows(services, AuditEvent) if row.event == "staff:changed")
    assert told.details == {"login": "anna", "password": "changed", "sessions": 1}


def test_a_weak_password_changes_nothing(services: Services, anna: Staff) -> None:
    with pytest.raises(WeakPassword) as refused:
        services.staff.set_password(anna, "password1234", at=services.clock(), actor="staff:anna")
    assert refused.value.weakness is Weakness.OBVIOUS
    assert sign_in(services) is not None


def test_the_same_password_from_another_keyboard_is_the_same(services: Services) -> None:
    account(services, "zoe", password="Zo\u00eb mag \uff11\uff12 \u00c4pfel")
    assert sign_in(services, "zoe", "Zoe\u0308 mag 12 A\u0308pfel") is not None


@pytest.mark.parametrize("password", ["", "\x00", "x" * 100_000, "\ud800", "\ufdfa" * 256])
def test_no_password_is_an_error(services: Services, anna: Staff, password: str) -> None:
    assert sign_in(services, password=password) is None


# Who there is.


def test_people_are_found_by_login_and_number(services: Services, anna: Staff) -> None:
    account(services, "adam")
    assert [person.login for person in services.staff.all()] == ["adam", "anna"]
    assert getattr(services.staff.by_login(" Anna"), "id", None) == anna.id
    assert getattr(services.staff.by_id(anna.id), "login", None) == "anna"
    for login in ("\x00", "", "nobody", "x" * 70_000):
        assert services.staff.by_login(login) is None
    for number in (0, -1, 99, 1 << 70):
        assert services.staff.by_id(number) is None


def test_what_cannot_be_recorded_does_not_happen(services: Services, anna: Staff) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_chain RENAME TO gone"))
    with pytest.raises(StoreUnavailable):
        services.staff.change(anna, roles=[Role.ADMIN], at=services.clock(), actor="x")
    assert rows(services, Staff)[0].roles == "radiologist"
