"""The study's page during a visit: what it is in words, the report to read, a copy to keep; and nothing too much."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.config import Settings
from app.domain.permissions import Permission
from app.domain.report import Source
from app.models import Study
from app.web.patient import download
from tests.conftest import ARCHIVE
from tests.support.factories import change_grant, counts, events, second_study
from tests.support.fake_orthanc import JPEG, ZIP, FakeOrthanc
from tests.support.paper import text
from tests.support.portal import Portal
from tests.support.signed import signed

PHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148 Safari/604.1"}
FINDINGS = "Lungs **clear**.\n\n- no fluid\n- no mass"


def _page(portal: Portal, path: str = "") -> str:
    return portal.get(f"/study/{portal.study_id}{path}").text


def _sign(portal: Portal, *, source: Source = Source.WRITTEN, **words: str) -> None:
    services = portal.services
    services.session.rollback()
    report = signed(services, services.session.get_one(Study, portal.study_id), source=source)
    for name, value in words.items():
        setattr(report, name, value)
    services.session.commit()


def _change_study(portal: Portal, **changes: object) -> None:
    portal.services.session.rollback()
    study = portal.services.session.get_one(Study, portal.study_id)
    for name, value in changes.items():
        setattr(study, name, value)
    portal.services.session.commit()


def _archive(portal: Portal) -> FakeOrthanc:
    fake = portal.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    return fake


# What it is.


def test_the_page_says_what_was_examined_in_words_and_keeps_the_clinics_own_beside(portal: Portal) -> None:
    portal.prove(go="study")
    page = _page(portal)

    assert re.search(r"<h1><bdi>CT scan of the chest</bdi></h1>", page)
    assert "November 20, 2026" in page and "Test Clinic" in page and "Erika Muster" in page
    assert "The clinic calls it: <bdi>Thorax</bdi>" in page


def test_the_preview_is_a_picture_of_this_study_and_holds_its_place(portal: Portal) -> None:
    portal.prove(go="study")

    place = rf'<img src="(/study/{portal.study_id}/preview.jpg)" width="180" height="180"[^>]*>'
    found = re.search(place, _page(portal))
    assert found is not None and 'loading="lazy"' in found[0] and 'alt="A small picture' in found[0]
    picture = portal.get(found[1])
    assert picture.mimetype == "image/jpeg" and picture.data.startswith(JPEG)


def test_a_study_without_pictures_has_no_preview(portal: Portal) -> None:
    _archive(portal).pictures[_row(portal).orthanc_id] = ()
    _change_study(portal, modalities="SR")
    portal.prove(go="study")

    assert "preview.jpg" not in _page(portal)
    assert portal.get(f"/study/{portal.study_id}/preview.jpg").status_code == 404


def _row(portal: Portal) -> Study:
    portal.services.session.rollback()
    return portal.services.session.get_one(Study, portal.study_id)


def test_where_the_archive_is_away_the_preview_says_so_by_its_status(portal: Portal) -> None:
    portal.prove(go="study")
    _archive(portal).is_unreachable = True

    assert portal.get(f"/study/{portal.study_id}/preview.jpg").status_code == 503


def test_who_may_only_read_the_report_sees_no_preview(portal: Portal) -> None:
    change_grant(portal.services, portal.paper.grant, permissions=Permission.REPORT.names)
    portal.prove(go="study")

    assert "preview.jpg" not in _page(portal)
    assert portal.get(f"/study/{portal.study_id}/preview.jpg").status_code == 404


# The report.


def test_the_report_reads_on_the_screen_as_it_does_on_paper(portal: Portal) -> None:
    _sign(portal, findings=FINDINGS, indication="Cough", technique="Low dose", impression="Nothing bad.")
    services = portal.services
    report = services.reports.signed(_row(portal))
    assert report is not None
    printed = "".join(text(services.papers.signed_pdf(_row(portal), report, at=services.clock())).split())
    services.session.rollback()
    portal.prove(go="study")

    page = _page(portal, "/report")

    article = page[page.index("<article") : page.index("</article>")]
    words = re.sub(r"<[^>]+>", " ", article).split()
    missing = [word for word in words if word not in printed]
    assert not missing
    assert article.startswith('<article class="report" lang="en" dir="ltr">')
    assert "<strong>clear</strong>" in article and "<li" in article
    assert "Signed electronically on November" in article


def test_a_report_in_another_language_keeps_its_language_and_headings(portal: Portal) -> None:
    _sign(portal, language="de", findings="Unauffällig.", impression="Kein Befund.")
    portal.prove(go="study")

    page = _page(portal, "/report")

    assert '<article class="report" lang="de" dir="ltr">' in page
    assert "Beurteilung" in page and '<html lang="en"' in page


def test_markup_in_a_report_stays_text(portal: Portal) -> None:
    _sign(portal, findings="<script>alert(1)</script>", signed_name="<b>Dr</b>")
    portal.prove(go="study")

    for path in ("", "/report"):
        page = _page(portal, path)
        assert "<script>alert" not in page and "<b>Dr" not in page


def test_an_amended_report_says_so_and_why_and_hides_the_one_before(portal: Portal) -> None:
    _sign(portal, impression="The old words.")
    _sign(portal, impression="The new words.", reason="The side was wrong.")
    portal.prove(go="study")

    assert "Amended on November" in _page(portal) and "takes the place of the earlier report" in _page(portal)
    page = _page(portal, "/report")
    assert "Amended report, version 2" in page and "The side was wrong." in page
    assert "It replaces the report of" in page
    assert "The new words." in page and "The old words." not in page


def test_reading_is_on_record_once_for_each_opening_and_head_leaves_no_trace(portal: Portal) -> None:
    _sign(portal)
    portal.prove(go="study")
    before = counts(portal.services)
    for path in ("/report", "/report.pdf", "/images.zip"):
        answer = portal.client.head(f"/study/{portal.study_id}{path}", base_url=portal.base)
        assert answer.status_code == 200 and not answer.data
    assert {**counts(portal.services), "report_copy": 0} == {**before, "report_copy": 0}

    assert portal.get(f"/study/{portal.study_id}/report").status_code == 200
    assert events(portal.services)[-1] == "report:read"
    assert events(portal.services).count("report:read") == 1


def test_a_brought_report_is_a_pdf_alone_and_is_read_once(portal: Portal) -> None:
    _sign(portal, source=Source.BROUGHT)
    portal.prove(go="study")

    assert "Read the report (PDF)" in _page(portal)
    answer = portal.get(f"/study/{portal.study_id}/report")
    assert (answer.status_code, answer.location) == (303, f"/study/{portal.study_id}/report.pdf")
    assert portal.get(answer.location).headers["Content-Disposition"].startswith("inline")
    assert portal.get(answer.location + "?save").headers["Content-Disposition"].startswith("attachment")
    assert events(portal.services).count("report:read") == 2


# A copy to keep.


def test_the_size_is_said_before_and_the_file_has_no_name_of_a_patient(portal: Portal) -> None:
    _archive(portal).bytes = 119_400_000
    portal.prove(go="study")
    page = _page(portal, "/download")

    assert "at most 120 MB" in page and "This is a large file" not in page
    answer = portal.get(f"/study/{portal.study_id}/images.zip")
    assert answer.data == ZIP and answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=images-2026-11-20.zip"
    assert answer.headers["Cache-Control"] == "no-store"
    assert events(portal.services)[-1] == "study:downloaded"


def test_a_large_file_comes_with_a_warning(portal: Portal) -> None:
    _archive(portal).bytes = download.LARGE + 1
    portal.prove(go="study")

    assert "This is a large file" in _page(portal, "/download")


def test_an_archive_that_is_away_says_so_in_words(portal: Portal) -> None:
    portal.prove(go="study")
    _archive(portal).is_unreachable = True

    answer = portal.get(f"/study/{portal.study_id}/images.zip")
    assert answer.status_code == 503 and "Nothing is lost" in answer.text
    assert "study:downloaded" not in events(portal.services)
    page = _page(portal, "/download")
    assert "One ZIP file: images-2026-11-20.zip" in page


def test_a_second_download_waits_for_the_first(portal: Portal) -> None:
    portal.prove(go="study")
    going_on = portal.client.get(f"/study/{portal.study_id}/images.zip", base_url=portal.base, buffered=False)

    answer = portal.get(f"/study/{portal.study_id}/images.zip")
    assert answer.status_code == 503 and "Your download is still going on" in answer.text
    assert "Retry-After" in answer.headers
    going_on.close()
    assert portal.get(f"/study/{portal.study_id}/images.zip").data == ZIP


@pytest.mark.parametrize("allowed", [Permission.VIEW, Permission.VIEW | Permission.REPORT])
def test_who_may_not_download_gets_nothing(portal: Portal, allowed: Permission) -> None:
    change_grant(portal.services, portal.paper.grant, permissions=allowed.names)
    portal.prove(go="study")

    assert "Keep a copy" not in _page(portal)
    assert portal.get(f"/study/{portal.study_id}/images.zip").status_code == 404
    assert portal.get(f"/study/{portal.study_id}/download").location == f"/study/{portal.study_id}"


def test_another_study_is_out_of_reach(portal: Portal) -> None:
    portal.prove(go="study")
    for path in ("preview.jpg", "download", "images.zip", "report"):
        assert portal.get(f"/study/{portal.study_id + 1}/{path}").status_code == 404


def test_several_studies_are_named_in_the_same_words(portal: Portal) -> None:
    second_study(
        portal.services, portal.paper.grant, modalities=("MR",), body_part="KNEE", description="Knie links"
    )
    portal.prove(go="study")

    page = portal.get("/studies").text
    for words in ("CT scan of the chest", "MRI scan of the knee", "Knie links", "Thorax"):
        assert words in page
    assert page.count("preview.jpg") == 2


class TestOnAPhone:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.with_(archives=(replace(ARCHIVE, viewer="ohif"),))

    def test_the_light_look_comes_first_where_the_viewer_is_no_good(self, portal: Portal) -> None:
        portal.prove(go="study")
        page = portal.get(f"/study/{portal.study_id}", headers=PHONE).text

        assert page.index("Open the images (light look)") < page.index("Open in the full viewer")
        assert 'class="wide-only"' in page
        page = _page(portal)
        assert page.index("Open the images</button>") < page.index("Light look</a>")
