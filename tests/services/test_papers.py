"""Printing: the same code within the window, a new one after it only when somebody agreed, never by accident."""

from __future__ import annotations

import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from app.adapters import fonts
from app.adapters.pdf import Renderer, RenderingFailed
from app.domain.grants import Kind
from app.models import Study
from app.services.grants import Paper
from app.services.papers import Document, Effect, GlyphsMissing, PrintRefused, Wish
from app.services.proof import Outcome
from app.services.reports import Text
from app.wiring import Services
from tests.services.test_reports import TEXT, person
from tests.services.test_reports import sign_rendered as sign
from tests.support.clock import Clock
from tests.support.factories import claim, events, fresh_clinic, study_in


@pytest.fixture
def clinic(services: Services) -> tuple[Study, Paper]:
    return fresh_clinic(services)


def sheet(services: Services, study: Study, wish: Wish = Wish()) -> Document:  # noqa: B008  (frozen)
    document = services.papers.sheet(study, wish, at=services.clock(), actor="staff:anna")
    services.session.commit()
    return document


def text_of(document: Document, tmp_path: Path) -> str:
    file = tmp_path / document.name
    file.write_bytes(document.pdf)
    return subprocess.run(
        ["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True
    ).stdout


def opens(services: Services, paper: Paper) -> Outcome:
    return services.proof.check(claim(paper), at=services.clock()).outcome


def test_the_sheet_carries_the_code_and_not_the_birth_date(
    services: Services, clinic: tuple[Study, Paper], tmp_path: Path
) -> None:
    study, paper = clinic

    printed = text_of(sheet(services, study), tmp_path)

    assert paper.code.grouped in printed
    assert "Erika Muster" in printed
    assert paper.password.grouped not in printed
    assert "1958" not in printed
    assert "+1 555 0199" in printed
    assert events(services)[-1] == "sheet:printed"


def test_the_password_is_printed_on_demand_and_where_the_policy_asks_for_it(
    services: Services, clinic: tuple[Study, Paper], tmp_path: Path
) -> None:
    study, paper = clinic
    assert paper.password.grouped in text_of(sheet(services, study, Wish(with_password=True)), tmp_path)

    nameless = study_in(services, birth_date_text="")
    services.session.commit()
    current = services.grants.current(nameless)
    assert current is not None
    other = services.grants.paper(current, at=services.clock())
    assert other is not None
    assert other.password.grouped in text_of(sheet(services, nameless), tmp_path)


def test_within_the_window_each_print_is_the_same_code(
    services: Services, clinic: tuple[Study, Paper], clock: Clock, tmp_path: Path
) -> None:
    study, paper = clinic
    clock.forward(days=13)

    assert services.papers.effect(study, at=clock()) is Effect.SAME
    assert paper.code.grouped in text_of(sheet(services, study), tmp_path)
    assert opens(services, paper) is Outcome.OPENED


def test_a_code_of_several_studies_lists_them_newest_first_on_its_sheet(
    services: Services, clinic: tuple[Study, Paper], tmp_path: Path
) -> None:
    first, _ = clinic
    same = {"patient_id": first.patient_id, "patient_name": first.patient_name}
    years = [study_in(services, study_date=date(2010 + n, 5, 4), **same) for n in range(10)]
    paper = services.grants.issue(years, at=services.clock(), actor="staff:anna")
    services.session.commit()

    grant = services.grants.by_id(paper.grant.id)
    document = services.papers.sheet_of(grant, Wish(), at=services.clock(), actor="staff:anna")
    services.session.commit()

    assert document is not None
    printed = text_of(document, tmp_path)
    assert paper.code.grouped in printed
    assert printed.count("Erika Muster") == 1
    assert [f"May 4, {year}" in printed for year in range(2019, 2009, -1)] == [True] * 8 + [False] * 2
    assert "once you have entered the code: 2" in printed
    assert grant.printed_at == services.clock()
    assert events(services)[-10:] == ["sheet:printed"] * 10
    # Printing from the page of one of them is the same sheet.
    assert "once you have entered the code: 2" in text_of(sheet(services, years[0]), tmp_path)


def test_a_guardians_sheet_says_for_whom_it_is_and_whose_each_study_is(
    services: Services, clinic: tuple[Study, Paper], tmp_path: Path
) -> None:
    first, _ = clinic
    other = study_in(services, patient_name="Muster^Jonas", birth_date_text="20190101")
    paper = services.grants.prepare(
        [first, other], at=services.clock(), kind=Kind.GUARDIAN, label="Dr Ada Muster (mother)"
    )
    services.grants.keep(paper, at=services.clock(), actor="staff:anna")
    services.session.commit()

    grant = services.grants.by_id(paper.grant.id)
    document = services.papers.sheet_of(grant, Wish(), at=services.clock(), actor="staff:anna")

    assert document is not None
    printed = text_of(document, tmp_path)
    assert "For Dr Ada Muster (mother)" in printed
    assert printed.count("Erika Muster") == printed.count("Jonas Muster") == 1
    assert paper.password.grouped in printed  # they have no birth date in common
    assert first.patient_id not in printed


def test_a_sheet_of_a_grant_is_printed_only_while_it_opens_and_can_be_shown(
    services: Services, clinic: tuple[Study, Paper], clock: Clock
) -> None:
    study, paper = clinic
    wish = Wish()
    grant = services.grants.by_id(paper.grant.id)
    assert services.papers.sheet_of(grant, wish, at=clock(), actor="staff:anna") is not None

    services.grants.suspend(study, "mixed up", at=clock(), actor="test")
    assert services.papers.sheet_of(grant, wish, at=clock(), actor="staff:anna") is None
    services.grants.confirm(grant, at=clock(), actor="test")
    doctors = services.grants.prepare([study], at=clock(), kind=Kind.PHYSICIAN, label="Dr Weber")
    services.grants.keep(doctors, at=clock(), actor="staff:anna")
    assert services.papers.sheet_of(doctors.grant, wish, at=clock(), actor="staff:anna") is None
    assert services.papers.sheet_of(grant, wish, at=clock() + timedelta(days=15), actor="staff:anna") is None


def test_after_the_window_nothing_is_printed_until_somebody_agrees(
    services: Services, clinic: tuple[Study, Paper], clock: Clock, tmp_path: Path
) -> None:
    study, paper = clinic
    clock.forward(days=15)
    assert services.papers.effect(study, at=clock()) is Effect.REISSUES

    with pytest.raises(PrintRefused):
        sheet(services, study)
    assert opens(services, paper) is Outcome.OPENED  # the old sheet was not touched

    printed = text_of(sheet(services, study, Wish(agreed=Effect.REISSUES)), tmp_path)
    assert paper.code.grouped not in printed
    assert opens(services, paper) is Outcome.REVOKED
    assert services.papers.effect(study, at=clock()) is Effect.SAME


def test_a_print_that_fails_leaves_the_old_sheet_alive(
    services: Services, clinic: tuple[Study, Paper], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, paper = clinic
    clock.forward(days=15)

    def fail(_self: Renderer, _html: str) -> bytes:
        raise RenderingFailed("out of paper")

    monkeypatch.setattr(Renderer, "render", fail)
    with pytest.raises(RenderingFailed):
        sheet(services, study, Wish(agreed=Effect.REISSUES))
    services.session.rollback()

    assert opens(services, paper) is Outcome.OPENED


def test_a_suspended_study_prints_nothing(services: Services, clinic: tuple[Study, Paper]) -> None:
    study, _ = clinic
    services.grants.suspend(study, "mixed up", at=services.clock(), actor="test")
    services.session.commit()

    for wish in (Wish(), Wish(agreed=Effect.REISSUES), Wish(agreed=Effect.REFUSED)):
        with pytest.raises(PrintRefused):
            sheet(services, study, wish)


def test_a_study_of_the_backlog_gets_its_code_when_it_is_printed(
    services: Services, clinic: tuple[Study, Paper], clock: Clock
) -> None:
    old = study_in(services, updated_at=clock().replace(year=2020))
    services.session.commit()
    assert services.papers.effect(old, at=clock()) is Effect.ISSUES

    sheet(services, old)

    assert services.grants.current(old) is not None


def test_characters_that_no_font_has_are_named_instead_of_printed_as_boxes(
    services: Services, clinic: tuple[Study, Paper]
) -> None:
    rare = next(sign for sign in "\U00018800\U0001b170\U00016f00\U0001e7e0\U00011ee0" if fonts.missing(sign))
    study = study_in(services, description=f"{rare} Study")
    services.session.commit()

    with pytest.raises(GlyphsMissing) as caught:
        sheet(services, study)
    assert caught.value.characters == [rare]


def test_the_printed_report_carries_the_code_and_the_patients_own_copy_does_not(
    services: Services, clinic: tuple[Study, Paper], tmp_path: Path
) -> None:
    study, paper = clinic
    sign(services, study, TEXT, 0, person(services))
    report = services.reports.signed(study)
    assert report is not None

    printed = services.papers.report(study, report, Wish(), at=services.clock(), actor="staff:anna")
    services.session.commit()
    own = services.papers.report_for_patient(study, report, language="en", at=services.clock())

    assert paper.code.grouped in text_of(printed, tmp_path)
    assert "The lungs are clear." in text_of(printed, tmp_path)
    assert "The lungs are clear." in text_of(own, tmp_path)
    assert paper.code.grouped not in text_of(own, tmp_path)
    assert events(services)[-1] == "report:printed"


def test_an_amended_report_says_so_and_why(
    services: Services, clinic: tuple[Study, Paper], clock: Clock, tmp_path: Path
) -> None:
    study, _ = clinic
    anna = person(services)
    sign(services, study, TEXT, 0, anna)
    clock.forward(days=1)
    sign(services, study, Text("The lungs are clear.", "Rib fracture.", "side corrected"), 0, anna)
    report = services.reports.signed(study)
    assert report is not None

    printed = text_of(
        services.papers.report(study, report, Wish(), at=services.clock(), actor="staff:anna"), tmp_path
    )

    assert "version 2" in printed
    assert "side corrected" in printed
    assert "November 20, 2026" in printed  # what it replaces
