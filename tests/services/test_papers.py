"""Printing: the same code within the window, a new one after it only when somebody agreed, never by accident."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.adapters import fonts
from app.adapters.pdf import Renderer, RenderingFailed
from app.models import Study
from app.services.grants import Paper
from app.services.papers import Document, Effect, GlyphsMissing, PrintRefused, Wish
from app.services.proof import Outcome
from app.services.reports import Text
from app.wiring import Services
from tests.services.test_reports import TEXT, person, sign
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
