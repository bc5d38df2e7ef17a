"""Release: the rule, the hand of staff, and that nobody gets an image or a report before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event

from app.domain.grants import Kind
from app.models import AuditEvent, Report, Study, ViewerToken
from app.services.authorization import Question
from app.services.visits import NotReleased
from app.wiring import Services
from tests.support.clock import Clock
from tests.support.factories import (
    ADDRESS,
    change_grant,
    elsewhere,
    events,
    fresh_clinic,
    rows,
    study_in,
    visit,
)
from tests.support.staff import person


def set_rules(services: Services, **changes: str) -> None:
    services.rules.set(changes, at=services.clock(), actor="staff:root")
    services.session.commit()


def signed(services: Services, study_id: int, *, version: int = 1) -> datetime:
    staff = services.staff.by_login("anna") or person(services, "anna")
    at = services.clock()
    report = Report(
        study_id=study_id,
        version=version,
        findings=f"Version {version}.",
        impression="",
        written_by_id=staff.id,
        saved_at=at,
        signed_at=at,
        signed_by_id=staff.id,
        signed_name="Dr Anna",
    )
    services.session.add(report)
    services.session.commit()
    return at


def by_hand(services: Services, act: str, study_id: int) -> bool:
    study = services.session.get_one(Study, study_id)
    done: bool = getattr(services.releases, act)(study, at=services.clock(), actor="staff:anna")
    services.session.commit()
    return done


def test_an_amendment_begins_no_delay_of_its_own(services: Services, clock: Clock) -> None:
    study, _ = fresh_clinic(services)
    set_rules(services, release_report="at-signing+2d")
    first = signed(services, study.id)
    clock.forward(days=1)
    signed(services, study.id, version=2)

    assert services.releases.of(study, at=clock()).report.from_ == first + timedelta(days=2)
    clock.forward(days=1)
    assert services.releases.of(study, at=clock()).report.is_out
    signed(services, study.id, version=3)
    assert services.releases.of(study, at=clock()).report.is_out


def test_a_page_asks_once_for_all_its_studies(services: Services) -> None:
    study, _ = fresh_clinic(services)
    studies = [study, *(study_in(services) for _ in range(5))]
    services.session.commit()
    assert {one.modalities for one in studies} == {"CT"}  # loaded
    services.rules.now()
    asked: list[str] = []
    event.listen(services.session.get_bind(), "before_cursor_execute", lambda *call: asked.append(call[2]))

    services.releases.seen_by(Kind.PATIENT, studies, at=services.clock())

    assert len(asked) == 1


def test_each_hand_is_on_record_and_done_once(services: Services) -> None:
    study, _ = fresh_clinic(services)

    done = [
        by_hand(services, act, study.id) for act in ("hold", "hold", "release", "release", "undo", "undo")
    ]

    assert done == [True, False, True, False, True, False]
    told = [row for row in rows(services, AuditEvent) if row.event in _HANDS]
    assert [row.event for row in told] == list(_HANDS)
    assert {(row.actor, row.study_id) for row in told} == {("staff:anna", study.id)}


_HANDS = ("study:held", "study:released", "study:release-undone")


# A group's studies are its rule's business: services.tag_rules.
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.GROUP])
def test_who_waits_gets_no_token_before_the_release_and_who_does_not_gets_one(
    services: Services, kind: Kind
) -> None:
    study, paper = fresh_clinic(services)
    change_grant(services, paper.grant, kind=kind)
    set_rules(services, release_images="at-signing")
    live, _ = visit(services, paper)
    before = events(services)

    if kind in (Kind.PHYSICIAN, Kind.LINK):
        assert services.visits.issue_viewer_token(live, study, address=ADDRESS, at=services.clock())
        services.visits.note_look(live, study, address=ADDRESS, at=services.clock())
        return
    with pytest.raises(NotReleased):
        services.visits.issue_viewer_token(live, study, address=ADDRESS, at=services.clock())
    with pytest.raises(NotReleased):
        services.visits.note_look(live, study, address=ADDRESS, at=services.clock())
    assert rows(services, ViewerToken) == []
    assert events(services) == before


def opens(services: Services, token: str, study: Study) -> bool:
    question = Question("main", "get", "study", token, study.orthanc_id, study.study_instance_uid)
    return services.authorization.answer(question, at=services.clock()).is_granted


def test_holding_back_ends_the_patients_viewers_of_this_study_and_of_no_other(services: Services) -> None:
    study, paper = fresh_clinic(services)
    other = study_in(services)
    services.session.commit()
    patients, _ = visit(services, paper)
    doctor = services.grants.issue([study], at=services.clock(), actor="staff:anna", kind=Kind.PHYSICIAN)
    others = services.grants.issue([other], at=services.clock(), actor="staff:anna")
    services.session.commit()
    tokens = {}
    for name, live, shown in (
        ("patient", patients, study),
        ("doctor", visit(services, doctor)[0], study),
        ("other", visit(services, others)[0], other),
    ):
        tokens[name] = services.visits.issue_viewer_token(live, shown, address=ADDRESS, at=services.clock())
        assert opens(services, tokens[name], shown)

    by_hand(services, "hold", study.id)

    assert not opens(services, tokens["patient"], study)
    assert opens(services, tokens["doctor"], study)
    assert opens(services, tokens["other"], other)
    by_hand(services, "undo", study.id)
    assert not opens(services, tokens["patient"], study), "a token that has ended stays ended"


def test_a_study_held_back_in_another_process_gets_no_token_from_a_page_that_began_before(
    services: Services,
) -> None:
    study, paper = fresh_clinic(services)
    live, _ = visit(services, paper)
    other = elsewhere(services)
    by_hand(other.services, "hold", study.id)
    other.close()

    with pytest.raises(NotReleased):
        services.visits.issue_viewer_token(live, study, address=ADDRESS, at=services.clock())


def test_of_holding_back_and_opening_at_the_same_moment_no_token_stays_alive(services: Services) -> None:
    study, paper = fresh_clinic(services)
    live, _ = visit(services, paper)
    study_id, staff_side = study.id, elsewhere(services)
    begin = threading.Barrier(2)

    def hold() -> None:
        begin.wait(5)
        by_hand(staff_side.services, "hold", study_id)

    def opened() -> bool:
        begin.wait(5)
        try:
            services.visits.issue_viewer_token(live, live.studies[0], address=ADDRESS, at=services.clock())
        except NotReleased:
            return False
        return True

    with ThreadPoolExecutor(2) as people:
        for _ in range(15):
            held, opening = people.submit(hold), people.submit(opened)
            held.result(10), opening.result(10)
            assert all(token.revoked_at for token in rows(services, ViewerToken))
            by_hand(staff_side.services, "undo", study_id)
    staff_side.close()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "MG images at-signing+48h\nCT report at-signing+1h",
            "CT report at-signing+1h,MG images at-signing+2d",
        ),
        ("mg images at-once", "MG images at-once"),
        ("", ""),
    ],
)
def test_lines_by_modality_are_kept_in_order(services: Services, text: str, kept: str) -> None:
    set_rules(services, release_by_modality=text)

    assert ",".join(map(str, services.rules.now().release_by_modality)) == kept


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("release_images", "never"),
        ("release_report", "at-once"),
        ("release_by_modality", "MG report at-once"),
        ("release_by_modality", "MG at-once"),
        ("release_by_modality", "M-G images at-once"),
        ("release_by_modality", "MG images at-once,MG images at-signing"),
        ("release_by_modality", "MG films at-once"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(services: Services, name: str, text: str) -> None:
    wrong = services.rules.checked({name: text})[1]

    assert str(wrong[name]).endswith(".")
