"""Writing, signing and amending a report: nothing typed is lost, nothing signed changes."""

from __future__ import annotations

import pytest

from app.domain.staff import Role
from app.models import Staff, Study
from app.services.reports import Outcome, Text
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import events, fresh_clinic

TEXT = Text("The lungs are clear.", "No fracture.")


@pytest.fixture
def study(services: Services) -> Study:
    return fresh_clinic(services)[0]


def person(services: Services, login: str = "anna") -> Staff:
    return services.staff.add(
        login=login,
        name=f"Dr {login.title()}",
        roles=[Role.RADIOLOGIST],
        password="correct horse battery",
        at=services.clock(),
        actor="test",
    )


def save(services: Services, study: Study, text: Text, revision: int, by: Staff) -> Outcome:
    outcome = services.reports.save(study, text, revision=revision, by=by, at=services.clock())
    services.session.commit()
    return outcome


def sign(services: Services, study: Study, text: Text, revision: int, by: Staff) -> Outcome:
    outcome = services.reports.sign(study, text, revision=revision, by=by, at=services.clock())
    services.session.commit()
    return outcome


def test_a_draft_is_kept_and_not_shown_as_the_report(services: Services, study: Study) -> None:
    assert save(services, study, TEXT, 0, person(services)) is Outcome.DONE

    draft = services.reports.draft(study)
    assert draft is not None
    assert (draft.findings, draft.impression, draft.revision) == (TEXT.findings, TEXT.impression, 1)
    assert services.reports.signed(study) is None


def test_of_two_people_writing_neither_overwrites_the_other(services: Services, study: Study) -> None:
    anna, otto = person(services), person(services, "otto")
    save(services, study, TEXT, 0, anna)

    assert save(services, study, Text("Anna's second", ""), 1, anna) is Outcome.DONE
    assert save(services, study, Text("Otto's", ""), 1, otto) is Outcome.CONFLICT

    draft = services.reports.draft(study)
    assert draft is not None
    assert draft.findings == "Anna's second"


def test_two_first_drafts_at_once_are_a_conflict_not_an_error(services: Services, study: Study) -> None:
    anna, otto = person(services), person(services, "otto")
    save(services, study, TEXT, 0, anna)

    assert save(services, study, Text("Otto's", ""), 0, otto) is Outcome.CONFLICT


def test_signing_keeps_the_name_as_it_was_and_is_audited(services: Services, study: Study) -> None:
    anna = person(services)

    assert sign(services, study, TEXT, 0, anna) is Outcome.DONE
    anna.name = "Dr Anna Married"
    services.session.commit()

    signed = services.reports.signed(study)
    assert signed is not None
    assert (signed.signed_name, signed.signed_at, signed.version) == ("Dr Anna", services.clock(), 1)
    assert "report:signed" in events(services)


def test_an_empty_report_is_not_signed(services: Services, study: Study) -> None:
    assert sign(services, study, Text(" \n ", "\u200b"[:0]), 0, person(services)) is Outcome.EMPTY
    assert services.reports.signed(study) is None


def test_an_amendment_needs_a_reason_and_leaves_the_signed_version_alone(
    services: Services, study: Study, clock: Clock
) -> None:
    anna = person(services)
    sign(services, study, TEXT, 0, anna)
    clock.forward(hours=1)

    assert sign(services, study, Text("New", "New"), 0, anna) is Outcome.NO_REASON
    assert sign(services, study, Text("New", "New", "side corrected"), 0, anna) is Outcome.DONE

    newest, first = services.reports.versions(study)
    assert (newest.version, newest.findings, newest.reason) == (2, "New", "side corrected")
    assert (first.version, first.findings, first.reason) == (1, TEXT.findings, None)
    assert services.reports.signed(study) == newest
    assert "report:amended" in events(services)


def test_a_draft_that_was_signed_meanwhile_is_not_signed_again(services: Services, study: Study) -> None:
    anna, otto = person(services), person(services, "otto")
    save(services, study, TEXT, 0, anna)
    sign(services, study, TEXT, 1, anna)

    assert sign(services, study, Text("Otto's", "", "why"), 1, otto) is Outcome.CONFLICT
    assert len(services.reports.versions(study)) == 1


def test_a_text_of_any_length_is_refused_beyond_a_limit_not_cut(services: Services, study: Study) -> None:
    assert save(services, study, Text("x" * 100_001, ""), 0, person(services)) is Outcome.TOO_LONG


def test_control_characters_go_and_lines_stay(services: Services, study: Study) -> None:
    save(services, study, Text("one\r\ntwo\x00\x1b[31m\n\tthree  \n", ""), 0, person(services))

    draft = services.reports.draft(study)
    assert draft is not None
    assert draft.findings == "one\ntwo[31m\n\tthree"
