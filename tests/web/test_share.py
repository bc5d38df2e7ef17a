"""The share form, its mail, the list of shares; and what the physician finds behind the link."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from app.adapters.mail import Mail
from app.domain.events import Event
from app.domain.staff import Role
from app.models import AuditEvent, Grant, ViewerToken
from app.services.grants import Paper
from app.services.rules import SiteRules
from tests.support.factories import change_grant, rows, study_in
from tests.support.portal import Portal, public_services
from tests.support.post import Box, link_in, mail_server
from tests.web.test_staff_study import signed_in

TO = "doctor@example.org"


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal)


@pytest.fixture
def box(portal: Portal) -> Iterator[Box]:
    with mail_server() as (box, settings):
        sharing = public_services(portal.app).sharing
        sharing._mail = Mail(settings, portal.services.settings.base_url)
        yield box


def second(portal: Portal, **changes: str) -> int:
    """One more study of the same patient."""
    study = study_in(portal.services, **({"patient_id": portal.study.patient_id} | changes))
    portal.services.session.commit()
    return study.id


def share(portal: Portal, *studies: int, **fields: str) -> TestResponse:
    typed = {
        "label": "Dr Moreno",
        "kind": "physician",
        "view": "1",
        "report": "1",
        "days": "30",
        "how": "hand",
    }
    wanted = {name: value for name, value in (typed | fields).items() if value}
    return portal.client.post(
        "/staff/share",
        data={"csrf_token": portal.csrf, "study": [str(n) for n in studies or (portal.study_id,)], **wanted},
        base_url=portal.base,
        headers={"Referer": portal.base + "/"},
    )


def newest(portal: Portal) -> tuple[Grant, Paper]:
    grant = rows(portal.services, Grant)[-1]
    found = portal.services.grants.by_ref(grant.ref)
    assert found is not None
    paper = portal.services.grants.paper(found, at=portal.now)
    assert paper is not None
    return found, paper


def physician(portal: Portal) -> Portal:
    """Another browser, before the same door."""
    return Portal(
        portal.app, portal.app.test_client(), portal.services, portal.study, portal.paper, portal.study_id, ""
    )


def rule(portal: Portal, **changes: str) -> None:
    rules: SiteRules = portal.services.rules
    rules.set(changes, at=portal.now, actor="test")
    portal.services.session.commit()


def test_the_form_shows_whose_studies_they_are_and_makes_a_share(desk: Portal) -> None:
    other = second(desk, description="Knie links")
    page = desk.get(f"/staff/share?study={desk.study_id}&study={other}").text
    assert page.count("Erika Muster") >= 2 and "Knie links" in page and "1958-03-27" in page
    assert "several people" not in page

    made = share(desk, desk.study_id, other, kind="delegate", download="1")

    grant, _paper = newest(desk)
    assert made.status_code == 303
    assert made.location == f"/staff/grant/{grant.ref}?done=shared"
    assert (grant.kind, grant.permissions) == ("delegate", "view,report,download")
    assert [study.id for study in grant.studies] == [desk.study_id, other]
    assert "Dr Moreno" in desk.get(made.location).text


def test_studies_of_several_people_are_shared_only_by_whoever_says_so(desk: Portal) -> None:
    other = second(desk, patient_id="P-OTHER", patient_name="Sam^Okafor")
    assert (
        "These studies may be of several people"
        in desk.get(f"/staff/share?study={desk.study_id}&study={other}").text
    )

    refused = share(desk, desk.study_id, other)
    assert refused.status_code == 422
    assert 'href="#several_people"' in refused.text and 'value="Dr Moreno"' in refused.text

    assert share(desk, desk.study_id, other, several_people="1").status_code == 303


def test_what_is_missing_is_said_at_its_field_and_nothing_typed_is_lost(desk: Portal) -> None:
    answer = share(desk, label=" ", view="", report="", days="31", how="mail", address="<b>@x")

    assert answer.status_code == 422
    for field in ("label", "view", "days", "by-hand"):
        assert f'href="#{field}"' in answer.text
    assert rows(desk.services, Grant)[-1].kind == "patient"
    assert "<b>@x" not in answer.text


@pytest.mark.parametrize(
    "query", ["", "?study=0", "?study=99", "?study=x", "?study=-1", "?study=" + "9" * 40, "?study=1&study=99"]
)
def test_a_study_that_does_not_exist_can_not_be_shared(desk: Portal, query: str) -> None:
    assert desk.get(f"/staff/share{query}").status_code == 404


def test_more_than_fifty_studies_are_too_many(desk: Portal) -> None:
    query = "&".join(f"study={n}" for n in range(1, 52))

    assert desk.get(f"/staff/share?{query}").status_code == 413


@pytest.mark.parametrize(
    ("role", "status"), [(Role.ADMIN, 200), (Role.RADIOLOGIST, 200), (Role.DESK, 200), (Role.VIEWER, 404)]
)
def test_who_may_share(portal: Portal, role: Role, status: int) -> None:
    desk = signed_in(portal, role)

    assert desk.get(f"/staff/share?study={desk.study_id}").status_code == status
    assert desk.get("/staff/shares").status_code == status
    assert share(desk).status_code == (303 if status == 200 else 404)


def test_until_revoked_stands_in_the_form_where_the_clinic_allows_it(desk: Portal) -> None:
    form = f"/staff/share?study={desk.study_id}"
    assert "until-revoked" not in desk.get(form).text
    assert share(desk, days="until-revoked").status_code == 422
    rule(desk, share_until_revoked="yes", share_days="3,14")

    assert "until-revoked" in desk.get(form).text and ">3 days<" in desk.get(form).text
    assert share(desk, days="until-revoked").status_code == 303
    assert newest(desk)[0].expires_at is None


def test_without_a_mail_server_the_form_says_so(desk: Portal) -> None:
    assert "Mailing is switched off" in desk.get(f"/staff/share?study={desk.study_id}").text


def test_the_link_is_mailed_and_the_password_stays_here(desk: Portal, box: Box) -> None:
    made = share(desk, how="mail", address=f" {TO} ", language="de")

    grant, paper = newest(desk)
    assert made.location == f"/staff/grant/{grant.ref}?done=mailed"
    (message,) = box.mails
    assert message["To"] == TO and message["Content-Language"] in ("de", "en")
    assert link_in(message).endswith(f"/#{paper.code.symbols}!p")
    assert grant.mailed_at == desk.now


def test_a_mail_that_fails_is_said_and_can_be_sent_again(desk: Portal, box: Box) -> None:
    box.rcpt_answer = "550 no such user"
    failed = share(desk, how="mail", address=TO)
    grant, paper = newest(desk)
    assert failed.status_code == 422
    assert "The share itself is made" in failed.text and f'value="{TO}"' in failed.text
    assert grant.mailed_at is None
    box.rcpt_answer = ""

    again = desk.post(f"/staff/grant/{grant.ref}/mail", address="other@example.org", language="en")

    assert again.location == f"/staff/grant/{grant.ref}?done=mailed"
    assert box.mails[0]["To"] == "other@example.org"
    assert link_in(box.mails[0]).endswith(f"/#{paper.code.symbols}!p")
    details = [row.details for row in rows(desk.services, AuditEvent) if row.event == Event.GRANT_MAILED]
    assert details == [{"to": "o•••@example.org"}]


def test_a_server_that_is_away_leaves_the_share_alive(desk: Portal, box: Box) -> None:
    box.data_answer = "451 later"
    share(desk, how="mail", address=TO)
    grant, _paper = newest(desk)

    answer = desk.post(f"/staff/grant/{grant.ref}/mail", address="no address")

    assert answer.status_code == 422
    assert "Write one mail address" in answer.text
    assert grant.revoked_at is None


def test_the_patients_own_code_is_not_mailed_from_here(desk: Portal, box: Box) -> None:
    ref = rows(desk.services, Grant)[0].ref

    assert desk.get(f"/staff/grant/{ref}/mail").status_code == 404
    assert desk.post(f"/staff/grant/{ref}/mail", address=TO).status_code == 404
    assert desk.get("/staff/grant/0123456789abcdef/mail").status_code == 404


def test_a_share_that_ended_leads_back_to_its_page(desk: Portal, box: Box) -> None:
    share(desk)
    grant, _paper = newest(desk)
    change_grant(desk.services, grant, revoked_at=desk.now)

    for answer in (desk.get(f"/staff/grant/{grant.ref}/mail"), desk.post(f"/staff/grant/{grant.ref}/mail")):
        assert answer.location == f"/staff/grant/{grant.ref}"
    assert box.mails == []


def test_where_nothing_is_kept_code_and_password_are_shown_once(desk: Portal, box: Box) -> None:
    inner = public_services(desk.app)
    settings = inner.settings.with_(reprint_window=desk.now - desk.now)
    inner.grants._settings = settings

    answer = share(desk, how="mail", address=TO)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    password = re.search(r"\b(\d{3} \d{3} \d{4})\b", answer.text)
    assert password is not None and rows(desk.services, Grant)[-1].sealed is None
    code = link_in(box.mails[0]).partition("#")[2].removesuffix("!p")
    doctor = physician(desk)
    opened = doctor.post("/", code=code, password=password[1], go="study")
    assert opened.location == f"/study/{desk.study_id}"


def test_the_list_says_what_is_shared_with_whom(desk: Portal) -> None:
    assert "Nothing is shared" in desk.get("/staff/shares").text
    other = second(desk)
    share(desk, desk.study_id, other, label="Dr <Moreno>")
    grant, paper = newest(desk)
    physician(desk).post("/", code=paper.code.grouped, password=paper.password.digits)

    page = desk.get("/staff/shares").text

    assert "Dr &lt;Moreno&gt;" in page and "Erika Muster" in page and "and 1 more" in page
    assert f'href="/staff/grant/{grant.ref}"' in page and "opened" in page
    assert "2026-12-20" in page


# What the physician finds.


def test_the_physician_needs_no_birth_date_and_comes_to_the_list_of_studies(desk: Portal) -> None:
    other = second(desk, description="Knie links")
    share(desk, desk.study_id, other)
    _grant, paper = newest(desk)
    doctor = physician(desk)

    opened = doctor.post("/", code=paper.code.grouped, password=paper.password.grouped, go="images")

    assert opened.location == doctor.get("/").location == "/studies"
    page = doctor.get("/studies").text
    assert "CT scan of the chest" in page and "Knie links" in page and page.count("Open the images") == 2
    assert doctor.get("/studies").headers["Cache-Control"] == "no-store"
    assert "stone-webviewer" in doctor.post(f"/study/{other}/viewer").location


def test_a_share_of_the_report_alone_opens_no_images(desk: Portal) -> None:
    other = second(desk)
    share(desk, desk.study_id, other, view="")
    _grant, paper = newest(desk)
    doctor = physician(desk)
    doctor.post("/", code=paper.code.grouped, password=paper.password.grouped)

    page = doctor.get("/studies").text

    assert "Open the images" not in page and "Light look" not in page
    assert doctor.post(f"/study/{other}/viewer").location == f"/study/{other}"
    assert doctor.get(f"/study/{other}/look").status_code == 404
    assert doctor.get(f"/study/{other}/look/1/1.jpg").status_code == 404
    assert rows(desk.services, ViewerToken) == []


def test_a_share_of_several_people_names_each_at_the_study(desk: Portal) -> None:
    other = second(desk, patient_id="P-OTHER", patient_name="Okafor^Sam")
    share(desk, desk.study_id, other, several_people="1")
    _grant, paper = newest(desk)
    doctor = physician(desk)
    doctor.post("/", code=paper.code.grouped, password=paper.password.grouped)

    page = doctor.get("/studies").text

    assert "These studies are of several people" in page
    assert "Sam Okafor" in page and "Erika Muster" in page


def test_a_share_that_is_revoked_closes_the_physicians_visit(desk: Portal) -> None:
    share(desk, desk.study_id, second(desk))
    grant, paper = newest(desk)
    doctor = physician(desk)
    doctor.post("/", code=paper.code.grouped, password=paper.password.grouped)
    assert doctor.get("/studies").status_code == 200

    assert desk.post(f"/staff/grant/{grant.ref}/revoke").status_code == 303

    assert doctor.get("/studies").status_code == 403
    assert "ended this access" in doctor.get("/studies").text


def test_a_link_with_the_password_opens_when_pasted_whole_without_script(desk: Portal, box: Box) -> None:
    rule(desk, password_in_link="yes")
    assert "carries the code and the password" in desk.get(f"/staff/share?study={desk.study_id}").text
    share(desk, how="mail", address=TO)
    doctor = physician(desk)

    opened = doctor.post("/", code=link_in(box.mails[0]), go="study")

    assert opened.location == f"/study/{desk.study_id}"


def test_a_pasted_link_is_given_back_without_its_password(desk: Portal, box: Box) -> None:
    rule(desk, password_in_link="yes")
    share(desk, how="mail", address=TO)
    grant, paper = newest(desk)
    change_grant(desk.services, grant, revoked_at=desk.now)

    refused = physician(desk).post("/", code=link_in(box.mails[0]), go="study")

    assert refused.status_code == 403
    assert paper.password.digits not in refused.text
