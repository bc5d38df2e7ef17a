"""A study's page for staff: who may do what, and what is typed is never lost."""

from __future__ import annotations

import pytest

from app.domain.staff import Role
from app.models import Report
from tests.support.factories import rows
from tests.support.portal import Portal

PASSWORD = "correct horse battery"


def signed_in(portal: Portal, role: Role = Role.RADIOLOGIST, login: str = "anna") -> Portal:
    portal.services.staff.add(
        login=login, name="Dr Anna", roles=[role], password=PASSWORD, at=portal.now, actor="test"
    )
    portal.services.session.commit()
    assert portal.post("/staff/sign-in", login=login, password=PASSWORD).status_code == 303
    return portal


def write(portal: Portal, **fields: str):  # type: ignore[no-untyped-def]
    return portal.post(f"/staff/study/{portal.study_id}/report", **fields)


def test_writing_signing_and_reading_it_back(portal: Portal) -> None:
    desk = signed_in(portal)
    saved = write(desk, findings="Clear lungs", impression="", revision="0", go="save")
    assert saved.status_code == 303
    page = desk.get(saved.location)
    assert "Clear lungs" in page.text and "Saved as a draft." in page.text

    signed = write(desk, findings="Clear lungs", impression="Normal", revision="1", go="sign")

    assert signed.status_code == 303
    assert "Signed." in desk.get(signed.location).text
    (report,) = rows(desk.services, Report)
    assert (report.impression, report.signed_name) == ("Normal", "Dr Anna")


def test_a_conflict_shows_both_texts(portal: Portal) -> None:
    desk = signed_in(portal)
    write(desk, findings="Theirs", revision="0", go="save")

    answer = write(desk, findings="Mine <b>", revision="0", go="save")

    assert answer.status_code == 422
    assert "Mine &lt;b&gt;" in answer.text
    assert "Theirs" in answer.text


@pytest.mark.parametrize(
    ("role", "sees", "writes", "prints"),
    [
        (Role.ADMIN, 200, 303, 200),
        (Role.RADIOLOGIST, 200, 303, 200),
        (Role.DESK, 200, 404, 200),
        (Role.VIEWER, 200, 404, 404),
        (Role.DEVICE, 404, 404, 404),
    ],
)
def test_each_role_may_do_its_own_and_no_more(
    portal: Portal, role: Role, sees: int, writes: int, prints: int
) -> None:
    desk = signed_in(portal, role)

    assert desk.get(f"/staff/study/{desk.study_id}").status_code == sees
    assert write(desk, findings="x", revision="0", go="save").status_code == writes
    printed = desk.post(f"/staff/study/{desk.study_id}/sheet", language="de", paper="Letter")
    assert printed.status_code == prints
    if prints == 200:
        assert printed.mimetype == "application/pdf"
        assert printed.data.startswith(b"%PDF")
        assert printed.headers["Cache-Control"] == "no-store"


def test_without_signing_in_nothing_is_there(portal: Portal) -> None:
    for path in (f"/staff/study/{portal.study_id}", "/staff/study/999"):
        assert portal.get(path).location == "/staff/sign-in"


def test_the_patient_reads_only_what_is_signed(portal: Portal) -> None:
    desk = signed_in(portal)
    write(desk, findings="Draft words", revision="0", go="save")
    portal.prove(go="study")
    assert portal.get(f"/study/{portal.study_id}/report.pdf").status_code == 404

    write(desk, findings="Signed words", revision="1", go="sign")

    assert f"/study/{portal.study_id}/report.pdf" in portal.get(f"/study/{portal.study_id}").text
    pdf = portal.get(f"/study/{portal.study_id}/report.pdf")
    assert (pdf.status_code, pdf.mimetype) == (200, "application/pdf")


def test_printing_again_after_the_window_asks_first(portal: Portal, clock) -> None:  # type: ignore[no-untyped-def]
    desk = signed_in(portal)
    clock.forward(days=15)
    desk.post("/staff/sign-in", login="anna", password=PASSWORD)

    page = desk.get(f"/staff/study/{desk.study_id}")
    refused = desk.post(f"/staff/study/{desk.study_id}/sheet")
    agreed = desk.post(f"/staff/study/{desk.study_id}/sheet", agreed="reissues")

    assert "stops working" in page.text
    assert refused.status_code == 409
    assert agreed.mimetype == "application/pdf"
