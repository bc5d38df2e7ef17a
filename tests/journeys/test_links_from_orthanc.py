"""A link made in Orthanc, from the plugin's request to its end; and Orthanc Explorer in one click: real browsers, a
real Orthanc with its gate. Explorer itself isn't there: what counts is what its token opens, sent as it sends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.demo import studies
from app.domain.staff import Role
from tests.journeys.test_share import ask_again, frames_of
from tests.support.browser import DESKTOP, wait_for_sign, window
from tests.support.clinic import GATE, Clinic, eventually

PASSWORD = "correct horse battery"
BORN = date(1975, 8, 9)
STUDY = studies.study(
    patient_id="DEMO-LK1", patient_name="Okafor^Ada", birth_date=BORN, label="link", slices=4, size=256
)


@pytest.fixture(scope="module")
def linked(clinic: Clinic) -> Iterator[Clinic]:
    with clinic.services() as services:
        for role in (Role.RADIOLOGIST, Role.VIEWER):
            services.staff.add(
                login=f"links-{role}",
                name=f"Somebody {role}",
                roles=[role],
                password=PASSWORD,
                at=services.clock(),
                actor="test",
            )
    clinic.receive(STUDY)
    yield clinic
    with clinic.services() as services:
        services.rules.set({"direct_links": ""}, at=services.clock(), actor="test")


@contextmanager
def at_work(browser: Browser, clinic: Clinic, role: Role) -> Iterator[Page]:
    with window(browser, DESKTOP) as page:
        page.goto(f"{clinic.portal}/staff/")
        page.get_by_label("Login").fill(f"links-{role}")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/staff/")
        yield page


def link(clinic: Clinic, type_: str = "ohif-viewer-publication") -> str:
    """As the plugin asks for one when somebody shares a study in Orthanc Explorer."""
    answer = requests.put(
        f"{clinic.door}/tokens/{type_}",
        json={
            "resources": [
                {"dicom-uid": STUDY.study_instance_uid, "orthanc-id": orthanc_id(clinic), "level": "study"}
            ],
            "type": type_,
            "validity-duration": 1296000,
            "server-id": None,
        },
        auth=GATE,
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    return url


def orthanc_id(clinic: Clinic) -> str:
    found = requests.post(
        f"{clinic.orthanc.url}/tools/lookup",
        data=STUDY.study_instance_uid,
        auth=("studykey", "service-secret-of-tests"),
        timeout=10,
    ).json()
    return next(str(one["ID"]) for one in found if one["Type"] == "Study")


def metadata(clinic: Clinic, **carried: str) -> int:
    url = f"{clinic.orthanc.url}/dicom-web/studies/{STUDY.study_instance_uid}/metadata"
    return requests.get(url, headers=carried, timeout=10).status_code


def give_birth_date(page: Page) -> None:
    page.get_by_label("Day").fill(str(BORN.day))
    page.get_by_label("Month").fill(str(BORN.month))
    page.get_by_label("Year").fill(str(BORN.year))
    page.get_by_role("button", name="See the images").click()


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


def revoke_newest(page: Page, clinic: Clinic) -> None:
    page.goto(f"{clinic.portal}/staff/shares")
    expect(page.get_by_text("from archive main").first).to_be_visible()
    page.locator(".share-for a").first.click()
    page.get_by_role("link", name="Revoke …").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The access was revoked.")).to_be_visible()


def test_a_link_asks_for_the_birth_date_opens_the_viewer_and_dies_when_it_is_revoked(
    browser: Browser, linked: Clinic
) -> None:
    url = link(linked)
    with window(browser, DESKTOP) as guest, at_work(browser, linked, Role.RADIOLOGIST) as staff:
        frames = frames_of(guest)
        guest.goto(url)
        assert "#" not in guest.url
        give_birth_date(guest)
        guest.wait_for_url("**/ohif/viewer**")
        wait_for_sign(guest.locator("canvas.cornerstone-canvas").first)
        assert ask_again(frames[0]) == 200

        revoke_newest(staff, linked)

        eventually(lambda: ask_again(frames[0]) == 403, within=5, what="the refusal")
        guest.goto(f"{linked.portal}/?another")
        guest.goto(url)
        give_birth_date(guest)
        expect(guest.get_by_role("alert")).to_contain_text("ended this access")


def test_where_the_site_says_so_a_link_leads_straight_to_the_viewer(browser: Browser, linked: Clinic) -> None:
    with linked.services() as services:
        services.rules.set({"direct_links": "ohif-viewer-publication"}, at=services.clock(), actor="test")
    url = link(linked)
    with window(browser, DESKTOP) as guest, at_work(browser, linked, Role.RADIOLOGIST) as staff:
        guest.goto(url)
        wait_for_sign(guest.locator("canvas.cornerstone-canvas").first)
        staff.goto(f"{linked.portal}/staff/shares")
        expect(staff.get_by_text("asks nothing").first).to_be_visible()

        revoke_newest(staff, linked)

        bearer = f"Bearer {token_of(url)}"
        eventually(lambda: metadata(linked, Authorization=bearer) == 403, within=5, what="the refusal")


def explorer_token(page: Page) -> str:
    with page.context.expect_event("request", lambda asked: "/ui/app/" in asked.url) as asked:
        page.get_by_role("button", name="Orthanc Explorer").first.click()
    return token_of(asked.value.url)


def test_one_click_opens_orthanc_for_what_the_role_may_until_signing_out(
    browser: Browser, linked: Clinic
) -> None:
    here = linked.orthanc.url
    study = f"{here}/studies/{orthanc_id(linked)}"
    with at_work(browser, linked, Role.RADIOLOGIST) as page:
        carried = {"token": explorer_token(page)}
        assert requests.get(study, headers=carried, timeout=10).status_code == 200
        assert requests.get(f"{here}/studies", headers=carried, timeout=10).status_code == 200
        label = f"{study}/labels/seen"
        # Orthanc 1.10 knows no labels: 404 is Orthanc's own word, 403 would be the gate's.
        assert requests.put(label, headers=carried, timeout=10).status_code != 403
        for method, path in (
            ("DELETE", study),
            ("GET", f"{here}/plugins"),
            ("POST", f"{here}/tools/shutdown"),
        ):
            assert requests.request(method, path, headers=carried, timeout=10).status_code == 403, path
        # In the address it does nothing but open Explorer.
        assert requests.get(study, params=carried, timeout=10).status_code == 403

        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/staff/sign-in*")

        def refused() -> bool:
            return requests.get(study, headers=carried, timeout=10).status_code == 403

        eventually(refused, within=5, what="the end of the token")
    assert linked.as_studykey(f"/studies/{orthanc_id(linked)}").status_code == 200


def test_somebody_who_may_only_look_changes_nothing_there(browser: Browser, linked: Clinic) -> None:
    study = f"{linked.orthanc.url}/studies/{orthanc_id(linked)}"
    with at_work(browser, linked, Role.VIEWER) as page:
        carried = {"token": explorer_token(page)}
        assert requests.get(study, headers=carried, timeout=10).status_code == 200
        for path in ("anonymize", "modify", "labels/seen"):
            method = "PUT" if path.startswith("labels") else "POST"
            answer = requests.request(method, f"{study}/{path}", headers=carried, data="{}", timeout=10)
            assert answer.status_code == 403, path
