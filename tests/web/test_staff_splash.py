"""The reading room's screen: the newest study, its code covered until somebody uncovers it, on record."""

from __future__ import annotations

from app.domain.staff import Role
from tests.support.factories import events, study_in
from tests.support.portal import Portal
from tests.web.test_staff_study import signed_in


def test_the_newest_study_leads_and_its_code_is_covered(portal: Portal) -> None:
    desk = signed_in(portal)
    newest = study_in(desk.services, patient_name="Moreno^Ana").id
    desk.services.session.commit()

    page = desk.get("/staff/splash").text

    assert page.index("Ana Moreno") < page.index("Erika Muster")
    assert f'action="/staff/study/{newest}/sheet"' in page
    assert desk.paper.code.grouped not in page


def test_uncovering_shows_code_and_password_for_a_minute_and_is_recorded(portal: Portal) -> None:
    desk = signed_in(portal)

    answer = desk.post(f"/staff/splash/{desk.study_id}/code")

    assert desk.paper.code.grouped in answer.text and desk.paper.password.grouped in answer.text
    assert "Whoever has this can open the images." in answer.text
    assert answer.headers["Refresh"] == "60; url=/staff/splash"
    assert events(desk.services)[-1] == "grant:shown"
    assert desk.paper.code.grouped not in desk.get("/staff/splash").text


def test_a_screen_that_shows_the_newest_already_is_told_nothing(portal: Portal) -> None:
    desk = signed_in(portal)
    fragment = desk.get("/staff/splash/newest")
    digest = fragment.text.split('data-digest="')[1][:16]
    assert "<html" not in fragment.text
    assert desk.get(f"/staff/splash/newest?seen={digest}").status_code == 204

    study_in(desk.services, patient_name="Moreno^Ana")
    desk.services.session.commit()
    assert "Ana Moreno" in desk.get(f"/staff/splash/newest?seen={digest}").text


def test_only_where_the_rule_says_so_the_screen_counts_as_used(portal: Portal) -> None:
    desk = signed_in(portal)
    assert desk.get("/staff/splash/shown").status_code == 404
    assert "/staff/splash/newest" in desk.get("/staff/splash").text

    desk.services.rules.set({"splash_unlocked": "yes"}, at=desk.now, actor="test")
    desk.services.session.commit()
    assert desk.get("/staff/splash/shown").status_code == 200
    assert "/staff/splash/shown" in desk.get("/staff/splash").text


def test_who_may_only_look_sees_no_code_and_prints_nothing(portal: Portal) -> None:
    viewer = signed_in(portal, Role.VIEWER)
    page = viewer.get("/staff/splash").text
    assert "Erika Muster" in page and "/sheet" not in page
    assert viewer.post(f"/staff/splash/{viewer.study_id}/code").status_code == 404
