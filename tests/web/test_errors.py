"""What goes wrong becomes a page: with a way on, without a secret, with the headers of every page."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import text

from app.adapters.hash_slots import Busy
from app.adapters.orthanc import ArchiveUnreachable
from app.models import Visit, db
from app.services.audit import StoreUnavailable
from app.services.proof import Claim, Proof, Verdict
from app.wiring import EXTENSION
from tests.support.factories import rows
from tests.support.portal import Portal, public_services


class Failing(Proof):
    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error = error

    def check(self, claim: Claim, *, at: Any) -> Verdict:
        raise self._error()


def break_proof(portal: Portal, error: Callable[[], Exception]) -> None:
    portal.app.extensions[EXTENSION] = replace(public_services(portal.app), proof=Failing(error))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (lambda: Busy(), 503, "Many people are opening their studies"),
        (lambda: StoreUnavailable("x"), 503, "This page can't be opened right now"),
        (lambda: ArchiveUnreachable("main", "ConnectTimeout"), 503, "The images can't be reached right now"),
        (lambda: KeyError("K7QD9M3X4TBN"), 500, "The mistake is ours"),
    ],
)
def test_a_failure_says_what_to_do_and_gives_nothing_away(
    portal: Portal, error: Callable[[], Exception], status: int, words: str
) -> None:
    break_proof(portal, error)

    answer = portal.prove(password="4829173065")

    assert answer.status_code == status
    page = html.unescape(answer.text)
    assert words in page
    assert "+1 555 0199" in page, "whom to call"
    assert ("Retry-After" in answer.headers) is (status == 503)
    # What was typed stands in the form again, where trying again may help; never the password.
    typed = () if status == 503 and "archive" not in page else (portal.paper.code.grouped,)
    for secret in (*typed, portal.paper.code.symbols, "4829173065", "K7QD9M3X4TBN", "main"):
        assert secret not in page.replace("<main", "").replace("</main", "")
    assert "Traceback" not in page
    assert portal.cookie is None


def test_an_unexpected_error_logs_its_place_and_not_what_was_typed(portal: Portal) -> None:
    break_proof(portal, lambda: ValueError(f"bad code {portal.paper.code.symbols} born 1958"))

    with structlog.testing.capture_logs() as logs:
        portal.prove(password="4829173065")

    assert [entry["type"] for entry in logs if entry["event"] == "unexpected"] == ["ValueError"]
    for secret in (portal.paper.code.symbols, "1958", "4829173065"):
        assert secret not in repr(logs)


@pytest.mark.parametrize("table", ["attempt", "visit"])
def test_when_the_database_fails_the_door_stays_shut(portal: Portal, table: str) -> None:
    portal.services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO gone"))

    answer = portal.prove()

    assert answer.status_code == 503
    assert portal.cookie is None
    with db.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE gone RENAME TO {table}"))
    assert rows(portal.services, Visit) == []
    assert portal.prove().status_code == 303, "and opens again afterwards"


def test_a_page_that_could_not_be_read_offers_itself_again(portal: Portal) -> None:
    portal.prove()
    portal.services.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE access_grant_study RENAME TO gone"))

    answer = portal.get(f"/study/{portal.study_id}?x=<script>")

    assert answer.status_code == 503
    assert f'href="/study/{portal.study_id}' in answer.text
    assert "<script>" not in answer.text.replace('<script type="module"', "")


NOT_THERE = [
    ("get", "/nowhere", 404),
    ("get", "/static/../app/config.py", 404),
    ("get", "/static/%2e%2e/app/config.py", 404),
    ("get", "/.git/config", 404),
    ("get", "/tokens/validate", 404),
    ("get", "/health", 404),
    ("put", "/", 405),
    ("delete", "/done", 405),
    ("post", "/nowhere", 404),
    ("trace", "/", 405),
]


def test_what_is_not_there_is_a_page_too(portal: Portal) -> None:
    for method, path, status in NOT_THERE:
        answer = cast(Any, getattr(portal.client, method))(path)

        assert answer.status_code in (status, 400), path  # 400: a POST without its CSRF token
        assert answer.text.count("<h1") == 1, path


def test_a_post_without_its_token_is_refused_with_a_page(portal: Portal) -> None:
    portal.prove()

    answer = portal.client.post(f"/study/{portal.study_id}/viewer")

    assert answer.status_code == 400
    assert "Please try once more" in answer.text


@pytest.mark.parametrize("path", ["/%00", "/%ff%fe", "/study/%F0%9F%92%A9", "/?q=%ff", "/" + "a" * 5000])
def test_broken_addresses_are_no_server_errors(portal: Portal, path: str) -> None:
    assert portal.get(path).status_code < 500


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept-Language": "x" * 2000},
        {"Accept-Language": "de;q=zz, *;q=nan"},
        {"Cookie": "studykey=%ff; studykey_visit=\x80"},
        {"User-Agent": "\xff" * 500},
        {"Sec-CH-UA-Mobile": "?9"},
        {"Referer": "::::"},
    ],
    ids=str,
)
def test_broken_headers_are_no_server_errors(portal: Portal, headers: dict[str, str]) -> None:
    assert portal.get("/", headers=headers).status_code == 200


TYPED: list[dict[str, str]] = [
    {"code": "\x00" * 20},
    {"day": "\x00"},
    {"password": "\x00" * 10},
    {"code": "\ufffd\u202e" * 50},
    {"day": "٢٧", "month": "٣", "year": "١٩٥٨"},
    {"year": "9" * 200},
    {"day": "²"},
    {"narrow": "x", "go": "x"},
]


def test_nothing_that_can_be_typed_is_a_server_error(portal: Portal) -> None:
    for typed in TYPED:
        assert portal.prove(**typed).status_code in (303, 403, 422), typed


def test_digits_of_any_script_are_digits(portal: Portal) -> None:
    assert portal.prove(day="٢٧", month="٣", year="١٩٥٨").status_code == 303


def test_the_page_that_tells_that_the_database_is_away_needs_no_database(portal: Portal) -> None:
    portal.prove()
    portal.services.session.rollback()
    with db.engine.begin() as connection:
        for table in ("site_setting", "visit"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO gone_{table}"))

    answer = portal.get(f"/study/{portal.study_id}")

    assert answer.status_code == 503
    assert "Test Clinic" in answer.text and "+1 555 0199" in answer.text
