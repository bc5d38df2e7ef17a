"""A study's page for staff: who may do what, and what is typed is never lost."""

from __future__ import annotations

import pytest

from app.domain.staff import Role
from app.models import Staff
from tests.support.clock import Clock
from tests.support.factories import rows, study_in
from tests.support.portal import Portal

PASSWORD = "correct horse battery"


def signed_in(portal: Portal, role: Role = Role.RADIOLOGIST, login: str = "anna") -> Portal:
    if login not in {person.login for person in rows(portal.services, Staff)}:
        portal.services.staff.add(
            login=login,
            name=f"Dr {login.title()}",
            roles=[role],
            password=PASSWORD,
            at=portal.now,
            actor="test",
        )
        portal.services.session.commit()
    assert portal.post("/staff/sign-in", login=login, password=PASSWORD).status_code == 303
    return portal


def page_of(desk: Portal) -> str:
    answer = desk.get(f"/staff/study/{desk.study_id}")
    assert answer.status_code == 200
    return answer.text


def write(portal: Portal, **fields: str):  # type: ignore[no-untyped-def]
    return portal.post(f"/staff/study/{portal.study_id}/report", **fields)


def sign(portal: Portal, revision: int = 1):  # type: ignore[no-untyped-def]
    """The question before signing, answered with yes."""
    return portal.post(f"/staff/study/{portal.study_id}/report/sign", revision=str(revision))


def sign_report(portal: Portal, login: str = "anna") -> None:
    signed_in(portal, login=login)
    assert write(portal, findings="Clear lungs", revision="0", go="sign").location.endswith("/report/sign")
    assert sign(portal).location.endswith("?done=signed")


@pytest.mark.parametrize(
    ("role", "writes", "prints"),
    [
        (Role.ADMIN, 303, 200),
        (Role.RADIOLOGIST, 303, 200),
        (Role.DESK, 404, 200),
        (Role.VIEWER, 404, 404),
    ],
)
def test_each_role_may_do_its_own_and_no_more(portal: Portal, role: Role, writes: int, prints: int) -> None:
    desk = signed_in(portal, role)

    assert desk.get(f"/staff/study/{desk.study_id}").status_code == 200
    assert write(desk, findings="x", revision="0", go="save").status_code == writes
    printed = desk.post(f"/staff/study/{desk.study_id}/sheet", language="de", paper="Letter")
    assert printed.status_code == prints
    if prints == 200:
        assert printed.mimetype == "application/pdf"
        assert printed.data.startswith(b"%PDF")
        assert printed.headers["Cache-Control"] == "no-store"


def test_the_front_desk_sees_that_a_report_is_signed_but_not_what_it_says(portal: Portal) -> None:
    sign_report(portal)
    desk = signed_in(portal, Role.DESK, "otto")

    page = page_of(desk)
    printed = desk.post(f"/staff/study/{desk.study_id}/report/print")

    assert "signed by <bdi>Dr Anna</bdi>" in page
    assert "Clear lungs" not in page and "Print the report" not in page
    assert printed.status_code == 404


def test_who_may_only_look_reads_the_report_and_changes_nothing(portal: Portal) -> None:
    sign_report(portal)
    page = page_of(signed_in(portal, Role.VIEWER, "otto"))

    assert "Clear lungs" in page
    for label in ("Amend the report", "Print", "Show", "Change", "Revoke"):
        assert f">{label}<" not in page


def test_without_signing_in_nothing_is_there(portal: Portal) -> None:
    for path in (f"/staff/study/{portal.study_id}", "/staff/study/999"):
        assert portal.get(path).location.startswith("/staff/sign-in")


def test_the_patient_reads_only_what_is_signed(portal: Portal) -> None:
    desk = signed_in(portal)
    write(desk, findings="Draft words", revision="0", go="save")
    portal.prove(go="study")
    assert portal.get(f"/study/{portal.study_id}/report.pdf").status_code == 404

    write(desk, findings="Signed words", revision="1", go="sign")
    sign(desk, revision=2)

    assert f"/study/{portal.study_id}/report" in portal.get(f"/study/{portal.study_id}").text
    page = portal.get(f"/study/{portal.study_id}/report").text
    assert "Signed words" in page and "Draft words" not in page
    assert f"/study/{portal.study_id}/report.pdf" in page
    pdf = portal.get(f"/study/{portal.study_id}/report.pdf")
    assert (pdf.status_code, pdf.mimetype) == (200, "application/pdf")


def test_printing_again_after_the_window_asks_first(portal: Portal, clock: Clock) -> None:
    desk = signed_in(portal)
    clock.forward(days=15)
    desk.post("/staff/sign-in", login="anna", password=PASSWORD)

    page = page_of(desk)
    refused = desk.post(f"/staff/study/{desk.study_id}/sheet")
    agreed = desk.post(f"/staff/study/{desk.study_id}/sheet", agreed="reissues")

    assert "stops working" in page
    assert refused.status_code == 409
    assert agreed.mimetype == "application/pdf"


def test_a_lost_sheet_is_replaced_within_the_window_too_and_once_however_often_it_is_sent(
    portal: Portal,
) -> None:
    desk = signed_in(portal, Role.DESK)
    lost = portal.paper.grant.ref
    assert f'name="replaces" type="checkbox" value="{lost}"' in page_of(desk)

    for _ in range(2):
        assert desk.post(f"/staff/study/{desk.study_id}/sheet", replaces=lost).status_code == 200

    grants = [grant for grant in _grants(desk) if grant.revoked_at is None]
    assert len(_grants(desk)) == 2
    assert [grant.ref == lost for grant in grants] == [False]


def _grants(desk: Portal):  # type: ignore[no-untyped-def]
    from tests.support.factories import grants_of

    return grants_of(desk.services, desk.study_id)


def test_other_studies_of_the_same_patient_are_one_click_away(portal: Portal) -> None:
    mine = portal.services.worklist.study(portal.study_id)
    assert mine is not None
    before = study_in(portal.services, patient_id=mine.patient_id, description="Knee").id
    strangers = study_in(portal.services, description="Hand").id
    portal.services.session.commit()

    page = page_of(signed_in(portal))

    assert f'href="/staff/study/{before}"' in page
    assert f'href="/staff/study/{strangers}"' not in page


def test_what_goes_wrong_stands_in_the_staffs_own_frame(portal: Portal) -> None:
    desk = signed_in(portal, Role.VIEWER)

    missing = desk.get("/staff/study/999")
    forbidden = write(desk, findings="x")
    too_much = desk.post("/staff/sign-in", login="x" * 100_000)

    assert (missing.status_code, forbidden.status_code, too_much.status_code) == (404, 404, 413)
    for answer in (missing, forbidden, too_much):
        assert "staff.css" in answer.text and 'href="/staff/"' in answer.text
    assert missing.text.count("Sign out") == forbidden.text.count("Sign out") == 1
