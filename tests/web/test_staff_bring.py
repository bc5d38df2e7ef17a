"""Bringing a report made elsewhere, as a radiologist's browser meets it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.domain.report import Source
from app.domain.staff import Role
from app.domain.study import DocumentKind, ListedDocument
from app.wiring import Services
from tests.support import foreign, paper
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal, portal_of
from tests.support.staff import person, sign_in

PDF = foreign.plain()


@pytest.fixture
def desk(public_app: Flask, services: Services) -> Iterator[Portal]:
    portal = portal_of(public_app, services)
    person(services)
    sign_in(portal)
    yield portal


def upload(desk: Portal, pdf: bytes = PDF, **fields: str) -> TestResponse:
    # By hand: werkzeug's client would leave large bodies in temporary files of its own.
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in {"csrf_token": desk.csrf, "revision": "0", **fields}.items()
    ]
    head = (
        'Content-Disposition: form-data; name="pdf"; filename="Befund.pdf"\r\nContent-Type: application/pdf'
    )
    body = b"".join(parts) + f"--cut\r\n{head}\r\n\r\n".encode() + pdf + b"\r\n--cut--\r\n"
    return desk.client.post(
        f"/staff/study/{desk.study_id}/bring",
        data=body,
        content_type="multipart/form-data; boundary=cut",
        base_url=desk.base,
        headers={"Referer": desk.base + "/"},
    )


def here(desk: Portal, rest: str = "") -> str:
    return f"/staff/study/{desk.study_id}/bring{rest}"


def test_a_pdf_is_brought_looked_at_signed_and_printed_with_the_code(desk: Portal) -> None:
    assert "Bring a report made elsewhere" in desk.get(f"/staff/study/{desk.study_id}").text
    answer = upload(desk)
    assert answer.status_code == 303
    page = desk.get(here(desk)).text
    assert "Befund.pdf" in page
    assert "Sign for this report?" in page
    picture = desk.get(here(desk, "/page.png"))
    assert picture.data.startswith(b"\x89PNG")
    file = desk.get(here(desk, "/file.pdf"))
    assert file.data == PDF
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in file.headers["Content-Security-Policy"]
    assert file.headers["Cache-Control"] == "no-store"

    assert desk.post(here(desk, "/sign"), revision="2", language="de").status_code == 303
    study = desk.get(f"/staff/study/{desk.study_id}").text
    assert "In a free corner of the first page" in study
    printed = desk.post(f"/staff/study/{desk.study_id}/report/print", language="en", place="corner")
    assert printed.mimetype == "application/pdf"
    (drawn,) = paper.pages(printed.data)
    assert desk.paper.code.symbols in paper.scan(drawn)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a text", "This file is no PDF."),
        ("a PDF cut off", "This PDF is damaged"),
        ("a password", "opens with a password only"),
        ("rights withheld", "protected against changes"),
        ("a script on opening", "carries a program"),
        ("an attachment", "Other files are packed"),
        ("over 20 MB", "20 MB at most"),
        ("too many pages", "100 at most"),
    ],
)
def test_what_cant_be_taken_is_refused_with_a_sentence_and_changes_nothing(
    desk: Portal, name: str, sentence: str
) -> None:
    answer = upload(desk, foreign.REFUSED[name][1]())
    assert answer.status_code == 422
    assert sentence in answer.text
    assert desk.get(here(desk, "/file.pdf")).status_code == 404


def test_far_too_much_is_turned_away_unread(desk: Portal) -> None:
    assert upload(desk, b"%PDF-1.7" + b"\0" * (23 * 1024 * 1024)).status_code == 413


def test_another_patients_report_is_marked_before_it_is_signed(desk: Portal) -> None:
    upload(desk, foreign.plain("Patient: Somebody Else."))
    page = desk.get(here(desk)).text
    assert 'data-caution="not-this-patient"' in page


def test_the_patient_reads_the_original_and_not_before_it_is_signed(desk: Portal) -> None:
    upload(desk)
    reader = Portal(
        desk.app, desk.app.test_client(), desk.services, desk.study, desk.paper, desk.study_id, desk.uid
    )
    reader.prove()
    assert reader.get(f"/study/{desk.study_id}/report.pdf").status_code == 404
    desk.post(here(desk, "/sign"), revision="2")
    desk.services.session.rollback()
    answer = reader.get(f"/study/{desk.study_id}/report.pdf")
    assert (answer.status_code, answer.data) == (200, PDF)


def test_an_encapsulated_pdf_of_the_study_is_brought_from_there(desk: Portal) -> None:
    fake = desk.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    fake.listed = (ListedDocument("i1", "1.2.3.4", DocumentKind.PDF, "Befundbrief", date(2026, 11, 20)),)
    fake.instance_pdf = lambda instance_id: ("1.2.3.4", PDF + b"\0")  # type: ignore[method-assign]
    assert "Befundbrief" in desk.get(here(desk)).text
    assert desk.post(here(desk, "/from-study"), instance="gone", revision="0").status_code == 409
    assert desk.post(here(desk, "/from-study"), instance="i1", revision="0").status_code == 303
    desk.services.session.rollback()
    draft = desk.services.reports.draft(desk.study)
    assert draft is not None
    assert (draft.source, draft.origin) == (Source.BROUGHT, "1.2.3.4")
    assert desk.get(here(desk, "/file.pdf")).data == PDF


def test_an_archive_that_is_silent_leaves_the_upload_working(desk: Portal) -> None:
    fake = desk.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    fake.is_unreachable = True
    page = desk.get(here(desk))
    assert page.status_code == 200
    assert "can&#39;t be listed now" in page.text
    assert upload(desk).status_code == 303


def test_whoever_may_not_write_may_not_bring(public_app: Flask, services: Services) -> None:
    portal = portal_of(public_app, services)
    person(services, "vera", Role.VIEWER)
    sign_in(portal, "vera")
    assert portal.get(f"/staff/study/{portal.study_id}/bring").status_code == 404
