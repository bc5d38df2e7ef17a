"""Every route of the public door, and who may enter it. Published paths stand on paper: they never change."""

from __future__ import annotations

from flask import Flask

from app import create_public_app
from app.config import Settings
from app.domain.staff import Act
from app.web.access import Who, allowed, manner
from tests.support.clock import Clock
from tests.support.doors import Doors

ROUTES = {
    ("GET", "/"): (Who.EVERYBODY,),
    ("POST", "/"): (Who.EVERYBODY,),
    ("GET", "/verify"): (Who.EVERYBODY,),
    ("POST", "/verify"): (Who.EVERYBODY,),
    ("GET", "/staff/study/<int:study_id>/report/<int:version>.pdf"): (Who.STAFF, Act.READ),
    ("GET", "/brand.css"): (Who.EVERYBODY,),
    ("GET", "/done"): (Who.EVERYBODY,),
    ("POST", "/done"): (Who.EVERYBODY,),
    ("GET", "/static/<path:filename>"): (Who.EVERYBODY,),
    ("GET", "/study/<int:study_id>"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/openings"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/share"): (Who.VISITOR,),
    ("POST", "/study/<int:study_id>/share"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/share/<ref>/end"): (Who.VISITOR,),
    ("POST", "/study/<int:study_id>/share/<ref>/end"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/stop"): (Who.VISITOR,),
    ("POST", "/study/<int:study_id>/stop"): (Who.VISITOR,),
    ("GET", "/visit"): (Who.EVERYBODY,),
    ("POST", "/visit/stay"): (Who.VISITOR,),
    ("GET", "/closed"): (Who.EVERYBODY,),
    ("POST", "/study/<int:study_id>/viewer"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/preview.jpg"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/download"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/images.zip"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/look"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/look/<int:series>/<int:number>.jpg"): (Who.VISITOR,),
    ("GET", "/staff/"): (Who.STAFF, Act.SEE),
    ("POST", "/staff/search"): (Who.STAFF, Act.SEE),
    ("GET", "/staff/news"): (Who.STAFF, Act.SEE),
    ("POST", "/staff/studies/share"): (Who.STAFF, Act.SHARE),
    ("GET", "/staff/studies/extend"): (Who.STAFF, Act.GRANTS),
    ("GET", "/staff/studies/revoke"): (Who.STAFF, Act.GRANTS),
    ("POST", "/staff/studies/extend"): (Who.STAFF, Act.GRANTS),
    ("POST", "/staff/studies/revoke"): (Who.STAFF, Act.GRANTS),
    ("GET", "/staff/sign-in"): (Who.EVERYBODY,),
    ("POST", "/staff/sign-in"): (Who.EVERYBODY,),
    ("POST", "/staff/sign-out"): (Who.STAFF,),
    ("GET", "/staff/second-factor"): (Who.STAFF,),
    ("POST", "/staff/second-factor"): (Who.STAFF,),
    ("GET", "/staff/second-factor/set-up"): (Who.STAFF,),
    ("POST", "/staff/second-factor/set-up"): (Who.STAFF,),
    ("GET", "/staff/locked"): (Who.STAFF,),
    ("POST", "/staff/lock"): (Who.STAFF,),
    ("POST", "/staff/unlock"): (Who.STAFF,),
    ("POST", "/staff/stay"): (Who.STAFF,),
    ("GET", "/staff/join"): (Who.EVERYBODY,),
    ("POST", "/staff/join"): (Who.EVERYBODY,),
    ("POST", "/staff/join/use"): (Who.EVERYBODY,),
    ("GET", "/staff/account/"): (Who.STAFF,),
    ("POST", "/staff/account/password"): (Who.STAFF,),
    ("POST", "/staff/account/recovery-codes"): (Who.STAFF,),
    ("POST", "/staff/account/second-factor/remove"): (Who.STAFF,),
    ("POST", "/staff/account/sessions/<int:session_id>/end"): (Who.STAFF,),
    ("POST", "/staff/account/sessions/end-others"): (Who.STAFF,),
    ("GET", "/staff/rules"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/rules/new"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules/new"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules/values"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/rules/<int:rule_id>"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/rules/<int:rule_id>/progress"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/rules/<int:rule_id>/change"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules/<int:rule_id>/change"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/rules/<int:rule_id>/code"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules/<int:rule_id>/code"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/rules/<int:rule_id>/end"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules/<int:rule_id>/end"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/rules/<int:rule_id>/sheet"): (Who.STAFF, Act.SETTINGS, Act.PRINT),
    ("GET", "/staff/people/"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/"): (Who.STAFF, Act.PEOPLE),
    ("GET", "/staff/people/<int:person_id>"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/disable"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/enable"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/links"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/links/<link_id>/revoke"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/second-factor/remove"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/sessions/<int:session_id>/end"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/people/<int:person_id>/sessions/end"): (Who.STAFF, Act.PEOPLE),
    ("GET", "/staff/devices/"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/devices/"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/devices/<int:device_id>/tokens"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/devices/<int:device_id>/tokens/<token_id>/revoke"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/devices/<int:device_id>/password"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/devices/<int:device_id>/disable"): (Who.STAFF, Act.PEOPLE),
    ("POST", "/staff/devices/<int:device_id>/enable"): (Who.STAFF, Act.PEOPLE),
    ("GET", "/list/<int:rule_id>"): (Who.VISITOR,),
    ("POST", "/list/<int:rule_id>/search"): (Who.VISITOR,),
    ("POST", "/list/<int:rule_id>/understood"): (Who.VISITOR,),
    ("GET", "/staff/mine"): (Who.STAFF,),
    ("GET", "/staff/mine/<int:rule_id>"): (Who.STAFF,),
    ("POST", "/staff/mine/<int:rule_id>/search"): (Who.STAFF,),
    ("POST", "/staff/mine/<int:rule_id>/<int:study_id>/viewer"): (Who.STAFF,),
    ("GET", "/staff/mine/<int:rule_id>/<int:study_id>/look"): (Who.STAFF,),
    ("GET", "/staff/mine/<int:rule_id>/<int:study_id>/look/<int:series>/<int:number>.jpg"): (Who.STAFF,),
    ("GET", "/staff/mine/<int:rule_id>/<int:study_id>/report.pdf"): (Who.STAFF,),
    ("GET", "/staff/splash"): (Who.STAFF, Act.SEE),
    ("GET", "/staff/splash/newest"): (Who.STAFF, Act.SEE),
    ("GET", "/staff/splash/shown"): (Who.STAFF, Act.SEE),
    ("POST", "/staff/splash/<int:study_id>/code"): (Who.STAFF, Act.PRINT),
    ("POST", "/staff/sheets"): (Who.STAFF, Act.PRINT),
    ("POST", "/staff/explorer/<archive>"): (Who.STAFF, Act.VIEW),
    ("GET", "/staff/settings"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/settings/reports"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/settings/reports/new"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/reports/new"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/settings/reports/<int:template_id>"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/reports/<int:template_id>"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/reports/<int:template_id>/delete"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/settings/reports/text-blocks"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/reports/text-blocks"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/reports/text-blocks/paste"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/account/text-blocks"): (Who.STAFF, Act.WRITE),
    ("POST", "/staff/account/text-blocks"): (Who.STAFF, Act.WRITE),
    ("POST", "/staff/account/text-blocks/paste"): (Who.STAFF, Act.WRITE),
    ("GET", "/staff/settings/<section>"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/<section>"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/logo"): (Who.STAFF, Act.SETTINGS),
    ("POST", "/staff/settings/sample"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/settings/colour"): (Who.STAFF, Act.SETTINGS),
    ("GET", "/staff/study/<int:study_id>"): (Who.STAFF, Act.SEE),
    ("GET", "/staff/share"): (Who.STAFF, Act.SHARE),
    ("POST", "/staff/share"): (Who.STAFF, Act.SHARE),
    ("GET", "/staff/shares"): (Who.STAFF, Act.SHARE),
    ("GET", "/staff/grant/<ref>/mail"): (Who.STAFF, Act.SHARE),
    ("POST", "/staff/grant/<ref>/mail"): (Who.STAFF, Act.SHARE),
    ("GET", "/studies"): (Who.VISITOR,),
    ("POST", "/staff/study/<int:study_id>/report"): (Who.STAFF, Act.WRITE),
    ("GET", "/staff/study/<int:study_id>/report"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/report/autosave"): (Who.STAFF, Act.WRITE),
    ("POST", "/staff/study/<int:study_id>/report/preview"): (Who.STAFF, Act.WRITE, Act.READ),
    ("GET", "/staff/study/<int:study_id>/report/images"): (Who.STAFF, Act.VIEW, Act.WRITE),
    ("GET", "/staff/study/<int:study_id>/report/sign"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/report/sign"): (Who.STAFF, Act.WRITE),
    ("GET", "/staff/study/<int:study_id>/report/discard"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/report/discard"): (Who.STAFF, Act.WRITE),
    ("GET", "/staff/study/<int:study_id>/bring"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/bring"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/bring/from-study"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/bring/sign"): (Who.STAFF, Act.WRITE, Act.READ),
    ("GET", "/staff/study/<int:study_id>/bring/page.png"): (Who.STAFF, Act.WRITE, Act.READ),
    ("GET", "/staff/study/<int:study_id>/bring/file.pdf"): (Who.STAFF, Act.WRITE, Act.READ),
    ("POST", "/staff/study/<int:study_id>/report/aside/discard"): (Who.STAFF, Act.WRITE),
    ("POST", "/staff/study/<int:study_id>/sheet"): (Who.STAFF, Act.PRINT),
    ("POST", "/staff/study/<int:study_id>/release"): (Who.STAFF, Act.WRITE),
    ("POST", "/staff/study/<int:study_id>/report/print"): (Who.STAFF, Act.PRINT, Act.READ),
    ("POST", "/staff/study/<int:study_id>/viewer"): (Who.STAFF, Act.VIEW),
    ("GET", "/staff/study/<int:study_id>/look"): (Who.STAFF, Act.VIEW),
    ("GET", "/staff/study/<int:study_id>/look/<int:series>/<int:number>.jpg"): (Who.STAFF, Act.VIEW),
    ("GET", "/staff/grant/<ref>"): (Who.STAFF, Act.SEE),
    ("POST", "/staff/grant/<ref>/code"): (Who.STAFF, Act.PRINT),
    ("POST", "/staff/grant/<ref>/sheet"): (Who.STAFF, Act.PRINT),
    ("POST", "/staff/grant/<ref>/extend"): (Who.STAFF, Act.GRANTS),
    ("GET", "/staff/grant/<ref>/revoke"): (Who.STAFF, Act.GRANTS),
    ("POST", "/staff/grant/<ref>/revoke"): (Who.STAFF, Act.GRANTS),
    ("POST", "/staff/grant/<ref>/unlock"): (Who.STAFF, Act.GRANTS),
    ("GET", "/staff/grant/<ref>/confirm"): (Who.STAFF, Act.GRANTS),
    ("POST", "/staff/grant/<ref>/confirm"): (Who.STAFF, Act.GRANTS),
    ("POST", "/staff/grant/<ref>/end-visits"): (Who.STAFF, Act.GRANTS),
    ("GET", "/study/<int:study_id>/report"): (Who.VISITOR,),
    ("GET", "/study/<int:study_id>/report.pdf"): (Who.VISITOR,),
    ("GET", "/logo.png"): (Who.EVERYBODY,),
    ("GET", "/staff/audit"): (Who.STAFF, Act.AUDIT),
    ("POST", "/staff/audit/export"): (Who.STAFF, Act.AUDIT),
    ("POST", "/staff/audit/verify"): (Who.STAFF, Act.AUDIT),
    ("GET", "/staff/limits"): (Who.STAFF, Act.AUDIT),
    ("GET", "/staff/limits/now"): (Who.STAFF, Act.AUDIT),
    ("POST", "/staff/limits/reset"): (Who.STAFF, Act.AUDIT),
}


# What is open to somebody who hasn't shown a second factor yet, or whose session is locked: nothing but the way on.
HALF = {
    "sign_out",
    "second_factor",
    "second_factor_form",
    "set_up_second_factor",
    "set_up_second_factor_form",
}
WHILE_LOCKED = {"sign_out", "locked", "lock", "unlock"}


def test_every_route_declares_who_may_enter_and_none_vanishes(public_app: Flask) -> None:
    with public_app.app_context():
        found = {
            (method, rule.rule): allowed(rule.endpoint)
            for rule in public_app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }

    assert found == ROUTES


def test_a_route_that_declares_nothing_lets_nobody_in(doors: Doors, settings: Settings, clock: Clock) -> None:
    with doors.open(create_public_app, settings.with_(clinic_name="With one more page"), clock) as app:
        app.add_url_rule("/forgotten", "forgotten", lambda: "open")

        assert app.test_client().get("/forgotten").status_code == 404


def test_the_internal_door_has_these_routes_and_no_others(internal_app: Flask) -> None:
    assert {rule.rule for rule in internal_app.url_map.iter_rules()} == {
        "/tokens/validate",
        "/user/get-profile",
        "/tokens/<type_name>",
        "/tokens/decode",
        "/shares",
        "/shares/validate",
        "/auth/validate",
        "/settings/roles",
        "/emails/templates",
        "/emails/templates/<name>",
        "/emails/send",
        "/signals/stable-study",
        "/signals/ambiguous-study",
        "/health",
    }


def test_the_public_door_has_none_of_the_internal_routes(public_app: Flask) -> None:
    client = public_app.test_client()

    for path in ("/tokens/validate", "/user/get-profile", "/signals/stable-study", "/health"):
        assert client.post(path, json={}).status_code == 404


def test_only_the_way_on_is_open_to_half_a_sign_in_and_to_a_locked_session(public_app: Flask) -> None:
    with public_app.app_context():
        how = {endpoint: manner(endpoint) for endpoint in public_app.view_functions}

    assert {name for name, one in how.items() if one.half} == {f"staff_sessions.{name}" for name in HALF}
    assert {name for name, one in how.items() if one.while_locked} == {
        f"staff_sessions.{name}" for name in WHILE_LOCKED
    }
