"""Files that left are known by their digests, whoever asks, and tell nothing of the patient."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from app.domain.events import Event
from app.domain.limits import VERIFY_NARROW
from app.domain.report import Copy, Source
from app.models import AuditEvent, ReportCopy, Study
from app.services import verification
from app.services.limits import TooManyFailures
from app.services.verification import Origin
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import ADDRESS, fresh_clinic, rows, study_in
from tests.support.signed import PDF, signed


@pytest.fixture
def study(services: Services) -> Study:
    return fresh_clinic(services)[0]


def digest(pdf: bytes) -> bytes:
    return hashlib.sha256(pdf).digest()


def test_the_same_file_is_noted_once_and_named_in_hex(services: Services, study: Study) -> None:
    report = signed(services, study)

    for purpose in (Copy.PRINTED, Copy.ARCHIVE, Copy.PRINTED):
        told = services.report_copies.note(report, PDF, purpose, at=services.clock())
        services.session.commit()
        assert told == digest(PDF).hex()

    (row,) = rows(services, ReportCopy)
    assert (row.sha256, row.report_id, row.purpose) == (digest(PDF), report.id, "printed")


def test_a_file_that_left_is_genuine_and_current(services: Services, study: Study) -> None:
    report = signed(services, study)
    services.report_copies.note(report, PDF, Copy.PRINTED, at=services.clock())

    verdict = services.verification.of(digest(PDF))

    assert (verdict.origin, verdict.version, verdict.signed_by) == (Origin.CURRENT, 1, "Dr Anna Haus")
    assert verdict.signed_at == report.signed_at


def test_one_bit_makes_it_unknown(services: Services, study: Study) -> None:
    services.report_copies.note(signed(services, study), PDF, Copy.PRINTED, at=services.clock())

    assert services.verification.of(digest(PDF + b" ")).origin is Origin.UNKNOWN


def test_an_amended_one_says_since_when(services: Services, study: Study, clock: Clock) -> None:
    services.report_copies.note(signed(services, study), PDF, Copy.PRINTED, at=clock.now)
    clock.forward(days=1)
    newest = signed(services, study, PDF + b"2")

    verdict = services.verification.of(digest(PDF))

    assert (verdict.origin, verdict.version) == (Origin.AMENDED, 1)
    assert verdict.amended_at == newest.signed_at == clock.now


def test_the_same_bytes_signed_for_again_stand_for_the_newer_version(
    services: Services, study: Study, clock: Clock
) -> None:
    older = signed(services, study, source=Source.BROUGHT)
    services.report_copies.note(older, PDF, Copy.PRINTED, at=clock.now)
    newer = signed(services, study, source=Source.BROUGHT, at=clock.forward(days=1))
    services.report_copies.note(newer, PDF, Copy.PRINTED, at=clock.now)
    services.report_copies.note(older, PDF, Copy.PRINTED, at=clock.now)

    assert services.verification.of(digest(PDF)).version == 2


def test_asking_too_often_has_to_wait_and_others_dont(services: Services, clock: Clock) -> None:
    for _ in range(VERIFY_NARROW.failures):
        services.verification.admit(ADDRESS, at=clock.now)

    with pytest.raises(TooManyFailures) as refused:
        services.verification.admit(ADDRESS, at=clock.now)

    assert timedelta(0) < refused.value.retry_after <= VERIFY_NARROW.pace  # type: ignore[operator]
    services.verification.admit("198.51.100.9", at=clock.now)
    services.verification.admit(ADDRESS, at=clock.forward(minutes=11))


def test_the_memory_for_networks_has_an_end(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "MOST_NETWORKS", 10)

    for number in range(100):
        services.verification.admit(f"203.0.113.{number}", at=clock.now)

    assert len(services.verification._asked) <= 10


def test_a_download_by_staff_is_the_signed_file_and_on_record(services: Services, study: Study) -> None:
    report = signed(services, study)

    taken = services.report_downloads.take(study, 1, at=services.clock(), actor="staff:anna")
    services.session.commit()

    assert taken is not None
    assert taken.pdf == PDF
    assert services.report_copies.known(digest(PDF)) == report
    (row,) = [one for one in rows(services, AuditEvent) if one.event == Event.REPORT_DOWNLOADED]
    assert row.details == {"version": 1, "sha256": digest(PDF).hex()}


def test_there_is_no_download_of_a_version_that_isnt_there(services: Services, study: Study) -> None:
    signed(services, study)

    assert services.report_downloads.take(study, 2, at=services.clock(), actor="staff:anna") is None
    assert services.report_downloads.take(study_in(services), 1, at=services.clock(), actor="x") is None
