"""Sharing with somebody who isn't the patient: what is refused, what the mail says, who may send how many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.adapters.mail import Mail
from app.domain.events import Event
from app.domain.grants import Kind, Policy
from app.domain.permissions import Permission
from app.models import AuditEvent, Grant, Study
from app.services import sharing
from app.services.grants import Paper
from app.services.proof import Claim, Outcome
from app.services.sharing import Mailing, Page, Problem, Sharing, Wish
from app.wiring import Services
from tests.support.factories import ADDRESS, BORN, DAY, fresh_clinic, rows, study_in
from tests.support.post import Box, html_of, link_in, mail_server, text_of

ANNA = "staff:anna"
WISH = Wish(label="Dr Ludwig Moreno")
TO = "doctor@example.org"


@pytest.fixture
def study(services: Services) -> Study:
    study, _ = fresh_clinic(services)
    return study


@pytest.fixture
def box(services: Services) -> Iterator[Box]:
    """The clinic's mail server, and a ``services.sharing`` that knows it."""
    with mail_server() as (box, settings):
        services.sharing._mail = Mail(settings, services.settings.base_url)
        yield box


def share(services: Services, studies: list[Study], wish: Wish = WISH) -> Paper:
    made = services.sharing.share(studies, wish, at=services.clock(), actor=ANNA)
    assert isinstance(made, Paper)
    services.session.commit()
    return made


def problems(services: Services, studies: list[Study], wish: Wish) -> list[Problem]:
    made = services.sharing.share(studies, wish, at=services.clock(), actor=ANNA)
    assert isinstance(made, list)
    services.session.rollback()
    return made


def mail(services: Services, paper: Paper, to: str = TO, *, language: str = "en") -> Mailing:
    again = Paper(grant_of(services, paper), paper.code, paper.password)
    sent = services.sharing.mail(
        again, to, language=language, sharer="Dr Anna", at=services.clock(), actor=ANNA
    )
    services.session.commit()
    return sent


def grant_of(services: Services, paper: Paper) -> Grant:
    """As a page finds it."""
    grant = services.grants.by_ref(paper.grant.ref)
    assert grant is not None
    return grant


def outcome(services: Services, claim: Claim) -> Outcome:
    return services.proof.check(claim, at=services.clock()).outcome


def rules(services: Services, **changes: str) -> None:
    services.rules.set(changes, at=services.clock(), actor="test")
    services.session.commit()


def test_a_share_opens_with_its_code_and_password_and_without_a_birth_date(
    services: Services, study: Study
) -> None:
    made = share(services, [study])

    assert outcome(services, Claim(made.code, None, made.password, ADDRESS)) is Outcome.OPENED
    assert outcome(services, Claim(made.code, BORN, None, ADDRESS)) is Outcome.REFUSED
    grant = rows(services, Grant)[-1]
    assert (grant.kind, grant.label, grant.issued_by) == (Kind.PHYSICIAN, "Dr Ludwig Moreno", ANNA)
    assert grant.permissions == "view,report"
    assert grant.expires_at == services.clock() + 30 * DAY


def test_a_share_that_asks_for_the_birth_date_opens_with_all_three_alone(
    services: Services, study: Study
) -> None:
    made = share(services, [study], Wish(label="Son", kind=Kind.DELEGATE, asks_birth_date=True))

    assert made.grant.policy == Policy.BIRTH_DATE_AND_PASSWORD
    assert outcome(services, Claim(made.code, None, made.password, ADDRESS)) is Outcome.REFUSED
    assert outcome(services, Claim(made.code, BORN, made.password, ADDRESS)) is Outcome.OPENED


def test_a_share_leaves_the_patients_own_code_as_it_is(services: Services, study: Study) -> None:
    mine = services.grants.current(study)
    share(services, [study])

    assert services.grants.current(study) == mine


def test_several_studies_of_one_patient_are_shared_at_once(services: Services, study: Study) -> None:
    other = study_in(services, patient_id=study.patient_id)
    services.session.commit()

    made = share(services, [study, other])

    assert [one.id for one in grant_of(services, made).studies] == [study.id, other.id]
    issued = [row for row in rows(services, AuditEvent) if row.event == Event.GRANT_ISSUED]
    assert {row.study_id for row in issued if row.grant_id == made.grant.id} == {study.id, other.id}


@pytest.mark.parametrize(
    "other",
    [
        {"patient_id": "P-OTHER"},
        {"patient_name": "Muster^Erich"},
        {"birth_date_text": "19580328"},
        {"birth_date_text": ""},
    ],
)
def test_studies_that_may_be_of_several_people_need_a_yes(
    services: Services, study: Study, other: dict[str, str]
) -> None:
    second = study_in(services, **({"patient_id": study.patient_id} | other))
    services.session.commit()

    assert problems(services, [study, second], WISH) == [Problem.SEVERAL_PEOPLE]
    share(services, [study, second], Wish(label="Second opinion", is_several_people_meant=True))


def test_studies_without_a_patient_id_are_never_taken_for_one_persons(
    services: Services, study: Study
) -> None:
    both = [study_in(services, patient_id=""), study_in(services, patient_id="")]

    assert sharing.is_of_several_people(both)
    assert not sharing.is_of_several_people([study])


def test_a_study_that_is_held_back_is_shared_with_nobody(services: Services, study: Study) -> None:
    services.grants.suspend(study, "another person", at=services.clock(), actor="test")
    services.session.commit()

    assert problems(services, [study], WISH) == [Problem.SUSPENDED]


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        (Wish(label=""), Problem.NO_LABEL),
        (Wish(label="x" * 201), Problem.LONG_LABEL),
        (Wish(label="Dr", permissions=Permission.NONE), Problem.NO_PERMISSION),
        (Wish(label="Dr", days=31), Problem.NO_SUCH_LIFE),
        (Wish(label="Dr", days=None), Problem.NO_SUCH_LIFE),
        (Wish(label="Dr", by_mail=True, address=TO), Problem.MAIL_OFF),
    ],
)
def test_what_is_missing_or_not_allowed_is_said(
    services: Services, study: Study, wish: Wish, problem: Problem
) -> None:
    assert problems(services, [study], wish) == [problem]


def test_a_birth_date_that_the_studies_do_not_share_can_not_be_asked_for(
    services: Services, study: Study
) -> None:
    other = study_in(services, patient_id=study.patient_id, birth_date_text="")
    services.session.commit()
    wish = Wish(label="Dr", asks_birth_date=True, is_several_people_meant=True)

    assert problems(services, [study, other], wish) == [Problem.NO_BIRTH_DATE]


def test_until_revoked_is_for_clinics_that_allow_it(services: Services, study: Study) -> None:
    rules(services, share_until_revoked="yes")

    made = share(services, [study], Wish(label="Dr", days=None))

    assert made.grant.expires_at is None
    services.clock.forward(days=3000)  # type: ignore[attr-defined]
    assert outcome(services, Claim(made.code, None, made.password, ADDRESS)) is Outcome.OPENED


def test_the_mail_names_neither_patient_nor_study_and_keeps_the_password_back(
    services: Services, study: Study, box: Box
) -> None:
    made = share(services, [study])

    assert mail(services, made) is Mailing.SENT

    (message,) = box.mails
    assert message["To"] == TO
    assert link_in(message) == f"http://localhost:8045/#{made.code.symbols}!p"
    everything = text_of(message) + html_of(message) + str(message["Subject"]) + str(message["From"])
    for secret in ("Muster", "Erika", "1958", "Thorax", "CT", study.patient_id, made.password.digits):
        assert secret not in everything.replace(made.code.symbols, "")
    assert made.password.grouped not in everything
    assert "Dr Anna of Test Clinic" in everything and "+1 555 0199" in everything
    assert "December 20, 2026" in everything
    assert "You can leave the patient's date of birth empty." in text_of(message)


def test_what_was_mailed_is_on_record_with_the_address_masked(
    services: Services, study: Study, box: Box
) -> None:
    made = share(services, [study])
    mail(services, made)

    row = rows(services, AuditEvent)[-1]
    assert (row.event, row.actor, row.grant_id, row.study_id) == (
        Event.GRANT_MAILED,
        ANNA,
        made.grant.id,
        study.id,
    )
    assert row.details == {"to": "d•••@example.org"}
    assert rows(services, Grant)[-1].mailed_at == services.clock()


def test_where_the_clinic_says_so_the_link_carries_the_password(
    services: Services, study: Study, box: Box
) -> None:
    rules(services, password_in_link="yes")
    made = share(services, [study])

    mail(services, made)

    assert link_in(box.mails[0]) == f"http://localhost:8045/#{made.code.symbols}!p={made.password.digits}"
    assert "You also need a password" not in text_of(box.mails[0])


def test_a_mail_that_fails_leaves_the_share_alive_and_nothing_on_record(
    services: Services, study: Study, box: Box
) -> None:
    made = share(services, [study])
    box.rcpt_answer = "550 no such user"

    assert mail(services, made) is Mailing.REFUSED

    assert rows(services, Grant)[-1].mailed_at is None
    assert Event.GRANT_MAILED not in [row.event for row in rows(services, AuditEvent)]
    assert outcome(services, Claim(made.code, None, made.password, ADDRESS)) is Outcome.OPENED
    box.rcpt_answer = ""
    assert mail(services, made) is Mailing.SENT


def test_the_grant_is_committed_before_the_mail_tells_of_it(
    services: Services, study: Study, box: Box
) -> None:
    made = services.sharing.share([study], WISH, at=services.clock(), actor=ANNA)
    assert isinstance(made, Paper)
    services.sharing.mail(made, TO, language="en", sharer="Dr Anna", at=services.clock(), actor=ANNA)
    services.session.rollback()  # the page failed after the mail had gone

    assert outcome(services, Claim(made.code, None, made.password, ADDRESS)) is Outcome.OPENED


def test_thirty_mails_an_hour_are_enough_for_one_person(
    services: Services, study: Study, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "MOST_MAILS", 3)
    other = study_in(services, patient_id=study.patient_id)
    made = share(services, [study, other])
    for _ in range(3):
        assert mail(services, made) is Mailing.SENT
        services.clock.forward(minutes=1)  # type: ignore[attr-defined]

    assert mail(services, made) is Mailing.TOO_MANY
    wish = Wish(label="Dr", by_mail=True, address=TO)
    assert problems(services, [study], wish) == [Problem.TOO_MANY_MAILS]
    assert len(box.mails) == 3

    services.clock.forward(minutes=58)  # type: ignore[attr-defined]
    assert mail(services, made) is Mailing.SENT


def test_an_address_with_a_line_break_is_never_written_to(services: Services, study: Study, box: Box) -> None:
    made = share(services, [study])

    for evil in ("a@example.org\nBcc: b@example.org", "a@example.org, b@example.org", "Anna"):
        assert mail(services, made, evil) is Mailing.BAD_ADDRESS
    assert box.mails == []


def test_a_share_that_does_not_open_is_not_mailed(services: Services, study: Study) -> None:
    made, now = share(services, [study]), services.clock()
    grant = grant_of(services, made)
    patient = services.grants.current(study)
    assert patient is not None
    assert services.sharing.mailable(grant, at=now) is not None
    assert services.sharing.mailable(patient, at=now) is None
    assert services.sharing.mailable(grant, at=now + 15 * DAY) is None  # no seal any more
    services.grants.revoke(grant, at=now, actor=ANNA)
    assert services.sharing.mailable(grant, at=now) is None


def test_the_list_has_live_shares_newest_first_page_by_page(
    services: Services, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PAGE_SIZE", 2)
    made = [share(services, [study], Wish(f"Dr {n}", days=7 if n == 1 else 30)) for n in range(5)]
    services.grants.revoke(grant_of(services, made[2]), at=services.clock(), actor=ANNA)
    services.session.commit()
    now = services.clock() + timedelta(days=8)

    first = services.sharing.live(at=now)
    second = services.sharing.live(at=now, before=first.next_before)

    assert labels(first) == ["Dr 4", "Dr 3"]
    assert labels(second) == ["Dr 0"]  # 1 has ended, 2 was revoked
    assert second.next_before is None


def labels(page: Page) -> list[str]:
    return [grant.label for grant in page.grants]


def test_nothing_secret_reaches_the_audit_trail(services: Services, study: Study, box: Box) -> None:
    made = share(services, [study])
    mail(services, made)

    told = " ".join(str(details) for details in services.session.scalars(select(AuditEvent.details)))
    for secret in (made.code.symbols, made.password.digits, TO):
        assert not re.search(re.escape(secret), told)


def test_services_are_wired_without_a_mail_server(services: Services) -> None:
    assert isinstance(services.sharing, Sharing)
    assert not services.sharing.is_mail_on
