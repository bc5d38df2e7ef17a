"""The page on which a report is written: nothing typed is lost, and nothing is signed that wasn't seen."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from app.domain.staff import Role
from app.models import AuditEvent, Report, ReportAside, ReportFile, ReportTemplate, TextBlock
from tests.support.factories import rows, study_in
from tests.support.portal import Portal
from tests.support.staff import signed_in


def here(desk: Portal, more: str = "") -> str:
    return f"/staff/study/{desk.study_id}/report{more}"


def save(desk: Portal, revision: int = 0, go: str = "save", **fields: str) -> TestResponse:
    return desk.post(here(desk), revision=str(revision), go=go, **fields)


def autosave(desk: Portal, revision: int = 0, **fields: str) -> TestResponse:
    return desk.post(here(desk, "/autosave"), revision=str(revision), in_place="1", **fields)


def sign(desk: Portal, revision: int) -> TestResponse:
    return desk.post(here(desk, "/sign"), revision=str(revision))


@pytest.fixture
def desk(portal: Portal) -> Portal:
    return signed_in(portal, login="anna")


@pytest.fixture
def other(portal: Portal) -> Portal:
    return signed_in(portal, login="berta")


def test_the_header_comes_from_the_images(desk: Portal) -> None:
    page = desk.get(here(desk)).text

    for words in ("Erika Muster", "1958-03-27", "Thorax", "2026-11-20", "Anna Haus", "Accession"):
        assert words in page


def test_writing_signing_and_reading_it_back(desk: Portal) -> None:
    saved = save(desk, indication="Cough", findings="**Clear** lungs")
    assert saved.status_code == 303
    assert "**Clear** lungs" in desk.get(saved.location).text

    asked = save(desk, 1, "sign", indication="Cough", findings="**Clear** lungs", impression="Normal")
    question = desk.get(asked.location)
    signed = sign(desk, 2)

    assert "Sign the report?" in question.text and "data:image/png;base64," in question.text
    assert "can read it at once" in question.text
    page = desk.get(signed.location).text
    assert "Signed." in page and "<strong>Clear</strong> lungs" in page
    (report,) = rows(desk.services, Report)
    (file,) = rows(desk.services, ReportFile)
    assert (report.indication, report.impression, report.signed_name) == ("Cough", "Normal", "Dr Anna Haus")
    assert file.pdf.startswith(b"%PDF") and file.pages == 1
    (noted,) = [row for row in rows(desk.services, AuditEvent) if row.event == "report:signed"]
    assert noted.details["sha256"] == file.sha256.hex()


def test_autosave_says_where_the_text_is_and_begins_no_second_draft(desk: Portal) -> None:
    first = autosave(desk, findings="Clear")
    second = autosave(desk, first.json["revision"], findings="Clear lungs")  # type: ignore[index]

    assert (first.json["where"], second.json["where"]) == ("draft", "draft")  # type: ignore[index]
    assert second.json["says"].startswith("Saved ")  # type: ignore[index]
    (report,) = rows(desk.services, Report)
    assert (report.findings, report.revision) == ("Clear lungs", 2)


def test_opening_the_page_begins_no_draft(desk: Portal) -> None:
    desk.get(here(desk))
    desk.post(here(desk, "/preview"), findings="Only looked at")

    assert rows(desk.services, Report) == []


def test_of_two_writers_the_second_finds_both_texts_and_joins_them(desk: Portal, other: Portal) -> None:
    save(other, findings="Theirs")

    answer = autosave(desk, 0, findings="Mine <b>")
    page = desk.get(here(desk)).text

    assert answer.json["where"] == "aside"  # type: ignore[index]
    assert "Dr Berta Haus saved this report while you were writing." in answer.json["why"]  # type: ignore[index]
    assert "Mine &lt;b&gt;" in page and "Theirs" in page and 'name="joins" value="1"' in page
    (kept,) = rows(desk.services, ReportAside)
    assert kept.findings == "Mine <b>"

    autosave(desk, 1, findings="Mine, longer", joins="1")
    assert rows(desk.services, Report)[0].findings == "Theirs"
    assert save(desk, 1, findings="Both", joins="1").location.endswith("?done=saved")
    assert rows(desk.services, Report)[0].findings == "Both"
    assert rows(desk.services, ReportAside) == []


def test_a_conflict_without_script_keeps_what_was_typed_too(desk: Portal, other: Portal) -> None:
    save(other, findings="Theirs")

    answer = save(desk, 0, findings="Mine")

    assert answer.status_code == 303
    page = desk.get(answer.location).text
    assert "Mine" in page and "Theirs" in page and "Throw mine away" in page
    desk.post(here(desk, "/aside/discard"))
    assert "Mine" not in desk.get(here(desk)).text
    assert rows(desk.services, Report)[0].findings == "Theirs"


def test_who_signed_meanwhile_is_named_and_the_rest_becomes_an_amendment(desk: Portal, other: Portal) -> None:
    save(other, findings="Theirs")
    desk.get(here(desk))
    save(other, 1, "sign", findings="Theirs")
    sign(other, 2)

    answer = autosave(desk, 1, findings="Mine")
    page = desk.get(here(desk)).text

    assert "Dr Berta Haus signed this report while you were writing." in answer.json["why"]  # type: ignore[index]
    assert "What you save is an amendment of theirs." in page
    save(desk, 0, findings="Mine", reason="Side", joins="1")
    assert [(one.version, one.findings) for one in rows(desk.services, Report)] == [
        (1, "Theirs"),
        (2, "Mine"),
    ]


def test_a_draft_that_changed_after_the_look_is_not_signed(desk: Portal, other: Portal) -> None:
    save(desk, findings="Seen")
    save(other, 1, findings="Changed")

    answer = sign(desk, 1)

    assert answer.status_code == 409
    assert "Dr Berta Haus saved this report after you looked at it." in answer.text
    assert rows(desk.services, Report)[0].signed_at is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"indication": "Cough"}, "There is nothing to sign yet"),
        ({"findings": "x" * 100_001}, "This text is too long to be saved."),
    ],
)
def test_what_can_t_be_signed_stays_in_its_fields(desk: Portal, fields: dict[str, str], words: str) -> None:
    answer = save(desk, 0, "sign", **fields)
    page = desk.get(answer.location).text if answer.status_code == 303 else answer.text

    assert words in page
    assert next(iter(fields.values())) in page


def test_an_amendment_asks_why_and_what_was_signed_stays(desk: Portal) -> None:
    save(desk, 0, "sign", findings="First")
    sign(desk, 1)

    unreasoned = save(desk, 0, "sign", findings="Second")
    assert "Say why the report is amended" in desk.get(unreasoned.location).text
    save(desk, 1, "sign", findings="Second", reason="Side corrected")
    assert "takes the place of version 1" in desk.get(here(desk, "/sign")).text
    assert sign(desk, 2).location.endswith("?done=signed")

    page = desk.get(f"/staff/study/{desk.study_id}").text
    assert "Side corrected" in page and "First" in page and "Second" in page


def test_a_draft_is_thrown_away_after_a_question(desk: Portal) -> None:
    save(desk, findings="Mine")

    question = desk.get(here(desk, "/discard"))
    answer = desk.post(here(desk, "/discard"), revision="1")

    assert "deleted for everybody" in question.text
    assert "The draft was thrown away." in desk.get(answer.location).text
    assert rows(desk.services, Report) == []


def test_a_new_report_begins_with_the_template_of_its_modality(desk: Portal) -> None:
    desk.services.session.add_all(
        [
            ReportTemplate(
                modality="CT", technique="Spiral CT", impression_heading="Beurteilung", language="de"
            ),
            ReportTemplate(modality="CT", name="Chest", findings="Lungs:", technique="Low dose"),
        ]
    )
    desk.services.session.commit()
    chest = rows(desk.services, ReportTemplate)[1].id
    page = desk.get(here(desk)).text
    assert "Spiral CT" in page and "Beurteilung" in page and "Lungs:" not in page

    first = save(desk, technique="Spiral CT", findings="", go="save")
    assert first.status_code == 303
    assert rows(desk.services, Report)[0].headings == '{"impression": "Beurteilung"}'
    save(desk, 1, "template", technique="Spiral CT", other=str(chest))

    (report,) = rows(desk.services, Report)
    assert (report.technique, report.findings, report.language) == ("Spiral CT", "Lungs:", "")


def test_text_blocks_come_with_the_page(desk: Portal) -> None:
    desk.services.session.add(TextBlock(staff_id=None, letters="nlung", text='Clear "lungs" <i>'))
    desk.services.session.commit()

    page = desk.get(here(desk)).text

    assert "nlung" in page and "<i>" not in page


def test_earlier_reports_of_the_same_patient_are_beside_and_nobody_else_s(
    portal: Portal, desk: Portal
) -> None:
    mine = portal.services.worklist.study(portal.study_id)
    assert mine is not None
    before = study_in(portal.services, patient_id=mine.patient_id, description="Knee").id
    strangers = study_in(portal.services, description="Hand").id
    portal.services.session.commit()
    for study_id, words in ((before, "Meniscus torn"), (strangers, "Thumb broken")):
        desk.post(f"/staff/study/{study_id}/report", findings=words, revision="0", go="sign")
        desk.post(f"/staff/study/{study_id}/report/sign", revision="1")

    page = desk.get(here(desk)).text

    assert "Meniscus torn" in page and "Knee" in page
    assert "Thumb broken" not in page


def test_the_printed_page_shows_what_is_typed_and_saves_nothing(desk: Portal) -> None:
    answer = desk.post(here(desk, "/preview"), findings="Clear lungs")

    assert answer.status_code == 200
    assert "Page 1 of 1 as it is printed" in answer.text


def test_characters_that_no_font_has_are_told_before_signing(desk: Portal) -> None:
    save(desk, 0, "sign", findings="\U0001f9ff")

    question = desk.get(here(desk, "/sign"))
    refused = sign(desk, 1)

    assert "can&#39;t be printed with the fonts" in question.text
    assert refused.status_code == 422
    assert rows(desk.services, Report)[0].signed_at is None


@pytest.mark.parametrize("role", [Role.DESK, Role.VIEWER])
def test_who_may_not_write_finds_no_page(portal: Portal, role: Role) -> None:
    somebody = signed_in(portal, role, login="otto")

    for path in ("", "/sign", "/discard", "/images"):
        assert somebody.get(here(somebody, path)).status_code == 404
    for path in ("", "/autosave", "/preview", "/sign", "/discard", "/aside/discard"):
        assert somebody.post(here(somebody, path), findings="x").status_code == 404


def test_autosave_of_somebody_locked_or_signed_out_is_told_in_a_word(desk: Portal) -> None:
    token = desk.csrf
    desk.post("/staff/lock")

    answer = desk.client.post(
        here(desk, "/autosave"),
        data={"csrf_token": token, "in_place": "1", "findings": "x"},
        base_url=desk.base,
        headers={"Referer": desk.base + "/"},
    )

    assert (answer.status_code, answer.text) == (401, "locked")


def test_the_patient_reads_the_text_too_and_it_is_on_record(portal: Portal, desk: Portal) -> None:
    save(desk, indication="Cough", findings="**Clear** lungs")
    portal.prove(go="study")
    read = f"/study/{portal.study_id}/report"
    assert portal.get(read).status_code == 404

    save(desk, 1, "sign", indication="Cough", findings="**Clear** lungs")
    sign(desk, 2)

    assert read in portal.get(f"/study/{portal.study_id}").text
    page = portal.get(read).text
    assert "Cough" in page and "<strong>Clear</strong> lungs" in page and "Dr Anna Haus" in page
    assert [row.event for row in rows(desk.services, AuditEvent)][-1] == "report:read"


def test_where_one_writer_has_nothing_the_other_s_words_are_joined(desk: Portal, other: Portal) -> None:
    save(other, findings="Theirs", impression="Theirs alone")

    autosave(desk, 0, findings="Mine")
    page = desk.get(here(desk)).text

    assert page.count("Theirs alone") == 1 and "the same in both" in page
