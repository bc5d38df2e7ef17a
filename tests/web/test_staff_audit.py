"""The audit page: an auditor finds who opened a study, takes the trail away, and sees whether it is whole."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.config import Settings
from app.domain.events import Event
from app.domain.staff import Role
from app.models import AuditEvent, db
from app.web import audit_texts
from tests.support.factories import ADDRESS, events, rows, visit
from tests.support.portal import Portal
from tests.web.test_staff_study import signed_in


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """An instance folder of its own: the head outside of the database is kept there."""
    return settings.with_(instance=tmp_path, keys_file=settings.keys_file, time_zone="Europe/Madrid")


@pytest.fixture
def auditor(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN)


def record(portal: Portal, event: Event, *, actor: str = "staff:ben", **details: object) -> None:
    portal.services.audit.record(event, at=portal.now, actor=actor, address=ADDRESS, **details)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.DESK, Role.VIEWER])
def test_nobody_but_an_auditor_sees_it(portal: Portal, role: Role) -> None:
    desk = signed_in(portal, role)

    assert desk.get("/staff/audit").status_code == 404
    assert desk.post("/staff/audit/export", style="csv").status_code == 404
    assert desk.post("/staff/audit/verify").status_code == 404


def test_rows_are_sentences_with_names_in_the_clinics_time(auditor: Portal) -> None:
    visit(auditor.services, auditor.paper)

    page = auditor.get("/staff/audit").text

    assert "The study was opened with the code." in page
    assert "holder of the code" in page
    assert "10:00:00" in page, "09:00 UTC in Madrid"
    assert f"/staff/grant/{auditor.paper.grant.ref}" in page
    assert "Dr Anna" in page


def test_who_opened_this_study(auditor: Portal) -> None:
    visit(auditor.services, auditor.paper)

    page = auditor.get(f"/staff/audit?study={auditor.study_id}&what=openings").text

    assert "The study was opened with the code." in page
    assert "An access code was made." not in page.partition("<tbody")[2]
    assert "Muster" in page


def test_what_did_this_person_do(auditor: Portal) -> None:
    record(auditor, Event.SITE_CHANGED, setting="colour")

    page = auditor.get("/staff/audit?who=staff:ben").text.partition("<tbody")[2]

    assert page.count('<tr role="row">') == 1
    assert "colour" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("study=0815", "There is no study"),
        ("grant=0815", "There is no access"),
        ("rule=0815", "There is no rule"),
        ("from=yesterday", "Give the day"),
        ("to=0001-01-01", "Give the day"),
        ("what=everything", "Choose one"),
    ],
)
def test_what_cannot_be_looked_for_is_said_at_its_field(auditor: Portal, query: str, said: str) -> None:
    answer = auditor.get(f"/staff/audit?{query}")

    assert answer.status_code == 422
    assert answer.text.count(said) == 2, "in the summary and at the field"
    assert auditor.post("/staff/audit/export", **dict([query.split("=")])).status_code == 422


@pytest.mark.parametrize(
    "query",
    ["before=99999999999999999999", "before=x", "before=-1", "who=%00", "address=%27", "study=%F0%9F%98%80"],
)
def test_odd_addresses_do_no_harm(auditor: Portal, query: str) -> None:
    assert auditor.get(f"/staff/audit?{query}").status_code in (200, 422)


def test_days_are_the_clinics(auditor: Portal) -> None:
    for moment, setting in (("2026-11-21T22:59:59", "before"), ("2026-11-21T23:00:00", "within")):
        at = auditor.now.fromisoformat(f"{moment}+00:00")
        auditor.services.audit.record(Event.SITE_CHANGED, at=at, actor="staff:ben", setting=setting)

    page = auditor.get("/staff/audit?from=2026-11-22&to=2026-11-22").text

    assert "“within”" in page
    assert "“before”" not in page


class TestExport:
    def export(self, auditor: Portal, **fields: str) -> TestResponse:
        answer = auditor.post("/staff/audit/export", **fields)
        assert answer.status_code == 200
        return answer

    def test_json_lines_end_with_their_count_and_the_export_is_on_record(self, auditor: Portal) -> None:
        answer = self.export(auditor, style="jsonl", who="staff:anna", to="2026-11-20")

        *told, end = [json.loads(line) for line in answer.text.splitlines()]
        assert [row["event"] for row in told] == ["staff:signed-in", "audit:exported"]
        assert end == {"end": True, "rows": 2}
        assert told[-1]["details"] == {"style": "jsonl", "filter": {"who": "staff:anna", "to": "2026-11-20"}}
        assert "studykey-audit-begin-2026-11-20.jsonl" in answer.headers["Content-Disposition"]
        assert answer.headers["Cache-Control"] == "no-store"

    def test_a_spreadsheet_gets_its_mark_and_no_formula(self, auditor: Portal) -> None:
        record(auditor, Event.SITE_CHANGED, actor="=HYPERLINK(0)")
        answer = self.export(auditor, style="csv")

        assert answer.data.startswith(b"\xef\xbb\xbf")
        *table, end = csv.DictReader(StringIO(answer.data.decode("utf-8-sig")))
        assert end["row"] == "end"
        assert end["at"] == f"{len(table)} rows"
        assert "'=HYPERLINK(0)" in {row["actor"] for row in table}

    def test_of_one_study_it_is_a_row_of_the_study(self, auditor: Portal) -> None:
        self.export(auditor, style="csv", study=str(auditor.study_id))

        assert rows(auditor.services, AuditEvent)[-1].study_id == auditor.study_id

    def test_nothing_is_sent_before_it_is_on_record(self, auditor: Portal) -> None:
        with db.engine.begin() as connection:
            connection.execute(text("DELETE FROM audit_chain"))

        answer = auditor.client.post(
            "/staff/audit/export", data={"csrf_token": auditor.csrf}, base_url=auditor.base
        )

        assert answer.status_code == 503
        assert "visit" not in answer.text

    def test_a_file_that_breaks_off_does_not_look_complete(
        self, auditor: Portal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The database goes away after the first batch."""
        monkeypatch.setattr("app.services.audit_search.BATCH", 1)
        monkeypatch.setattr("app.web.staff.audit.BLOCK", 1)
        answer = auditor.client.post(
            "/staff/audit/export", data={"csrf_token": auditor.csrf}, base_url=auditor.base, buffered=False
        )
        parts = answer.response
        read = next(iter(parts))
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE audit_event RENAME TO gone"))

        with pytest.raises(Exception, match="audit_event"):
            read += b"".join(parts)

        assert b'"end"' not in read


class TestVerification:
    def test_without_the_script_one_request_checks_everything(self, auditor: Portal) -> None:
        answer = auditor.post("/staff/audit/verify")

        assert (answer.status_code, answer.location) == (303, "/staff/audit#whole")
        assert events(auditor.services)[-1] == "audit:verified"
        page = auditor.get("/staff/audit").text
        assert "nothing changed, nothing missing" in page
        assert "by <bdi>Dr Anna</bdi>" in page

    def test_the_script_goes_step_by_step_and_the_last_one_is_on_record(
        self, auditor: Portal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.audit_verification.PAGE", 2)
        monkeypatch.setattr("app.services.audit_verification.STEP", 2)
        told = [auditor.post("/staff/audit/verify", walk="").json]
        while not told[-1]["done"]:  # type: ignore[index]
            assert events(auditor.services)[-1] != "audit:verified"
            told.append(auditor.post("/staff/audit/verify", walk=told[-1]["walk"]).json)  # type: ignore[index]

        assert [one["checked"] for one in told[:-1]] == [2, 4][: len(told) - 1]  # type: ignore[index]
        assert rows(auditor.services, AuditEvent)[-1].details["outcome"] == "whole"

    def test_a_walk_that_we_did_not_sign_leads_nowhere(self, auditor: Portal) -> None:
        answer = auditor.post("/staff/audit/verify", walk='{"is_done": true}.x')

        assert (answer.status_code, answer.json) == (409, {"gone": True})
        assert events(auditor.services)[-1] != "audit:verified"

    def test_a_changed_row_is_named(self, auditor: Portal) -> None:
        with db.engine.begin() as connection:
            is_sqlite = db.engine.dialect.name == "sqlite"
            trigger = "audit_event_stays" if is_sqlite else "audit_event_kept ON audit_event"
            connection.execute(text(f"DROP TRIGGER {trigger}"))
            connection.execute(text("UPDATE audit_event SET actor = 'holder' WHERE id = 1"))

        auditor.post("/staff/audit/verify")

        page = auditor.get("/staff/audit").text
        assert "the trail is not whole." in page
        assert "The audit trail was verified: it is not whole." in page
        assert "Row 1: it was changed, or the row before it was exchanged." in page

    def test_a_head_that_was_kept_is_compared(self, auditor: Portal) -> None:
        auditor.post("/staff/audit/verify", head="99:00ff")

        assert "Row 99: a head kept outside names row 99" in auditor.get("/staff/audit").text

    def test_what_is_no_head_is_said(self, auditor: Portal) -> None:
        answer = auditor.post("/staff/audit/verify", head="x")

        assert answer.status_code == 422
        assert "A head looks like" in answer.text

    def test_a_head_in_a_file_that_the_trail_lacks_is_shown_at_once(
        self, auditor: Portal, settings: Settings
    ) -> None:
        settings.audit_head.write_text("99:00ff\n")

        assert "its end was cut off" in auditor.get("/staff/audit").text


def test_every_event_is_in_a_group() -> None:
    found = set()
    for name in audit_texts._GROUPS:
        of_group = audit_texts.events_of(name)
        assert of_group
        found |= of_group

    assert found == {event.value for event in Event}
