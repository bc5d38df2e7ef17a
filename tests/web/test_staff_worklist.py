"""The list of studies as its readers meet it: searching, what is new, and acts on several studies."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from app.domain.staff import Role
from app.models import Grant
from tests.support.factories import change_grant, rows, study_in
from tests.support.portal import Portal
from tests.web.test_staff_study import signed_in

DIGEST = re.compile(r'data-digest="(\w+)"')


def names(portal: Portal, path: str) -> list[str]:
    return re.findall(r'class="patient"><a[^>]*><bdi>([^<]*)', portal.get(path).text)


@pytest.fixture
def desk(portal: Portal) -> Portal:
    study_in(portal.services, patient_name="Anders^Otto")
    portal.services.session.commit()
    return signed_in(portal)


def search(portal: Portal, **typed: str) -> str:
    answer = portal.post("/staff/search", **typed)
    assert answer.status_code == 303
    return str(answer.location)


def test_what_is_typed_stands_in_no_address(desk: Portal) -> None:
    address = search(desk, q="Otto Anders")

    assert "tto" not in address and "nders" not in address
    assert names(desk, address) == ["Otto Anders"]
    assert 'value="Otto Anders"' in desk.get(address).text


def test_filters_stand_in_the_address_as_they_are(desk: Portal) -> None:
    assert (
        search(desk, q="", state="draft", modality="CT", day="week")
        == "/staff/?state=draft&modality=CT&day=week"
    )
    assert names(desk, "/staff/?modality=CT") == ["Otto Anders", "Erika Muster"]
    assert names(desk, "/staff/?modality=MR") == []
    assert names(desk, "/staff/?state=signed") == []
    assert names(desk, "/staff/?day=today") == ["Otto Anders", "Erika Muster"]
    assert names(desk, "/staff/?day=yesterday") == []


@pytest.mark.parametrize(
    "odd", ["q=Muster", "q=a.b", "q=..%00", "state=x", "modality=%27", "day=never", "before=x", "before=-1"]
)
def test_what_an_address_cannot_mean_is_left_out(desk: Portal, odd: str) -> None:
    assert names(desk, f"/staff/?{odd}") == ["Otto Anders", "Erika Muster"]


def test_the_next_page_keeps_what_was_searched(desk: Portal) -> None:
    for _ in range(51):
        study_in(desk.services, is_derived=True)
    desk.services.session.commit()
    page = desk.get(search(desk, q="muster", modality="CT")).text
    more = re.search(r'href="([^"]*)" rel="next"', page)
    assert more is not None

    assert names(desk, more[1].replace("&amp;", "&")) == ["Erika Muster", "Erika Muster"]


def test_news_come_only_when_there_are_any(desk: Portal) -> None:
    digest = DIGEST.search(desk.get("/staff/").text)
    assert digest is not None
    assert desk.get(f"/staff/news?digest={digest[1]}").status_code == 204

    study_in(desk.services, patient_name="Fresh^Eva")
    desk.services.session.commit()

    answer = desk.get(f"/staff/news?digest={digest[1]}")
    assert answer.status_code == 200
    assert "Eva Fresh" in answer.text and "<html" not in answer.text


def test_asking_for_news_is_no_sign_of_somebody_being_there(desk: Portal, clock) -> None:  # type: ignore[no-untyped-def]
    assert desk.get("/staff/news").status_code == 200
    for _ in range(31):
        clock.forward(minutes=1)
        last = desk.get("/staff/news")

    assert (last.status_code, last.mimetype) == (401, "text/plain")


def test_ending_codes_says_first_whose_they_are(desk: Portal) -> None:
    asked = desk.post("/staff/studies/revoke", study=str(desk.study_id), back_state="no-report")
    assert asked.status_code == 303
    page = desk.get(asked.location)

    assert "Erika Muster" in page.text and "undone" in page.text and "Otto Anders" not in page.text
    assert all(grant.revoked_at is None for grant in rows(desk.services, Grant))

    done = desk.post("/staff/studies/revoke", study=str(desk.study_id), agreed="yes", back_state="no-report")

    assert done.location == "/staff/?state=no-report&done=revoked&count=1"
    assert [grant.revoked_at is None for grant in rows(desk.services, Grant)] == [False, True]
    assert "1 code was ended" in desk.get(done.location).text


def test_extending_takes_a_duration_that_the_clinic_offers(desk: Portal) -> None:
    (first, _second) = rows(desk.services, Grant)
    wrong = desk.post("/staff/studies/extend", study=str(desk.study_id), agreed="yes", until="9999")
    assert wrong.status_code == 422

    done = desk.post("/staff/studies/extend", study=str(desk.study_id), agreed="yes", until="365")

    assert done.location == "/staff/?done=extended&count=1"
    assert rows(desk.services, Grant)[0].expires_at == desk.now + timedelta(days=365)
    assert first.id == rows(desk.services, Grant)[0].id


def test_sharing_several_studies_leads_to_the_form(desk: Portal) -> None:
    answer = desk.post("/staff/studies/share", study=str(desk.study_id))

    assert (answer.status_code, answer.location) == (303, f"/staff/share?study={desk.study_id}")
    assert desk.post("/staff/studies/share", study="x").location == "/staff/"


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        (Role.RADIOLOGIST, ["Print sheets", "Share…", "Extend…", "End the codes…"]),
        (Role.DESK, ["Print sheets", "Share…", "Extend…", "End the codes…"]),
        (Role.VIEWER, []),
    ],
)
def test_only_what_a_person_may_do_is_offered(portal: Portal, role: Role, offered: list[str]) -> None:
    desk = signed_in(portal, role)
    page = desk.get("/staff/").text

    for label in ("Print sheets", "Share…", "Extend…", "End the codes…"):
        assert (f">{label}</button>" in page) == (label in offered)
    assert ('name="study"' in page) == bool(offered)
    answer = desk.post("/staff/studies/revoke", study=str(desk.study_id), agreed="yes")
    assert answer.status_code == (303 if offered else 404)


def test_states_are_shown_in_words(desk: Portal) -> None:
    (grant, _other) = rows(desk.services, Grant)
    change_grant(
        desk.services, grant, printed_at=desk.now, openings=1, expires_at=desk.now + timedelta(days=2)
    )

    page = desk.get("/staff/").text

    assert "until Nov 22" in page and "opened" in page and "no report" in page and "not printed" in page
