"""Whom a DICOM tag names: the rule, the study that arrives, the list, the images, and the tag that is corrected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from playwright.sync_api import Browser, Page, Request, expect
from sqlalchemy import select

from app.demo import ohif, sign, studies
from app.domain.permissions import Permission
from app.domain.staff import Role
from app.domain.tag_match import How
from app.models import Study, TagRule
from app.services.grants import Paper
from app.services.tag_keys import Wanted
from tests.support.browser import DESKTOP, PHONE, Axe, gray, looks, wait_for_sign, window
from tests.support.clinic import SERVICE, Clinic, eventually
from tests.support.databases import Databases

LOGIN, PASSWORD = "moreno", "correct horse battery"
NAME = "Practice Dr Ludwig Moreno"
PATIENT = {"patient_id": "DEMO-T1", "patient_name": "Santos^Lia", "size": 256, "slices": 16}
UIDS = {"label": "tag-rules-chest"}
NAMED = studies.study(**PATIENT, **UIDS, ReferringPhysicianName="MORENO^LUDWIG^^Dr")
CORRECTED = studies.study(**PATIENT, **UIDS, ReferringPhysicianName="Haus^Anna")
OTHER = studies.study(
    patient_id="DEMO-T2", patient_name="Berg^Ida", label="tag-rules-other", ReferringPhysicianName="*^*"
)
MARKUP = studies.study(
    patient_id="DEMO-T3",
    patient_name="<script>alert(1)</script>^Ida",
    label="tag-rules-markup",
    ReferringPhysicianName="Moreno, Ludwig",
)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    with ExitStack() as stack:
        clinic = Clinic(
            tmp_path_factory.mktemp("tag-rules"),
            stack.enter_context(databases.fresh()),
            ohif_folder=ohif.prepare(ohif.FOLDER, progress=print),
        )
        stack.callback(clinic.close)
        clinic.orthanc.start()
        clinic.start_studykey()
        yield clinic


@pytest.fixture(scope="module")
def paper(clinic: Clinic) -> Paper:
    """The rule is there before any study."""
    with clinic.services() as services:
        moreno = services.staff.add(
            login=LOGIN,
            name="Dr Ludwig Moreno",
            roles=[Role.PHYSICIAN],
            password=PASSWORD,
            at=services.clock(),
            actor="test",
        )
        _rule, paper = services.tag_rules.make(
            NAME,
            Wanted("ReferringPhysicianName", How.NAME, ("Moreno^Ludwig",)),
            permissions=Permission.VIEW | Permission.REPORT,
            may_give_on=True,
            members=[moreno.id],
            at=services.clock(),
            actor="staff:test",
        )
        services.session.commit()
        services.session.expunge_all()
    clinic.receive_all(NAMED, OTHER, MARKUP)
    return paper


def come_in(page: Page, clinic: Clinic, paper: Paper) -> None:
    page.goto(f"{clinic.portal}/")
    page.locator("input[name=code]").fill(paper.code.grouped)
    page.get_by_text("I was given a password", exact=True).click()
    page.locator("input[name=password]").fill(paper.password.grouped)
    page.get_by_role("button", name="See the images").click()
    page.wait_for_url("**/list/**")


def understand(page: Page) -> None:
    expect(page.get_by_text("only administrators and the physicians involved have access")).to_be_visible()
    page.get_by_role("button", name="I understand, go on").click()
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()


def frames_of(page: Page) -> list[Request]:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/frames/" in request.url else None)
    return asked


def ask_again(request: Request) -> int:
    """The same request with the same token, from outside of the browser and its caches."""
    headers = {name: request.headers[name] for name in ("authorization", "accept") if name in request.headers}
    return requests.get(request.url, headers=headers, timeout=10).status_code


def correct(clinic: Clinic) -> None:
    """The study is deleted and sent again with the same numbers and another referring physician."""
    with clinic.services() as services:
        study = services.session.scalars(
            select(Study).where(Study.study_instance_uid == NAMED.study_instance_uid)
        ).one()
        requests.delete(
            f"{clinic.orthanc.url}/studies/{study.orthanc_id}", auth=SERVICE, timeout=10
        ).raise_for_status()
    clinic.send(CORRECTED)


def is_corrected(clinic: Clinic) -> bool:
    with clinic.services() as services:
        services.session.rollback()
        study = services.session.scalars(
            select(Study).where(Study.study_instance_uid == NAMED.study_instance_uid)
        ).one()
        return study.deleted_at is None and study.referring_physician.startswith("Haus")


def test_the_pages_can_be_used_by_everybody(browser: Browser, clinic: Clinic, paper: Paper) -> None:
    with window(browser, PHONE) as page:
        come_in(page, clinic, paper)
        is_clean(page)
        understand(page)
        is_clean(page)
        page.goto(f"{clinic.portal}/study/999")
        is_clean(page)


def is_clean(page: Page) -> None:
    for look in looks(page, (320, 640), PHONE, DESKTOP):
        found = Axe().run(page)
        assert not found.violations_count, f"{look}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look


@pytest.mark.postgresql
def test_nothing_in_a_tag_a_name_or_a_search_widens_what_is_shown(
    browser: Browser, clinic: Clinic, paper: Paper
) -> None:
    with window(browser, DESKTOP) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        come_in(page, clinic, paper)
        understand(page)
        expect(page.locator(".named li.new")).to_have_count(2)
        expect(page.get_by_text("Ida <script>alert(1)</script>")).to_be_visible()
        for typed in ("*", "%", "_", "Berg", "<b>", "' or 1=1 --"):
            page.get_by_role("textbox").fill(typed)
            page.get_by_role("button", name="Search").click()
            expect(page.get_by_role("textbox")).to_have_value(typed)
            expect(page.locator(".named li")).to_have_count(0)
            assert "Berg" not in page.url
        page.get_by_role("textbox").fill("lia san")
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".named li")).to_have_count(1)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["390", "1280"])
def test_a_physician_signs_in_and_opens_what_names_them(
    browser: Browser, clinic: Clinic, paper: Paper, size: tuple[int, int]
) -> None:
    del paper  # only that the rule and the studies are there
    with window(browser, size) as page:
        page.goto(f"{clinic.portal}/staff/sign-in")
        page.get_by_label("Login").fill(LOGIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/staff/mine/**")
        expect(page.locator("table.mine tbody tr")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page)
        assert not found.violations_count, found.generate_report()

        line = page.locator("table.mine tr", has_text="Lia Santos")
        if size == PHONE:
            line.get_by_role("link", name="Light look").click()
            wait_for_sign(page.locator("[data-stage] img").first)
            return
        line.get_by_role("button", name="Images").click()
        page.wait_for_url("**/ohif/viewer**")
        wait_for_sign(page.locator("canvas.cornerstone-canvas").first)


@pytest.mark.postgresql
def test_named_opened_from_the_list_and_closed_by_the_corrected_tag(
    browser: Browser, clinic: Clinic, paper: Paper
) -> None:
    with window(browser, DESKTOP) as page, window(browser, PHONE) as phone:
        come_in(page, clinic, paper)
        understand(page)
        line = page.locator(".named li", has_text="Lia Santos")
        frames = frames_of(page)
        line.get_by_role("button", name="Images").click()
        page.wait_for_url("**/ohif/viewer**")
        wait_for_sign(page.locator("canvas.cornerstone-canvas").first)
        assert ask_again(frames[0]) == 200

        come_in(phone, clinic, paper)
        understand(phone)
        card = phone.locator(".named li", has_text="Lia Santos")
        expect(card.get_by_text("New")).to_have_count(0)  # somebody of the group has opened it
        expect(card.get_by_role("link", name="Light look")).to_have_count(0)
        card.get_by_role("button", name="Images").click()  # which is the light look on this screen
        wait_for_sign(phone.locator("[data-stage] img").first)
        look = phone.url

        correct(clinic)
        eventually(lambda: ask_again(frames[0]) in (403, 404), within=10, what="the refusal of the old token")
        eventually(lambda: is_corrected(clinic), what="the corrected study")

        # The images are there again, for whom they name now; not for this token, nor for this list.
        assert clinic.as_studykey(frames[0].url.removeprefix(clinic.orthanc.url)).status_code == 200
        eventually(lambda: ask_again(frames[0]) == 403, within=10, what="the refusal by the tag")
        page.reload()
        page.wait_for_timeout(2000)
        assert not sign.sign_is_visible(gray(page.screenshot()), "F")

        phone.goto(look)
        expect(phone.get_by_role("heading", name="This study isn't in your list")).to_be_visible()
        phone.get_by_role("link", name="Back to the list").click()
        expect(phone.locator(".named li")).to_have_count(1)
        expect(phone.get_by_text("Lia Santos")).to_have_count(0)


def test_a_rule_that_ends_closes_the_list_at_once(browser: Browser, clinic: Clinic, paper: Paper) -> None:
    with window(browser, DESKTOP) as page:
        come_in(page, clinic, paper)
        understand(page)
        with clinic.services() as services:
            rule = services.session.scalars(select(TagRule)).one()
            services.tag_rules.end(rule, at=services.clock(), actor="staff:test")

        page.reload()

        expect(page.get_by_text("The clinic or the patient has ended this access.")).to_be_visible()
