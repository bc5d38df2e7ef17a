"""Static files and pages as they go over the wire: compressed where it is safe, kept where it is right."""

from __future__ import annotations

import gzip
import re

import brotli
import pytest
from werkzeug.test import TestResponse

from tests.support.portal import Portal


def ask(portal: Portal, path: str, encoding: str = "br, gzip", **more: str) -> TestResponse:
    return portal.get(path, headers={"Accept-Encoding": encoding, **more})


def unpacked(answer: TestResponse) -> bytes:
    match answer.headers.get("Content-Encoding"):
        case "br":
            plain: bytes = brotli.decompress(answer.data)
            return plain
        case "gzip":
            return gzip.decompress(answer.data)
    return answer.data


def linked(portal: Portal, name: str) -> str:
    """The address of a static file, as the landing page names it."""
    found = re.search(rf'"(/static/{name}\?v=[0-9a-f]+)"', portal.get("/?another").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("accepted", "used"), [("gzip, br", "br"), ("gzip", "gzip"), ("", None), ("br;q=0", None)]
)
def test_a_file_comes_as_the_browser_takes_it(portal: Portal, accepted: str, used: str | None) -> None:
    plain, answer = portal.get("/static/style.css"), ask(portal, "/static/style.css", accepted)

    assert answer.headers.get("Content-Encoding") == used
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert unpacked(answer) == plain.data
    assert (len(answer.data) < len(plain.data) / 2) is (used is not None)


def test_a_file_named_by_its_content_is_kept_for_a_year(portal: Portal) -> None:
    control = ask(portal, linked(portal, "style.css")).headers["Cache-Control"]

    assert "immutable" in control and "max-age=31536000" in control and "public" in control


@pytest.mark.parametrize("path", ["/static/style.css", "/static/style.css?v=0000000000"])
def test_a_file_under_another_name_is_asked_for_again(portal: Portal, path: str) -> None:
    first = ask(portal, path)
    assert "no-cache" in first.headers["Cache-Control"]

    again = ask(portal, path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "../app/config.py", "%2e%2e/wsgi.py", "vendor", "a\0b"])
def test_what_isnt_a_static_file_isnt_given(portal: Portal, name: str) -> None:
    assert portal.get(f"/static/{name}").status_code == 404


def test_pictures_are_not_compressed_again(portal: Portal) -> None:
    answer = ask(portal, "/static/sheet/en.webp")

    assert answer.mimetype == "image/webp"
    assert "Content-Encoding" not in answer.headers


def test_a_page_is_compressed_but_not_one_that_repeats_what_was_sent(portal: Portal) -> None:
    page = ask(portal, "/")
    assert page.headers["Content-Encoding"] == "br"
    assert b"<form" in unpacked(page)
    assert page.headers["Cache-Control"] == "no-store"

    refused = portal.prove(year="1957", headers={"Accept-Encoding": "br"})
    assert "Content-Encoding" not in refused.headers
    search = ask(portal, "/staff/sign-in?back=/staff/?q=muster")
    assert "Content-Encoding" not in search.headers


def test_the_camera_is_for_the_landing_page_alone(portal: Portal) -> None:
    for path, camera in (("/", "camera=(self)"), ("/done", "camera=()"), ("/staff/sign-in", "camera=()")):
        assert camera in portal.get(path).headers["Permissions-Policy"], path
