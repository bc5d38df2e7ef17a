"""No study is lost: whatever stopped or restarted, each stable study ends with exactly one live grant.

The nudge is off here, so that everything rests on the log of changes and on reconciliation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from app.demo import studies
from app.demo.studies import SyntheticStudy
from app.domain.study import GateState
from app.models import Archive, Study
from tests.support.clinic import SERVICE, Clinic, eventually
from tests.support.databases import Databases

RECONCILE = {"STUDYKEY_RECONCILE_SECONDS": "1", "STUDYKEY_FOLLOW_SECONDS": "0.2"}
BACKLOG = studies.study(patient_id="DEMO-R10", label="recovery 10", slices=1)


@contextmanager
def running(folder: Path, databases: Databases, *before: SyntheticStudy, **options: Any) -> Iterator[Clinic]:
    """A clinic whose Orthanc held ``before`` when Studykey came."""
    with databases.fresh() as url:
        clinic = Clinic(folder, url, **RECONCILE, **options)
        try:
            clinic.orthanc.start()
            for study in before:
                clinic.send(study)
                _is_stable(clinic, study)
            clinic.start_studykey()
            yield clinic
        finally:
            clinic.close()


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    with running(tmp_path_factory.mktemp("recovery"), databases, BACKLOG, nudge=False) as clinic:
        yield clinic


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Clinic]:
    """An Orthanc that takes a minute to call a study stable."""
    folder = tmp_path_factory.mktemp("slow")
    with running(folder, databases, nudge=False, stable_age_seconds=60) as clinic:
        yield clinic


def _study(number: int, **more: str) -> SyntheticStudy:
    return studies.study(patient_id=f"DEMO-R{number}", label=f"recovery {number}", slices=1, **more)  # type: ignore[arg-type]


def _is_stable(clinic: Clinic, *wanted: SyntheticStudy) -> None:
    """Returns when Orthanc calls them stable."""
    uids = {study.study_instance_uid for study in wanted}

    def look() -> bool:
        listed = clinic.as_studykey("/studies?expand").json()
        stable = {one["MainDicomTags"]["StudyInstanceUID"] for one in listed if one["IsStable"]}
        return uids <= stable

    eventually(look, what="stability")


def _live_grants(clinic: Clinic, study: SyntheticStudy) -> int:
    with clinic.services() as services:
        found = services.session.query(Study).filter_by(study_instance_uid=study.study_instance_uid).all()
        grants = [grant for one in found for grant in services.grants.of_study(one)]
        return sum(grant.revoked_at is None for grant in grants)


def _has_one_grant_each(clinic: Clinic, wanted: list[SyntheticStudy]) -> bool:
    return [_live_grants(clinic, study) for study in wanted] == [1] * len(wanted)


def _settled(clinic: Clinic, wanted: list[SyntheticStudy]) -> None:
    """Each has its grant, and after two more reconciliations still exactly one."""
    eventually(lambda: _has_one_grant_each(clinic, wanted), what="one live grant each")
    with clinic.services() as services:
        before = services.session.query(Archive).one().reconciled_at

    def walked_again() -> bool:
        with clinic.services() as services:
            now = services.session.query(Archive).one().reconciled_at
            return now is not None and before is not None and (now - before).total_seconds() > 1.5

    eventually(walked_again, what="two reconciliations")
    assert _has_one_grant_each(clinic, wanted)


@pytest.mark.no_database
@pytest.mark.parametrize(("end", "numbers"), [("stop", (1, 2)), ("kill", (14, 15))])
def test_orthanc_ended_before_the_study_was_stable(slow: Clinic, end: str, numbers: tuple[int, ...]) -> None:
    """Orthanc never calls such a study stable; only a walk finds it."""
    wanted = [_study(number) for number in numbers]
    for study in wanted:
        slow.send(study)
    assert not any(_live_grants(slow, study) for study in wanted)

    getattr(slow.orthanc, end)()
    slow.orthanc.start()

    _settled(slow, wanted)


def test_studykey_was_stopped_while_studies_arrived(clinic: Clinic) -> None:
    clinic.receive(_study(3))
    clinic.stop_studykey()

    wanted = [_study(number) for number in (4, 5, 6)]
    for study in wanted:
        clinic.send(study)
    _is_stable(clinic, *wanted)  # with nobody to hear it
    clinic.start_studykey()

    _settled(clinic, [_study(3), *wanted])


def test_orthanc_restarted_while_studykey_went_on(clinic: Clinic) -> None:
    clinic.receive(_study(7))

    told = clinic.log.read_text()
    clinic.orthanc.stop()
    eventually(lambda: "unreachable" in clinic.log.read_text().removeprefix(told), what="a look in vain")
    clinic.orthanc.start()
    clinic.send(_study(8))

    _settled(clinic, [_study(7), _study(8)])


def test_a_study_deleted_and_sent_again_keeps_its_code(clinic: Clinic) -> None:
    study = _study(9)
    paper = clinic.receive(study)
    token = clinic.enter(paper, study).token
    with clinic.services() as services:
        (orthanc_id,) = services.orthancs["main"].studies_with_uid(study.study_instance_uid)

    requests.delete(f"{clinic.orthanc.url}/studies/{orthanc_id}", auth=SERVICE, timeout=10).raise_for_status()

    def is_deleted() -> bool:
        with clinic.services() as services:
            query = services.session.query(Study).filter_by(study_instance_uid=study.study_instance_uid)
            return query.one().deleted_at is not None

    eventually(is_deleted, what="noticing")
    refused = requests.get(
        f"{clinic.orthanc.url}/studies/{orthanc_id}", headers={"Authorization": f"Bearer {token}"}, timeout=5
    )
    assert refused.status_code == 403
    visitor = clinic.enter(paper, study)
    assert visitor.answer is not None
    page = visitor.http.get(f"{clinic.portal}{visitor.answer.headers['Location']}", timeout=10)
    assert "The images are no longer in the clinic's archive" in page.text

    clinic.send(study)
    eventually(lambda: not is_deleted(), what="revival")

    _settled(clinic, [study])
    assert clinic.paper(study.study_instance_uid).code == paper.code
    assert clinic.enter(paper, study).token


def test_a_backlog_gets_rows_and_no_grants(clinic: Clinic) -> None:
    clinic.receive(_study(11))

    with clinic.services() as services:
        known = {study.study_instance_uid for study in services.session.query(Study)}
    assert BACKLOG.study_instance_uid in known
    assert _live_grants(clinic, BACKLOG) == 0


@pytest.mark.no_database
def test_studykey_stopped_means_refused_within_the_validity(clinic: Clinic) -> None:
    study = _study(12)
    visitor = clinic.enter(clinic.receive(study), study)

    def status() -> int:
        return requests.get(
            f"{clinic.orthanc.url}/dicom-web/studies/{study.study_instance_uid}/metadata",
            headers={"Authorization": f"Bearer {visitor.token}"},
            timeout=10,
        ).status_code

    assert status() == 200
    clinic.stop_studykey()
    stopped = time.monotonic()

    eventually(lambda: status() == 403, within=3)
    assert time.monotonic() - stopped <= 1 + 2  # the validity, and the gate's own patience
    assert clinic.as_studykey("/studies").status_code == 200  # the site's own users go on working

    clinic.start_studykey()
    eventually(lambda: status() == 200, within=10, what="coming back")


@pytest.mark.no_database
def test_orthanc_without_its_gate_gets_no_tokens_and_raises_the_alarm(
    tmp_path: Path, databases: Databases
) -> None:
    with running(tmp_path, databases, gate=False) as clinic:
        _is_given_no_token_and_the_alarm_is_raised(clinic)


def _is_given_no_token_and_the_alarm_is_raised(clinic: Clinic) -> None:
    study = _study(13)
    paper = clinic.receive(study)

    with clinic.services() as services:
        assert services.archives.probe("main", at=services.clock()) is GateState.OPEN
        assert services.archives.open_ones() == ["main"]
    health = requests.get(f"{clinic.door}/health", timeout=5)
    assert (health.status_code, health.json()["archives"]["main"]["gate"]) == (503, "open")
    assert "ALARM" in clinic.log.read_text()

    visitor = clinic.enter(paper, study)
    assert visitor.answer is not None
    assert "token" not in visitor.answer.headers["Location"]
    page = visitor.http.get(f"{clinic.portal}{visitor.answer.headers['Location']}", timeout=10)
    assert "We can't show the images safely now" in page.text
