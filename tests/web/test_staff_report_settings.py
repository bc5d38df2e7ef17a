"""Templates and text blocks on their pages: what is typed isn't lost, what happens is said, nobody else comes in."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from app.domain.staff import Role
from app.models import ReportTemplate, TextBlock
from app.services.report_templates import FIELDS
from app.web.staff.text_blocks import NEW_ROWS, ROWS
from tests.support.factories import rows
from tests.support.portal import Portal
from tests.web.test_staff_study import signed_in

REPORTS = "/staff/settings/reports"
SHARED, OWN = f"{REPORTS}/text-blocks", "/staff/account/text-blocks"


@pytest.fixture
def admin(portal: Portal) -> Portal:
    return signed_in(portal, Role.ADMIN)


def save(portal: Portal, path: str, was: dict[str, str] | None = None, **fields: str) -> TestResponse:
    """A template's form as it is filled; ``was`` is what it showed where that isn't stored any more."""
    typed = dict.fromkeys(FIELDS, "") | fields
    return portal.post(path, **typed, **{f"was-{name}": text for name, text in (was or {}).items()})


def form(portal: Portal, path: str, **changes: str) -> TestResponse:
    """The form of text blocks as the page shows it, with changes."""
    page = portal.get(path).text.split('class="panel blocks"')[1].split("</form>")[0]
    fields = [
        (name, value) for name, value in re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    ]
    texts = re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n([^<]*)</textarea>', page)
    typed = [(name, value) for name, value in fields + texts if not name.startswith(("delete-", "csrf"))]
    known = [(name, changes.pop(name, value)) for name, value in typed]
    return post(portal, path, [*known, *changes.items()])


def post(portal: Portal, path: str, fields: list[tuple[str, str]]) -> TestResponse:
    return portal.client.post(
        path,
        data=urlencode([("csrf_token", portal.csrf), *fields]),
        content_type="application/x-www-form-urlencoded",
        base_url=portal.base,
        headers={"Referer": portal.base + "/"},
    )


def test_templates_and_shared_blocks_are_for_administrators_and_own_blocks_for_writers(
    portal: Portal,
) -> None:
    for login, role, settings, own in [
        ("root", Role.ADMIN, 200, 200),
        ("anna", Role.RADIOLOGIST, 404, 200),
        ("dora", Role.DESK, 404, 404),
        ("vera", Role.VIEWER, 404, 404),
    ]:
        signed_in(portal, role, login)
        assert {portal.get(path).status_code for path in (REPORTS, f"{REPORTS}/new", SHARED)} == {settings}
        assert portal.get(OWN).status_code == own
        assert ("My text blocks" in portal.get("/staff/account/").text) is (own == 200)


def test_a_template_is_made_shown_changed_and_deleted(admin: Portal) -> None:
    assert "There is none yet" in admin.get(REPORTS).text
    made = save(
        admin, f"{REPORTS}/new", modality="CT", findings="**Liver** 3*4*5 mm\n- a", impression_heading="Sum"
    )
    assert made.status_code == 303
    assert "were begun before stay as they are" in admin.get(made.location).text
    path = f"{REPORTS}/{rows(admin.services, ReportTemplate)[0].id}"
    page = admin.get(path).text
    assert "<strong>Liver</strong> 3*4*5 mm" in page and '<li dir="ltr">a</li>' in page and "Sum</h4>" in page

    changed = save(admin, path, modality="CT", name="Abdomen")
    assert changed.status_code == 303
    assert [(one.name, one.findings) for one in rows(admin.services, ReportTemplate)] == [("Abdomen", "")]

    assert "keep their headings and text" in admin.get(path).text
    assert "deleted" in admin.get(admin.post(f"{path}/delete").location).text
    assert rows(admin.services, ReportTemplate) == []
    assert admin.get(path).status_code == 404


def test_what_cannot_be_used_is_told_at_its_field_with_everything_that_was_typed(admin: Portal) -> None:
    answer = save(admin, f"{REPORTS}/new", modality="CT", findings_heading="x" * 81, findings="Kept words")

    assert answer.status_code == 422
    assert 'href="#findings_heading"' in answer.text and "80 characters at most" in answer.text
    assert "Kept words" in answer.text
    assert rows(admin.services, ReportTemplate) == []


def test_looking_saves_nothing(admin: Portal) -> None:
    answer = save(admin, f"{REPORTS}/new", language="de", findings="**fett**", go="try")

    assert answer.status_code == 200 and "<strong>fett</strong>" in answer.text and "Befund" in answer.text
    assert rows(admin.services, ReportTemplate) == []


def test_two_administrators_at_one_template_lose_nothing(admin: Portal) -> None:
    save(admin, f"{REPORTS}/new", modality="CT", findings="first", technique="first")
    path = f"{REPORTS}/{rows(admin.services, ReportTemplate)[0].id}"
    seen = dict.fromkeys(FIELDS, "") | {"modality": "CT", "findings": "first", "technique": "first"}
    save(admin, path, was=seen, modality="CT", findings="theirs", technique="first")

    merged = save(admin, path, was=seen, modality="CT", findings="first", technique="mine")
    assert merged.status_code == 303
    (template,) = rows(admin.services, ReportTemplate)
    assert (template.findings, template.technique) == ("theirs", "mine")

    clash = save(admin, path, was=seen, modality="CT", findings="mine", technique="first")
    assert clash.status_code == 422 and "Somebody else has set this meanwhile" in clash.text
    assert "theirs" in clash.text and rows(admin.services, ReportTemplate)[0].findings == "theirs"


@pytest.mark.parametrize("path", [SHARED, OWN])
def test_several_rows_are_edited_at_once(admin: Portal, path: str) -> None:
    added = form(
        admin,
        path,
        **{"letters-new0": "NLung", "text-new0": "Lungs clear.", "letters-new1": "b", "text-new1": "x"},
    )
    assert added.status_code == 303 and "Blocks added: 2." in admin.get(added.location).text
    b, lung = sorted(rows(admin.services, TextBlock), key=lambda one: one.letters)

    changed = form(
        admin,
        path,
        **{f"text-{lung.id}": "No nodule.", f"delete-{b.id}": "yes", "letters-new0": "c", "text-new0": "y"},
    )
    page = admin.get(changed.location).text
    assert all(said in page for said in ("Blocks added: 1.", "Blocks changed: 1.", "Blocks deleted: 1."))
    assert {one.letters: one.text for one in rows(admin.services, TextBlock)} == {
        "nlung": "No nodule.",
        "c": "y",
    }
    assert {one.staff_id is None for one in rows(admin.services, TextBlock)} == {path == SHARED}
    assert "Nothing was changed." in admin.get(form(admin, path).location).text


def test_a_row_that_cannot_be_saved_keeps_all_that_was_typed(admin: Portal) -> None:
    answer = form(
        admin,
        OWN,
        **{"letters-new0": "a b", "text-new0": "One <b>", "letters-new1": "ok", "text-new1": "Two"},
    )

    assert answer.status_code == 422
    assert 'href="#letters-new0"' in answer.text and 'value="a b"' in answer.text
    assert "One &lt;b&gt;" in answer.text and "Two" in answer.text
    assert rows(admin.services, TextBlock) == []


def test_a_row_that_somebody_else_changed_is_saved_by_saving_again(admin: Portal) -> None:
    form(admin, SHARED, **{"letters-new0": "a", "text-new0": "first"})
    (block,) = rows(admin.services, TextBlock)
    key, seen = block.id, re.search(r'name="seen-\d+" value="(\w+)"', admin.get(SHARED).text)
    assert seen is not None
    form(admin, SHARED, **{f"text-{key}": "theirs"})

    mine = [("row", str(key)), (f"letters-{key}", "a"), (f"text-{key}", "mine")]
    clash = post(admin, SHARED, [*mine, (f"seen-{key}", seen[1])])
    assert clash.status_code == 422 and "theirs" in clash.text and "mine" in clash.text
    again = re.search(r'name="seen-\d+" value="(\w+)"', clash.text)
    assert again is not None
    assert post(admin, SHARED, [*mine, (f"seen-{key}", again[1])]).status_code == 303
    assert rows(admin.services, TextBlock)[0].text == "mine"


def test_a_pasted_table_is_taken_over(admin: Portal) -> None:
    answer = admin.post(f"{OWN}/paste", lines="a\tone\r\nb\ttwo\r\n")
    assert "Blocks added: 2." in admin.get(answer.location).text
    left = admin.post(f"{OWN}/paste", lines="a\tother\nc\tthree")
    assert "letters exist already: 1." in admin.get(left.location).text
    wrong = admin.post(f"{OWN}/paste", lines="d\tfour\nno tab", replaces="yes")
    assert wrong.status_code == 422 and "Row 2:" in wrong.text and "no tab" in wrong.text
    assert [one.letters for one in rows(admin.services, TextBlock)] == ["a", "b", "c"]


def test_many_blocks_stand_on_several_pages_and_are_found(admin: Portal) -> None:
    admin.post(f"{OWN}/paste", lines="\n".join(f"a{number:03}\tword{number}" for number in range(100)))

    first, last = admin.get(OWN).text, admin.get(f"{OWN}?page=9").text
    assert first.count('name="row"') == ROWS + NEW_ROWS and "a000" in first and "a099" in last
    found = admin.get(f"{OWN}?find=WORD42").text
    assert "a042" in found and found.count('name="row"') == 1 + NEW_ROWS


def test_a_full_page_of_the_longest_blocks_is_accepted(admin: Portal) -> None:
    lines = "\n".join(f"a{number:02}\t" + "ж" * 5_000 for number in range(ROWS))
    assert admin.post(f"{OWN}/paste", lines=lines).status_code == 303
    assert form(admin, OWN, **{"letters-new0": "b", "text-new0": "я" * 5_000}).status_code == 303
    assert len(rows(admin.services, TextBlock)) == ROWS + 1
