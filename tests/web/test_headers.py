"""Response headers: on every route, and on every error."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.wiring import Services
from tests.conftest import ARCHIVE
from tests.support.portal import Portal, portal_of

EVERYWHERE = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}
CACHEABLE = ("static", "patient.brand_css", "patient.logo")


def check(answer: TestResponse, *, is_cacheable: bool = False) -> None:
    for name, value in EVERYWHERE.items():
        assert answer.headers[name] == value
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert (answer.headers.get("Cache-Control") == "no-store") is not is_cacheable
    assert "X-Powered-By" not in answer.headers


def test_every_route_has_them(portal: Portal) -> None:
    """Each rule, with a visit and without, by GET and by POST."""
    values = {"study_id": portal.study_id, "series": 1, "number": 1, "filename": "style.css"}
    adapter = portal.app.url_map.bind("localhost")
    asked = 0
    for visits in (False, True):
        if visits:
            portal.prove()
        for rule in portal.app.url_map.iter_rules():
            method = "GET" if "GET" in (rule.methods or ()) else "POST"
            if visits and rule.endpoint == "patient.leave":
                continue
            path = adapter.build(
                rule.endpoint, {name: values.get(name, 1) for name in rule.arguments}, method=method
            )
            answer = portal.client.open(path, method=method, buffered=True)
            assert answer.status_code < 500, path
            is_cacheable = rule.endpoint in CACHEABLE and answer.status_code == 200
            check(answer, is_cacheable=is_cacheable)
            asked += 1
    assert asked > 20


@pytest.mark.parametrize("path", ["/nowhere", "/study/1", "/static/nothing.css", "/%ff"])
def test_errors_have_them_too(portal: Portal, path: str) -> None:
    answer = portal.get(path)

    assert answer.status_code >= 400
    for name, value in EVERYWHERE.items():
        assert answer.headers[name] == value


def test_refusals_typing_errors_and_oversized_bodies_have_them_too(portal: Portal) -> None:
    for answer in (
        portal.prove(year="1957"),
        portal.prove(code="K"),
        portal.prove(code="K" * 70_000),
        portal.prove(),
    ):
        check(answer)


def test_the_clinics_colour_may_be_kept_by_caches(portal: Portal) -> None:
    answer = portal.get("/brand.css")

    assert answer.mimetype == "text/css"
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers


def test_over_plain_http_nobody_is_told_to_come_back_by_https(portal: Portal) -> None:
    assert "Strict-Transport-Security" not in portal.get("/").headers


class TestOverHttps:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        other = replace(
            ARCHIVE, name="second", gate_username="second", public_url="https://pacs.test/orthanc/"
        )
        return settings.with_(base_url="https://portal.test", archives=(ARCHIVE, other))

    @pytest.fixture
    def portal(self, public_app: Flask, services: Services) -> Portal:
        return portal_of(public_app, services, base="https://portal.test")

    def test_browsers_are_told_to_come_back_by_https_only(self, portal: Portal) -> None:
        assert "max-age=" in portal.get("/").headers["Strict-Transport-Security"]

    def test_forms_may_lead_to_each_archives_viewer_and_nowhere_else(self, portal: Portal) -> None:
        policy = portal.get("/").headers["Content-Security-Policy"]
        targets = next(part for part in policy.split("; ") if part.startswith("form-action"))

        assert targets == "form-action 'self' http://127.0.0.1:9 https://pacs.test"


def test_pages_have_neither_inline_script_nor_inline_style(portal: Portal) -> None:
    import re

    portal.prove()
    for path in (
        "/?another",
        "/done",
        f"/study/{portal.study_id}",
        f"/study/{portal.study_id}/look",
        "/nowhere",
    ):
        page = portal.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page), path
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), path
        for address in re.findall(r'(?:src|href|action)="([^"]+)"', page):
            assert address.startswith(("/", "#", "tel:")) and not address.startswith("//"), address
