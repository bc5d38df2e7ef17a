"""The worklist and the light look: what staff and patients get to see of a study."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import event, update

from app.domain.staff import Role
from app.models import Grant, Report, Study, db
from app.services import study_search
from app.services.reports import Text
from app.services.study_search import State, Wanted
from app.services.worklist import PAGE_SIZE, Access, Row
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    DAY,
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


def listed(services: Services, search: str = "", **narrowed: object) -> list[Row]:
    services.session.rollback()
    wanted = Wanted(text=search, **narrowed)  # type: ignore[arg-type]
    return list(services.worklist.page(wanted, at=services.clock()).rows)


def found(services: Services, search: str = "", **narrowed: object) -> list[int]:
    return [row.id for row in listed(services, search, **narrowed)]


def the_row(services: Services) -> Row:
    (row,) = listed(services)
    return row


@pytest.fixture(params=["walking", "by index"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found must not depend on how it is looked for."""
    if request.param == "by index":
        monkeypatch.setattr(study_search, "WALK", 1)


def test_the_study_learnt_of_last_comes_first(services: Services, orthanc: FakeOrthanc, clock: Clock) -> None:
    first = study_in(services).id
    clock.forward(minutes=1)
    second = study_in(services).id

    assert found(services) == [second, first]


@pytest.mark.parametrize("search", ["", "muster", "erika muster"])
def test_a_long_list_is_read_page_by_page_without_loss_or_repetition(
    services: Services, orthanc: FakeOrthanc, both_ways: None, search: str
) -> None:
    for _ in range(PAGE_SIZE + 3):
        study_in(services, is_derived=True)
    wanted = Wanted(text=search)

    first = services.worklist.page(wanted, at=services.clock())
    second = services.worklist.page(wanted, before=first.next_before, at=services.clock())

    assert (len(first.rows), len(second.rows), second.next_before) == (PAGE_SIZE, 3, None)
    assert len({row.id for row in [*first.rows, *second.rows]}) == PAGE_SIZE + 3


def test_a_page_stays_where_it_is_while_studies_come(services: Services, orthanc: FakeOrthanc) -> None:
    for _ in range(PAGE_SIZE + 1):
        study_in(services, is_derived=True)
    first = services.worklist.page(at=services.clock())

    study_in(services, is_derived=True)

    second = services.worklist.page(before=first.next_before, at=services.clock())
    assert [row.id for row in second.rows] == [first.rows[-1].id - 1]


@pytest.mark.parametrize(
    "search",
    [
        "muster",
        "MUST",
        "erika muster",
        "xp77",
        "acc-9",
        "acc9",
        "knie",
        "20261119",
        "2026-11-19",
        "19.11.2026",
    ]
    + [" muster  knie ", "2026-11 muster", "cr", "haus anna", "müster"],
)
def test_words_find_a_study(services: Services, orthanc: FakeOrthanc, both_ways: None, search: str) -> None:
    wanted = study_in(
        services, is_derived=True, patient_id="XP77", accession_number="ACC-9", description="Knie links",
        study_date=date(2026, 11, 19), modalities=("CR",), referring_physician="Haus^Anna",
    )  # fmt: skip
    for _ in range(3):
        study_in(
            services, is_derived=True, patient_name="Anders^Otto", patient_id="Q1", accession_number="B1",
            description="Hand", study_date=date(2025, 1, 2), referring_physician="",
        )  # fmt: skip

    assert found(services, search) == [wanted.id]


@pytest.mark.parametrize(
    "search", ["%", "_", "muster otto", "' OR 1=1", "\\", '" OR *', "muster:*", "NEAR(", "-"]
)
def test_no_sign_is_a_wildcard_and_none_breaks_the_list(
    services: Services, orthanc: FakeOrthanc, both_ways: None, search: str
) -> None:
    study = study_in(services, is_derived=True)
    study_in(services, is_derived=True, patient_name="Anders^Otto")

    assert found(services, search) == ([study.id] if search == "muster:*" else [])


def test_what_changes_in_the_archive_is_found_by_its_new_words(
    services: Services, orthanc: FakeOrthanc, both_ways: None
) -> None:
    study_in(services, patient_name="Anders^Otto")
    study = study_in(services, patient_name="Muster^Erika")
    orthanc.change(study.orthanc_id, patient_name="Neumann^Erika")

    services.ingestion.take(services.archives.all()[0], study.orthanc_id, at=services.clock())

    assert found(services, "neumann") == [study.id]
    assert found(services, "muster") == []


def test_a_deleted_row_leaves_no_word_behind(
    services: Services, orthanc: FakeOrthanc, both_ways: None
) -> None:
    kept = study_in(services, is_derived=True)
    columns = {column.name: getattr(kept, column.name) for column in Study.__table__.columns}
    gone = Study(**columns | {"id": None, "orthanc_id": "another", "search_words": "anders otto"})
    services.session.add(gone)
    services.session.commit()
    assert found(services, "anders") == [gone.id]
    services.session.delete(services.session.get_one(Study, gone.id))
    services.session.commit()

    assert found(services, "anders") == []
    assert len(found(services, "muster")) == 1


def test_studies_from_before_are_listed_at_once_and_found_once_they_have_words(
    services: Services, orthanc: FakeOrthanc, both_ways: None
) -> None:
    ids = [study_in(services, is_derived=True).id for _ in range(3)]
    services.session.execute(update(Study).values(search_words=""))
    services.session.commit()

    assert found(services) == ids[::-1]
    assert not services.worklist.page(Wanted(text="muster"), at=services.clock()).is_index_whole
    services.session.rollback()

    assert services.search_words.fill() == 3
    assert services.search_words.fill() == 0
    assert found(services, "muster") == ids[::-1]
    assert services.worklist.page(Wanted(text="muster"), at=services.clock()).is_index_whole


def test_each_state_shows_what_stops_the_patient_first(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    grant = paper_of(services, study_in(services)).grant
    assert the_row(services).access is Access.OPEN

    for changes, access in [
        ({"expires_at": clock.now + 7 * DAY}, Access.EXPIRING),
        ({"failures": 10}, Access.LOCKED),
        ({"expires_at": clock.now}, Access.EXPIRED),
        ({"suspended_at": clock.now}, Access.SUSPENDED),
        ({"revoked_at": clock.now}, Access.NONE),
    ]:
        change_grant(services, grant, **changes)
        assert the_row(services).access is access
    study = rows(services, Study)[0]
    study.deleted_at = clock.now
    services.session.commit()
    assert the_row(services).access is Access.GONE


def test_a_row_tells_of_report_paper_and_openings(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    study = study_in(services)
    grant = paper_of(services, study).grant
    before = the_row(services)
    assert (before.has_draft, before.has_signed, before.is_printed, before.openings) == (
        False,
        False,
        False,
        0,
    )

    change_grant(services, grant, printed_at=clock.now, openings=2)
    write(services, study)
    drafted = the_row(services)
    sign(services, study)
    signed = the_row(services)

    assert (drafted.has_draft, drafted.has_signed, drafted.is_printed, drafted.openings) == (
        True,
        False,
        True,
        2,
    )
    assert (signed.has_draft, signed.has_signed) == (False, True)


def test_a_page_takes_the_same_number_of_statements_however_long_it_is(
    services: Services, orthanc: FakeOrthanc
) -> None:
    def statements() -> int:
        made: list[str] = []
        listen = lambda *call: made.append(call[2])  # noqa: E731
        services.session.rollback()
        services.session.expunge_all()
        event.listen(db.engine, "before_cursor_execute", listen)
        services.worklist.page(Wanted(text="muster"), at=services.clock())
        event.remove(db.engine, "before_cursor_execute", listen)
        return len(made)

    study_in(services)
    one = statements()
    for _ in range(7):
        study_in(services)

    assert statements() == one <= 8


def write(services: Services, study: Study, revision: int = 0) -> None:
    by = person(services)
    services.reports.save(study, Text("f", "i", "r"), revision=revision, by=by, at=services.clock())
    services.session.commit()


def sign(services: Services, study: Study) -> None:
    by = person(services)
    services.reports.sign(study, Text("f", "i", "r"), revision=1, by=by, at=services.clock(), pdf=b"%PDF-1.7")
    services.session.commit()


def person(services: Services):  # type: ignore[no-untyped-def]
    from app.models import Staff

    known = rows(services, Staff)
    if known:
        return known[0]
    made = services.staff.add(
        login="anna", name="Dr Anna", roles=[Role.ADMIN], password="correct horse battery", at=services.clock(),
        actor="test",
    )  # fmt: skip
    services.session.commit()
    return made


def _of(services: Services, study: Study, **changes: object) -> None:
    grant = services.grants.current(study)
    assert grant is not None
    change_grant(services, grant, **changes)


PUT_INTO: dict[State, Callable[[Services, Study], None]] = {
    State.DRAFT: write,
    State.SIGNED: lambda services, study: (write(services, study), sign(services, study))[0],  # type: ignore[func-returns-value]
    State.OPENED: lambda services, study: _of(services, study, openings=1),
    State.EXPIRING: lambda services, study: _of(
        services, study, expires_at=services.clock() + timedelta(days=3)
    ),
    State.SUSPENDED: lambda services, study: _of(services, study, suspended_at=services.clock()),
}


@pytest.mark.parametrize("state", PUT_INTO)
def test_a_list_is_narrowed_to_a_state(
    services: Services, orthanc: FakeOrthanc, both_ways: None, state: State
) -> None:
    study_in(services)
    wanted = study_in(services)
    study_in(services, patient_name="Anders^Otto")
    PUT_INTO[state](services, wanted)

    assert found(services, state=state) == [wanted.id]
    assert found(services, "muster", state=state) == [wanted.id]
    assert found(services, "anders", state=state) == []


def test_a_list_is_narrowed_to_what_is_still_to_be_done(services: Services, orthanc: FakeOrthanc) -> None:
    done, left = study_in(services), study_in(services, birth_date_text="")
    _of(services, done, printed_at=services.clock())
    write(services, done)

    for state in (State.NO_REPORT, State.NOT_PRINTED, State.NO_BIRTH_DATE):
        assert found(services, state=state) == [left.id]


def test_a_list_is_narrowed_to_a_modality_and_to_days(
    services: Services, orthanc: FakeOrthanc, both_ways: None
) -> None:
    ct = study_in(services, modalities=("CT", "SR"), study_date=date(2026, 11, 20))
    mr = study_in(services, modalities=("MR",), study_date=date(2026, 11, 14), description="before CT")
    older = study_in(services, modalities=("CT",), study_date=date(2026, 11, 13))

    assert found(services, modality="CT") == [older.id, ct.id]
    assert found(services, days=(date(2026, 11, 14), date(2026, 11, 20))) == [mr.id, ct.id]
    assert found(services, "muster", modality="SR", days=(date(2026, 11, 20),) * 2) == [ct.id]
    assert found(services, modality="C") == []


def test_a_search_that_looks_far_stops_and_goes_on_from_there(
    services: Services, orthanc: FakeOrthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = study_in(services)
    for _ in range(5):
        _of(services, study_in(services), printed_at=services.clock())
    monkeypatch.setattr(study_search, "DEPTH", 4)
    wanted = Wanted(state=State.NOT_PRINTED)

    first = services.worklist.page(wanted, at=services.clock())
    second = services.worklist.page(wanted, before=first.next_before, at=services.clock())

    assert not first.rows and first.next_before is not None
    assert [row.id for row in second.rows] == [oldest.id]
    assert second.next_before is None


def test_the_list_names_the_grant_that_opens_the_study_now(services: Services, orthanc: FakeOrthanc) -> None:
    paper = paper_of(services, study_in(services))
    fresh = services.grants.reissue(
        services.grants.by_ref(paper.grant.ref),  # type: ignore[arg-type]
        at=services.clock(),
        actor="staff:clerk",
    )
    services.session.commit()

    assert the_row(services).grant_ref == fresh.grant.ref
    change_grant(services, fresh.grant, suspended_at=services.clock())
    assert the_row(services).is_suspended
    change_grant(services, fresh.grant, revoked_at=services.clock())
    assert the_row(services).grant_ref is None


def test_codes_of_several_studies_end_and_end_later_together(
    services: Services, orthanc: FakeOrthanc, clock: Clock
) -> None:
    first, second = study_in(services), study_in(services)
    bare = study_in(services, is_derived=True)
    ids = [first.id, second.id, bare.id, 10**9]

    chosen = services.selection.look(ids, at=services.clock())
    assert [held.studies[0].id for held in chosen.held] == [second.id, first.id]
    assert [study.id for study in chosen.without] == [bare.id]

    later = clock.now + 365 * DAY
    assert services.selection.extend(ids, later, at=clock.now, actor="staff:anna") == 2
    assert services.selection.extend(ids, clock.now + DAY, at=clock.now, actor="staff:anna") == 0
    services.session.commit()
    assert {grant.expires_at for grant in rows(services, Grant)} == {later}

    assert services.selection.revoke(ids, at=clock.now, actor="staff:anna") == 2
    services.session.commit()
    assert [row.access for row in listed(services)] == [Access.NONE] * 3
    assert not rows(services, Report)


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
