"""A report made elsewhere comes to a study and is signed for; nothing that was written is lost on the way."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from pydicom import Dataset, dcmwrite

from app.adapters.pdf_files import Inspection
from app.domain.events import Event
from app.domain.report import FilePurpose, Source
from app.domain.study import DocumentKind, ListedDocument
from app.models import AuditEvent, Report, ReportCopy, ReportDelivery, ReportFile, Staff, Study
from app.services.bringing import Brought, Caution, cleaned_name, spoken
from app.services.papers import Wish
from app.services.reports import Outcome, Text
from app.wiring import Services
from tests.support import foreign, paper
from tests.support.factories import fresh_clinic, rows
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.staff import person

PDF, OTHER = foreign.plain(), foreign.plain("Another one.", pages=2)
LOOKED = Inspection(1, ((210.0, 297.0),), False, False, False, "de-DE", "Befund", "Test", foreign.WORDS)


@pytest.fixture
def study(services: Services) -> Study:
    return fresh_clinic(services)[0]


@pytest.fixture
def anna(services: Services, study: Study) -> Staff:
    return person(services)


def bring(
    services: Services, study: Study, by: Staff, pdf: bytes = PDF, *, revision: int = 0, agreed: bool = False
) -> Outcome:
    brought = Brought("C:\\reports\\Befund\x00 Muster.pdf", pdf, LOOKED)
    outcome = services.bringing.bring(
        study, brought, revision=revision, agreed=agreed, by=by, at=services.clock()
    )
    services.session.commit()
    return outcome


def sign(services: Services, study: Study, by: Staff, *, revision: int = 2, reason: str = "") -> Outcome:
    outcome = services.reports.sign_brought(
        study, revision=revision, reason=reason, language="de", by=by, at=services.clock()
    )
    services.session.commit()
    return outcome


def test_what_is_brought_is_a_draft_with_the_file_as_it_came(
    services: Services, study: Study, anna: Staff
) -> None:
    assert bring(services, study, anna) is Outcome.DONE
    found = services.bringing.draft(study)
    assert found is not None
    report, file = found
    assert (report.source, report.origin, report.language) == (Source.BROUGHT, "Befund Muster.pdf", "de")
    assert (file.pdf, file.purpose, file.pages) == (PDF, FilePurpose.BROUGHT, 1)
    assert file.sha256 == hashlib.sha256(PDF).digest()
    assert services.reports.signed(study) is None


def test_another_file_takes_the_place_of_the_one_brought_before(
    services: Services, study: Study, anna: Staff
) -> None:
    bring(services, study, anna)
    draft = services.reports.draft(study)
    assert draft is not None
    assert bring(services, study, anna, OTHER, revision=draft.revision) is Outcome.DONE
    assert [file.pdf for file in rows(services, ReportFile)] == [OTHER]
    assert bring(services, study, anna, PDF, revision=1) is Outcome.CONFLICT


def test_a_written_draft_goes_only_when_somebody_agrees_and_is_kept_for_its_writer(
    services: Services, study: Study, anna: Staff
) -> None:
    otto = person(services, "otto")
    services.reports.save(study, Text("Otto's findings"), revision=0, by=otto, at=services.clock())
    services.session.commit()

    assert bring(services, study, anna, revision=1) is Outcome.CONFLICT
    draft = services.reports.draft(study)
    assert draft is not None
    assert draft.source == Source.WRITTEN
    assert bring(services, study, anna, revision=1, agreed=True) is Outcome.DONE
    kept = services.reports.aside(study, otto)
    assert kept is not None
    assert kept.findings == "Otto's findings"


def test_signing_for_it_keeps_its_digest_and_lets_it_into_the_archive(
    services: Services, study: Study, anna: Staff
) -> None:
    bring(services, study, anna)
    assert sign(services, study, anna, revision=1) is Outcome.CONFLICT
    assert sign(services, study, anna) is Outcome.DONE
    signed = services.reports.signed(study)
    assert signed is not None
    assert (signed.signed_name, signed.language) == (anna.name, "de")
    digest = hashlib.sha256(PDF).hexdigest()
    row = next(row for row in rows(services, AuditEvent) if row.event == Event.REPORT_SIGNED)
    assert digest in str(row.details)
    assert [copy.sha256.hex() for copy in rows(services, ReportCopy)] == [digest]
    assert len(rows(services, ReportDelivery)) == 1


def test_a_brought_report_is_amended_with_a_reason_by_bringing_or_by_writing(
    services: Services, study: Study, anna: Staff
) -> None:
    bring(services, study, anna)
    sign(services, study, anna)
    bring(services, study, anna, OTHER)
    assert sign(services, study, anna) is Outcome.NO_REASON
    assert sign(services, study, anna, reason="The other side") is Outcome.DONE
    assert [report.reason for report in rows(services, Report)] == [None, "The other side"]

    saved = services.reports.save(study, Text("Written now"), revision=0, by=anna, at=services.clock())
    assert saved is Outcome.DONE
    draft = services.reports.draft(study)
    assert draft is not None
    assert (draft.version, draft.source) == (3, Source.WRITTEN)


def test_the_patient_gets_the_file_byte_for_byte(services: Services, study: Study, anna: Staff) -> None:
    bring(services, study, anna)
    sign(services, study, anna)
    signed = services.reports.signed(study)
    assert signed is not None
    document = services.papers.report_for_patient(study, signed, language="en", at=services.clock())
    assert document.pdf == PDF


def test_its_print_carries_the_code_and_is_known_afterwards(
    services: Services, study: Study, anna: Staff
) -> None:
    bring(services, study, anna)
    sign(services, study, anna)
    signed = services.reports.signed(study)
    assert signed is not None
    wish = Wish(language="es")
    printed = services.papers.report(study, signed, wish, at=services.clock(), actor="staff:anna")
    services.session.commit()
    first, second = paper.pages(printed.pdf)
    grant = services.grants.current(study)
    assert grant is not None
    sheet = services.grants.paper(grant, at=services.clock())
    assert sheet is not None
    assert sheet.code.symbols in paper.scan(first)
    assert paper.codes(second) == []
    assert foreign.WORDS in paper.text(printed.pdf)
    known = services.report_copies.known(hashlib.sha256(printed.pdf).digest())
    assert known is not None
    assert known.id == signed.id
    assert rows(services, AuditEvent)[-1].event == Event.REPORT_PRINTED


# What to look at before signing.


@pytest.mark.parametrize(
    ("text", "cautions"),
    [
        ("Muster, Erika: no fracture", []),
        ("", [Caution.NO_TEXT]),
        ("Someone Else, P9999", [Caution.NOT_THIS_PATIENT]),
        ("Patient {id}: no fracture", [Caution.NO_NAME]),
        ("Muster, born 27.03.1958", [Caution.BIRTH_DATE]),
        ("Muster, born 28.03.1958", []),
    ],
)
def test_its_text_is_compared_with_the_patient(
    services: Services, study: Study, text: str, cautions: list[Caution]
) -> None:
    looked = replace(LOOKED, text=text.format(id=study.patient_id))
    assert services.bringing.warnings(study, looked) == cautions


def test_a_signature_and_mended_damage_are_said(services: Services, study: Study) -> None:
    looked = replace(LOOKED, is_signed=True, is_mended=True)
    assert services.bringing.warnings(study, looked) == [Caution.MENDED, Caution.SIGNED]


def test_a_files_name_loses_its_folders_and_what_cant_be_seen() -> None:
    assert cleaned_name("../../etc/Bericht\r\n\u202e.pdf").startswith("Bericht")
    assert "/" not in cleaned_name("a/b\\c.pdf")
    assert len(cleaned_name("x" * 500 + ".pdf")) <= 120


def test_a_language_is_one_of_ours_or_the_clinics() -> None:
    assert [spoken(told) for told in ("de-CH", "PT_br", "tlh", "")] == ["de", "pt", "", ""]


# Out of the study.


def test_a_structured_report_becomes_a_draft_to_check(services: Services, study: Study, anna: Staff) -> None:
    words = services.pdf_files.read(foreign.structured(PatientID=study.patient_id))
    assert words is not None
    assert words.texts["indication"] == "Cough"
    assert words.texts["impression"] == "Benign."
    assert "A nodule in the right upper lobe." in words.texts["findings"]
    assert "Diameter: 7 mm" in words.texts["findings"]
    assert "121071" not in str(words.texts)
    assert words.left_out == 1
    outcome = services.bringing.write(study, words, revision=0, by=anna, at=services.clock())
    services.session.commit()
    draft = services.reports.draft(study)
    assert outcome is Outcome.DONE
    assert draft is not None
    assert (draft.source, draft.origin, draft.signed_at) == (Source.WRITTEN, foreign.SR_UID, None)
    again = services.bringing.write(study, words, revision=0, by=anna, at=services.clock())
    assert again is Outcome.CONFLICT


def _hostile(depth: int) -> bytes:
    inner = Dataset()
    inner.ValueType, inner.RelationshipType = "CONTAINER", "CONTAINS"
    for _ in range(depth):
        outer = Dataset()
        outer.ValueType, outer.RelationshipType, outer.ContentSequence = "CONTAINER", "CONTAINS", [inner]
        inner = outer
    out = BytesIO()
    dcmwrite(out, inner, implicit_vr=False, little_endian=True)
    return b"\0" * 128 + b"DICM" + out.getvalue()


@pytest.mark.parametrize(
    "file", [b"", b"no DICOM at all", b"\0" * 128 + b"DICM" + b"\xff" * 4000, _hostile(150)]
)
def test_a_hostile_structured_report_takes_nothing_down(services: Services, file: bytes) -> None:
    words = services.pdf_files.read(file)
    assert words is None or not any(words.texts.values())
    assert isinstance(services.pdf_files.inspect(PDF), Inspection)


def test_reports_among_the_images_are_listed_but_not_our_own(
    services: Services, study: Study, anna: Staff
) -> None:
    fake = services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    listed = ListedDocument("i1", "1.2.3.4", DocumentKind.PDF, "Befund", date(2026, 11, 20))
    fake.listed = (listed, replace(listed, instance_id="i2", sop_instance_uid="1.9"))
    bring(services, study, anna)
    sign(services, study, anna)
    rows(services, ReportDelivery)[0].sop_instance_uid = "1.9"
    services.session.commit()
    assert services.bringing.documents(study) == [listed]
