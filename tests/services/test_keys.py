"""Keys through their life: a rotation drops no grant and no visit; a key goes when nothing needs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app.adapters import keys as keys_file
from app.config import Settings
from app.domain.permissions import Permission
from app.domain.staff import Role
from app.models import Grant, Staff, StaffToken, db
from app.services.authorization import Question
from app.services.keys import NotRetired
from app.services.proof import Outcome
from app.services.staff_links import Purpose
from app.services.visits import LiveVisit
from app.wiring import Services
from tests.support import people
from tests.support.clock import Clock
from tests.support.factories import (
    ADDRESS,
    change_grant,
    claim,
    elsewhere,
    events,
    fresh_clinic,
    paper_of,
    rows,
    study_in,
    visit,
)
from tests.support.portal import Portal, portal_of

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, clock: Clock) -> Settings:
    """Keys of this test alone."""
    file = tmp_path / "keys.json"
    keys_file.write(file, keys_file.generate(at=clock() - timedelta(days=90)))
    return settings.with_(keys_file=file)


def rotate(services: Services, *purposes: str) -> None:
    services.session.rollback()
    services.keys.rotate(purposes or keys_file.PURPOSES, at=services.clock(), actor="staff:test")


def kids(services: Services, purpose: str) -> list[str]:
    return [found.key.kid for found in services.keys.every(at=services.clock()) if found.purpose == purpose]


def retire(services: Services, kid: str) -> None:
    services.session.rollback()
    services.keys.retire(kid, at=services.clock(), actor="staff:test")


def needs(services: Services, kid: str) -> dict[str, int]:
    (found,) = (one for one in services.keys.every(at=services.clock()) if one.key.kid == kid)
    return found.needs


# A rotation.


def test_a_rotation_drops_no_grant_and_no_visit(services: Services) -> None:
    study, paper = fresh_clinic(services)
    live, key = visit(services, paper)
    token = services.visits.issue_viewer_token(live, study, address=ADDRESS, at=services.clock())
    other = elsewhere(services)

    rotate(services)

    for each in (services, other.services):  # neither was started again
        assert isinstance(each.visits.find(key, at=each.clock()), LiveVisit)
        question = Question("main", "get", "study", token, study.orthanc_id, None, Permission.VIEW)
        assert each.authorization.answer(question, at=each.clock()).is_granted
        assert each.proof.check(claim(paper), at=each.clock()).outcome is Outcome.OPENED
    assert paper_of(services, study).code == paper.code, "and is printed as before"
    other.close()


def test_a_grant_of_a_new_key_is_proved_at_once_in_a_process_that_ran_before(services: Services) -> None:
    fresh_clinic(services)
    other = elsewhere(services)
    rotate(services)

    study = study_in(services)
    paper = paper_of(services, study)
    services.session.commit()

    assert paper.grant.pepper_kid == kids(services, "pepper")[-1]
    assert other.services.proof.check(claim(paper), at=services.clock()).outcome is Outcome.OPENED
    live, _ = other.services.visits.begin(paper.grant.id, address=ADDRESS, at=services.clock())
    token = other.services.visits.issue_viewer_token(live, study, address=ADDRESS, at=services.clock())
    question = Question("main", "get", "study", token, study.orthanc_id, None, Permission.VIEW)
    assert services.authorization.answer(question, at=services.clock()).is_granted
    other.close()


def test_with_many_peppers_a_code_still_costs_one_hash(services: Services) -> None:
    _, paper = fresh_clinic(services)
    for _ in range(4):
        rotate(services, "pepper")
    other = elsewhere(services)

    other.services.crypto.code_indexes(paper.code)

    assert other.slots.taken == 1
    other.close()


def test_only_the_purpose_that_is_named_gets_a_new_key(services: Services) -> None:
    rotate(services, "sealing")

    assert [len(kids(services, purpose)) for purpose in ("pepper", "signing", "sealing")] == [1, 1, 2]
    assert events(services) == ["key:rotated"]


def test_a_rotation_that_cannot_be_recorded_does_not_happen(services: Services) -> None:
    before = services.settings.keys_file.read_bytes()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_event RENAME TO gone"))

    with pytest.raises(Exception):  # noqa: B017  (whatever the audit trail raises)
        rotate(services)

    assert services.settings.keys_file.read_bytes() == before


@pytest.fixture
def portal(public_app: Flask, services: Services) -> Iterator[Portal]:
    return portal_of(public_app, services)  # type: ignore[return-value]


def test_a_form_that_was_open_during_a_rotation_is_sent_once(portal: Portal, services: Services) -> None:
    form = {"csrf_token": portal.csrf, **portal.typed, "go": "study"}

    rotate(services)

    answer = portal.client.post("/", data=form, base_url=portal.base, headers={"Referer": portal.base + "/"})
    assert answer.status_code == 303


# Staff.


def test_a_staff_password_moves_to_the_newest_pepper_at_sign_in(services: Services) -> None:
    services.staff.add(
        login="anna", name="", roles=[Role.DESK], password=PASSWORD, at=services.clock(), actor="x"
    )
    services.session.commit()
    rotate(services, "pepper")
    old, new = kids(services, "pepper")
    assert needs(services, old)["staff accounts (renewed as they sign in)"] == 1

    def sign_in(password: str) -> str | None:
        return services.staff_sessions.sign_in("anna", password, address=ADDRESS, at=services.clock())

    assert sign_in("wrong password") is None
    assert rows(services, Staff)[0].pepper_kid == old
    assert sign_in(PASSWORD) is not None
    assert rows(services, Staff)[0].pepper_kid == new
    assert sign_in(PASSWORD) is not None
    assert sign_in("wrong password") is None
    assert "staff accounts (renewed as they sign in)" not in needs(services, old)


def test_a_second_factor_moves_to_the_newest_key_as_it_is_used(services: Services, clock: Clock) -> None:
    anna = people.account(services)
    secret, codes = people.with_app(services, anna)
    rotate(services, "sealing")
    old, new = kids(services, "sealing")
    assert needs(services, old) == {"second factors (renewed as they are used)": 1}

    for _ in range(2):
        clock.forward(minutes=6)
        key, typed = people.sign_in(services), people.code(secret, clock())
        assert services.staff_sessions.prove_second_factor(key, typed, address=ADDRESS, at=clock())
        assert rows(services, Staff)[0].totp_kid == new
    retire(services, old)

    clock.forward(minutes=1)
    key, typed = people.sign_in(services), people.code(secret, clock())
    assert services.staff_sessions.prove_second_factor(key, typed, address=ADDRESS, at=clock())


def test_recovery_codes_need_their_pepper_until_they_are_used_or_renewed(services: Services) -> None:
    anna = people.account(services)
    _, codes = people.with_app(services, anna)
    rotate(services, "pepper")
    old = kids(services, "pepper")[0]
    what = "recovery codes (their owners make new ones)"
    assert needs(services, old)[what] == 10

    key = people.sign_in(services)
    at = services.clock()
    assert services.staff_sessions.prove_second_factor(key, codes[0], address=ADDRESS, at=at)
    assert needs(services, old)[what] == 9
    services.second_factor.renew_recovery_codes(anna, at=at, actor="x")
    assert what not in needs(services, old)


def test_a_signing_key_stays_while_a_link_or_a_devices_token_is_open(
    services: Services, clock: Clock
) -> None:
    anna = people.account(services)
    services.staff_links.make(anna, Purpose.SIGN_IN, by="x", at=clock(), actor="x")
    services.session.add(StaffToken(id="0" * 22, staff_id=anna.id, name="CT 1", issued_at=clock()))
    services.session.commit()
    rotate(services, "signing")
    clock.forward(minutes=6)
    old = kids(services, "signing")[0]
    assert needs(services, old) == {"links of accounts": 1, "tokens of devices and staff": 1}
    clock.forward(days=1)
    assert needs(services, old) == {"tokens of devices and staff": 1}


# Retiring.


@pytest.fixture
def old_key(services: Services, clock: Clock) -> str:
    rotate(services, "signing")
    clock.forward(minutes=6)
    return kids(services, "signing")[0]


def test_a_key_that_nothing_needs_goes(services: Services, old_key: str) -> None:
    retire(services, old_key)

    assert old_key not in kids(services, "signing")
    assert events(services) == ["key:rotated", "key:retired"]


@pytest.mark.parametrize("purpose", keys_file.PURPOSES)
def test_the_newest_key_stays(services: Services, purpose: str) -> None:
    with pytest.raises(NotRetired, match=rf"newest of its purpose: studykey keys rotate {purpose}"):
        retire(services, kids(services, purpose)[0])
    assert events(services) == []


def test_a_key_that_was_just_replaced_stays_for_work_under_way(services: Services, clock: Clock) -> None:
    rotate(services, "pepper")
    clock.forward(minutes=4)

    with pytest.raises(NotRetired, match=r"try again after 09:05:00 UTC"):
        retire(services, kids(services, "pepper")[0])


def test_a_key_that_nobody_knows_is_said_to_be_unknown(services: Services) -> None:
    with pytest.raises(NotRetired, match="There is no key pepper-0"):
        retire(services, "pepper-0")


@pytest.mark.parametrize("end", ["lives", "expires_at", "revoked_at"])
def test_the_pepper_of_a_grant_stays_even_when_the_grant_has_ended(
    services: Services, clock: Clock, end: str
) -> None:
    _, paper = fresh_clinic(services)
    if end != "lives":
        change_grant(services, services.session.merge(paper.grant), **{end: clock()})
    rotate(services, "pepper")
    clock.forward(minutes=6)
    old = kids(services, "pepper")[0]

    with pytest.raises(NotRetired, match=r"still needed by 1 grants, \d+ audit rows\."):
        retire(services, old)

    services.session.rollback()
    outcome = services.proof.check(claim(paper), at=clock()).outcome
    expected = {"lives": Outcome.OPENED, "expires_at": Outcome.EXPIRED, "revoked_at": Outcome.REVOKED}
    assert outcome is expected[end]


def test_the_pepper_of_an_audit_row_stays(services: Services, clock: Clock) -> None:
    rotate(services, "pepper")  # the row that tells of it is still under the old one
    clock.forward(minutes=6)
    with pytest.raises(NotRetired, match=r"still needed by 1 audit rows\."):
        retire(services, kids(services, "pepper")[0])


def test_a_sealing_key_stays_while_a_sheet_can_be_printed_again(services: Services, clock: Clock) -> None:
    fresh_clinic(services)
    rotate(services, "sealing")
    old = kids(services, "sealing")[0]
    clock.forward(days=13)
    with pytest.raises(NotRetired, match=r"still needed by 1 papers that can be printed again"):
        retire(services, old)

    clock.forward(days=2)
    retire(services, old)

    assert services.grants.paper(rows(services, Grant)[0], at=clock()) is None


def test_a_signing_key_stays_while_a_viewer_is_open_that_it_may_have_signed(
    services: Services, clock: Clock
) -> None:
    study, paper = fresh_clinic(services)
    live, key = visit(services, paper)
    services.visits.issue_viewer_token(live, study, address=ADDRESS, at=clock())
    rotate(services, "signing")
    old = kids(services, "signing")[0]
    clock.forward(minutes=10)
    with pytest.raises(NotRetired, match=r"still needed by 1 open viewers"):
        retire(services, old)

    later = services.visits.find(key, at=clock())
    assert isinstance(later, LiveVisit)
    clock.forward(minutes=1)
    services.visits.end(later, address=ADDRESS, at=clock())
    live, _ = visit(services, paper)
    services.visits.issue_viewer_token(live, study, address=ADDRESS, at=clock())
    retire(services, old)

    assert len(kids(services, "signing")) == 1
