"""Grants on staff pages: seen, uncovered for a moment, extended, revoked, unlocked, confirmed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from app.domain.grants import Kind
from app.domain.staff import Role
from app.models import AuditEvent, Grant
from app.services.grants import Paper
from app.services.visits import Ending
from tests.support.clock import Clock
from tests.support.factories import change_grant, events, rows, second_study, visit
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal
from tests.web.test_staff_study import page_of, signed_in

ACTS = ("code", "extend", "revoke", "unlock", "confirm", "end-visits")


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal, Role.DESK)


def ref_of(portal: Portal) -> str:
    return portal.paper.grant.ref


def act(portal: Portal, name: str, **fields: str) -> TestResponse:
    return portal.post(f"/staff/grant/{ref_of(portal)}/{name}", **fields)


def the_grant(portal: Portal) -> Grant:
    return next(grant for grant in rows(portal.services, Grant) if grant.ref == ref_of(portal))


def change(portal: Portal, **columns: object) -> None:
    change_grant(portal.services, the_grant(portal), **columns)


def share(portal: Portal, label: str = "Dr Ludwig Moreno") -> Paper:
    study = portal.services.worklist.study(portal.study_id)
    assert study is not None
    paper = portal.services.grants.prepare(
        [study], at=portal.now, kind=Kind.PHYSICIAN, label=label, life=None
    )
    portal.services.grants.keep(paper, at=portal.now, actor="staff:anna")
    portal.services.session.commit()
    return paper


def test_every_grant_of_a_study_is_listed_with_what_it_opens(desk: Portal) -> None:
    share(desk)
    visit(desk.services, desk.paper)

    page = page_of(desk)

    assert "Erika Muster" in page and "Dr Ludwig Moreno" in page
    assert "images, report, download" in page
    assert "with code and birth date" in page and "with code and password" in page
    assert "until 2027-02-18" in page and "until it is revoked" in page
    assert "by archive main" in page
    assert "once, Nov 20, 2026" in page


def test_code_and_password_are_covered_until_somebody_asks(desk: Portal) -> None:
    code, password = desk.paper.code, desk.paper.password
    for page in (page_of(desk), desk.get(f"/staff/grant/{ref_of(desk)}").text):
        assert code.grouped not in page and code.symbols not in page and password.grouped not in page

    shown = act(desk, "code")

    assert shown.status_code == 200
    assert code.grouped in shown.text and password.grouped in shown.text
    assert "Whoever has this can open the images." in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["Refresh"] == f"60; url=/staff/grant/{ref_of(desk)}"
    row = rows(desk.services, AuditEvent)[-1]
    assert (row.event, row.actor, row.study_id) == ("grant:shown", "staff:anna", desk.study_id)


def test_after_the_reprint_window_there_is_nothing_to_uncover(desk: Portal, clock: Clock) -> None:
    clock.forward(days=14)
    signed_in(desk, Role.DESK)

    assert "Show" not in page_of(desk)
    answer = act(desk, "code")

    assert answer.status_code == 409
    assert "can&#39;t be shown any more" in answer.text
    assert "grant:shown" not in events(desk.services)


def test_revoking_says_whose_sheet_dies_and_names_every_study(desk: Portal) -> None:
    second_study(desk.services, the_grant(desk), description="Knee")
    _, key = visit(desk.services, desk.paper)

    question = desk.get(f"/staff/grant/{ref_of(desk)}/revoke?study={desk.study_id}")
    assert "The sheet that Erika Muster holds stops working." in question.text
    assert "Thorax" in question.text and "Knee" in question.text
    assert the_grant(desk).revoked_at is None

    answer = act(desk, "revoke", study=str(desk.study_id))

    assert answer.location == f"/staff/study/{desk.study_id}?done=revoked"
    assert the_grant(desk).revoked_at == desk.now
    assert desk.services.visits.find(key, at=desk.now) is Ending.CLOSED
    assert "The access was revoked" in desk.get(answer.location).text


def test_for_somebody_else_it_is_their_code_that_stops_working(desk: Portal) -> None:
    paper = share(desk)

    page = desk.get(f"/staff/grant/{paper.grant.ref}/revoke").text

    assert "The code that Dr Ludwig Moreno holds stops working." in page


def test_a_grant_is_extended_by_one_of_the_clinics_durations(desk: Portal) -> None:
    assert act(desk, "extend", until="365").status_code == 303

    assert the_grant(desk).expires_at == desk.now + timedelta(days=365)
    assert "extended until" in page_of(desk)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [("7", 409), ("366", 422), ("", 422), ("revoked", 422), ("-1", 422), ("9" * 50, 422)],
)
def test_nothing_else_extends_or_shortens_it(desk: Portal, wanted: str, status: int) -> None:
    before = the_grant(desk).expires_at

    assert act(desk, "extend", until=wanted).status_code == status
    assert the_grant(desk).expires_at == before


def test_without_an_end_where_the_clinic_allows_it(desk: Portal) -> None:
    desk.services.rules.set({"share_until_revoked": "yes"}, at=desk.now, actor="test")
    desk.services.session.commit()

    assert act(desk, "extend", until="revoked").status_code == 303
    assert the_grant(desk).expires_at is None


def test_failed_tries_are_said_in_words_and_can_be_forgotten(desk: Portal) -> None:
    change(desk, failures=4, failures_in_life=4, next_try_at=desk.now + timedelta(minutes=2))
    assert "Failed tries in a row: 4. The next one is welcome in 2 minutes." in page_of(desk)
    change(desk, failures=10, failures_in_life=12)
    assert "Locked after 10 failed tries" in page_of(desk)

    answer = act(desk, "unlock", study=str(desk.study_id))

    assert answer.location == f"/staff/study/{desk.study_id}?done=unlocked"
    assert (the_grant(desk).failures, the_grant(desk).next_try_at) == (0, None)
    assert "Locked after" not in page_of(desk)


def test_a_suspended_grant_opens_again_only_after_a_look_at_both_identities(
    desk: Portal, orthanc: FakeOrthanc
) -> None:
    study = desk.services.worklist.study(desk.study_id)
    assert study is not None
    before, archive = study.patient_id, desk.services.archives.all()[0]
    told = orthanc.change(study.orthanc_id, patient_name="Beispiel^Max", patient_id="P9999")
    desk.services.ingestion.take(archive, told.orthanc_id, at=desk.now)

    question = desk.get(f"/staff/grant/{ref_of(desk)}/confirm?study={desk.study_id}").text
    assert all(part in question for part in ("Erika Muster", before, "Max Beispiel", "P9999"))
    assert "name or ID changed in the archive" in question
    unchecked = act(desk, "confirm")
    assert unchecked.status_code == 422 and "Say that you have checked" in unchecked.text
    assert the_grant(desk).suspended_at is not None

    assert act(desk, "confirm", checked="1").status_code == 303

    assert (the_grant(desk).suspended_at, the_grant(desk).suspended_why) == (None, None)
    trail = [str(row.details) for row in rows(desk.services, AuditEvent)]
    assert not any("Muster" in details for details in trail), "names stay out of the trail"


def test_open_visits_are_ended_and_the_code_goes_on_working(desk: Portal) -> None:
    _, key = visit(desk.services, desk.paper)

    assert act(desk, "end-visits").status_code == 303

    assert desk.services.visits.find(key, at=desk.now) is Ending.CLOSED
    assert the_grant(desk).revoked_at is None


def test_the_story_tells_who_did_what_and_the_patients_part_stands_out(desk: Portal) -> None:
    desk.prove()
    act(desk, "code")

    page = page_of(desk)

    assert page.count('class="opening"') == 2  # the visit and the viewer
    assert "The images were opened in the viewer." in page
    assert "Dr Anna" in page and "Code and password were shown on a screen." in page
    assert "An access code was made." in page


def test_the_story_goes_back_thirty_at_a_time(desk: Portal) -> None:
    for _ in range(31):
        act(desk, "unlock")

    first = desk.get(f"/staff/grant/{ref_of(desk)}").text
    earlier = first.partition('href="/staff/grant/')[2]
    assert first.count("failed tries were forgotten") == 30
    assert "?before=" in earlier
    older = desk.get(f"/staff/grant/{ref_of(desk)}?before=5").text
    assert "An access code was made." in older and "Newest" in older


@pytest.mark.parametrize("ref", ["0" * 16, "%00", "..%2F..", "é", "'--"])
def test_a_grant_that_does_not_exist_is_nowhere(desk: Portal, ref: str) -> None:
    assert desk.get(f"/staff/grant/{ref}").status_code == 404
    assert [desk.post(f"/staff/grant/{ref}/{name}").status_code for name in ACTS] == [404] * 6


def test_who_may_only_look_changes_no_grant_and_uncovers_no_code(portal: Portal) -> None:
    viewer = signed_in(portal, Role.VIEWER, "otto")

    assert viewer.get(f"/staff/grant/{ref_of(viewer)}").status_code == 200
    assert [act(viewer, name, checked="1", until="365").status_code for name in ACTS] == [404] * 6
    assert [
        viewer.get(f"/staff/grant/{ref_of(viewer)}/{name}").status_code for name in ("revoke", "confirm")
    ] == [
        404,
        404,
    ]


def test_no_get_changes_anything(desk: Portal) -> None:
    for name in ("code", "extend", "unlock", "end-visits"):
        assert desk.get(f"/staff/grant/{ref_of(desk)}/{name}").status_code == 405
