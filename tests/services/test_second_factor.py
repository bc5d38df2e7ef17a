"""The second factor: set up, sealed, renewed, taken away."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlparse

import pytest

from app.domain.staff import Role
from app.models import AuditEvent, RecoveryCode, Staff
from app.services.second_factor import AlreadySet, NotSet
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, rows
from tests.support.people import account, at_once, code, sign_in, who, with_app


@pytest.fixture
def anna(services: Services) -> Staff:
    return account(services)


def test_beginning_stores_nothing_and_names_clinic_and_account(services: Services, anna: Staff) -> None:
    begun = services.second_factor.begin(anna)

    assert not services.second_factor.is_set(anna)
    uri = urlparse(begun.uri)
    assert (uri.scheme, uri.netloc, unquote(uri.path)) == ("otpauth", "totp", "/Test Clinic:anna")
    assert parse_qs(uri.query)["secret"] == [begun.secret]
    assert begun.secret not in repr(begun)
    assert services.second_factor.begin(anna, begun.secret).secret == begun.secret
    assert services.second_factor.begin(anna, "A" * 31).secret != "A" * 31


def test_a_wrong_code_sets_nothing_up(services: Services, anna: Staff, clock: Clock) -> None:
    secret = services.second_factor.begin(anna).secret
    for given, typed in ((secret, "000000"), ("", ""), ("é" * 32, "123456"), (secret.lower(), "123456")):
        assert services.second_factor.confirm(anna, given, typed, at=clock(), actor="x") is None
    assert rows(services, Staff)[0].totp_sealed is None


def test_neither_secret_nor_codes_stand_in_the_database(services: Services, anna: Staff) -> None:
    secret, codes = with_app(services, anna)

    person = rows(services, Staff)[0]
    assert person.totp_sealed is not None and secret.encode() not in person.totp_sealed
    assert len(codes) == 10 and all(len(one) == 19 for one in codes)
    stored = {row.mac for row in rows(services, RecoveryCode)}
    assert len(stored) == 10
    trail = repr([row.details for row in rows(services, AuditEvent)])
    assert secret not in trail and codes[0] not in trail


def test_a_secret_copied_to_another_account_is_worth_nothing(
    services: Services, anna: Staff, clock: Clock
) -> None:
    secret, _ = with_app(services, anna)
    account(services, "otto")
    first, second = rows(services, Staff)
    second.totp_sealed, second.totp_kid = first.totp_sealed, first.totp_kid
    services.session.commit()
    clock.forward(minutes=1)

    key = sign_in(services, "otto")
    assert not services.staff_sessions.prove_second_factor(
        key, code(secret, clock()), address=ADDRESS, at=clock()
    )


def test_a_second_factor_is_not_replaced_but_taken_away_first(
    services: Services, anna: Staff, clock: Clock
) -> None:
    with_app(services, anna)
    with pytest.raises(AlreadySet):
        with_app(services, anna)
    services.second_factor.remove(anna, at=clock(), actor="staff:root")
    services.second_factor.remove(anna, at=clock(), actor="staff:root")
    assert rows(services, RecoveryCode) == []
    told = [row.details.get("second_factor") for row in rows(services, AuditEvent)]
    assert told[1:] == ["set up", "removed"]
    assert who(services, sign_in(services)) == "anna"
    with_app(services, anna)


def test_two_who_set_it_up_at_once_get_one(services: Services, anna: Staff) -> None:
    def enrol(place: Services) -> str:
        try:
            with_app(place, anna)
        except AlreadySet:
            return "refused"
        return "set up"

    assert sorted(at_once(services, enrol)) == ["refused", "set up"]
    assert services.second_factor.remaining(anna) == 10


def test_new_recovery_codes_make_the_old_ones_worthless(
    services: Services, anna: Staff, clock: Clock
) -> None:
    with pytest.raises(NotSet):
        services.second_factor.renew_recovery_codes(anna, at=clock(), actor="staff:anna")
    _, old = with_app(services, anna)
    new = services.second_factor.renew_recovery_codes(anna, at=clock(), actor="staff:anna")

    def prove(typed: str) -> bool:
        key = sign_in(services)
        return services.staff_sessions.prove_second_factor(key, typed, address=ADDRESS, at=clock())

    assert set(old).isdisjoint(new)
    assert not prove(old[0])
    assert prove(new[0])
    assert services.second_factor.remaining(anna) == 9


def test_the_rules_say_who_needs_one(services: Services, anna: Staff) -> None:
    both = account(services, "both", Role.DESK, Role.VIEWER)
    assert not services.second_factor.is_required(both)
    services.rules.set({"second_factor_roles": "admin,desk"}, at=services.clock(), actor="x")
    services.session.commit()
    assert services.second_factor.is_required(both)
    assert not services.second_factor.is_required(anna)
