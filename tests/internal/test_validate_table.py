"""The specification of ``POST /tokens/validate``, as a table: state of the token x method x level x which id is there
and right. ``opens`` is the rule, in words of its own; every combination is asked at the door and compared.

What the gate and the guard in Orthanc make of the answers: tests/archive/test_gate_table.py, test_guard_table.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from app.config import Settings
from app.domain.share_links import LinkType
from app.models import Grant, Study, ViewerToken
from app.services.share_tokens import Resource
from app.services.token_facts import StudyKey
from app.services.visits import LiveVisit
from app.wiring import Services
from tests.conftest import ARCHIVE
from tests.support.clock import Clock
from tests.support.databases import Databases
from tests.support.factories import (
    ADDRESS,
    fresh_clinic,
    paper_of,
    registered,
    study_in,
    visit,
)

GATE = (ARCHIVE.gate_username, ARCHIVE.gate_password)
SECOND = replace(ARCHIVE, name="second", gate_username="second", gate_password="another-gate-secret")
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

METHODS = ["get", "post", "put", "delete", "head", "patch", "", None]
LEVELS = ["study", "patient", "series", "instance", "system", "studies", "", None]
# (orthanc-id, dicom-uid): R right, W of another study that is there, - absent
IDS = ["RR", "R-", "-R", "RW", "WR", "W-", "-W", "WW", "--"]


def opens(state: str, method: str | None, level: str | None, ids: str) -> bool:
    """A token that lives reads its study: every id that is named is the study's, and one is."""
    return state == "live" and method in ("get", "post") and level == "study" and ids in ("RR", "R-", "-R")


@dataclass
class Stage:
    """A study that a patient looks at and that was shared in Orthanc, another study, a second archive."""

    services: Services
    clock: Clock
    study: StudyKey
    other: StudyKey
    live: LiveVisit

    def viewers(self) -> str:
        now = self.services.clock()
        return self.services.visits.issue_viewer_token(
            self.live, self.live.studies[0], address=ADDRESS, at=now
        )

    def links(self) -> str:
        resources = [Resource(self.study.orthanc_id, self.study.study_instance_uid)]
        self.services.rules.set({"direct_links": LinkType.STONE}, at=self.services.clock(), actor="test")
        link = self.services.share_tokens.make(
            "main",
            LinkType.STONE,
            resources,
            seconds=86_400,
            expires_at=None,
            label="",
            at=self.services.clock(),
        )
        self.services.session.commit()
        return link.token

    def change(self, table: type, **values: Any) -> None:
        self.services.session.execute(update(table).values(**values))
        self.services.session.commit()


def live(stage: Stage, token: str) -> str:
    return token


def expired(stage: Stage, token: str) -> str:
    stage.change(Grant, expires_at=stage.clock.now)
    return token


def token_revoked(stage: Stage, token: str) -> str:
    stage.change(ViewerToken, revoked_at=stage.clock.now)
    return token


def grant_revoked(stage: Stage, token: str) -> str:
    stage.change(Grant, revoked_at=stage.clock.now)
    return token


def grant_suspended(stage: Stage, token: str) -> str:
    stage.change(Grant, suspended_at=stage.clock.now)
    return token


def study_deleted(stage: Stage, token: str) -> str:
    stage.change(Study, deleted_at=stage.clock.now)
    return token


def visit_ended(stage: Stage, token: str) -> str:
    stage.services.visits.end(stage.live, address=ADDRESS, at=stage.clock.now)
    return token


def visit_left_alone(stage: Stage, token: str) -> str:
    stage.clock.now += timedelta(minutes=15)
    return token


def junk(stage: Stage, token: str) -> str:
    return "junk"


def signature_changed(stage: Stage, token: str) -> str:
    # Not the last symbol: of its six bits, some are padding.
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


def foreign_jwt(stage: Stage, token: str) -> str:
    return "Bearer " + JWT


def empty(stage: Stage, token: str) -> str:
    return ""


def absent(stage: Stage, token: str) -> None:
    return None


def another_archives(stage: Stage, token: str) -> str:
    """The same study, copied to the second archive: same ids, and opened by a patient there."""
    services = stage.services
    registered(services, "second")
    copy = study_in(
        services,
        "second",
        orthanc_id=stage.study.orthanc_id,
        study_instance_uid=stage.study.study_instance_uid,
    )
    services.session.commit()
    there, _ = visit(services, paper_of(services, copy))
    return services.visits.issue_viewer_token(there, there.studies[0], address=ADDRESS, at=services.clock())


EVERY = [
    live, expired, token_revoked, grant_revoked, grant_suspended, study_deleted, junk, signature_changed, foreign_jwt,
    empty, absent,
]  # fmt: skip
CASES = [("viewers", state) for state in [*EVERY, visit_ended, visit_left_alone, another_archives]]
CASES += [("links", state) for state in EVERY]


@pytest.fixture
def settings(base_settings: Settings, databases: Databases) -> Iterator[Settings]:
    with databases.fresh() as url:
        yield base_settings.with_(database_url=url, archives=(ARCHIVE, SECOND))


@pytest.fixture
def stage(services: Services, clock: Clock) -> Stage:
    study, paper = fresh_clinic(services)
    services.session.refresh(study)
    right = StudyKey("main", study.orthanc_id, study.study_instance_uid)
    beside = study_in(services)
    wrong = StudyKey("main", beside.orthanc_id, beside.study_instance_uid)
    at_home, _ = visit(services, paper)
    services.session.commit()
    return Stage(services, clock, right, wrong, at_home)


def _body(stage: Stage, token: str | None, method: str | None, level: str | None, ids: str) -> dict[str, Any]:
    named = {"R": stage.study, "W": stage.other}
    told = {
        "method": method,
        "level": level,
        "orthanc-id": named[ids[0]].orthanc_id if ids[0] != "-" else None,
        "dicom-uid": named[ids[1]].study_instance_uid if ids[1] != "-" else None,
        "server-id": None,
        "token-key": "token",
        "token-value": token,
    }
    return {name: value for name, value in told.items() if value is not None or name == "server-id"}


@pytest.mark.parametrize(("whose", "state"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_every_combination_is_answered_by_the_rule(
    stage: Stage,
    internal_client: FlaskClient,
    whose: str,
    state: Callable[[Stage, str], str | None],
) -> None:
    token = state(stage, getattr(stage, whose)())
    wrong = []
    for method, level, ids in product(METHODS, LEVELS, IDS):
        body = _body(stage, token, method, level, ids)
        answer = internal_client.post("/tokens/validate", json=body, auth=GATE)
        if answer.json != {"granted": opens(state.__name__, method, level, ids), "validity": 5}:
            wrong.append((method, level, ids, answer.status_code, answer.json))

    assert wrong == []
