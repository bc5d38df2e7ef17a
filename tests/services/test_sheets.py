"""Many sheets at once: in the order asked for, nothing re-issued by the way, nothing left half-done."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from app.adapters.pdf import Renderer, RenderingFailed
from app.models import Grant, Study
from app.services.papers import Effect, PrintRefused, Wish
from app.services.proof import Outcome
from app.services.sheets import MOST, Why
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    claim,
    events,
    fake_archives,
    paper_of,
    registered,
    rows,
    second_study,
    study_in,
)
from tests.support.paper import pages, scan, text

AGREED = Wish(agreed=Effect.REISSUES)


@pytest.fixture
def studies(services: Services) -> list[Study]:
    fake_archives(services)
    registered(services)
    names = ("Moreno^Ana", "Haus^Béla", "山田^太郎", "Kowalska^Maria")
    return [study_in(services, patient_name=name) for name in names]


def print_sheets(services: Services, studies: list[Study], wish: Wish = Wish()) -> bytes:  # noqa: B008  (frozen)
    document = services.sheets.print(studies, wish, at=services.clock(), actor="staff:anna")
    services.session.commit()
    return document.pdf


def test_twenty_sheets_are_twenty_pages_whose_codes_open_their_own_study(
    services: Services, studies: list[Study], tmp_path: Path
) -> None:
    studies += [study_in(services) for _ in range(16)]
    order = list(reversed(studies))
    codes = [paper_of(services, study).code.symbols for study in order]

    pdf = print_sheets(services, order)

    assert [scan(page).partition("#")[2] for page in pages(pdf)] == codes
    assert events(services).count("sheet:printed") == 20
    file = tmp_path / "sheets.pdf"
    file.write_bytes(pdf)
    info = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged: +yes", info)
    told = text(pdf).split("\f")
    assert "Maria Kowalska" in told[16] and "Ana Moreno" in told[19]
    assert all("Your images" in page for page in told[:20])


def test_what_would_reissue_waits_for_agreement(
    services: Services, studies: list[Study], clock: Clock
) -> None:
    old = paper_of(services, studies[0])
    clock.forward(days=15)
    late = study_in(services)
    plan = services.sheets.plan([*studies, late], Wish(), at=services.clock())

    assert plan.ready == [late]
    assert [one.study for one in plan.replaced] == studies and all(one.is_alive for one in plan.replaced)
    assert not plan.is_settled(Wish())
    with pytest.raises(PrintRefused):
        print_sheets(services, [*studies, late])
    assert services.proof.check(claim(old), at=services.clock()).outcome is Outcome.OPENED

    assert services.sheets.plan(studies, AGREED, at=services.clock()).is_settled(AGREED)
    assert len(pages(print_sheets(services, [*studies, late], AGREED), dpi=30)) == 5
    assert services.proof.check(claim(old), at=services.clock()).outcome is Outcome.REVOKED


def test_what_is_suspended_or_gone_is_left_out_and_says_why(services: Services, studies: list[Study]) -> None:
    services.grants.suspend(studies[0], "mixed up", at=services.clock(), actor="test")
    services.ingestion.gone(studies[1], at=services.clock())

    plan = services.sheets.plan(studies, AGREED, at=services.clock())

    assert plan.left_out == [(studies[0], Why.SUSPENDED), (studies[1], Why.GONE)]
    assert plan.ready == studies[2:]
    with pytest.raises(PrintRefused):
        print_sheets(services, studies, AGREED)


def test_a_file_that_fails_changes_no_sheet(
    services: Services, studies: list[Study], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = paper_of(services, studies[0])
    clock.forward(days=15)

    def fail(_self: Renderer, _html: str) -> bytes:
        raise RenderingFailed("out of paper")

    monkeypatch.setattr(Renderer, "render", fail)
    with pytest.raises(RenderingFailed):
        print_sheets(services, studies, AGREED)
    services.session.rollback()
    assert services.proof.check(claim(old), at=services.clock()).outcome is Outcome.OPENED
    assert "sheet:printed" not in events(services)


def test_todays_sheets_are_those_with_a_code_that_were_not_printed_yet(
    services: Services, studies: list[Study], clock: Clock
) -> None:
    services.rules.set({"codes_paused": "yes"}, at=services.clock(), actor="test")
    services.session.commit()
    study_in(services)  # without a code: nobody asked for one
    print_sheets(services, studies[:1])
    today = services.sheets.of_day(services.clock())
    assert today == studies

    plan = services.sheets.plan(today, Wish(), at=services.clock(), only_new=True)
    assert (plan.ready, plan.left_out) == (studies[1:], [(studies[0], Why.PRINTED)])

    clock.forward(days=1)
    assert services.sheets.of_day(services.clock()) == []


def test_what_does_not_fit_into_one_file_is_named(services: Services, studies: list[Study]) -> None:
    plan = services.sheets.plan(studies * 30, Wish(), at=services.clock())
    assert len(plan.ready) == MOST
    assert {why for _, why in plan.left_out} == {Why.TOO_MANY}


def test_a_logo_is_in_the_file_once(services: Services, studies: list[Study]) -> None:
    logo = io.BytesIO()
    Image.effect_noise((500, 200), 80).save(logo, "PNG")
    services.site.set_logo(logo.getvalue(), at=services.clock(), actor="test")
    services.session.commit()

    one, four = (len(print_sheets(services, some)) for some in (studies[:1], studies))
    assert four < one + 200_000  # each further copy would be 100,000


def test_one_code_for_two_studies_is_renewed_once(services: Services, clock: Clock) -> None:
    fake_archives(services)
    registered(services)
    services.rules.set({"codes_paused": "yes"}, at=services.clock(), actor="test")
    services.session.commit()
    first = study_in(services)
    paper = services.grants.issue([first], at=services.clock(), actor="staff:anna")
    services.session.commit()
    second = second_study(services, paper.grant)
    clock.forward(days=15)
    services.session.expire_all()

    codes = [scan(page) for page in pages(print_sheets(services, [first, second], AGREED))]

    assert len(set(codes)) == 1
    assert len([grant for grant in rows(services, Grant) if grant.revoked_at is None]) == 1
