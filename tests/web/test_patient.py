"""The patient's way: in by code and birth date, to the images, out again; and nobody else's way."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from app.config import Settings
from app.domain.grants import THROTTLE, Policy
from app.models import Attempt, Grant, ViewerToken, Visit
from app.services.authorization import Question
from tests.conftest import ARCHIVE
from tests.support.clock import Clock
from tests.support.factories import (
    DAY,
    UNKNOWN_CODE,
    archive_row,
    change_grant,
    counts,
    events,
    rows,
    second_study,
    study_in,
)
from tests.support.fake_orthanc import JPEG, FakeOrthanc
from tests.support.portal import Portal, public_services, visible

PHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148 Safari/604.1"}


# The way in.


def test_code_and_birth_date_lead_to_the_viewer_with_a_token_for_this_study(portal: Portal) -> None:
    answer = portal.prove()

    assert answer.status_code == 303
    address = urlsplit(answer.location)
    query = parse_qs(address.query)
    assert answer.location.startswith(ARCHIVE.public_url + "stone-webviewer/index.html?")
    assert query["study"] == query["selectedStudies"] == [portal.uid]
    assert "menu" not in query
    question = Question("main", "get", "study", query["token"][0], None, portal.uid)
    assert portal.services.authorization.answer(question, at=portal.now).is_granted
    assert events(portal.services)[2:] == [
        "grant:proved",
        "visit:begun",
        "viewer:opened",
    ]


@pytest.mark.parametrize(
    "as_typed", [str.lower, lambda code: code.replace("-", " "), lambda code: code.replace("0", "o"),
                 lambda code: f"  {code}\u3000", lambda code: code.replace("-", "\u2013")],
)  # fmt: skip
def test_a_code_may_be_typed_as_people_type(portal: Portal, as_typed: object) -> None:
    assert portal.prove(code=as_typed(portal.paper.code.grouped)).status_code == 303  # type: ignore[operator]


def test_the_month_may_be_a_name(portal: Portal) -> None:
    assert portal.prove(month="March").status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites_posts(portal: Portal) -> None:
    cookie = next(c for c in portal.prove().headers.getlist("Set-Cookie") if "studykey_visit" in c)

    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie and "Expires" not in cookie and "Max-Age" not in cookie
    for secret in (portal.paper.code.symbols, portal.uid, "1958"):
        assert secret not in cookie


def test_neither_code_nor_birth_date_stand_in_an_address(portal: Portal) -> None:
    location = portal.prove().location

    for secret in (portal.paper.code.symbols, portal.paper.code.grouped, "1958"):
        assert secret not in location


def test_report_and_more_leads_to_the_studys_page(portal: Portal) -> None:
    answer = portal.prove(go="study")

    assert (answer.status_code, answer.location) == (303, f"/study/{portal.study_id}")
    assert rows(portal.services, ViewerToken) == []
    page = portal.get(answer.location)
    assert page.status_code == 200
    assert "Erika Muster" in page.text


def test_during_a_visit_the_start_page_leads_back_to_the_study(portal: Portal) -> None:
    portal.prove()

    assert portal.get("/").location == f"/study/{portal.study_id}"
    assert portal.get("/?another").status_code == 200


def test_opening_another_study_ends_the_visit_before(portal: Portal) -> None:
    portal.prove()
    first = portal.cookie
    portal.prove()

    assert portal.cookie != first
    assert [visit.ended_why for visit in rows(portal.services, Visit)] == ["signed-out", None]


# Typing errors.


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"code": ""}, "code"),
        ({"code": "K7QD-9M3X"}, "code"),
        ({"code": "K7QD-9M3X-4TBNN"}, "code"),
        ({"code": "K7QD-9M3X-4TBP"}, "code"),
        ({"code": "K7QD-9U3X-4TBN"}, "code"),
        ({"day": "", "month": "", "year": ""}, "day"),
        ({"day": ""}, "day"),
        ({"month": ""}, "month"),
        ({"year": ""}, "year"),
        ({"year": "58"}, "year"),
        ({"day": "31", "month": "2"}, "day"),
        ({"month": "Marz0"}, "day"),
        ({"year": "2999"}, "day"),
        ({"password": "123"}, "password"),
        ({"password": "12345678901"}, "password"),
        ({"password": "secretword"}, "password"),
    ],
    ids=str,
)
def test_a_typing_error_keeps_what_was_typed_and_leads_to_its_field(
    portal: Portal, typed: dict[str, str], field: str
) -> None:
    given = portal.typed | typed

    answer = portal.prove(**typed)

    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    for name in ("code", "day", "month", "year"):
        assert _value(answer.text, name) == given[name]
    assert rows(portal.services, Attempt) == [], "a typing error is no attempt"
    assert portal.cookie is None


def _value(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]*\bname="{name}"[^>]*>', page)
    assert found is not None
    value = re.search(r'\bvalue="([^"]*)"', found[0])
    return html.unescape(value[1]) if value else ""


@pytest.mark.parametrize("other", [{}, {"code": "K7QD"}, {"year": ""}, {"code": UNKNOWN_CODE.grouped}])
def test_the_password_is_never_given_back(portal: Portal, other: dict[str, str]) -> None:
    answer = portal.prove(**({"password": "4829173065", "year": "1957"} | other))

    assert answer.status_code in (403, 422)
    assert "4829173065" not in answer.text
    assert re.search(r'name="with_password"[^>]*checked', answer.text), "but that there was one is kept"


def test_all_errors_are_told_at_once(portal: Portal) -> None:
    answer = portal.prove(code="K7QD", day="", password="12")

    assert re.findall(r'<li><a href="#(\w+)"', answer.text) == [
        "code",
        "day",
        "password",
    ]


@pytest.mark.parametrize("field", ["code", "day", "month", "year"])
def test_what_was_typed_is_shown_as_text(portal: Portal, field: str) -> None:
    answer = portal.prove(**{field: '"><script>alert(1)</script>'})

    assert answer.status_code == 422
    assert "<script>alert" not in answer.text


def test_what_was_typed_is_shortened(portal: Portal) -> None:
    assert len(portal.prove(code="K" * 60_000).text) < 20_000


def test_fields_may_be_missing_altogether(portal: Portal) -> None:
    assert portal.post("/").status_code == 422


def test_a_page_that_lay_open_too_long_keeps_what_was_typed(portal: Portal) -> None:
    answer = portal.client.post("/", data=portal.typed | {"password": "4829173065"})

    assert answer.status_code == 400
    assert _value(answer.text, "code") == portal.paper.code.grouped
    assert _value(answer.text, "year") == "1958"
    assert "4829173065" not in answer.text
    assert rows(portal.services, Attempt) == []
    again = {**portal.typed, "csrf_token": re.findall(r'csrf_token" value="([^"]*)"', answer.text)[0]}
    assert portal.client.post("/", data=again).status_code == 303


def test_another_sites_post_opens_nothing(portal: Portal) -> None:
    foreign = portal.app.test_client()
    foreign.get("/")

    assert foreign.post("/", data=portal.typed | {"csrf_token": portal.csrf}).status_code == 400


# Refusals.


def test_unknown_wrong_and_locked_get_the_same_answer_to_the_byte(portal: Portal) -> None:
    """For the same input: what the answer tells must not depend on what the database holds."""
    paper = portal.paper
    wrong = {"year": "1957", "password": "0000000000"}
    answers = {}

    def ask(which: str) -> None:
        portal.services.session.rollback()
        answer = portal.prove(**wrong)
        headers = {
            name: value for name, value in answer.headers if name not in ("Set-Cookie", "Content-Length")
        }
        answers[which] = (answer.status_code, visible(answer), len(answer.text), headers)

    ask("wrong birth date")
    change_grant(portal.services, paper.grant, policy=Policy.PASSWORD)
    ask("wrong password")
    change_grant(portal.services, paper.grant, policy=Policy.BIRTH_DATE_AND_PASSWORD)
    ask("wrong both")
    locked = {"failures": THROTTLE.lock_with_password, "next_try_at": None}
    change_grant(portal.services, paper.grant, **locked)
    ask("locked")
    change_grant(portal.services, paper.grant, revoked_at=portal.now, failures=0)
    ask("revoked, not proved")
    change_grant(portal.services, paper.grant, code_index=b"\0" * 32)
    ask("unknown code")

    assert answers["wrong birth date"][0] == 403
    assert (
        len({repr(sorted(answer[3].items())) + answer[1] + str(answer[2]) for answer in answers.values()})
        == 1
    )


def test_the_right_answer_during_a_lock_looks_like_a_wrong_one(portal: Portal) -> None:
    unknown = portal.prove(code=UNKNOWN_CODE.grouped)
    change_grant(portal.services, portal.paper.grant, failures=THROTTLE.lock_without_password)
    locked = portal.prove()

    assert unknown.status_code == locked.status_code == 403
    as_typed = (UNKNOWN_CODE.grouped, portal.paper.code.grouped)
    assert visible(unknown).replace(as_typed[0], "") == visible(locked).replace(as_typed[1], "")
    assert portal.cookie is None


def test_a_refusal_keeps_what_was_typed(portal: Portal) -> None:
    answer = portal.prove(year="1957")

    assert (_value(answer.text, "code"), _value(answer.text, "year")) == (portal.paper.code.grouped, "1957")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("expires_at", "This sheet is too old"),
        ("revoked_at", "has ended this access"),
        ("suspended_at", "has to check this study first"),
    ],
)
def test_why_a_sheet_does_not_open_is_told_to_its_holder_only(
    portal: Portal, column: str, words: str
) -> None:
    change_grant(portal.services, portal.paper.grant, **{column: portal.now})

    assert words not in portal.prove(year="1957").text
    answer = portal.prove()
    assert answer.status_code == 403
    assert words in answer.text
    assert portal.cookie is None


def test_a_study_not_yet_released_is_told_to_its_holder(portal: Portal) -> None:
    change_grant(portal.services, portal.paper.grant, released_at=portal.now + DAY)

    assert "not open yet" in portal.prove().text


# Narrow screens.


@pytest.mark.parametrize(
    ("fields", "headers", "is_narrow"),
    [
        ({"narrow": "1"}, {}, True),
        ({"narrow": "0"}, PHONE, False),
        ({"narrow": "1"}, {"Sec-CH-UA-Mobile": "?0"}, True),
        ({"narrow": ""}, {"Sec-CH-UA-Mobile": "?1"}, True),
        ({"narrow": ""}, {"Sec-CH-UA-Mobile": "?0", **PHONE}, False),
        ({}, PHONE, True),
        ({}, {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}, False),
        ({}, {}, False),
    ],
    ids=str,
)
def test_a_narrow_screen_gets_stone_without_its_menu(
    portal: Portal, fields: dict[str, str], headers: dict[str, str], is_narrow: bool
) -> None:
    location = portal.prove(headers=headers, **fields).location

    assert location.endswith("&menu=hidden") is is_narrow


class TestOhif:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.with_(archives=(replace(ARCHIVE, viewer="ohif"),))

    def test_a_wide_screen_gets_the_viewer(self, portal: Portal) -> None:
        location = portal.prove(narrow="0").location

        assert location.startswith(f"{ARCHIVE.public_url}ohif/viewer?StudyInstanceUIDs={portal.uid}&token=")

    def test_a_narrow_screen_gets_the_light_look_and_no_token(self, portal: Portal) -> None:
        answer = portal.prove(narrow="1")

        assert answer.location == f"/study/{portal.study_id}/look"
        assert rows(portal.services, ViewerToken) == []
        assert portal.get(answer.location).status_code == 200


# Images that can't be shown.


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("is_open", "show the images safely"),
        ("is_unreachable", "be reached right now"),
    ],
)
def test_no_token_leaves_while_the_archive_is_open_to_all_or_away(
    portal: Portal, orthanc: FakeOrthanc, clock: Clock, what: str, words: str
) -> None:
    clock.forward(seconds=21)  # the gate was seen closed before that
    setattr(orthanc, what, True)

    answer = portal.prove()
    again = portal.post(f"/study/{portal.study_id}/viewer")
    look = portal.get(f"/study/{portal.study_id}/look")

    assert answer.location == again.location == look.location == f"/study/{portal.study_id}"
    page = portal.get(answer.location)
    assert words in html.unescape(page.text)
    assert "token" not in page.text.replace("csrf_token", "")
    assert rows(portal.services, ViewerToken) == []


def test_a_deleted_study_says_so_and_comes_back(portal: Portal, orthanc: FakeOrthanc) -> None:
    told = orthanc.delete(portal.study.orthanc_id)
    archive = archive_row(portal.services)
    portal.services.ingestion.take(archive, told.orthanc_id, at=portal.now)

    answer = portal.prove()
    assert answer.location == f"/study/{portal.study_id}"
    assert "no longer in the clinic" in html.unescape(portal.get(answer.location).text)
    assert portal.get(f"/study/{portal.study_id}/look/1/1.jpg").status_code == 404

    orthanc.put(told)
    portal.services.ingestion.take(archive_row(portal.services), told.orthanc_id, at=portal.now)
    assert "token=" in portal.post(f"/study/{portal.study_id}/viewer").location


def test_an_archive_taken_out_of_the_settings_is_an_archive_that_is_away(
    portal: Portal, clock: Clock
) -> None:
    del public_services(portal.app).orthancs["main"]
    clock.forward(seconds=21)

    answer = portal.prove()

    assert "be reached right now" in html.unescape(portal.get(answer.location).text)


# During a visit.


def test_opening_the_images_again_hands_out_another_token(portal: Portal) -> None:
    first = portal.prove().location
    second = portal.post(f"/study/{portal.study_id}/viewer").location

    assert first != second
    assert len(rows(portal.services, ViewerToken)) == 2
    assert events(portal.services).count("viewer:opened") == 2


def test_a_token_is_handed_out_by_post_only(portal: Portal) -> None:
    portal.prove(go="study")

    assert portal.get(f"/study/{portal.study_id}/viewer").status_code == 405
    assert rows(portal.services, ViewerToken) == []


@pytest.mark.parametrize(
    "path", ["/study/{}", "/study/{}/look", "/study/{}/look/1/1.jpg", "/study/{}/viewer"]
)
def test_another_holders_study_does_not_exist(portal: Portal, path: str) -> None:
    stranger = study_in(portal.services).id
    portal.services.session.commit()
    portal.prove()

    def ask(study_id: int) -> tuple[int, str]:
        where = path.format(study_id)
        answer = portal.post(where) if where.endswith("viewer") else portal.get(where)
        return answer.status_code, visible(answer)

    assert ask(stranger) == ask(999_999)
    assert ask(stranger)[0] == 404


@pytest.mark.parametrize("path", ["/study/0", "/study/-1", "/study/1e3", "/study/" + "9" * 30, "/study/%00"])
def test_an_address_that_is_no_study_is_not_found(portal: Portal, path: str) -> None:
    portal.prove()

    assert portal.get(path).status_code == 404


def test_a_grant_over_two_studies_shows_both(portal: Portal) -> None:
    other = second_study(portal.services, portal.paper.grant, description="Knie links").id
    portal.services.session.commit()

    assert portal.prove().location == portal.get("/").location == "/studies"
    page = portal.get("/studies").text
    assert "CT scan of the chest" in page and "Knie links" in page and "2 studies" in page
    assert f'href="/study/{other}"' in page
    assert 'href="/studies"' in portal.get(f"/study/{other}").text
    assert portal.post(f"/study/{other}/viewer").status_code == 303


def test_a_grant_over_one_study_needs_no_list(portal: Portal) -> None:
    portal.prove()

    assert portal.get("/studies").location == f"/study/{portal.study_id}"


def test_a_study_with_hostile_texts_shows_them_as_text(portal: Portal, orthanc: FakeOrthanc) -> None:
    evil = "<script>alert(1)</script>\u202e"
    orthanc.change(portal.study.orthanc_id, description=evil, institution_name=evil, modalities=(evil,))
    portal.services.ingestion.take(archive_row(portal.services), orthanc.log[-1].orthanc_id, at=portal.now)
    portal.prove()

    for path in (f"/study/{portal.study_id}", f"/study/{portal.study_id}/look"):
        page = portal.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text


def test_a_holder_who_may_only_read_the_report_gets_no_pictures(portal: Portal) -> None:
    change_grant(portal.services, portal.paper.grant, permissions="report")

    assert portal.prove().location == f"/study/{portal.study_id}"
    assert portal.get(f"/study/{portal.study_id}/look").status_code == 404
    assert portal.get(f"/study/{portal.study_id}/look/1/1.jpg").status_code == 404
    assert rows(portal.services, ViewerToken) == []


# The light look.


def test_the_light_look_shows_the_middle_picture_and_every_page_of_it_is_on_record(portal: Portal) -> None:
    portal.prove()
    page = portal.get(f"/study/{portal.study_id}/look")

    assert f"/study/{portal.study_id}/look/1/2.jpg" in page.text
    assert "Structured report" in page.text, "what has no pictures is named"
    portal.get(f"/study/{portal.study_id}/look?series=1&image=3")
    assert events(portal.services).count("look:opened") == 2


def test_a_picture_is_a_jpeg_that_no_cache_keeps(portal: Portal) -> None:
    portal.prove()
    picture = portal.get(f"/study/{portal.study_id}/look/1/2.jpg")

    assert (picture.mimetype, picture.data[:10]) == ("image/jpeg", JPEG[:10])
    assert picture.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("place", ["1/0", "1/4", "2/1", "9/1", "0/1"])
def test_a_picture_that_is_not_there_is_not_found(portal: Portal, place: str) -> None:
    portal.prove()

    assert portal.get(f"/study/{portal.study_id}/look/{place}.jpg").status_code == 404


def test_a_picture_that_cannot_be_made_is_not_the_end_of_the_visit(
    portal: Portal, orthanc: FakeOrthanc
) -> None:
    orthanc.unrenderable.add(f"{portal.study.orthanc_id}-0")
    portal.prove()

    # look.js takes 403 and 404 for a visit that is over
    assert portal.get(f"/study/{portal.study_id}/look/1/1.jpg").status_code == 415
    assert portal.get(f"/study/{portal.study_id}/look/1/2.jpg").status_code == 200


@pytest.mark.parametrize(
    "query", ["series=9", "series=2&image=1", "series=1&image=99", "image=0", "image=-1"]
)
def test_a_place_that_does_not_exist_leads_to_one_that_does(portal: Portal, query: str) -> None:
    portal.prove()
    answer = portal.get(f"/study/{portal.study_id}/look?{query}")

    assert answer.location == f"/study/{portal.study_id}/look"


@pytest.mark.parametrize("query", ["series=x", "image=x", "series=", "series=1&series=2", "series=%00"])
def test_nonsense_in_the_address_is_not_an_error(portal: Portal, query: str) -> None:
    portal.prove()

    assert portal.get(f"/study/{portal.study_id}/look?{query}").status_code in (200, 303)


def test_a_study_without_pictures_says_so(portal: Portal, orthanc: FakeOrthanc) -> None:
    orthanc.pictures[portal.study.orthanc_id] = ()
    portal.prove()

    page = portal.get(f"/study/{portal.study_id}/look")
    assert page.status_code == 200
    assert "There are no pictures to show here" in page.text


def test_an_archive_that_goes_away_during_a_look_is_told_apart_from_an_error(
    portal: Portal, orthanc: FakeOrthanc
) -> None:
    portal.prove()
    orthanc.is_unreachable = True

    picture = portal.get(f"/study/{portal.study_id}/look/1/1.jpg")
    page = portal.get(f"/study/{portal.study_id}/look")

    assert (picture.status_code, page.status_code) == (503, 503)
    assert picture.headers["Retry-After"] and page.headers["Retry-After"]


# The way out.


def test_done_closes_everything_on_a_shared_computer(portal: Portal) -> None:
    token = parse_qs(urlsplit(portal.prove().location).query)["token"][0]
    key = portal.cookie

    answer = portal.post("/done")

    assert (answer.status_code, answer.location) == (303, "/done")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert portal.cookie is None
    page = portal.get("/done")
    assert page.status_code == 200 and "Muster" not in page.text and "Thorax" not in page.text
    question = Question("main", "get", "study", token, None, portal.uid)
    assert not portal.services.authorization.answer(question, at=portal.now).is_granted
    # When somebody kept the cookie and presses Back
    portal.client.set_cookie("studykey_visit", key or "")
    assert portal.get(f"/study/{portal.study_id}").status_code == 403


def test_done_without_a_visit_is_done(portal: Portal) -> None:
    assert portal.post("/done").location == "/done"


def test_done_is_not_pressed_by_a_link(portal: Portal) -> None:
    portal.prove()
    portal.get("/done")

    assert portal.get(f"/study/{portal.study_id}").status_code == 200


# GET and HEAD change nothing: previews and mail scanners follow links.


def test_following_links_writes_nothing(portal: Portal) -> None:
    before = counts(portal.services)
    for path in ("/", "/?another", "/done", "/brand.css", "/static/style.css", "/study/1", "/nowhere"):
        portal.get(path)
        portal.client.head(path, buffered=True)

    assert counts(portal.services) == before


def test_looking_at_the_study_page_writes_nothing_within_a_minute(portal: Portal, clock: Clock) -> None:
    portal.prove()
    before = counts(portal.services)
    seen_at = rows(portal.services, Visit)[0].seen_at
    clock.forward(seconds=19)
    for path in ("/", f"/study/{portal.study_id}", f"/study/{portal.study_id}/look/1/1.jpg"):
        portal.get(path)
        portal.client.head(path, buffered=True)

    assert counts(portal.services) == before
    assert rows(portal.services, Visit)[0].seen_at == seen_at


# Whom the request claims to be asking.


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8045", "localhost.evil.example"])
def test_a_foreign_host_header_gets_into_no_link_and_no_redirect(portal: Portal, host: str) -> None:
    portal.base = f"http://{host}"
    answers = [portal.get(path) for path in ("/", "/done", "/study/1", "/nowhere", "/staff", "//study//1")]
    answers += [portal.prove(), portal.prove(year="1957"), portal.post("/done")]
    answers.append(portal.get(f"/study/{portal.study_id}"))

    for answer in answers:
        assert "evil" not in answer.text
        assert "evil" not in answer.headers.get("Location", "")
        assert answer.status_code < 500


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/%2F/evil.example", "/\\evil.example", "/?next=//evil.example",
     "/?another=//evil.example", "/done?next=https://evil.example"],
)  # fmt: skip
def test_no_address_redirects_elsewhere(portal: Portal, path: str) -> None:
    answer = portal.client.get(path)

    assert "evil" not in answer.headers.get("Location", "")
    assert 'href="//evil' not in answer.text


def test_forwarded_headers_are_not_believed_without_a_proxy(portal: Portal) -> None:
    headers = {
        "X-Forwarded-For": "198.51.100.1",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=1.1.1.1",
    }
    portal.prove(headers=headers)

    assert {row.network for row in rows(portal.services, Attempt)} == {"127.0.0.1"}


class TestBehindOneProxy:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.with_(trusted_hops=1)

    @pytest.mark.parametrize("forwarded", ["198.51.100.1", "6.6.6.6, 198.51.100.1", "junk, 198.51.100.1"])
    def test_the_entry_of_our_own_proxy_counts(self, portal: Portal, forwarded: str) -> None:
        portal.prove(headers={"X-Forwarded-For": forwarded})

        assert {row.network for row in rows(portal.services, Attempt)} == {"198.51.100.1"}


def test_an_oversized_form_is_refused(portal: Portal) -> None:
    answer = portal.prove(code="K" * 70_000)

    assert answer.status_code == 413
    assert rows(portal.services, Attempt) == []
    assert "That was too much to send" in answer.text


def test_the_grants_counter_counts_what_came_through_the_door(portal: Portal) -> None:
    for _ in range(2):
        portal.prove(year="1957")

    assert rows(portal.services, Grant)[0].failures == 2
