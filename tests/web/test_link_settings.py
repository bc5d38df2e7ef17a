"""What links made in Orthanc ask, as an administrator sets it, and how such links are shown and ended."""

from __future__ import annotations

import pytest

from app.domain.share_links import LinkType
from app.domain.staff import Role
from app.models import Grant
from app.services.share_tokens import Resource
from tests.support.factories import rows, study_in
from tests.support.portal import Portal
from tests.web.test_staff_settings import save
from tests.web.test_staff_study import page_of, signed_in

SHARING = "/staff/settings/sharing"
FORM = {"share_days": "7,30"}
WARNING = "open the images by themselves"


@pytest.fixture
def admin(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN)


def made(portal: Portal, type_: LinkType = LinkType.STONE, *, label: str = "", studies: int = 1) -> Grant:
    """A link as Orthanc asks for one."""
    more = [study_in(portal.services, patient_id=portal.study.patient_id) for _ in range(studies - 1)]
    portal.services.session.add(portal.study)
    wanted = [Resource(one.orthanc_id, one.study_instance_uid) for one in (portal.study, *more)]
    portal.services.share_tokens.make(
        "main", type_, wanted, seconds=86400, expires_at=None, label=label, at=portal.now
    )
    portal.services.session.commit()
    return max(rows(portal.services, Grant), key=lambda grant: grant.id)


def set_rules(portal: Portal, **changes: str) -> None:
    portal.services.rules.set(changes, at=portal.now, actor="test")
    portal.services.session.commit()


def test_what_a_link_asks_is_set_and_said(admin: Portal) -> None:
    answer = save(admin, "sharing", **FORM, link_policy="code+birth-date+password")

    page = admin.get(answer.location).text
    assert "ask for: the patient&#39;s birth date and the password." in page
    assert 'value="code+birth-date+password" checked' in page
    assert WARNING not in page


def test_types_that_lead_straight_to_the_images_come_with_a_warning(admin: Portal) -> None:
    assert WARNING not in admin.get(SHARING).text

    answer = save(
        admin, "sharing", **FORM, direct_links=["ohif-viewer-publication", "stone-viewer-publication"]
    )

    page = admin.get(answer.location).text
    assert page.count(WARNING) == 2  # what was done, and what stands in the form
    assert admin.services.rules.now().direct_links == (LinkType.STONE, LinkType.OHIF)
    save(admin, "sharing", {"direct_links": "stone-viewer-publication,ohif-viewer-publication"}, **FORM)
    admin.services.session.rollback()
    assert admin.services.rules.now().direct_links == ()


@pytest.mark.parametrize("wrong", [{"link_policy": "nothing"}, {"direct_links": ["viewer-instant-link"]}])
def test_nothing_that_there_is_not_can_be_chosen(admin: Portal, wrong: dict[str, object]) -> None:
    answer = save(admin, "sharing", **FORM, **wrong)

    assert answer.status_code == 422
    assert admin.get(SHARING).status_code == 200


def test_a_link_is_listed_with_what_it_asks_and_where_it_comes_from(portal: Portal) -> None:
    made(portal, studies=2)
    page = signed_in(portal, Role.RADIOLOGIST).get("/staff/shares").text

    assert "A link made in Orthanc" in page
    assert "opens with the link and the birth date; from archive main" in page
    assert "and 1 more" in page


def test_a_link_that_asks_nothing_is_marked_in_the_list_and_on_its_page(portal: Portal) -> None:
    set_rules(portal, direct_links="ohif-viewer-publication")
    grant = made(portal, LinkType.OHIF)
    desk = signed_in(portal, Role.RADIOLOGIST)

    listed, page = desk.get("/staff/shares").text, desk.get(f"/staff/grant/{grant.ref}").text

    assert "openings aren't counted" in listed and "not opened" not in listed
    assert "asks nothing" in listed and "straight to the images in OHIF" in listed
    assert "with the link alone" in page
    assert "Whoever has the link sees the images: it asks for nothing." in page


def test_somebodys_own_click_in_orthanc_is_listed_without_alarm(portal: Portal) -> None:
    grant = made(portal, LinkType.VIEW_NOW)
    desk = signed_in(portal, Role.RADIOLOGIST)

    listed, page = desk.get("/staff/shares").text, desk.get(f"/staff/grant/{grant.ref}").text

    assert "own click in Orthanc Explorer, to look; no longer than an hour" in listed
    assert "asks nothing" not in listed and "asks for nothing" not in page


def test_a_link_without_a_name_is_nobodys_sheet(portal: Portal) -> None:
    grant = made(portal)
    desk = signed_in(portal, Role.RADIOLOGIST)

    page = desk.get(f"/staff/grant/{grant.ref}").text
    assert "Access of whoever has the link" in page
    assert "handed on from Orthanc" in page
    assert "The link stops working, whoever has it." in desk.get(f"/staff/grant/{grant.ref}/revoke").text
    assert "whoever has the link" in page_of(desk)


def test_the_password_of_a_link_is_covered_until_somebody_asks(portal: Portal) -> None:
    set_rules(portal, link_policy="code+password")
    grant = made(portal, label="Dr Muster")
    desk = signed_in(portal, Role.RADIOLOGIST)
    paper = portal.services.grants.paper(portal.services.grants.by_ref(grant.ref), at=portal.now)  # type: ignore[arg-type]
    assert paper is not None
    portal.services.session.rollback()

    assert paper.password.grouped not in desk.get(f"/staff/grant/{grant.ref}").text
    shown = desk.post(f"/staff/grant/{grant.ref}/code").text
    assert f'data-copied="{paper.password.grouped}"' in shown
    assert f"/#{paper.code.symbols}!p" in shown


def test_a_link_is_extended_and_revoked_like_any_share(portal: Portal) -> None:
    grant = made(portal)
    desk = signed_in(portal, Role.RADIOLOGIST)

    assert desk.post(f"/staff/grant/{grant.ref}/extend", until="30").location.endswith("done=extended")
    assert desk.post(f"/staff/grant/{grant.ref}/revoke").location.endswith("done=revoked")
    assert grant.ref not in desk.get("/staff/shares").text
