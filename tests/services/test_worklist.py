"""The worklist and the light look: what staff and patients get to see of a study."""

from __future__ import annotations

from datetime import date

import pytest

from app.models import Study
from app.services.worklist import PAGE_SIZE
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    change_grant,
    fake_archives,
    fresh_clinic,
    paper_of,
    registered,
    rows,
    study_in,
)
from tests.support.fake_orthanc import FakeOrthanc


@pytest.fixture
def orthanc(services: Services) -> FakeOrthanc:
    fake = fake_archives(services)["main"]
    registered(services)
    return fake


def found(services: Services, search: str) -> list[int]:
    services.session.rollback()
    return [row.id for row in services.worklist.page(search=search).rows]


def test_the_newest_stable_study_comes_first(services: Services, orthanc: FakeOrthanc, clock: Clock) -> None:
    first = study_in(services).id
    clock.forward(minutes=1)
    second = study_in(services).id

    assert found(services, "") == [second, first]


def test_a_long_list_is_read_page_by_page_without_loss_or_repetition(
    services: Services, orthanc: FakeOrthanc
) -> None:
    for _ in range(PAGE_SIZE + 3):
        study_in(services, is_derived=True)

    first = services.worklist.page()
    second = services.worklist.page(before=first.next_before)

    assert (len(first.rows), len(second.rows), second.next_before) == (PAGE_SIZE, 3, None)
    assert len({row.id for row in [*first.rows, *second.rows]}) == PAGE_SIZE + 3


@pytest.mark.parametrize(
    "search",
    ["muster", "MUST", "erika muster", "P7", "acc-9", "knie", "20261119", "2026-11-19", " muster  knie "],
)
def test_words_find_a_study(services: Services, orthanc: FakeOrthanc, search: str) -> None:
    wanted = study_in(
        services, is_derived=True, patient_id="XP77", accession_number="ACC-9", description="Knie links",
        study_date=date(2026, 11, 19),
    )  # fmt: skip
    study_in(
        services, is_derived=True, patient_name="Anders^Otto", patient_id="Q1", accession_number="B1",
        description="Hand",
    )  # fmt: skip

    assert found(services, search) == [wanted.id]


@pytest.mark.parametrize("search", ["%", "_", "muster otto", "\x00", "' OR 1=1", "\\"])
def test_no_sign_is_a_wildcard_and_none_breaks_the_list(
    services: Services, orthanc: FakeOrthanc, search: str
) -> None:
    study_in(services, is_derived=True)

    assert found(services, search) == ([rows(services, Study)[0].id] if search == "\x00" else [])


def test_the_list_names_the_grant_that_opens_the_study_now(services: Services, orthanc: FakeOrthanc) -> None:
    paper = paper_of(services, study_in(services))
    fresh = services.grants.reissue(
        services.grants.by_ref(paper.grant.ref),  # type: ignore[arg-type]
        at=services.clock(),
        actor="staff:clerk",
    )
    services.session.commit()

    assert [row.grant_ref for row in services.worklist.page().rows] == [fresh.grant.ref]
    change_grant(services, fresh.grant, suspended_at=services.clock())
    assert [row.is_suspended for row in services.worklist.page().rows] == [True]
    change_grant(services, fresh.grant, revoked_at=services.clock())
    assert [row.grant_ref for row in services.worklist.page().rows] == [None]


def test_a_picture_outside_the_study_does_not_exist(services: Services) -> None:
    study, _ = fresh_clinic(services)

    def picture(series: int, number: int) -> object:
        return services.look.picture("main", study, series, number)

    assert picture(1, 1) and picture(1, 3)
    for series, number in [(0, 1), (1, 0), (1, 4), (2, 1), (3, 1), (-1, 1), (1, -1), (10**9, 10**9)]:
        assert picture(series, number) is None


def test_a_study_that_grew_shows_its_new_pictures(services: Services) -> None:
    study, _ = fresh_clinic(services)
    assert len(services.look.series("main", study)) == 2
    fake = services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    fake.pictures[study.orthanc_id] = ()
    assert len(services.look.series("main", study)) == 2, "listed once"

    fake.change(study.orthanc_id, instance_count=61)
    archive = services.archives.all()[0]
    services.ingestion.take(archive, study.orthanc_id, at=services.clock())

    assert services.look.series("main", study) == ()
