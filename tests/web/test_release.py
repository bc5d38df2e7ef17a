"""Release at the public door: what comes when is said in words, and no way leads to it before."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.domain.grants import Kind
from app.domain.staff import Role
from app.models import Report, ViewerToken, grant_study
from app.services.authorization import Question
from app.web.access import Who
from tests.guardrails.test_routes import ROUTES
from tests.support.clock import Clock
from tests.support.factories import change_grant, events, rows, study_in
from tests.support.fake_orthanc import JPEG
from tests.support.portal import Portal
from tests.support.staff import person, signed_in

SECRET_WORDS = "Words that nobody may read yet"
# What each way of a visit gives of a study that isn't released: the words of its page, the way back to it, nothing.
WORDS, BACK, NOTHING = "words", "back", "nothing"
BEFORE = {
    ("GET", "/studies"): WORDS,
    ("GET", "/study/<int:study_id>"): WORDS,
    ("POST", "/study/<int:study_id>/viewer"): BACK,
    ("GET", "/study/<int:study_id>/look"): BACK,
    ("GET", "/study/<int:study_id>/look/<int:series>/<int:number>.jpg"): NOTHING,
    ("GET", "/study/<int:study_id>/report"): NOTHING,
    ("GET", "/study/<int:study_id>/report.pdf"): NOTHING,
    ("GET", "/study/<int:study_id>/preview.jpg"): NOTHING,
    ("GET", "/study/<int:study_id>/download"): BACK,
    ("GET", "/study/<int:study_id>/images.zip"): BACK,
}
# A hand over one's own study waits for no release, and no such page shows anything of it: what is answered to whoever
# owns the study, and to whoever was let in by an owner.
CONTROL = {
    ("GET", "/study/<int:study_id>/openings"): (200, 200),
    ("GET", "/study/<int:study_id>/share"): (200, 404),
    ("POST", "/study/<int:study_id>/share"): (422, 404),  # an empty form
    ("GET", "/study/<int:study_id>/share/<ref>/end"): (404, 404),  # of nobody
    ("POST", "/study/<int:study_id>/share/<ref>/end"): (303, 404),
    ("GET", "/study/<int:study_id>/stop"): (200, 404),
    ("POST", "/study/<int:study_id>/stop"): (200, 404),
    ("POST", "/visit/stay"): (200, 200),
    # Of those whom a tag names; they see at once what staff sees, and no other code leads there.
    ("GET", "/list/<int:rule_id>"): (404, 404),
    ("POST", "/list/<int:rule_id>/search"): (404, 404),
    ("POST", "/list/<int:rule_id>/understood"): (404, 404),
}


def set_rules(portal: Portal, **changes: str) -> None:
    portal.services.session.rollback()
    portal.services.rules.set(changes, at=portal.now, actor="staff:root")
    portal.services.session.commit()


def sign(portal: Portal, *, version: int = 1, words: str = SECRET_WORDS) -> None:
    services = portal.services
    services.session.rollback()
    staff = services.staff.by_login("writer") or person(services, "writer")
    services.session.add(
        Report(
            study_id=portal.study_id,
            version=version,
            findings=words,
            impression="",
            reason="More was seen." if version > 1 else None,
            written_by_id=staff.id,
            saved_at=portal.now,
            signed_at=portal.now,
            signed_by_id=staff.id,
            signed_name="Dr Anna",
        )
    )
    services.session.commit()


def ask(portal: Portal, method: str, path: str) -> TestResponse:
    path = path.replace("<int:study_id>", str(portal.study_id))
    path = path.replace("<int:series>", "1").replace("<int:number>", "1")
    path = path.replace("<int:rule_id>", "1").replace("<ref>", "0" * 16)
    if method == "POST":
        return portal.post(path, narrow="0")
    return portal.client.open(path, method=method, base_url=portal.base, buffered=True)


def two_studies(portal: Portal) -> None:
    """The visit opens one more: so the list of studies is a page."""
    services = portal.services
    services.session.rollback()
    other = study_in(services)
    services.session.execute(insert(grant_study).values(grant_id=portal.paper.grant.id, study_id=other.id))
    services.session.commit()


def test_every_way_of_a_visit_is_looked_at_here() -> None:
    """Whoever adds one decides what it gives before the release."""
    assert not set(BEFORE) & set(CONTROL)
    assert set(BEFORE) | set(CONTROL) == {route for route, (who, *_) in ROUTES.items() if who is Who.VISITOR}


@pytest.mark.parametrize("way", BEFORE, ids=" ".join)
@pytest.mark.parametrize("kind", [Kind.PATIENT, Kind.GUARDIAN, Kind.DELEGATE])
@pytest.mark.parametrize("how", ["rule", "held"])
def test_no_way_leads_to_images_or_report_before_they_are_released(
    portal: Portal, way: tuple[str, str], kind: Kind, how: str
) -> None:
    change_grant(portal.services, portal.paper.grant, kind=kind)
    two_studies(portal)
    sign(portal)
    portal.prove(go="study")
    if how == "rule":
        set_rules(portal, release_images="at-signing+2d", release_report="at-signing+2d")
    else:
        hold(portal)
    told = events(portal.services)

    for method in {way[0]} | ({"HEAD"} if way[0] == "GET" else set()):
        answer = ask(portal, method, way[1])

        assert answer.status_code == {WORDS: 200, BACK: 303, NOTHING: 404}[BEFORE[way]]
        if BEFORE[way] == BACK:
            assert answer.location == f"/study/{portal.study_id}"
        shows_nothing(portal, answer)
    assert rows(portal.services, ViewerToken) == []
    assert events(portal.services) == told, "nothing was opened, so nothing is on record as opened"


@pytest.mark.parametrize("way", CONTROL, ids=" ".join)
@pytest.mark.parametrize("kind", [Kind.PATIENT, Kind.GUARDIAN, Kind.DELEGATE])
def test_a_hand_over_the_own_study_shows_nothing_of_it_before_the_release(
    portal: Portal, way: tuple[str, str], kind: Kind
) -> None:
    change_grant(portal.services, portal.paper.grant, kind=kind)
    sign(portal)
    portal.prove(go="study")
    hold(portal)

    answer = ask(portal, *way)

    assert answer.status_code == CONTROL[way][kind is Kind.DELEGATE]
    shows_nothing(portal, answer)
    assert rows(portal.services, ViewerToken) == []


def test_whoever_is_let_in_before_the_release_waits_for_it_too(portal: Portal, clock: Clock) -> None:
    set_rules(portal, release_images="at-once+2d")
    portal.prove(go="study")
    share = f"/study/{portal.study_id}/share"
    page = portal.post(share, label="Dr Weber", view="1", report="1", days="7").text
    code, password = re.findall(r'class="code"[^>]*>([^<]+)<', page)[:2]
    doctor = replace(portal, client=portal.app.test_client())

    doctor.post("/", code=code, password=password, go="study")

    assert "The images can be seen from Sunday, November 22" in doctor.get(f"/study/{portal.study_id}").text
    assert doctor.post(f"/study/{portal.study_id}/viewer").location == f"/study/{portal.study_id}"
    clock.forward(days=2)
    doctor.post("/", code=code, password=password, go="study")
    assert "token=" in doctor.post(f"/study/{portal.study_id}/viewer").location


def shows_nothing(portal: Portal, answer: TestResponse) -> None:
    """Neither images nor report, nor a way to them."""
    assert JPEG not in answer.data and b"%PDF" not in answer.data
    assert SECRET_WORDS.encode() not in answer.data
    for way in ("report.pdf", "look", "images.zip", "preview.jpg"):
        assert f"/study/{portal.study_id}/{way}" not in answer.text
    assert "token=" not in str(answer.headers)


def hold(portal: Portal, go: str = "hold") -> None:
    writer = signed_in(portal, Role.RADIOLOGIST, login="holder")
    assert writer.post(f"/staff/study/{portal.study_id}/release", go=go).status_code == 303


@pytest.mark.parametrize("way", BEFORE, ids=" ".join)
def test_a_physician_with_whom_staff_shared_sees_all_of_it_at_once(
    portal: Portal, way: tuple[str, str]
) -> None:
    change_grant(portal.services, portal.paper.grant, kind=Kind.PHYSICIAN)
    two_studies(portal)
    sign(portal)
    set_rules(portal, release_images="at-signing+2d", release_report="at-signing+2d")
    portal.prove(go="study")

    answer = ask(portal, *way)

    assert answer.status_code == (303 if way[0] == "POST" else 200)
    assert b"can't be seen yet" not in answer.data


def test_after_the_proof_nobody_lands_on_an_error_but_on_what_comes_when(
    portal: Portal, clock: Clock
) -> None:
    set_rules(portal, release_images="at-once+2d")

    answer = portal.prove()

    assert (answer.status_code, answer.location) == (303, f"/study/{portal.study_id}")
    page = portal.get(answer.location).text
    assert "The images can be seen from Sunday, November 22, 2026, 9:00" in page
    assert "The report follows once a physician has signed it." in page
    assert "+1 555 0199" in page
    assert "Open the images" not in page and "Light look" not in page
    clock.forward(days=2)
    assert "stone-webviewer" in portal.prove().location


def test_before_the_proof_nothing_is_told_of_the_release(portal: Portal) -> None:
    before = portal.prove(year="1957").text
    set_rules(portal, release_images="at-signing")

    after = portal.prove(year="1957").text

    for words in ("signed", "can be seen", "not open yet"):
        assert words not in after
    assert re.sub(r'value="[^"]*"', "", before) == re.sub(r'value="[^"]*"', "", after)


def test_the_report_comes_after_its_delay_and_an_amendment_at_once(portal: Portal, clock: Clock) -> None:
    set_rules(portal, release_report="at-signing+1d")
    sign(portal)
    portal.prove(go="study")
    page = portal.get(f"/study/{portal.study_id}").text
    assert "The report can be read from Saturday, November 21, 2026" in page
    assert "Open the images" in page

    clock.forward(days=1)
    sign(portal, version=2, words="Another text")
    portal.prove(go="study")

    assert "Read the report" in portal.get(f"/study/{portal.study_id}").text
    assert portal.get(f"/study/{portal.study_id}/report.pdf").data.startswith(b"%PDF")


def test_a_mammogram_waits_where_a_ct_does_not(portal: Portal) -> None:
    set_rules(portal, release_by_modality="MG images at-signing+48h")
    services = portal.services
    mammogram = study_in(services, modalities=("MG", "US"))
    services.session.execute(
        insert(grant_study).values(grant_id=portal.paper.grant.id, study_id=mammogram.id)
    )
    services.session.commit()

    listed = portal.get(portal.prove().location).text

    assert "The images can be seen 2 days after a physician has signed the report." in listed
    assert listed.count("Open the images") == 1


def test_holding_back_closes_a_viewer_that_is_open(portal: Portal) -> None:
    token = re.search(r"token=([\w.~-]+)", portal.prove().location)
    assert token is not None
    question = Question("main", "get", "study", token[1], None, portal.uid)
    assert portal.services.authorization.answer(question, at=portal.now).is_granted

    hold(portal)

    assert not portal.services.authorization.answer(question, at=portal.now).is_granted
    assert "keeping the images closed" in portal.get(f"/study/{portal.study_id}").text
    hold(portal, "undo")
    assert "Open the images" in portal.get(f"/study/{portal.study_id}").text


def test_the_studys_page_says_what_the_patient_sees_and_lets_whoever_writes_change_it(
    portal: Portal, clock: Clock
) -> None:
    set_rules(portal, release_images="at-signing+1d")
    writer = signed_in(portal, Role.RADIOLOGIST)
    here = f"/staff/study/{portal.study_id}"
    page = writer.get(here).text
    assert "1 day after the report is signed" in page and "once the report is signed" in page

    answer = writer.post(f"{here}/release", go="release")
    page = writer.get(answer.location).text

    assert "Released: the patient sees the images" in page and "released by hand" in page
    assert "since Nov 20, 2026, 9:00" in page
    assert "Images: 1 day after the report is signed." in page, "what the rule would say"
    assert writer.post(f"{here}/release", go="give").status_code == 400
    assert "was released to the patient by hand" in page


@pytest.mark.parametrize("role", [Role.DESK, Role.VIEWER])
def test_who_does_not_write_reports_sees_the_release_and_cannot_change_it(portal: Portal, role: Role) -> None:
    browser = signed_in(portal, role, login="otto")
    here = f"/staff/study/{portal.study_id}"

    page = browser.get(here).text

    assert "What the patient sees" in page and "Release now" not in page
    assert browser.post(f"{here}/release", go="hold").status_code == 404


# The settings.


def save(admin: Portal, go: str = "save", **fields: str) -> TestResponse:
    """The form of the settings, with the defaults where nothing else is given."""
    form = {
        "release_images-when": "at-once",
        "release_images-unit": "h",
        "release_report-unit": "h",
        "was-release_images": "at-once",
        "was-release_report": "at-signing",
        "was-release_by_modality": "",
    } | {name.replace("__", "-"): value for name, value in fields.items()}
    data = MultiDict({"csrf_token": admin.csrf, "go": go, **form})
    for row in ("row1", "new"):
        data.add("row", row)
    return admin.client.post(
        "/staff/settings/release", data=data, base_url=admin.base, headers={"Referer": admin.base + "/"}
    )


@pytest.fixture
def admin(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN, login="root")


def rule(admin: Portal) -> str:
    admin.services.session.rollback()
    now = admin.services.rules.now()
    return f"{now.release_images} {now.release_report} {','.join(map(str, now.release_by_modality))}"


def test_a_line_for_mammograms_is_added_told_and_removed(admin: Portal) -> None:
    mammograms = {"when": "at-signing", "number": "48", "unit": "h", "report-number": "0", "report-unit": "d"}
    added = save(admin, release_report__number="3", release_report__unit="d", new__modality="MG",
                 **{f"new-{key}": value for key, value in mammograms.items()})  # fmt: skip

    assert added.status_code == 303
    lines = "MG images at-signing+2d,MG report at-signing"
    assert rule(admin) == f"at-once at-signing+3d {lines}"
    page = admin.get(added.location).text
    assert "The images can be seen 2 days after a physician has signed the report." in page
    shown = {"was-release_by_modality": lines, "was-release_report": "at-signing+3d"}
    kept = {"release_report-number": "3", "release_report-unit": "d"}
    save(admin, **shown, **kept, **{"row1-modality": "MG", "row1-when": "at-signing", "row1-remove": "1"})
    assert rule(admin) == "at-once at-signing+3d "


def test_trying_shows_what_a_patient_would_read_and_saves_nothing(admin: Portal) -> None:
    answer = save(admin, "try", release_images__when="at-signing")

    assert "The images can be seen once a physician has signed the report." in answer.text
    assert rule(admin) == "at-once at-signing "


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"release_images-number": "soon"}, "release_images", "whole hours or days"),
        ({"release_images-number": "1,5"}, "release_images", "whole hours or days"),
        ({"release_report-number": "366", "release_report-unit": "d"}, "release_report", "at most 365 days"),
        ({"new-when": "at-signing"}, "release_by_modality", "A modality is written like CT"),
        ({"new-modality": "MG", "new-number": "2"}, "release_by_modality", "A delay begins at a moment"),
        ({"new-modality": "MG", "new-when": "never"}, "release_by_modality", "whole hours or days"),
    ],
)
def test_what_cannot_be_meant_is_told_and_stays_in_the_form(
    admin: Portal, fields: dict[str, str], place: str, said: str
) -> None:
    answer = save(admin, **fields)

    assert answer.status_code == 422
    assert f'href="#{place}"' in answer.text and said in answer.text
    assert rule(admin) == "at-once at-signing "


def test_two_administrators_at_once_lose_nothing(admin: Portal) -> None:
    set_rules(admin, release_images="at-signing")

    answer = save(admin, release_images__number="2")

    assert answer.status_code == 422 and "Somebody else has changed this meanwhile" in answer.text
    assert rule(admin) == "at-signing at-signing "


def test_a_delay_is_told_to_the_minute_and_kept(portal: Portal, clock: Clock) -> None:
    clock.forward(seconds=30)
    set_rules(portal, release_images="at-once+1h")
    clock.now = clock.now.replace(hour=9, minute=59, second=59) + timedelta(0)
    portal.prove()
    assert "10:00" in portal.get(f"/study/{portal.study_id}").text
    clock.forward(seconds=1)
    assert "Open the images" in portal.get(f"/study/{portal.study_id}").text
