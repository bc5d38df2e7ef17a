"""The staff's pages of rules for DICOM tags: looking before saving, the code, changing, a new code, the end."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from app.adapters.mail import Mail
from app.domain.grants import Kind, Standing
from app.domain.staff import Role
from app.models import Grant, TagRule, TagRuleMatch, TagRuleMember
from tests.support.factories import events, rows, study_in
from tests.support.people import account
from tests.support.portal import Portal, public_services
from tests.support.post import mail_server
from tests.support.staff import hidden, signed_in

RULES = "/staff/rules"
FORM = {
    "tag": "ReferringPhysicianName",
    "how": "spellings",
    "value": "Moreno^Ludwig",
    "name": "Dr Ludwig Moreno",
    "view": "1",
    "report": "1",
    "back_days": "all",
    "days": "365",
}


@pytest.fixture
def admin(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN, login="root")


def look(admin: Portal, **fields: str) -> TestResponse:
    return admin.post(f"{RULES}/new", **(FORM | {"go": "look"} | fields))


def save(admin: Portal, **fields: str) -> TestResponse:
    looked = look(admin, **fields)
    return admin.post(f"{RULES}/new", **(FORM | fields | {"go": "save", "looked": hidden(looked, "looked")}))


def made(admin: Portal, **fields: str) -> TagRule:
    answer = save(admin, **fields)
    assert answer.status_code == 303, answer.text
    match_all(admin)
    return rows(admin.services, TagRule)[-1]


def match_all(portal: Portal) -> None:
    while portal.services.tag_matching.work(at=portal.now):
        pass


def in_words(answer: TestResponse) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", answer.text)).split())


def test_the_preview_shows_what_the_rule_then_opens(admin: Portal) -> None:
    hits = [
        study_in(admin.services, referring_physician=name) for name in ("Moreno^Ludwig", "MORENO^LUDWIG^^Dr")
    ]
    ids = {study.id for study in hits}
    study_in(admin.services, referring_physician="MORENO^L")
    study_in(admin.services, referring_physician="Haus^Anna")

    page = look(admin)

    assert "2 studies" in in_words(page)
    assert "MORENO^L" in in_words(page)
    assert "MORENO^LUDWIG^^Dr" in in_words(page)
    made(admin)
    assert {row.study_id for row in rows(admin.services, TagRuleMatch)} == ids


def test_a_value_that_nearly_matches_is_added_by_a_button_and_then_matches(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")
    study_in(admin.services, referring_physician="MORENO^L")

    page = look(admin, add="MORENO^L")

    assert "2 studies" in in_words(page)
    assert 'value="MORENO^L"' in page.text
    assert "Nearly the same" not in page.text


def test_exactly_as_written_counts_only_what_is_written_so(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")
    study_in(admin.services, referring_physician="MORENO^LUDWIG")

    page = look(admin, how="exact")

    assert "1 study" in in_words(page)
    made(admin, how="exact")
    assert len(rows(admin.services, TagRuleMatch)) == 1


def test_nothing_is_saved_that_nobody_has_looked_at(admin: Portal) -> None:
    looked = hidden(look(admin), "looked")

    other = admin.post(f"{RULES}/new", **(FORM | {"go": "save", "looked": looked, "value": "Haus^Anna"}))
    never = admin.post(f"{RULES}/new", **(FORM | {"go": "save"}))

    assert (other.status_code, never.status_code) == (409, 409)
    assert not rows(admin.services, TagRule)


def test_a_name_for_the_group_is_proposed_and_one_that_was_typed_stays(admin: Portal) -> None:
    assert 'value="Ludwig Moreno"' in look(admin, name="").text
    assert 'value="Ludwig Moreno"' not in look(admin, name="Ward 7").text


def test_a_rule_like_another_begins_with_what_that_one_asks_for(admin: Portal) -> None:
    rule = made(admin, value="Moreno^Ludwik", how="exact", may_give_on="1", view="")
    study_in(admin.services, referring_physician="Moreno^Ludwig")

    page = admin.get(f"{RULES}/new?like={rule.id}")

    said = in_words(page)
    assert "The rule for Dr Ludwig Moreno goes on." in said
    assert "Nearly the same, not included Moreno^Ludwig 1 study" in said
    assert 'value="Moreno^Ludwik"' in page.text
    for field in ("exact", "report", "may_give_on"):
        assert re.search(rf'<input id="{field}"[^>]* checked[ >]', page.text), field
    assert not re.search(r'<input id="view"[^>]* checked[ >]', page.text)
    assert admin.get(f"{RULES}/new?like=4711").status_code == 404


def test_a_rule_is_found_by_its_name_or_a_value_and_the_address_does_not_say_what_was_typed(
    admin: Portal,
) -> None:
    made(admin, name="Ward Ärzte 7", value="Haus^Anna")
    made(admin)

    by_name, by_value, none = (admin.post(RULES, q=text) for text in ("arzte wa", "hau", "%"))

    for answer in (by_name, by_value):
        assert answer.status_code == 303
        page = in_words(admin.get(answer.location))
        assert "Ward Ärzte 7" in page and "Dr Ludwig Moreno" not in page
    assert "arzte" not in by_name.location
    assert "No rule has all of these words" in admin.get(none.location).text


def test_rules_that_match_no_study_are_marked_and_listed(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")
    made(admin)
    wrong = made(admin, name="Misspelled", value="Morneo^Ludwig")

    assert "1 matches no study" in in_words(admin.get(RULES))
    idle = in_words(admin.get(f"{RULES}?idle=1"))
    assert "Misspelled" in idle and "Dr Ludwig Moreno" not in idle
    assert f"/staff/rules/new?like={wrong.id}" in admin.get(f"{RULES}/{wrong.id}").text


def test_a_rule_that_is_made_shows_its_code_when_it_is_asked_for(admin: Portal) -> None:
    rule = made(admin)
    page = admin.get(f"{RULES}/{rule.id}?done=made")
    grant = admin.services.grants.by_id(rule.grant_id)
    paper = admin.services.grants.paper(grant, at=admin.now)
    assert paper is not None

    assert page.status_code == 200
    assert paper.code.grouped not in page.text
    shown = admin.post(f"/staff/grant/{grant.ref}/code")
    assert paper.code.grouped in shown.text
    assert "grant:shown" in events(admin.services)
    assert grant.kind == Kind.GROUP
    assert grant.label == "Dr Ludwig Moreno"


def test_where_nothing_is_sealed_code_and_password_are_shown_once(admin: Portal) -> None:
    inner = public_services(admin.app)
    inner.grants._settings = inner.settings.with_(reprint_window=timedelta(0))

    answer = save(admin)

    assert answer.status_code == 200
    assert "shown once" in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"value": ""},
        {"value": "***"},
        {"tag": "PatientID"},
        {"tag": "other", "keyword": "PatientName"},
        {"tag": "other", "keyword": "no keyword"},
        {"back_days": "x"},
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(admin: Portal, fields: dict[str, str]) -> None:
    assert look(admin, **fields).status_code == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"view": "", "report": ""},
        {"days": "3"},
        {"days": "until-revoked"},
        {"addresses": "nobody"},
        {"addresses": "a@b.example\r\nBcc:all@b.example,x"},
    ],
)
def test_what_is_wrong_beside_the_match_is_refused_too(admin: Portal, fields: dict[str, str]) -> None:
    assert save(admin, **fields).status_code == 422
    assert not rows(admin.services, TagRule)


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "%", "a' OR '1'='1", "{{ 7 * 7 }}"])
def test_a_hostile_value_is_text_and_widens_nothing(admin: Portal, value: str) -> None:
    study_in(admin.services, referring_physician=value)
    study_in(admin.services, referring_physician="Moreno^Ludwig")

    page = look(admin, value=value)

    assert "<script>alert" not in page.text
    assert "2 studies" not in in_words(page)


def test_a_wildcard_is_told_to_be_none(admin: Portal) -> None:
    assert "no special meaning" in look(admin, value="Moreno*").text


def test_values_are_offered_while_somebody_types(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")

    answer = admin.post(f"{RULES}/values", tag="ReferringPhysicianName", text="lud")

    assert answer.json == ["Moreno^Ludwig"]


def test_what_can_be_changed_is_changed_and_the_rest_stays(admin: Portal) -> None:
    rule = made(admin)
    member = account(admin.services, "moreno", Role.PHYSICIAN)

    answer = admin.post(
        f"{RULES}/{rule.id}/change",
        name="Dr L. Moreno",
        back_days="90",
        may_give_on="1",
        addresses="moreno@clinic.example",
        member=str(member.id),
        tag="InstitutionName",
        value="Haus^Anna",
    )

    assert answer.status_code == 303
    now = rows(admin.services, TagRule)[0]
    assert (now.name, now.back_days, now.may_give_on, now.announce_to) == (
        "Dr L. Moreno",
        90,
        True,
        "moreno@clinic.example",
    )
    assert (now.tag, now.wanted) == (rule.tag, rule.wanted)
    assert [row.staff_id for row in rows(admin.services, TagRuleMember)] == [member.id]


def test_a_new_code_is_asked_for_first_and_kills_the_old_one(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")
    rule = made(admin)
    old = rule.grant_id
    assert "stops working" in admin.get(f"{RULES}/{rule.id}/code").text

    assert admin.post(f"{RULES}/{rule.id}/code").status_code == 303

    grants = {grant.id: grant for grant in rows(admin.services, Grant)}
    assert grants[old].standing(admin.now) is Standing.REVOKED
    now = rows(admin.services, TagRule)[0]
    assert grants[now.grant_id].standing(admin.now) is Standing.OPEN
    assert now.grant_id != old


def test_ending_says_what_happens_to_whom_and_then_the_rule_opens_nothing(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")
    rule = made(admin)
    question = in_words(admin.get(f"{RULES}/{rule.id}/end"))
    assert "The code that Dr Ludwig Moreno holds stops working." in question

    assert admin.post(f"{RULES}/{rule.id}/end").status_code == 303

    assert not rows(admin.services, TagRuleMatch)
    assert admin.get(f"{RULES}/{rule.id}").status_code == 200
    assert admin.post(f"{RULES}/{rule.id}/code").status_code == 404
    assert "Dr Ludwig Moreno" not in admin.get(RULES).text
    assert "Dr Ludwig Moreno" in admin.get(f"{RULES}?ended=1").text


def test_the_lists_and_the_page_of_its_grant_cope_with_a_group(admin: Portal) -> None:
    rule = made(admin)
    ref = admin.services.grants.by_id(rule.grant_id).ref

    grant = admin.get(f"/staff/grant/{ref}")
    shares = admin.get("/staff/shares")
    limits = admin.get("/staff/limits")

    assert f"{RULES}/{rule.id}" in grant.text
    assert "all in which the group is named" in grant.text
    assert "all studies in which the group is named" in shares.text
    assert limits.status_code == 200
    assert admin.get(f"/staff/grant/{ref}/revoke").status_code == 200


def test_the_background_is_told_and_then_through(admin: Portal) -> None:
    study_in(admin.services, referring_physician="Moreno^Ludwig")
    assert save(admin).status_code == 303
    rule = rows(admin.services, TagRule)[0]

    before = admin.get(f"{RULES}/{rule.id}/progress")
    match_all(admin)
    after = admin.get(f"{RULES}/{rule.id}/progress")

    assert "data-goes-on" in before.text
    assert "data-goes-on" not in after.text
    assert "Studies that match: 1" in in_words(after)
    assert "Nothing at present." in before.text
    assert "Erika Muster" in after.text  # what it opens comes with the count


def test_the_sheet_for_the_group_is_a_pdf_on_record(admin: Portal) -> None:
    rule = made(admin)

    answer = admin.post(f"{RULES}/{rule.id}/sheet")

    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF")
    assert "sheet:printed" in events(admin.services)


def test_a_rule_that_does_not_exist_is_missing(admin: Portal) -> None:
    assert admin.get(f"{RULES}/4711").status_code == 404
    assert admin.get(f"{RULES}/99999999999999999999").status_code == 404


def test_a_mailed_link_of_a_group_is_on_record_and_counts(
    admin: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = made(admin)
    ref = admin.services.grants.by_id(rule.grant_id).ref
    inner = public_services(admin.app)
    with mail_server() as (box, settings):
        monkeypatch.setattr(inner.sharing, "_mail", Mail(settings, inner.settings.base_url))
        answer = admin.post(f"/staff/grant/{ref}/mail", address="moreno@clinic.example")

    assert answer.status_code == 303
    assert len(box.mails) == 1
    assert events(admin.services).count("grant:mailed") == 1
