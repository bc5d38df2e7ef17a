"""Links for people with an account: signed, for one purpose, once."""

from __future__ import annotations

import re

import pytest

from app.domain.staff import LOOKING, Role
from app.models import AuditEvent, Staff, StaffLink
from app.services.staff import WeakPassword
from app.services.staff_links import NotForThem, Purpose
from app.services.staff_sessions import NeedsSecondFactor, SignedIn
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, events, rows
from tests.support.people import PASSWORD, account, at_once, found, sign_in, who, with_app

NEW = "another horse's battery"


@pytest.fixture
def anna(services: Services) -> Staff:
    return account(services, password=None)


def make(services: Services, person: Staff, purpose: Purpose, *, may_change: bool = True) -> str:
    return services.staff_links.make(
        person, purpose, may_change=may_change, by="root", at=services.clock(), actor="staff:root"
    )


def choose(services: Services, token: str, password: str = NEW) -> str | None:
    return services.staff_links.use_for_password(token, password, address=ADDRESS, at=services.clock())


def enter(services: Services, token: str) -> str | None:
    return services.staff_links.use_to_sign_in(token, address=ADDRESS, at=services.clock())


def test_an_invitation_leads_to_a_password_and_in(services: Services, anna: Staff) -> None:
    assert sign_in(services) is None
    token = make(services, anna, Purpose.INVITATION)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{40,100}", token)

    for _ in range(3):  # looking uses nothing
        look = services.staff_links.look(token, at=services.clock())
        assert look is not None
        assert (look.person.name, look.purpose) == ("Dr Anna Haus", Purpose.INVITATION)
    assert who(services, choose(services, token)) == "anna"

    assert choose(services, token, PASSWORD) is None
    assert services.staff_links.look(token, at=services.clock()) is None
    assert who(services, sign_in(services, password=NEW)) == "anna"
    trail = [row for row in rows(services, AuditEvent) if row.event in ("staff:link-made", "staff:changed")]
    assert trail[0].details == {"login": "anna", "purpose": "invitation", "may_change": True}
    assert trail[1].details == {
        "login": "anna", "password": "changed", "sessions": 0, "link": "invitation",
    }  # fmt: skip
    assert not any(token.partition(".")[0] in repr(row.details) for row in rows(services, AuditEvent))


def test_a_refused_password_leaves_the_link_as_it_was(services: Services, anna: Staff) -> None:
    token = make(services, anna, Purpose.INVITATION)
    with pytest.raises(WeakPassword):
        choose(services, token, "short")
    assert choose(services, token) is not None


def test_a_new_password_by_link_ends_what_went_on_with_the_old_one(services: Services) -> None:
    otto = account(services, "otto")
    key = sign_in(services, "otto")
    other = make(services, otto, Purpose.SIGN_IN)
    token = make(services, otto, Purpose.PASSWORD)

    assert who(services, choose(services, token)) == "otto"
    assert who(services, key) is None
    assert enter(services, other) is None
    assert sign_in(services, "otto") is None


@pytest.mark.parametrize("may_change", [True, False])
def test_a_link_signs_in_once_with_what_its_maker_chose(
    services: Services, anna: Staff, may_change: bool
) -> None:
    token = make(services, anna, Purpose.SIGN_IN, may_change=may_change)
    signed_in = found(services, enter(services, token))

    assert isinstance(signed_in, SignedIn)
    assert signed_in.acts <= LOOKING or may_change
    assert enter(services, token) is None
    assert events(services)[-1] == "staff:signed-in"


def test_a_link_serves_no_other_purpose(services: Services, anna: Staff) -> None:
    into, password = make(services, anna, Purpose.SIGN_IN), make(services, anna, Purpose.PASSWORD)
    assert choose(services, into) is None
    assert enter(services, password) is None
    assert enter(services, into) is not None
    assert choose(services, password) is not None


def test_a_link_is_used_by_one_of_two_at_once(services: Services, anna: Staff) -> None:
    for purpose, use in ((Purpose.SIGN_IN, enter), (Purpose.INVITATION, choose)):
        token = make(services, anna, purpose)
        answers = at_once(services, lambda place: use(place, token), times=4)  # noqa: B023
        assert sorted(answer is not None for answer in answers) == [False, False, False, True]


@pytest.mark.parametrize(
    ("purpose", "hours"), [(Purpose.INVITATION, 7 * 24), (Purpose.PASSWORD, 24), (Purpose.SIGN_IN, 24)]
)
def test_a_link_expires(services: Services, anna: Staff, clock: Clock, purpose: Purpose, hours: int) -> None:
    token = make(services, anna, purpose)
    clock.forward(hours=hours, seconds=-1)
    assert services.staff_links.look(token, at=clock()) is not None
    clock.forward(seconds=1)
    assert services.staff_links.look(token, at=clock()) is None
    assert (enter(services, token), choose(services, token)) == (None, None)
    assert services.staff_links.open_ones(anna, at=clock()) == []


def test_a_link_that_was_taken_back_opens_nothing(services: Services, anna: Staff, clock: Clock) -> None:
    otto = account(services, "otto")
    token = make(services, anna, Purpose.SIGN_IN)
    (link,) = services.staff_links.open_ones(anna, at=clock())
    assert link.made_by == "root"

    assert not services.staff_links.revoke(otto, link.id, at=clock(), actor="staff:root")
    assert services.staff_links.revoke(anna, link.id, at=clock(), actor="staff:root")
    assert not services.staff_links.revoke(anna, link.id, at=clock(), actor="staff:root")
    assert not services.staff_links.revoke(anna, "\x00", at=clock(), actor="staff:root")

    assert enter(services, token) is None
    assert events(services).count("staff:link-revoked") == 1


def test_a_link_of_a_disabled_account_opens_nothing(services: Services, anna: Staff) -> None:
    tokens = [make(services, anna, purpose) for purpose in (Purpose.SIGN_IN, Purpose.INVITATION)]
    person = rows(services, Staff)[0]
    person.disabled_at = services.clock()  # and the links were left as they are
    services.session.commit()

    assert services.staff_links.look(tokens[0], at=services.clock()) is None
    assert (enter(services, tokens[0]), choose(services, tokens[1])) == (None, None)
    assert all(link.used_at is None for link in rows(services, StaffLink))


def test_neither_devices_nor_disabled_accounts_get_a_link(services: Services, anna: Staff) -> None:
    services.staff.disable(anna, at=services.clock(), actor="x")
    for person in (anna, account(services, "ct1", Role.DEVICE, password=None)):
        with pytest.raises(NotForThem):
            make(services, person, Purpose.SIGN_IN)
    assert rows(services, StaffLink) == []


@pytest.mark.parametrize("token", ["", "x", ".", "\x00", "é.é", "a.b", "x" * 70_000])
def test_what_we_did_not_sign_is_no_link(services: Services, anna: Staff, token: str) -> None:
    assert services.staff_links.look(token, at=services.clock()) is None
    assert (enter(services, token), choose(services, token)) == (None, None)


def test_a_token_of_another_purpose_and_an_unsigned_id_are_no_links(services: Services, anna: Staff) -> None:
    make(services, anna, Purpose.SIGN_IN)
    link_id = rows(services, StaffLink)[0].id
    assert enter(services, link_id) is None
    assert enter(services, services.crypto.sign("viewer-token", link_id)) is None


def test_a_link_does_not_get_past_a_second_factor(services: Services) -> None:
    otto = account(services, "otto")
    with_app(services, otto)
    assert isinstance(
        found(services, enter(services, make(services, otto, Purpose.SIGN_IN))), NeedsSecondFactor
    )
    assert isinstance(
        found(services, choose(services, make(services, otto, Purpose.PASSWORD))), NeedsSecondFactor
    )
