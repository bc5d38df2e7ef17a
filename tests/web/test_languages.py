"""Languages of the patients' pages: the browser's, or the one that was chosen, as far as the clinic offers it."""

from __future__ import annotations

import pytest
from babel.dates import get_month_names

from app.config import Settings
from app.services.site import PATIENT_LANGUAGES
from app.web import i18n
from tests.support.portal import Portal

COOKIE = "studykey_language"


def lang(portal: Portal, path: str = "/?another", **headers: str) -> str:
    page = portal.get(path, headers=headers).text
    return page.partition('<html lang="')[2].partition('"')[0]


@pytest.mark.parametrize("language", PATIENT_LANGUAGES)
def test_the_page_speaks_the_language_of_the_browser(portal: Portal, language: str) -> None:
    assert lang(portal, **{"Accept-Language": language}) == language


@pytest.mark.parametrize("language", PATIENT_LANGUAGES)
def test_every_language_is_offered_by_its_own_name(portal: Portal, language: str) -> None:
    page = portal.get("/").text

    assert f'href="/?lang={language}" lang="{language}"' in page
    assert f"<bdi>{i18n.own_name(language)}</bdi>" in page


def test_a_chosen_language_stays_on_this_device_and_for_no_one_else(portal: Portal) -> None:
    assert lang(portal, "/?lang=ar", **{"Accept-Language": "de"}) == "ar"

    assert lang(portal, "/", **{"Accept-Language": "de"}) == "ar"
    assert lang(portal, "/done", **{"Accept-Language": "de"}) == "ar"
    portal.client = portal.app.test_client()
    assert lang(portal, "/", **{"Accept-Language": "de"}) == "de"


def test_the_cookie_holds_the_language_and_nothing_else(portal: Portal) -> None:
    answer = portal.get("/?lang=pl")
    cookie = next(one for one in answer.headers.getlist("Set-Cookie") if COOKIE in one)

    assert cookie.startswith(f"{COOKIE}=pl;")
    assert {"Max-Age=2592000", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize("asked", ["tlh", "ja", "en_US", "../de", "", "ar\r\nX: y"])
def test_a_language_that_isnt_there_is_not_taken(portal: Portal, asked: str) -> None:
    answer = portal.client.get("/", query_string={"lang": asked}, headers={"Accept-Language": "fr"})

    assert 'lang="fr"' in answer.text
    assert not [one for one in answer.headers.getlist("Set-Cookie") if COOKIE in one]


def test_the_clinics_rule_decides_what_may_be_chosen(portal: Portal) -> None:
    services = portal.services
    services.rules.set({"languages": "en, de"}, at=portal.now, actor="test")
    services.session.commit()

    page = portal.get("/?lang=ar", headers={"Accept-Language": "de"}).text
    assert '<html lang="de"' in page
    assert "lang=ar" not in page and "lang=en" in page


def test_one_language_is_no_choice(portal: Portal) -> None:
    portal.services.rules.set({"languages": "de"}, at=portal.now, actor="test")
    portal.services.session.commit()

    assert "data-languages" not in portal.get("/").text


def test_staff_pages_speak_no_language_that_they_havent(portal: Portal) -> None:
    portal.get("/?lang=ar")

    assert lang(portal, "/staff/sign-in", **{"Accept-Language": "ar, es;q=0.5"}) == "es"


def test_during_a_visit_too_the_language_can_be_changed(portal: Portal) -> None:
    portal.prove()

    answer = portal.get("/?lang=es")

    assert answer.status_code == 303
    assert lang(portal, answer.location) == "es"


def test_after_im_done_no_cookie_is_left_but_the_page_still_speaks_the_language(portal: Portal) -> None:
    portal.get("/?lang=ar")
    portal.prove()

    answer = portal.post("/done")

    assert answer.location == "/done?lang=ar"
    assert '"cookies"' in answer.headers["Clear-Site-Data"]
    portal.client = portal.app.test_client()  # what a browser has left then
    page = portal.get(answer.location)
    assert '<html lang="ar" dir="rtl"' in page.text
    assert 'href="/?lang=ar"' in page.text
    assert not page.headers.getlist("Set-Cookie")


def test_where_cookies_are_off_the_form_carries_the_language(portal: Portal) -> None:
    assert 'action="/?lang=es"' in portal.app.test_client().get("/?lang=es").text


@pytest.mark.parametrize("place", ["ar", "ar_SY", "ar_DZ", "ar_MA"])
def test_a_month_may_be_written_as_any_arab_country_writes_it(portal: Portal, place: str) -> None:
    portal.get("/?lang=ar")

    answer = portal.prove(day="٢٧", month=get_month_names("wide", "format", place)[3], year="١٩٥٨")

    assert answer.status_code == 303


def test_in_arabic_the_code_stays_left_to_right(portal: Portal) -> None:
    page = portal.get("/?lang=ar").text

    assert '<html lang="ar" dir="rtl">' in page
    assert '<input class="code" id="code" name="code" type="text" value="" dir="ltr"' in page


class TestOverHttps:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.with_(base_url="https://portal.test")

    def test_the_cookie_is_bound_to_this_host(self, portal: Portal) -> None:
        portal.base = "https://portal.test"
        cookies = portal.get("/?lang=de").headers.getlist("Set-Cookie")

        assert [one for one in cookies if one.startswith("__Host-studykey_language=de;") and "Secure" in one]
