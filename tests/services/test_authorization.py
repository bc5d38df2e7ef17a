"""What a viewer token opens, as a table: its own study, for reading, while everything behind it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from app.domain.permissions import Permission
from app.models import Study, ViewerToken, Visit
from app.services.authorization import Question
from app.services.visits import TOKEN_PURPOSE, LiveVisit
from app.wiring import Services
from tests.support.clinic import eventually
from tests.support.clock import Clock
from tests.support.factories import (
    ADDRESS,
    change_grant,
    fresh_clinic,
    registered,
    rows,
    second_study,
    study_in,
    visit,
)


class Opened:
    """A study that is open in a viewer, and the question that its gate asks of it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.study, self.paper = fresh_clinic(services)
        self.live: LiveVisit
        self.live, self.key = visit(services, self.paper)
        self.token = services.visits.issue_viewer_token(
            self.live, self.live.studies[0], address=ADDRESS, at=services.clock()
        )
        services.session.refresh(self.study)
        self.question = Question(
            archive="main",
            method="get",
            level="study",
            token=self.token,
            orthanc_id=self.study.orthanc_id,
            study_instance_uid=self.study.study_instance_uid,
        )
        services.session.commit()

    def is_granted(self, **changes: object) -> bool:
        question = replace(self.question, **changes)  # type: ignore[arg-type]
        self.services.session.rollback()
        return self.services.authorization.answer(question, at=self.services.clock()).is_granted

    def set(self, table: type, **values: object) -> None:
        self.services.session.execute(update(table).values(**values))
        self.services.session.commit()


@pytest.fixture
def opened(services: Services) -> Opened:
    return Opened(services)


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_viewer_reads_its_study(opened: Opened, method: str) -> None:
    # DICOMweb look-ups are asked about as "post"; the gate itself refuses every POST with a viewer token.
    assert opened.is_granted(method=method)


def test_either_identity_of_the_study_is_enough(opened: Opened) -> None:
    assert opened.is_granted(orthanc_id=None)
    assert opened.is_granted(study_instance_uid=None)


REFUSED = [
    *[{"method": method} for method in ("put", "delete", "patch", "head", "", "GET ", "options")],
    *[{"level": level} for level in ("patient", "series", "instance", "system", "", "studies")],
    {"orthanc_id": None, "study_instance_uid": None},
    {"orthanc_id": "", "study_instance_uid": ""},
    {"orthanc_id": "0" * 44},
    {"study_instance_uid": "1.2.3"},
    {"study_instance_uid": "1.2.3", "orthanc_id": None},
    {"archive": "other"},
    {"archive": ""},
]


def test_anything_else_is_refused(opened: Opened) -> None:
    assert [changes for changes in REFUSED if opened.is_granted(**changes)] == []


def test_the_same_uid_under_another_patient_is_another_study(opened: Opened) -> None:
    # Given a second patient's study with the same StudyInstanceUID: another Orthanc id
    assert not opened.is_granted(orthanc_id="11111111-11111111-11111111-11111111-11111111")


def test_a_token_opens_one_study_even_of_a_grant_over_two(services: Services, opened: Opened) -> None:
    other = second_study(services, opened.paper.grant)
    services.session.refresh(other)

    assert not opened.is_granted(orthanc_id=other.orthanc_id, study_instance_uid=other.study_instance_uid)
    assert not opened.is_granted(orthanc_id=other.orthanc_id, study_instance_uid=None)
    assert not opened.is_granted(orthanc_id=None, study_instance_uid=other.study_instance_uid)


@pytest.mark.parametrize(
    ("held", "wanted", "is_granted"),
    [
        ("view,report,download", Permission.VIEW, True),
        ("view,report,download", Permission.DOWNLOAD, True),
        ("view", Permission.VIEW, True),
        ("view", Permission.DOWNLOAD, False),
        ("report", Permission.VIEW, False),
        ("", Permission.VIEW, False),
    ],
)
def test_the_grants_permissions_bound_the_token(
    services: Services, opened: Opened, held: str, wanted: Permission, is_granted: bool
) -> None:
    change_grant(services, opened.paper.grant, permissions=held)

    assert opened.is_granted(permission=wanted) is is_granted


NOW, LATER = timedelta(0), timedelta(hours=1)
STATES = [
    (ViewerToken, "revoked_at", NOW),
    (Visit, "ended_at", NOW),
    (Study, "deleted_at", NOW),
    ("grant", "revoked_at", NOW),
    ("grant", "suspended_at", NOW),
    ("grant", "expires_at", NOW),
    ("grant", "released_at", LATER),
]


@pytest.mark.parametrize(("table", "column", "when"), STATES)
def test_what_was_ended_opens_nothing_from_that_moment(
    services: Services, opened: Opened, table: type, column: str, when: timedelta
) -> None:
    assert opened.is_granted()

    if table == "grant":
        change_grant(services, opened.paper.grant, **{column: services.clock() + when})
    else:
        opened.set(table, **{column: services.clock() + when})

    assert not opened.is_granted()


def test_signing_out_ends_the_viewers_token_with_the_visit(services: Services, opened: Opened) -> None:
    services.visits.end(opened.live, address=ADDRESS, at=services.clock())

    assert not opened.is_granted()


def test_a_viewer_left_alone_for_fifteen_minutes_is_closed(opened: Opened, clock: Clock) -> None:
    clock.forward(minutes=15, seconds=-1)
    assert opened.is_granted()  # which is use
    clock.forward(minutes=15)
    assert not opened.is_granted()


def test_a_viewer_in_use_is_closed_after_an_hour(services: Services, opened: Opened, clock: Clock) -> None:
    for _ in range(5):
        clock.forward(minutes=10)
        assert opened.is_granted()
        eventually(lambda: _seen_at(services) == clock.now)
    clock.forward(minutes=10)
    assert not opened.is_granted()


def test_scrolling_keeps_the_visit_alive_with_one_write_a_minute(
    services: Services, opened: Opened, clock: Clock
) -> None:
    begun = clock.now
    for _ in range(59):
        clock.forward(seconds=1)
        assert opened.is_granted()
    assert rows(services, Visit)[0].seen_at == begun
    clock.forward(seconds=1)
    opened.is_granted()
    eventually(lambda: _seen_at(services) == clock.now)  # nobody waits for that write


def _seen_at(services: Services) -> datetime:
    services.session.rollback()
    return rows(services, Visit)[0].seen_at


def test_a_refused_question_keeps_no_visit_alive(services: Services, opened: Opened, clock: Clock) -> None:
    begun = clock.now
    clock.forward(minutes=5)
    opened.is_granted(orthanc_id="0" * 44)

    assert rows(services, Visit)[0].seen_at == begun


def test_a_token_of_another_purpose_or_key_opens_nothing(services: Services, opened: Opened) -> None:
    token_id = services.crypto.unsign(TOKEN_PURPOSE, opened.token)
    assert token_id is not None
    forged = [
        token_id,
        token_id + ".",
        opened.token[:-1],
        opened.token + "x",
        opened.token.swapcase(),
        services.crypto.sign("share-link", token_id),
        services.crypto.sign("", token_id),
        services.crypto.sign(TOKEN_PURPOSE, "unknown"),
        services.crypto.sign(TOKEN_PURPOSE, ""),
        services.crypto.sign(TOKEN_PURPOSE, opened.token),
        "eyJhbGciOiJub25lIn0.eyJpZCI6IngifQ.",
        "Basic c3R1ZHlrZXk6",
        "\x00",
        "\ud800",
        "é" * 50,
        "a" * 60_000,
        "",
        ".",
    ]

    assert [token[:80] for token in forged if opened.is_granted(token=token)] == []


def test_the_token_of_one_archive_opens_nothing_in_another(opened: Opened) -> None:
    # Given the same study was copied to a second archive: same Orthanc id, same UID
    assert not opened.is_granted(archive="second")


def test_the_answer_says_for_how_long_it_may_be_kept(services: Services, opened: Opened) -> None:
    for level in ("study", "patient"):
        answer = services.authorization.answer(replace(opened.question, level=level), at=services.clock())
        assert answer.validity == services.settings.validity


def test_a_question_does_not_show_its_token_when_printed(opened: Opened) -> None:
    assert opened.token not in repr(opened.question)


def test_another_studys_token_does_not_open_this_one(services: Services, opened: Opened) -> None:
    registered(services)
    stranger = study_in(services)
    services.session.refresh(stranger)

    assert not opened.is_granted(
        orthanc_id=stranger.orthanc_id, study_instance_uid=stranger.study_instance_uid
    )
