"""Whoever holds a PDF learns whether it is ours, unchanged and current, and nothing of the patient."""

from __future__ import annotations

import hashlib
import io
import re

import pytest

from app.domain.limits import VERIFY_NARROW
from app.domain.report import LARGEST_PDF, Copy
from app.domain.staff import Role
from tests.support.factories import counts
from tests.support.portal import Portal
from tests.support.signed import PDF, signed
from tests.web.test_staff_study import page_of, signed_in


@pytest.fixture
def held(portal: Portal) -> Portal:
    """A report that was printed."""
    report = signed(portal.services, portal.study)
    portal.services.report_copies.note(report, PDF, Copy.PRINTED, at=portal.now)
    portal.services.session.commit()
    return portal


def ask(portal: Portal, **fields: object):  # type: ignore[no-untyped-def]
    return portal.client.post(
        "/verify", data=fields, base_url=portal.base, content_type="multipart/form-data"
    )


def fingerprint(pdf: bytes) -> str:
    return hashlib.sha256(pdf).hexdigest()


def upload(pdf: bytes) -> tuple[io.BytesIO, str]:
    return io.BytesIO(pdf), "report.pdf"


def test_the_page_is_open_to_everybody_without_a_cookie(portal: Portal) -> None:
    answer = portal.get("/verify")

    assert answer.status_code == 200
    assert "Is this report genuine?" in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("how", ["fingerprint", "file"])
def test_a_genuine_file_is_known_by_its_fingerprint_or_itself(held: Portal, how: str) -> None:
    answer = ask(held, sha256=fingerprint(PDF)) if how == "fingerprint" else ask(held, pdf=upload(PDF))

    assert answer.status_code == 200
    assert "Genuine, unchanged and current" in answer.text
    assert "Dr Anna Haus" in answer.text
    assert "Test Clinic" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_one_changed_byte_is_a_file_that_nobody_knows(held: Portal) -> None:
    changed = PDF[:-1] + b"G"

    for answer in (ask(held, sha256=fingerprint(changed)), ask(held, pdf=upload(changed))):
        assert answer.status_code == 200
        assert "We don't know this file" in answer.text
        assert "printed to PDF again" in answer.text
        assert "+1 555 0199" in answer.text
        assert "Dr Anna Haus" not in answer.text


def test_an_amended_report_is_genuine_and_no_longer_current(held: Portal) -> None:
    signed(held.services, held.study, PDF + b"2")

    answer = ask(held, sha256=fingerprint(PDF))

    assert "Genuine and unchanged, but no longer current" in answer.text
    assert "amended since" in answer.text


def test_no_answer_names_the_patient_or_the_study(held: Portal) -> None:
    signed(held.services, held.study, PDF + b"2")

    for answer in (
        ask(held, sha256=fingerprint(PDF)),
        ask(held, pdf=upload(PDF + b"2")),
        ask(held, pdf=upload(b"x")),
    ):
        for secret in (
            "Muster",
            "Erika",
            held.study.patient_id,
            held.uid,
            "Thorax",
            held.study.accession_number,
        ):
            assert secret not in answer.text


@pytest.mark.parametrize("sent", ["", "no digest", "a" * 63, "A" * 64, "g" * 64, "'; --"])
def test_what_is_no_fingerprint_is_no_question(held: Portal, sent: str) -> None:
    answer = ask(held, sha256=sent)

    assert answer.status_code == 422
    assert "Choose the PDF first." in answer.text


def test_what_is_sent_is_not_kept(held: Portal) -> None:
    before = counts(held.services)

    ask(held, pdf=upload(PDF))
    ask(held, pdf=upload(b"anything else"))

    assert counts(held.services) == before


def test_a_file_of_the_largest_size_is_taken_and_more_is_refused(held: Portal) -> None:
    def status(size: int) -> int:
        # By hand: the client would leave a temporary file of its own behind.
        head = b'--limit\r\nContent-Disposition: form-data; name="pdf"; filename="a.pdf"\r\n\r\n'
        body = head + bytes(size) + b"\r\n--limit--\r\n"
        kind = "multipart/form-data; boundary=limit"
        return held.client.post("/verify", data=body, base_url=held.base, content_type=kind).status_code

    assert status(LARGEST_PDF) == 200
    assert status(LARGEST_PDF + 3 * 1024 * 1024) == 413


def test_whoever_asks_all_the_time_waits_before_anything_is_read(held: Portal) -> None:
    for _ in range(VERIFY_NARROW.failures):
        ask(held, sha256=fingerprint(PDF))

    answer = ask(held, sha256=fingerprint(PDF))

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= 20


def test_another_websites_page_may_not_ask(held: Portal) -> None:
    headers = {"Origin": "https://elsewhere.example"}
    answer = held.client.post(
        "/verify", data={"sha256": fingerprint(PDF)}, base_url=held.base, headers=headers
    )

    assert answer.status_code == 403


def test_staff_download_what_was_signed_and_the_page_leads_there(held: Portal) -> None:
    reader = signed_in(held, Role.VIEWER)
    found = re.search(r'href="(/staff/study/\d+/report/1\.pdf)"', page_of(reader))
    assert found is not None

    answer = reader.get(found[1])

    assert (answer.status_code, answer.mimetype, answer.data) == (200, "application/pdf", PDF)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "downloaded without the access code" in page_of(reader)
    assert reader.get(f"/staff/study/{held.study_id}/report/2.pdf").status_code == 404


def test_the_studys_page_says_why_a_report_isnt_in_the_archive(held: Portal) -> None:
    held.services.rules.set({"archive_reports": "yes"}, at=held.now, actor="test")
    held.services.session.commit()
    held.services.grants.suspend(held.study, "Odd.", at=held.now, actor="test")
    held.services.session.commit()
    reader = signed_in(held, Role.VIEWER)
    assert "not in the archive yet" in page_of(reader)

    held.services.deliveries.work(at=held.now)

    assert "check whose study it is" in page_of(reader)
