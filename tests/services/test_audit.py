"""Writing the audit trail: rows stand with what they tell of, in one chain, whoever writes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import create_internal_app
from app.config import Settings
from app.domain.events import Event
from app.domain.staff import Role
from app.models import AuditChain, AuditEvent, StaffSession, ViewerToken, Visit, db
from app.services.audit import StoreUnavailable
from app.services.reports import Text
from app.wiring import EXTENSION, Services
from tests.support.factories import ADDRESS, claim, events, fresh_clinic, own_session, rows, visit

NOTED = {"actor": "studykey", "address": ADDRESS}


def note(services: Services, count: int = 1) -> None:
    for _ in range(count):
        services.audit.record(Event.STAFF_REFUSED, at=services.clock(), **NOTED)


def unwritable(services: Services) -> None:
    """The disk is full for audit rows, and only for them."""
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE audit_event"))


def without_ends(services: Services) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_chain"))


def under_a_foreign_key(services: Services) -> None:
    services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE audit_chain SET kid = 'pepper-ffffff'"))


def test_rows_are_numbered_without_a_gap_and_each_has_its_mac(services: Services) -> None:
    note(services, 3)

    written = rows(services, AuditEvent)
    assert [row.id for row in written] == [1, 2, 3]
    assert len({row.mac for row in written}) == 3
    assert {(len(row.mac), row.kid) for row in written} == {(32, services.crypto.pepper_kid)}


def test_a_row_within_a_transaction_stands_only_when_that_commits(services: Services) -> None:
    with own_session(services)() as session:
        services.audit.within(session, Event.GRANT_ISSUED, at=services.clock(), actor="studykey")
        session.rollback()
        services.audit.within(session, Event.GRANT_REVOKED, at=services.clock(), actor="studykey")
        session.commit()
        services.audit.within(session, Event.GRANT_ISSUED, at=services.clock(), actor="studykey")
    with pytest.raises(ZeroDivisionError), own_session(services).begin() as session:
        services.audit.within(session, Event.GRANT_ISSUED, at=services.clock(), actor="studykey")
        _ = 1 / 0

    assert events(services) == ["grant:revoked"]
    assert services.trail.verify().findings == []


def test_a_row_noted_before_a_savepoint_is_written_once(services: Services) -> None:
    with own_session(services).begin() as session:
        services.audit.within(session, Event.GRANT_ISSUED, at=services.clock(), actor="studykey")
        with session.begin_nested():
            session.execute(text("SELECT 1"))

    assert events(services) == ["grant:issued"]


def test_a_page_that_notes_early_keeps_nobody_from_writing(services: Services) -> None:
    services.audit.within(services.session, Event.SITE_CHANGED, at=services.clock(), actor="staff:anna")

    note(services)  # would wait for the page, and the page for it, if the page held the chain
    services.session.commit()

    assert events(services) == ["staff:refused", "site:changed"]
    assert services.trail.verify().findings == []


@pytest.mark.parametrize(
    "details", [{"words": "naïve 日本 \U0001f642", "number": 1.5, "list": [1, None, {"b": 1, "a": 2}]}, {}]
)
def test_what_is_read_back_is_what_was_chained(services: Services, details: dict[str, object]) -> None:
    at = datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC)

    services.audit.record(Event.SITE_CHANGED, at=at, actor="staff:anna", **details)  # type: ignore[arg-type]

    assert rows(services, AuditEvent)[0].details == details
    assert services.trail.verify().findings == []


def test_rows_can_be_written_by_many_threads_at_once(services: Services) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: note(services, 10), range(8)))

    result = services.trail.verify()
    assert (result.checked, result.findings) == (80, [])


def _note_in_a_process(settings: Settings) -> None:
    app = create_internal_app(settings)
    with app.app_context():
        services: Services = app.extensions[EXTENSION]
        for _ in range(10):
            note(services)
            services.audit.within(services.session, Event.SITE_CHANGED, at=services.clock(), actor="studykey")
            services.session.commit()
        db.session.remove()
        db.engine.dispose()


def test_rows_can_be_written_by_many_processes_at_once(services: Services, settings: Settings) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_note_in_a_process, [settings] * 4))

    result = services.trail.verify()
    assert (result.checked, result.findings) == (80, [])


@pytest.mark.parametrize("broken", [unwritable, without_ends, under_a_foreign_key])
class TestWithoutAnAuditRow:
    """Fail closed: nothing is opened that isn't on record."""

    def test_a_right_proof_is_no_verdict(self, services: Services, broken) -> None:  # type: ignore[no-untyped-def]
        _, paper = fresh_clinic(services)
        typed = claim(paper)
        broken(services)

        with pytest.raises(StoreUnavailable):
            services.proof.check(typed, at=services.clock())

    def test_there_is_no_visit_and_no_viewer_token(self, services: Services, broken) -> None:  # type: ignore[no-untyped-def]
        _, paper = fresh_clinic(services)
        live, _ = visit(services, paper)
        study, at = live.studies[0], services.clock()
        broken(services)

        with pytest.raises(StoreUnavailable):
            visit(services, paper)
        with pytest.raises(StoreUnavailable):
            services.visits.issue_viewer_token(live, study, address=ADDRESS, at=at)
        with pytest.raises(StoreUnavailable):
            services.visits.note_look(live, study, address=ADDRESS, at=at)

        assert len(rows(services, Visit)) == 1
        assert rows(services, ViewerToken) == []

    def test_nobody_signs_in(self, services: Services, broken) -> None:  # type: ignore[no-untyped-def]
        words = "correct horse battery"
        services.staff.add(
            login="anna", name="", roles=[Role.VIEWER], password=words, at=services.clock(), actor="studykey"
        )
        services.session.commit()
        broken(services)

        with pytest.raises(StoreUnavailable):
            services.staff_sessions.sign_in("anna", words, address=ADDRESS, at=services.clock())

        assert rows(services, StaffSession) == []

    def test_no_report_is_read(self, services: Services, broken) -> None:  # type: ignore[no-untyped-def]
        study, paper = fresh_clinic(services)
        anna = services.staff.add(
            login="anna",
            name="",
            roles=[Role.RADIOLOGIST],
            password="correct horse battery",
            at=services.clock(),
            actor="studykey",
        )
        services.session.flush()
        services.reports.sign(
            study, Text("Fine.", "Fine."), revision=0, by=anna, at=services.clock(), pdf=b"%PDF-1.7"
        )
        services.session.commit()
        report = services.reports.signed(study)
        assert report is not None
        live, _ = visit(services, paper)
        broken(services)

        with pytest.raises(StoreUnavailable):
            services.visits.note_reading(live, study, report.version, address=ADDRESS, at=services.clock())

    def test_what_a_page_changed_is_not_committed(self, services: Services, broken) -> None:  # type: ignore[no-untyped-def]
        _, paper = fresh_clinic(services)
        broken(services)

        services.grants.revoke(services.session.merge(paper.grant), at=services.clock(), actor="staff:anna")
        with pytest.raises((StoreUnavailable, SQLAlchemyError)):
            services.session.commit()
        services.session.rollback()

        assert services.session.merge(paper.grant).revoked_at is None


def test_the_orm_and_the_database_refuse_to_change_or_delete_a_row(services: Services) -> None:
    note(services, 2)

    rows(services, AuditEvent)[0].actor = "somebody else"
    with pytest.raises(SQLAlchemyError, match="append-only"):
        services.session.commit()
    services.session.rollback()
    services.session.delete(rows(services, AuditEvent)[1])
    with pytest.raises(SQLAlchemyError, match="append-only"):
        services.session.commit()

    assert len(rows(services, AuditEvent)) == 2
    assert rows(services, AuditChain)[0].last_id == 2
