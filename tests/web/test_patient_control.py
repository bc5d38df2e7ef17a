"""The patient's own hand over a study: who opened it, letting a doctor in, taking it back, stopping all of it."""

from __future__ import annotations

import html
import re

import pytest

from app.domain.grants import Kind, Policy
from app.domain.permissions import Permission
from app.models import Grant, Study
from app.services.grants import Paper
from tests.support.clock import Clock
from tests.support.factories import MINUTE, change_grant, rows, study_in
from tests.support.portal import Portal
from tests.support.staff import another_browser, signed_in

VIEW_AND_REPORT = Permission.VIEW | Permission.REPORT


def issued(portal: Portal, kind: Kind, *, label: str = "Dr Ludwig Moreno") -> Paper:
    """A code of the clinic's for this study, for somebody of this kind."""
    services = portal.services
    paper = services.grants.prepare(
        [services.session.get_one(Study, portal.study_id)],
        at=portal.now,
        kind=kind,
        permissions=VIEW_AND_REPORT,
        policy=Policy.PASSWORD,
        label="" if kind is Kind.PATIENT else label,
    )
    services.grants.keep(paper, at=portal.now, actor="staff:anna")
    services.session.commit()
    return paper


def inside(portal: Portal, paper: Paper | None = None) -> Portal:
    """A fresh browser in which the study is open, with the patient's code or with another."""
    browser = another_browser(portal)
    if paper is None:
        answer = browser.prove(go="study")
    else:
        born = {"day": "", "month": "", "year": ""}
        answer = browser.prove(
            go="study", code=paper.code.grouped, with_password="1", password=paper.password.grouped, **born
        )
    assert answer.status_code == 303, answer.text
    return browser


def page(portal: Portal, name: str, **options: object) -> str:
    answer = portal.get(f"/study/{portal.study_id}/{name}", **options)
    assert answer.status_code == 200, answer.status
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def let_in(portal: Portal, label: str = "Dr Ludwig Moreno", **fields: str) -> tuple[str, str]:
    """Code and password, as the page shows them once."""
    after = re.search(r'name="after" value="([^"]*)"', portal.get(f"/study/{portal.study_id}/share").text)
    assert after is not None
    wish = {"label": label, "view": "1", "days": "7", "after": after[1]} | fields
    answer = portal.post(f"/study/{portal.study_id}/share", **wish)
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    code = re.search(r'class="code" dir="ltr">([0-9A-Z-]{14})<', answer.text)
    password = re.search(r"data-password>([\d ]+)<", answer.text)
    assert code is not None and password is not None
    return code[1], password[1]


def opened_by(portal: Portal, code: str, password: str) -> Portal:
    browser = another_browser(portal)
    born = {"day": "", "month": "", "year": ""}
    answer = browser.prove(go="study", code=code, with_password="1", password=password, **born)
    assert answer.status_code == 303, answer.text
    return browser


# Who may do what: kinds of holders by acts.


@pytest.mark.parametrize(
    ("kind", "sees_others", "may_give_on"),
    [
        (Kind.PATIENT, True, True),
        (Kind.GUARDIAN, True, True),
        (Kind.PHYSICIAN, False, False),
        (Kind.DELEGATE, False, False),
        (Kind.LINK, False, False),
    ],
)
def test_only_the_patient_and_who_acts_for_them_see_others_and_give_on(
    portal: Portal, kind: Kind, sees_others: bool, may_give_on: bool
) -> None:
    patient = inside(portal)
    patient.get(f"/study/{portal.study_id}/look")

    browser = inside(portal, issued(portal, kind))

    assert ("light look" in page(browser, "openings")) is sees_others
    expected = 200 if may_give_on else 404
    assert browser.get(f"/study/{portal.study_id}/share").status_code == expected
    assert browser.get(f"/study/{portal.study_id}/stop").status_code == expected
    wish = {"label": "Somebody", "view": "1", "days": "7", "after": ""}
    assert browser.post(f"/study/{portal.study_id}/share", **wish).status_code == expected
    assert browser.post(f"/study/{portal.study_id}/stop", own="close").status_code == expected
    study_page = browser.get(f"/study/{portal.study_id}").text
    if expected == 404:
        assert ("Share with my doctor" in study_page) is may_give_on


@pytest.mark.parametrize("name", ["openings", "share", "stop", "share/abc/end"])
def test_without_a_visit_there_is_none_of_it(portal: Portal, name: str) -> None:
    assert portal.get(f"/study/{portal.study_id}/{name}").status_code == 403


@pytest.mark.parametrize("name", ["openings", "share", "stop"])
def test_a_study_that_is_not_of_this_visit_looks_like_none(portal: Portal, name: str) -> None:
    other = study_in(portal.services)
    portal.services.session.commit()

    assert inside(portal).get(f"/study/{other.id}/{name}").status_code == 404


# Who opened it.


def test_the_patient_sees_who_opened_it_by_names_that_they_know_and_without_addresses(
    portal: Portal, clock: Clock
) -> None:
    patient = inside(portal)
    patient.get(f"/study/{portal.study_id}/look")
    clock.now += 5 * MINUTE
    doctor = inside(portal, issued(portal, Kind.PHYSICIAN))
    doctor.get(f"/study/{portal.study_id}/look")
    clock.now += 5 * MINUTE
    staff = signed_in(portal)
    staff.get(f"/staff/study/{portal.study_id}/look")

    shown = page(patient, "openings")

    assert shown.index("Somebody at the clinic") < shown.index("Dr Ludwig Moreno") < shown.index("You, with")
    assert "saw the images in the light look" in shown
    assert "127.0.0.1" not in shown and "anna" not in shown.casefold()


def test_who_was_let_in_stands_there_by_name(portal: Portal) -> None:
    patient = inside(portal)
    doctor = opened_by(portal, *let_in(patient))
    doctor.get(f"/study/{portal.study_id}/look")

    assert "Dr Ludwig Moreno Somebody whom you let in" in page(patient, "openings")
    assert "Dr Ludwig Moreno Opened once" not in page(patient, "share")
    assert "Opened once, on" in page(patient, "share")


def test_a_long_story_comes_page_by_page(portal: Portal, clock: Clock) -> None:
    patient = inside(portal)
    for _ in range(70):
        clock.now += MINUTE / 2
        patient.get(f"/study/{portal.study_id}/look")

    first = patient.get(f"/study/{portal.study_id}/openings").text
    earlier = re.search(r'href="(/study/\d+/openings\?before=\d+)"', first)

    assert earlier is not None
    assert patient.get(earlier[1]).status_code == 200
    assert patient.get(f"/study/{portal.study_id}/openings?before=99999999999").status_code == 200


# Letting a doctor in.


def test_a_doctor_is_let_in_for_what_was_chosen(portal: Portal) -> None:
    patient = inside(portal)

    doctor = opened_by(portal, *let_in(patient, report="", view="1"))

    assert doctor.get(f"/study/{portal.study_id}/look").status_code == 200
    assert rows(portal.services, Grant)[-1].permissions == "view"


def test_the_secrets_stand_in_no_address_and_never_a_second_time(portal: Portal) -> None:
    patient = inside(portal)
    code, password = let_in(patient)

    for name in ("share", "openings", "stop"):
        text = patient.get(f"/study/{portal.study_id}/{name}").text
        assert code not in text and password not in text


def test_sending_the_form_again_makes_no_second_code(portal: Portal) -> None:
    patient = inside(portal)
    let_in(patient)
    before = len(rows(portal.services, Grant))

    again = patient.post(
        f"/study/{portal.study_id}/share", label="Dr Ludwig Moreno", view="1", days="7", after=""
    )

    assert again.status_code == 409 and "You have made a code already" in again.text
    assert len(rows(portal.services, Grant)) == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"label": " "}, "label"),
        ({"label": "x" * 150}, "label"),
        ({"view": ""}, "allowed"),
        ({"days": "365"}, "days-7"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(portal: Portal, fields: dict[str, str], field: str) -> None:
    patient = inside(portal)
    wish = {"label": "Dr Moreno", "view": "1", "days": "7", "after": ""} | fields

    answer = patient.post(f"/study/{portal.study_id}/share", **wish)

    assert answer.status_code == 422 and f'href="#{field}"' in answer.text and f'id="{field}"' in answer.text


def test_a_hostile_name_stays_text(portal: Portal) -> None:
    patient = inside(portal)
    let_in(patient, label='<img src=x onerror="alert(1)">')

    for name in ("share", "stop"):
        assert "<img src=x" not in patient.get(f"/study/{portal.study_id}/{name}").text


def test_what_was_given_on_is_taken_back_after_a_question(portal: Portal) -> None:
    patient = inside(portal)
    doctor = opened_by(portal, *let_in(patient))
    ref = rows(portal.services, Grant)[-1].ref
    way = f"share/{ref}/end"

    assert "Dr Ludwig Moreno" in page(patient, way)
    assert doctor.get(f"/study/{portal.study_id}").status_code == 200
    patient.post(f"/study/{portal.study_id}/{way}")

    assert doctor.get(f"/study/{portal.study_id}").status_code == 403
    assert "Nobody at the moment." in page(patient, "share")


# Stopping all of it.


def test_stopping_says_what_it_does_and_ends_what_was_given_on(portal: Portal) -> None:
    elsewhere, patient = inside(portal), inside(portal)
    doctor = opened_by(portal, *let_in(patient))
    physician = inside(portal, issued(portal, Kind.PHYSICIAN, label="Dr Haus"))

    asked = page(patient, "stop")
    answer = patient.post(f"/study/{portal.study_id}/stop", own="keep")

    assert asked.index("Dr Ludwig Moreno") < asked.index("This goes on") < asked.index("Dr Haus")
    assert answer.status_code == 200 and "1 access that you gave on has ended" in answer.text
    assert [one.get(f"/study/{portal.study_id}").status_code for one in (doctor, elsewhere)] == [403, 403]
    assert [one.get(f"/study/{portal.study_id}").status_code for one in (patient, physician)] == [200, 200]


def test_the_own_code_can_be_closed_too(portal: Portal) -> None:
    patient = inside(portal)

    answer = patient.post(f"/study/{portal.study_id}/stop", own="close")

    assert "opens nothing any more" in answer.text and "data-visit" not in answer.text
    assert patient.cookie is None
    assert patient.prove().status_code == 403


# Staying, and the end.


def test_asking_how_long_a_visit_goes_on_keeps_nothing_alive(portal: Portal, clock: Clock) -> None:
    patient = inside(portal)
    for _ in range(3):
        clock.now += 4 * MINUTE
        left = patient.get("/visit").get_json()
    assert left == {"idle": 180, "limit": 48 * 60}

    clock.now += 4 * MINUTE

    assert patient.get("/visit").status_code == 403
    closed = patient.get("/closed")
    assert closed.status_code == 403 and "You were away for a while" in closed.text


def test_somebody_who_is_still_here_stays(portal: Portal, clock: Clock) -> None:
    patient = inside(portal)
    clock.now += 14 * MINUTE

    assert patient.post("/visit/stay").get_json()["idle"] == 15 * 60
    clock.now += 14 * MINUTE
    assert patient.get(f"/study/{portal.study_id}").status_code == 200
    assert patient.get("/closed").location == f"/study/{portal.study_id}"


def test_every_page_of_a_visit_has_the_way_out_and_the_warning(portal: Portal) -> None:
    patient = inside(portal)
    let_in(patient)
    here = f"/study/{portal.study_id}"
    pages = [here, *(f"{here}/{name}" for name in ("look", "openings", "share", "stop")), "/?another=add"]

    for path in [*pages, "/study/999999", f"{here}/nothing"]:
        text = patient.get(path).text
        if path.endswith("nothing"):
            continue  # no page of ours: nobody looks whose visit it is
        assert 'action="/done"' in text and "data-visit" in text, path


# Another sheet.


def test_another_sheet_is_added_where_somebody_asks_for_it(portal: Portal) -> None:
    other = study_in(portal.services, patient_name="Moreno^Ana")
    paper = portal.services.grants.paper(portal.services.grants.current(other), at=portal.now)  # type: ignore[arg-type]
    portal.services.session.commit()
    assert paper is not None
    patient = inside(portal)

    form = patient.get("/?another=add").text
    patient.prove(code="000000000000", join="1")
    answer = patient.prove(code=paper.code.grouped, join="1")

    assert "You see the study of" in form and 'name="join"' in form
    assert answer.location == "/studies"
    listed = patient.get("/studies").text
    assert "These studies are of several people" in listed and "Ana Moreno" in listed


def test_on_a_shared_computer_the_next_code_ends_what_was_open(portal: Portal) -> None:
    other = study_in(portal.services, patient_name="Moreno^Ana")
    paper = portal.services.grants.paper(portal.services.grants.current(other), at=portal.now)  # type: ignore[arg-type]
    portal.services.session.commit()
    assert paper is not None
    patient = inside(portal)

    assert 'name="join"' not in patient.get("/?another").text
    patient.prove(code=paper.code.grouped)

    assert patient.get(f"/study/{portal.study_id}").status_code == 404
    assert patient.get(f"/study/{other.id}").status_code == 200


def test_a_form_for_adding_stands_alone_once_the_visit_is_over(portal: Portal, clock: Clock) -> None:
    patient = inside(portal)
    clock.now += 16 * MINUTE

    assert 'name="join"' not in patient.get("/?another=add").text
    assert patient.prove(join="1", go="study").location == f"/study/{portal.study_id}"


def test_an_access_that_ends_soon_is_never_outlived(portal: Portal) -> None:
    grant = portal.services.session.get_one(Grant, portal.paper.grant.id)
    change_grant(portal.services, grant, expires_at=portal.now + 60 * MINUTE)
    patient = inside(portal)

    let_in(patient, days="30")

    assert rows(portal.services, Grant)[-1].expires_at == portal.now + 60 * MINUTE
