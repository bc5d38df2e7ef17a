"""Grants: paper that is printed, printed again, replaced, revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.grants import Kind, Policy
from app.domain.permissions import Permission
from app.models import Grant, Study
from app.services.grants import Paper
from app.services.proof import Outcome
from app.services.visits import Ending
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import claim, events, fresh_clinic, rows, visit

CLERK = "staff:clerk"


@pytest.fixture
def paper(services: Services) -> Paper:
    return fresh_clinic(services)[1]


def the_grant(services: Services, paper: Paper) -> Grant:
    services.session.rollback()
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None
    return grant


def outcome(services: Services, paper: Paper) -> Outcome:
    services.session.rollback()
    return services.proof.check(claim(paper, password=paper.password), at=services.clock()).outcome


def test_the_sheet_can_be_printed_again_for_two_weeks(services: Services, paper: Paper, clock: Clock) -> None:
    clock.forward(days=14, seconds=-1)
    again = services.grants.paper(the_grant(services, paper), at=clock.now)
    assert again is not None
    assert (again.code, again.password) == (paper.code, paper.password)
    clock.forward(seconds=1)
    assert services.grants.paper(the_grant(services, paper), at=clock.now) is None
    assert outcome(services, paper) is Outcome.OPENED, "printed sheets go on working"


def test_the_database_alone_does_not_tell_a_code_or_password(services: Services, paper: Paper) -> None:
    grant = the_grant(services, paper)
    stored = repr({column.name: getattr(grant, column.name) for column in Grant.__table__.columns})

    for secret in (paper.code.symbols, paper.password.digits, "19580327"):
        assert secret not in stored
        assert secret.encode() not in grant.code_index + (grant.sealed or b"") + (grant.birth_date_mac or b"")


def test_a_new_sheet_opens_and_the_lost_one_does_not(services: Services, paper: Paper) -> None:
    _, key = visit(services, paper)

    fresh = services.grants.reissue(the_grant(services, paper), at=services.clock(), actor=CLERK)
    services.session.commit()

    assert outcome(services, fresh) is Outcome.OPENED
    assert outcome(services, paper) is Outcome.REVOKED
    assert services.visits.find(key, at=services.clock()) is Ending.CLOSED
    assert [event for event in events(services) if event.startswith("grant:")][:4] == [
        "grant:issued",
        "grant:issued",
        "grant:revoked",
        "grant:reissued",
    ]


def test_a_replaced_study_is_not_issued_again_by_the_archives_next_signal(
    services: Services, paper: Paper
) -> None:
    study = rows(services, Study)[0]
    services.grants.reissue(the_grant(services, paper), at=services.clock(), actor=CLERK)
    services.session.commit()
    services.orthancs["main"].change(study.orthanc_id, instance_count=61)  # type: ignore[attr-defined]
    archive = services.archives.all()[0]
    services.ingestion.take(archive, study.orthanc_id, at=services.clock())

    assert len([grant for grant in rows(services, Grant) if grant.revoked_at is None]) == 1


def test_revoking_forgets_the_sealed_code(services: Services, paper: Paper) -> None:
    services.grants.revoke(the_grant(services, paper), at=services.clock(), actor=CLERK)
    services.session.commit()

    grant = the_grant(services, paper)
    assert (grant.sealed, grant.sealing_kid, grant.sealed_until) == (None, None, None)
    assert services.grants.paper(grant, at=services.clock()) is None
    assert outcome(services, paper) is Outcome.REVOKED


def test_a_grant_is_revoked_once(services: Services, paper: Paper, clock: Clock) -> None:
    first = clock.now
    services.grants.revoke(the_grant(services, paper), at=first, actor=CLERK)
    services.session.commit()
    services.grants.revoke(the_grant(services, paper), at=clock.forward(days=1), actor=CLERK)
    services.session.commit()

    assert the_grant(services, paper).revoked_at == first
    assert events(services).count("grant:revoked") == 1


def test_a_seal_of_one_grant_does_not_open_as_anothers(services: Services, paper: Paper) -> None:
    grant = the_grant(services, paper)
    grant.ref = "f" * 16  # somebody who can write to the database moves a seal

    assert services.grants.paper(grant, at=services.clock()) is None


def test_what_is_done_within_a_page_that_fails_did_not_happen(services: Services, paper: Paper) -> None:
    before = events(services)
    services.grants.revoke(the_grant(services, paper), at=services.clock(), actor=CLERK)
    services.session.rollback()

    assert events(services) == before
    assert outcome(services, paper) is Outcome.OPENED


def test_a_physicians_grant_asks_for_the_password_and_is_not_the_patients(
    services: Services, paper: Paper
) -> None:
    study = rows(services, Study)[0]
    theirs = services.grants.issue(
        [study], at=services.clock(), actor=CLERK, kind=Kind.PHYSICIAN, permissions=Permission.VIEW
    )
    services.session.commit()

    assert theirs.grant.policy == Policy.PASSWORD
    assert services.proof.check(claim(theirs), at=services.clock()).outcome is Outcome.REFUSED
    assert outcome(services, theirs) is Outcome.OPENED
    patients = services.grants.current(rows(services, Study)[0])
    assert patients is not None and patients.ref == paper.grant.ref


def test_studies_of_different_birth_dates_are_opened_by_password_only(
    services: Services, paper: Paper
) -> None:
    from tests.support.factories import study_in

    other = study_in(services, birth_date_text="19700101")
    first = rows(services, Study)[0]
    both = services.grants.issue([first, other], at=services.clock(), actor=CLERK)

    assert both.grant.policy == Policy.PASSWORD


def test_without_a_reprint_window_nothing_is_sealed(services: Services, paper: Paper) -> None:
    from app.services.grants import Grants

    strict = services.settings.with_(reprint_window=timedelta(0))
    grants = Grants(services.session, services.crypto, services.audit, strict, services.rules)
    fresh = grants.issue([rows(services, Study)[0]], at=services.clock(), actor=CLERK)
    services.session.commit()

    assert the_grant(services, fresh).sealed is None
    assert grants.paper(the_grant(services, fresh), at=services.clock()) is None


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        (Kind.PATIENT, Policy.BIRTH_DATE),
        (Kind.GUARDIAN, Policy.BIRTH_DATE),
        (Kind.PHYSICIAN, Policy.PASSWORD),
        (Kind.DELEGATE, Policy.PASSWORD),
    ],
)
def test_each_kind_of_grant_asks_for_what_its_policy_says(
    services: Services, kind: Kind, policy: Policy
) -> None:
    study, _ = fresh_clinic(services)
    paper = services.grants.issue([study], at=services.clock(), actor=CLERK, kind=kind)
    assert (paper.grant.kind, paper.grant.policy) == (kind, policy)


@pytest.mark.parametrize("kind", list(Kind))
def test_without_a_birth_date_every_kind_asks_for_the_password(services: Services, kind: Kind) -> None:
    study, _ = fresh_clinic(services, birth_date_text="")
    paper = services.grants.issue([study], at=services.clock(), actor=CLERK, kind=kind)
    assert paper.grant.policy == Policy.PASSWORD
