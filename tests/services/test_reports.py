"""Writing, signing and amending a report: nothing typed is lost, nothing signed changes."""

from __future__ import annotations

import hashlib
import json

import pytest

from app.domain.staff import Role
from app.models import AuditEvent, ReportFile, Staff, Study
from app.services.report_asides import ReportAsides
from app.services.reports import Outcome, Text
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import events, fresh_clinic, rows

TEXT = Text("The lungs are clear.", "No fracture.")
PDF = b"%PDF-1.7 as signed"


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


def sign(services: Services, study: Study, text: Text, revision: int, by: Staff, pdf: bytes = PDF) -> Outcome:
    outcome = services.reports.sign(study, text, revision=revision, by=by, at=services.clock(), pdf=pdf)
    services.session.commit()
    return outcome


def sign_rendered(services: Services, study: Study, text: Text, revision: int, by: Staff) -> Outcome:
    """Signed as the page does it: with the PDF that the patient gets."""
    at = services.clock()
    pdf = services.papers.signed_pdf(study, services.reports.as_signed(study, text, by=by, at=at), at=at)
    return sign(services, study, text, revision, by, pdf)


def aside(services: Services, study: Study, by: Staff) -> str | None:
    kept = ReportAsides(services.session).of(study, by)
    return kept.findings if kept else None


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
    assert aside(services, study, otto) == "Otto's"
    assert aside(services, study, anna) is None


def test_what_was_kept_aside_goes_once_it_is_joined(services: Services, study: Study) -> None:
    anna, otto = person(services), person(services, "otto")
    save(services, study, TEXT, 0, anna)
    save(services, study, Text("Otto's", ""), 0, otto)
    at = services.clock()

    services.reports.keep_aside(study, Text("Otto's, longer"), by=otto, at=at)
    assert aside(services, study, otto) == "Otto's, longer"
    joined = services.reports.save(study, Text("Both"), revision=1, by=otto, at=at, joins=True)

    assert joined is Outcome.DONE
    assert aside(services, study, otto) is None
    draft = services.reports.draft(study)
    assert draft is not None and draft.findings == "Both"


def test_a_second_window_of_the_same_writer_adds_to_what_is_kept_aside(
    services: Services, study: Study
) -> None:
    anna = person(services)
    save(services, study, TEXT, 0, anna)

    save(services, study, Text("One window"), 0, anna)
    save(services, study, Text("One window, more"), 0, anna)
    save(services, study, Text("Another"), 0, anna)

    assert aside(services, study, anna) == "One window, more\n\nAnother"


def test_a_draft_thrown_away_is_gone_for_its_readers_and_kept_for_who_still_writes(
    services: Services, study: Study
) -> None:
    anna, otto = person(services), person(services, "otto")
    save(services, study, TEXT, 0, anna)
    at = services.clock()

    assert services.reports.discard(study, revision=2, by=anna, at=at) is Outcome.CONFLICT
    assert services.reports.discard(study, revision=1, by=anna, at=at) is Outcome.DONE
    assert services.reports.draft(study) is None
    assert save(services, study, Text("Otto's"), 1, otto) is Outcome.CONFLICT
    assert aside(services, study, otto) == "Otto's"
    assert "report:discarded" in events(services)


def test_sections_language_and_headings_are_kept_with_each_version(services: Services, study: Study) -> None:
    anna = person(services)
    written = Text(
        "F", "I", indication="Cough", technique="Low dose", language="de", headings={"findings": "Bild"}
    )

    sign(services, study, written, 0, anna)

    signed = services.reports.signed(study)
    assert signed is not None
    assert Text.of(signed) == written
    assert (signed.language, json.loads(signed.headings)) == ("de", {"findings": "Bild"})


def test_what_is_signed_is_kept_byte_for_byte_and_its_digest_is_in_the_trail(
    services: Services, study: Study
) -> None:
    sign(services, study, TEXT, 0, person(services))

    (file,) = rows(services, ReportFile)
    digest = hashlib.sha256(PDF).digest()
    assert (file.pdf, file.sha256, file.purpose) == (PDF, digest, "signed")
    known = services.report_copies.known(digest)
    assert known is not None and known.id == file.report_id
    noted = [row for row in rows(services, AuditEvent) if row.event == "report:signed"]
    assert [row.details["sha256"] for row in noted] == [digest.hex()]


def test_the_page_to_sign_reads_as_the_signed_one(services: Services, study: Study) -> None:
    anna = person(services)

    shown = services.reports.as_signed(study, TEXT, by=anna, at=services.clock())

    assert (shown.version, shown.findings, shown.signed_name) == (1, TEXT.findings, "Dr Anna")
    assert services.reports.versions(study) == []


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
