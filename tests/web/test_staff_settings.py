"""The settings: each change says what it does, nothing typed is lost, two administrators at once lose nothing."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from werkzeug.datastructures import MultiDict

from app.domain.staff import Role
from app.models import AuditEvent
from tests.support.factories import events, registered, rows, study_in
from tests.support.paper import pages, scan, text
from tests.support.portal import Portal
from tests.web.test_staff_study import signed_in

SHARING = "/staff/settings/sharing"


def save(portal: Portal, section: str, was: dict[str, str] | None = None, **fields: object):  # type: ignore[no-untyped-def]
    """The form of a page as its administrator fills it; ``was`` is what it showed where that isn't stored any more."""
    data = MultiDict({"csrf_token": portal.csrf})
    for name, value in fields.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    data.update({f"was-{name}": value for name, value in (was or {}).items()})
    return portal.client.post(
        f"/staff/settings/{section}", data=data, base_url=portal.base, headers={"Referer": portal.base + "/"}
    )


@pytest.fixture
def admin(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN)


def clinic(**changes: object) -> dict[str, object]:
    return {
        "name": "Test Clinic",
        "address": "",
        "phone": "+1 555 0199",
        "colour": "#0b5c8a",
        "paper": "A4",
        "language": "en",
    } | changes


@pytest.mark.parametrize("section", ["clinic", "codes", "sharing", "signing-in"])
def test_each_page_opens_for_administrators_alone(portal: Portal, section: str) -> None:
    signed_in(portal, Role.RADIOLOGIST)
    assert portal.get(f"/staff/settings/{section}").status_code == 404
    assert save(portal, section).status_code == 404
    signed_in(portal, Role.ADMIN, "root")
    page = portal.get(f"/staff/settings/{section}")
    assert page.status_code == 200 and "Default" in page.text
    assert portal.get("/staff/settings/nothing").status_code == 404


def test_a_new_name_stands_on_the_next_page_and_in_the_trail(admin: Portal) -> None:
    answer = save(admin, "clinic", **clinic(name="Clínica Moreno", address="Mill Lane\r\nAshford"))

    assert answer.status_code == 303
    assert "sheets already printed keep theirs" in admin.get(answer.location).text
    assert "Clínica Moreno" in admin.get("/?another").text
    told = [
        json.loads(row.details) if isinstance(row.details, str) else row.details
        for row in rows(admin.services, AuditEvent)
        if row.event == "site:changed"
    ]
    assert {one["setting"] for one in told} == {"name", "address"}
    assert {"was": "Test Clinic", "to": "Clínica Moreno"}.items() <= next(
        one for one in told if one["setting"] == "name"
    ).items()


def test_what_cannot_be_used_is_told_at_its_field_and_nothing_is_saved(admin: Portal) -> None:
    answer = save(admin, "clinic", **clinic(name="Other", colour="blue"))

    assert answer.status_code == 422
    assert 'href="#colour"' in answer.text and "A colour is written like #0b5c8a." in answer.text
    assert 'value="Other"' in answer.text and 'value="blue"' in answer.text
    assert "site:changed" not in events(admin.services)


def test_two_administrators_at_different_fields_keep_both_changes(admin: Portal) -> None:
    before = {"share_days": "7,15,30,90,365", "share_until_revoked": "no", "password_in_link": "no"}
    save(admin, "sharing", was=before, share_days="7, 14", password_in_link="")
    answer = save(admin, "sharing", was=before, share_days="7,15,30,90,365", password_in_link="yes")

    assert answer.status_code == 303
    now = admin.services.rules.now()
    assert now.share_days == (7, 14) and now.password_in_link


def test_two_administrators_at_one_field_are_shown_both_values(admin: Portal) -> None:
    before = {"share_days": "7,15,30,90,365", "share_until_revoked": "no", "password_in_link": "no"}
    save(admin, "sharing", was=before, share_days="7,14")
    answer = save(admin, "sharing", was=before, share_days="30")

    assert answer.status_code == 422
    assert "Somebody else has set this meanwhile" in answer.text and "7,14" in answer.text
    assert 'name="share_days" type="text" value="30"' in answer.text
    again = save(admin, "sharing", was=before | {"share_days": "7,14"}, share_days="30")
    assert again.status_code == 303
    admin.services.session.rollback()
    assert admin.services.rules.now().share_days == (30,)


def test_new_codes_work_as_long_as_the_rule_says_and_old_ones_keep_their_end(admin: Portal) -> None:
    before = admin.paper.grant.expires_at
    answer = save(admin, "codes", grant_days="60")
    assert (
        "New codes work for 60 days; sheets already printed keep theirs." in admin.get(answer.location).text
    )

    registered(admin.services)
    study_in(admin.services)
    admin.services.session.rollback()
    newer = admin.services.grants.of_study(study_in(admin.services))[0]
    assert newer.expires_at is not None and (newer.expires_at - newer.issued_at).days == 60
    assert admin.services.grants.by_ref(admin.paper.grant.ref).expires_at == before  # type: ignore[union-attr]
    assert save(admin, "codes", was={"grant_days": "60"}, grant_days="").status_code == 303
    admin.services.session.rollback()
    assert admin.services.rules.now().grant_days == 0


def test_patterns_are_tried_before_they_are_saved(admin: Portal) -> None:
    answer = save(admin, "codes", grant_days="", code_excluded="Mister*", go="try")
    assert "Of the newest 200 studies, 0 would get no code" in answer.text
    answer = save(admin, "codes", grant_days="", code_excluded="MUSTER*\r\nTEST*", go="try")

    assert "Of the newest 200 studies, 1 would get no code" in answer.text
    assert "MUSTER*\nTEST*" in answer.text
    assert admin.services.rules.now().code_excluded == ()


def test_roles_that_need_a_second_factor_name_who_would_be_asked(admin: Portal) -> None:
    assert "<bdi>Dr Anna</bdi>" in admin.get("/staff/settings/signing-in").text
    answer = save(admin, "signing-in", second_factor_roles=["admin", "desk"], lock_minutes="5")
    assert answer.status_code == 303
    admin.services.session.rollback()
    assert admin.services.rules.now().second_factor_roles == (Role.ADMIN, Role.DESK)


def test_patients_get_only_the_languages_that_are_offered(admin: Portal) -> None:
    assert 'lang="es"' in admin.get("/?another", headers={"Accept-Language": "es"}).text
    save(admin, "clinic", **clinic(languages=["en", "de"]))

    assert 'lang="en"' in admin.get("/?another", headers={"Accept-Language": "es"}).text
    assert 'lang="de"' in admin.get("/?another", headers={"Accept-Language": "de-AT"}).text
    assert 'lang="es"' in admin.get("/staff/settings", headers={"Accept-Language": "es"}).text


def test_a_logo_is_put_up_and_taken_away(admin: Portal) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (800, 200), "navy").save(picture, "PNG")

    def post(**data: object):  # type: ignore[no-untyped-def]
        return admin.client.post(
            "/staff/settings/logo",
            data={"csrf_token": admin.csrf, **data},
            base_url=admin.base,
            headers={"Referer": admin.base + "/"},
            content_type="multipart/form-data",
        )

    noise = io.BytesIO(picture.getvalue() + bytes(200_000))  # more than other forms may send
    assert post(logo=(noise, "logo.png")).status_code == 303
    assert admin.get("/logo.png").mimetype == "image/png"
    refused = post(logo=(io.BytesIO(b"<svg/>"), "logo.svg"))
    assert refused.status_code == 422 and "has to be a PNG" in refused.text
    assert post().status_code == 422
    assert post(go="remove").status_code == 303
    assert admin.get("/logo.png").status_code == 404
    assert events(admin.services).count("site:changed") == 2


def test_the_sample_sheet_shows_what_is_typed_and_opens_nothing(admin: Portal) -> None:
    answer = save(admin, "sample", **clinic(name="Clínica Moreno", phone="+34 900 000 000"))

    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert "Clínica Moreno" in text(answer.data) and "Sam Sample" in text(answer.data)
    assert "#" not in scan(pages(answer.data)[0])  # the address alone, no code
    assert "0000-0000-0000" in text(answer.data)
    assert "site:changed" not in events(admin.services)
    assert save(admin, "sample", **clinic(name="")).status_code == 422


def test_a_pale_colour_is_told_to_be_darkened(admin: Portal) -> None:
    pale = admin.get("/staff/settings/colour?colour=%23ffe680").get_json()
    assert "Too pale" in pale["text"] and pale["light"] != "#ffe680"
    assert admin.get("/staff/settings/colour?colour=%230b5c8a").get_json()["light"] == "#0b5c8a"
    assert admin.get("/staff/settings/colour?colour=red").status_code == 404
