"""Images for staff: one click, on record first, and the light look where the viewer is no good."""

from __future__ import annotations

import pytest

from app.domain.staff import Role
from app.models import AuditEvent
from tests.support.factories import rows
from tests.support.fake_orthanc import JPEG, FakeOrthanc
from tests.support.portal import Portal
from tests.web.test_staff_study import page_of, signed_in


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal, Role.VIEWER)


def open_images(desk: Portal, **fields: str):  # type: ignore[no-untyped-def]
    return desk.post(f"/staff/study/{desk.study_id}/viewer", **fields)


def views(desk: Portal) -> list[AuditEvent]:
    return [row for row in rows(desk.services, AuditEvent) if row.event == "staff:viewed"]


def test_one_click_leads_to_the_archives_viewer_with_a_token_and_is_on_record(desk: Portal) -> None:
    answer = open_images(desk)

    assert answer.status_code == 303
    assert answer.location.startswith("http://127.0.0.1:9/stone-webviewer/index.html?study=" + desk.uid)
    token = answer.location.partition("token=")[2]
    assert token and len(token) < 100
    (row,) = views(desk)
    assert (row.actor, row.study_id, row.details) == ("staff:anna", desk.study_id, {"how": "viewer"})
    assert token not in str([row.details for row in rows(desk.services, AuditEvent)])
    assert "The images were opened by staff." in page_of(desk)


def test_the_light_look_for_staff_shows_the_same_pictures(desk: Portal) -> None:
    look = desk.get(f"/staff/study/{desk.study_id}/look")
    picture = desk.get(f"/staff/study/{desk.study_id}/look/1/2.jpg")

    assert look.status_code == 200
    assert f'data-base="/staff/study/{desk.study_id}/look"' in look.text
    assert f'href="/staff/study/{desk.study_id}"' in look.text
    assert 'action="/done"' not in look.text
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert picture.data.startswith(JPEG)
    assert [row.details for row in views(desk)] == [{"how": "look"}]


@pytest.mark.parametrize("place", ["3/1", "1/4", "0/1", "1/0", "2/1"])
def test_there_is_nothing_beyond_the_study(desk: Portal, place: str) -> None:
    assert desk.get(f"/staff/study/{desk.study_id}/look/{place}.jpg").status_code == 404


def test_an_archive_without_a_working_gate_gets_no_token_and_shows_the_light_look(
    desk: Portal, orthanc: FakeOrthanc
) -> None:
    orthanc.is_open = True
    desk.services.archives.probe("main", at=desk.now)

    answer = open_images(desk)

    assert answer.location == f"/staff/study/{desk.study_id}/look"
    assert views(desk) == []


def test_an_archive_that_does_not_answer_is_said_on_the_page(
    desk: Portal, orthanc: FakeOrthanc, clock
) -> None:  # type: ignore[no-untyped-def]
    clock.forward(minutes=1)
    orthanc.is_unreachable = True

    answer = open_images(desk)

    assert answer.status_code == 503
    assert "The archive doesn&#39;t answer" in answer.text
    assert desk.get(f"/staff/study/{desk.study_id}/look").status_code == 503


def test_a_narrow_screen_that_the_viewer_is_no_good_on_gets_the_light_look(
    desk: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain import viewers

    monkeypatch.setitem(viewers.VIEWERS, "stone", viewers.VIEWERS["ohif"])

    assert open_images(desk, narrow="1").location == f"/staff/study/{desk.study_id}/look"


def test_a_study_that_was_deleted_has_no_images_to_open(desk: Portal, orthanc: FakeOrthanc) -> None:
    study = desk.services.worklist.study(desk.study_id)
    assert study is not None
    desk.services.ingestion.gone(study, at=desk.now)

    assert "Open the images" not in page_of(desk)
    assert open_images(desk).status_code == 409
    assert desk.get(f"/staff/study/{desk.study_id}/look").status_code == 409
    assert desk.get(f"/staff/study/{desk.study_id}/look/1/1.jpg").status_code == 404
