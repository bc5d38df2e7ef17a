"""Every route of the public door, and who may enter it. Published paths stand on paper: they never change."""

from __future__ import annotations

from flask import Flask

from app.domain.staff import Act
from app.web.access import Who, allowed

ROUTES = {
    ("GET", "/"): (Who.EVERYBODY, None),
    ("POST", "/"): (Who.EVERYBODY, None),
    ("GET", "/brand.css"): (Who.EVERYBODY, None),
    ("GET", "/done"): (Who.EVERYBODY, None),
    ("POST", "/done"): (Who.EVERYBODY, None),
    ("GET", "/static/<path:filename>"): (Who.EVERYBODY, None),
    ("GET", "/study/<int:study_id>"): (Who.VISITOR, None),
    ("POST", "/study/<int:study_id>/viewer"): (Who.VISITOR, None),
    ("GET", "/study/<int:study_id>/look"): (Who.VISITOR, None),
    ("GET", "/study/<int:study_id>/look/<int:series>/<int:number>.jpg"): (Who.VISITOR, None),
    ("GET", "/staff/"): (Who.STAFF, Act.SEE),
    ("GET", "/staff/sign-in"): (Who.EVERYBODY, None),
    ("POST", "/staff/sign-in"): (Who.EVERYBODY, None),
    ("POST", "/staff/sign-out"): (Who.STAFF, None),
    ("GET", "/staff/study/<int:study_id>"): (Who.STAFF, Act.SEE),
    ("POST", "/staff/study/<int:study_id>/report"): (Who.STAFF, Act.WRITE),
    ("POST", "/staff/study/<int:study_id>/sheet"): (Who.STAFF, Act.PRINT),
    ("POST", "/staff/study/<int:study_id>/report/print"): (Who.STAFF, Act.PRINT),
    ("GET", "/study/<int:study_id>/report.pdf"): (Who.VISITOR, None),
    ("GET", "/logo.png"): (Who.EVERYBODY, None),
}


def test_every_route_declares_who_may_enter_and_none_vanishes(public_app: Flask) -> None:
    with public_app.app_context():
        found = {
            (method, rule.rule): allowed(rule.endpoint)
            for rule in public_app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }

    assert found == ROUTES


def test_a_route_that_declares_nothing_lets_nobody_in(public_app: Flask) -> None:
    public_app.add_url_rule("/forgotten", "forgotten", lambda: "open")

    assert public_app.test_client().get("/forgotten").status_code == 404


def test_the_internal_door_has_these_routes_and_no_others(internal_app: Flask) -> None:
    assert {rule.rule for rule in internal_app.url_map.iter_rules()} == {
        "/tokens/validate",
        "/signals/stable-study",
        "/signals/ambiguous-study",
        "/health",
    }


def test_the_public_door_has_none_of_the_internal_routes(public_app: Flask) -> None:
    client = public_app.test_client()

    for path in ("/tokens/validate", "/signals/stable-study", "/health"):
        assert client.post(path, json={}).status_code == 404
