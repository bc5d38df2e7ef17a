"""Printing many sheets from the list: nothing happens before it was said what it will do."""

from __future__ import annotations

from io import BytesIO

import pikepdf
import pytest
from werkzeug.datastructures import MultiDict

from app.domain.staff import Role
from app.models import AuditEvent
from tests.support.clock import Clock
from tests.support.factories import events, rows, study_in
from tests.support.paper import text
from tests.support.portal import Portal
from tests.web.test_staff_study import PASSWORD, signed_in


def post(portal: Portal, studies: list[int] | None = None, **fields: str):  # type: ignore[no-untyped-def]
    data = MultiDict({"csrf_token": portal.csrf, **fields})
    data.setlist("study", [str(study) for study in studies or []])
    return portal.client.post(
        "/staff/sheets", data=data, base_url=portal.base, headers={"Referer": portal.base + "/"}
    )


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal, Role.DESK)


def another(portal: Portal, **told: object) -> int:
    study_id = study_in(portal.services, **told).id
    portal.services.session.commit()
    return study_id


def test_sheets_come_in_the_order_asked_for_each_once(desk: Portal) -> None:
    second = another(desk, patient_name="Moreno^Ana")

    answer = post(desk, [second, desk.study_id, second, 999])

    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    first, last, rest = text(answer.data).split("\f")
    assert "Ana Moreno" in first and "Erika Muster" in last and not rest
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("inline")


def test_what_is_left_out_is_said_first_and_nothing_is_printed(desk: Portal) -> None:
    second = another(desk, patient_name="Moreno^Ana")
    study = desk.services.worklist.study(second)
    assert study is not None
    desk.services.grants.suspend(study, "mixed up", at=desk.now, actor="test")
    desk.services.session.commit()

    answer = post(desk, [second, desk.study_id])

    assert answer.mimetype == "text/html"
    assert "1 sheet is left out" in answer.text and "Ana Moreno" in answer.text
    assert f'name="study" value="{desk.study_id}"' in answer.text
    assert f'name="study" value="{second}"' not in answer.text
    assert "sheet:printed" not in events(desk.services)


def test_whose_sheet_stops_working_is_said_before_it_does(desk: Portal, clock: Clock) -> None:
    clock.forward(days=15)
    desk.post("/staff/sign-in", login="anna", password=PASSWORD)

    asked = post(desk, [desk.study_id])
    assert "The sheet that <bdi>Erika Muster</bdi> holds stops working." in asked.text
    assert "grant:reissued" not in events(desk.services)

    agreed = post(desk, [desk.study_id], agreed="reissues")
    assert agreed.mimetype == "application/pdf"
    assert "grant:reissued" in events(desk.services)


def test_todays_sheets_in_one_press_and_again_when_asked(desk: Portal) -> None:
    assert post(desk, day="today").mimetype == "application/pdf"
    answer = post(desk, day="today")
    assert "Printed before." in answer.text and "Print this one again" in answer.text
    assert post(desk, [desk.study_id]).mimetype == "application/pdf"


def test_without_studies_there_is_nothing_to_print(desk: Portal) -> None:
    assert "There is nothing to print" in post(desk).text


def test_who_may_not_print_finds_nothing(portal: Portal) -> None:
    signed_in(portal, Role.VIEWER)
    assert post(portal, [portal.study_id]).status_code == 404


def test_the_sheets_of_a_day_come_as_labels_too(desk: Portal) -> None:
    second = another(desk, patient_name="Moreno^Ana")

    answer = post(desk, [second, desk.study_id], paper="62x100")

    assert answer.mimetype == "application/pdf"
    with pikepdf.open(BytesIO(answer.data)) as file:
        assert [round(float(leaf.mediabox[2]) / 72 * 25.4) for leaf in file.pages] == [62, 62]
    details = [event.details for event in rows(desk.services, AuditEvent) if event.event == "sheet:printed"]
    assert details == [{"kind": "label"}] * 2


def test_a_label_is_printed_from_the_page_of_a_study(desk: Portal) -> None:
    page = desk.get(f"/staff/study/{desk.study_id}").text
    assert page.count('name="label"') == 2 and '<option value="ar" lang="ar">' in page

    answer = desk.post(f"/staff/study/{desk.study_id}/sheet", label="102x152", language="ar")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    with pikepdf.open(BytesIO(answer.data)) as file:
        assert str(file.Root.Lang) == "ar" and len(file.pages) == 1
    odd = desk.post(f"/staff/study/{desk.study_id}/sheet", label="9x9")
    assert "How to see the images" in text(odd.data)  # a size that is none is a sheet
