"""The report on paper: what is signed, what is printed with the code on it, in whose language; labels."""

from __future__ import annotations

import pytest

from app.models import AuditEvent, Report, Study
from app.services.grants import Paper
from app.services.papers import Wish
from app.wiring import Services
from tests.services.test_reports import TEXT, person, sign_rendered
from tests.support.factories import fresh_clinic, rows
from tests.support.paper import text


@pytest.fixture
def clinic(services: Services) -> tuple[Study, Paper]:
    return fresh_clinic(services)


def written(services: Services, **more: object) -> Report:
    """A version that the database doesn't know."""
    values = {
        "version": 1,
        "findings": "**Lungs** clear.",
        "impression": "Normal.",
        "written_by_id": 1,
        **more,
    }
    return Report(**values)


def signed_pdf(services: Services, study: Study, report: Report) -> str:
    return text(services.papers.signed_pdf(study, report, at=services.clock()))


def test_a_draft_says_so_and_carries_no_code(services: Services, clinic: tuple[Study, Paper]) -> None:
    study, paper = clinic
    shown = signed_pdf(services, study, written(services))
    assert shown.count("Draft, not signed") == 2  # at the foot of the page and in place of the signature
    assert "Lungs clear." in shown
    assert paper.code.grouped not in shown
    assert "1958" not in shown


def test_what_will_be_signed_is_the_same_file_whenever_it_is_made(
    services: Services, clinic: tuple[Study, Paper]
) -> None:
    study, _ = clinic
    at = services.clock()

    def signed() -> Report:
        return written(services, signed_at=at, signed_by_id=1, signed_name="Dr. Anna Berg")

    first = services.papers.signed_pdf(study, signed(), at=at)
    assert first == services.papers.signed_pdf(study, signed(), at=at.replace(year=2030))
    assert "Dr. Anna Berg" in text(first) and "Draft" not in text(first)


def test_a_report_has_its_own_language_and_its_own_headings(
    services: Services, clinic: tuple[Study, Paper]
) -> None:
    study, _ = clinic
    headings = '{"findings": "Röntgenbefund"}'
    shown = signed_pdf(
        services, study, written(services, language="de", headings=headings, indication="Husten")
    )
    assert "Röntgenbefund" in shown and "Beurteilung" in shown and "Entwurf" in shown
    assert "Findings" not in shown


def test_a_printed_report_speaks_its_language_and_its_block_the_patients(
    services: Services, clinic: tuple[Study, Paper]
) -> None:
    study, paper = clinic
    sign_rendered(services, study, TEXT, 0, person(services))
    report = services.reports.signed(study)
    assert report is not None
    printed = services.papers.report(
        study, report, Wish(language="ja"), at=services.clock(), actor="staff:anna"
    )
    services.session.commit()
    shown = text(printed.pdf)
    assert "Findings" in shown and "所見" not in shown
    assert "アクセスコード" in shown and "Your code" not in shown
    assert paper.code.grouped in shown
    assert services.report_copies.known(bytes.fromhex(_details(services)["sha256"])) is report


def test_the_patient_gets_the_file_that_was_signed(services: Services, clinic: tuple[Study, Paper]) -> None:
    study, _ = clinic
    sign_rendered(services, study, TEXT, 0, person(services))
    report = services.reports.signed(study)
    assert report is not None
    file = services.report_copies.file(report)
    services.site.set("name", "Another Name", at=services.clock(), actor="test")
    own = services.papers.report_for_patient(study, report, language="fr", at=services.clock())
    assert file is not None
    assert own.pdf == file.pdf
    assert "Another Name" not in text(own.pdf)


@pytest.mark.parametrize("size", ["62x100", "102x152"])
def test_a_label_carries_the_code_and_is_noted_as_one(
    services: Services, clinic: tuple[Study, Paper], size: str
) -> None:
    study, paper = clinic
    wish = Wish(label=size, language="ar")
    label = services.papers.sheet(study, wish, at=services.clock(), actor="staff:anna")
    services.session.commit()
    assert paper.code.grouped in text(label.pdf)
    assert paper.password.grouped not in text(label.pdf)
    assert "1958" not in text(label.pdf)
    assert label.name.startswith("labels-")
    assert _details(services) == {"kind": "label"}
    with_password = services.papers.sheet(
        study, Wish(label=size, with_password=True), at=services.clock(), actor="staff:anna"
    )
    assert paper.password.grouped in text(with_password.pdf)


def test_paper_speaks_more_languages_than_letters(services: Services, clinic: tuple[Study, Paper]) -> None:
    study, _ = clinic
    services.site.set("language", "ja", at=services.clock(), actor="test")
    sheet = services.papers.sheet(study, Wish(), at=services.clock(), actor="staff:anna")
    assert "画像の見かた" in text(sheet.pdf)
    assert services.site.facts().letters_language == "en"


def _details(services: Services) -> dict[str, str]:
    return dict(rows(services, AuditEvent)[-1].details)
