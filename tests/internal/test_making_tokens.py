"""``PUT /tokens/{type}`` line by line: which types there are, how long a link lasts, where it leads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.grants import Kind
from app.domain.share_links import INSTANT, NOT_SERVED, PUBLICATIONS, LinkType
from app.models import Grant, Study
from app.wiring import Services
from tests.internal.test_internal_door import GATE
from tests.support.clock import Clock
from tests.support.factories import fake_archives, registered, rows, study_in

DAY = 86_400
LONGEST = timedelta(days=365)


@pytest.fixture
def study(services: Services) -> Study:
    fake_archives(services)
    registered(services)
    study = study_in(services)
    services.session.refresh(study)
    services.session.expunge_all()
    services.session.commit()
    return study


def put(client: FlaskClient, study: Study, type_: str = LinkType.STONE, **changes: Any) -> TestResponse:
    resource = {"dicom-uid": study.study_instance_uid, "orthanc-id": study.orthanc_id, "level": "study"}
    body = {"id": "x", "resources": [resource], "server-id": None, "type": type_} | {
        name.replace("_", "-"): value for name, value in changes.items()
    }
    return client.put(f"/tokens/{type_}", json=body, auth=GATE)


def set_rules(services: Services, **changes: str) -> None:
    services.rules.set(changes, at=services.clock(), actor="test")
    services.session.commit()


def links(services: Services) -> list[Grant]:
    services.session.rollback()
    return [grant for grant in rows(services, Grant) if grant.kind == Kind.LINK]


def ends(services: Services) -> datetime | None:
    return max(links(services), key=lambda grant: grant.id).expires_at


@pytest.mark.parametrize("type_", PUBLICATIONS)
def test_a_publication_leads_to_the_landing_page_or_where_the_site_says_so_straight_to_its_viewer(
    services: Services, internal_client: FlaskClient, study: Study, type_: LinkType
) -> None:
    base = services.settings.base_url
    asked = put(internal_client, study, type_)
    assert asked.status_code == 200
    assert asked.json is not None and asked.json["url"].startswith(f"{base}/#")

    set_rules(services, direct_links=type_)
    straight = put(internal_client, study, type_)

    assert straight.json is not None
    token, url = straight.json["token"], straight.json["url"]
    assert url.startswith(services.settings.archives[0].public_url) and url.endswith(f"token={token}")
    for other in set(PUBLICATIONS) - {type_}:
        answer = put(internal_client, study, other)
        assert answer.json is not None and answer.json["url"].startswith(f"{base}/#")
    assert len(links(services)) == 1 + len(PUBLICATIONS)


@pytest.mark.parametrize("type_", INSTANT)
def test_an_instant_link_has_no_address_of_ours(
    internal_client: FlaskClient, study: Study, type_: LinkType
) -> None:
    answer = put(internal_client, study, type_)

    assert answer.status_code == 200 and answer.json is not None and answer.json["url"] is None


@pytest.mark.parametrize("type_", [*NOT_SERVED, "other", "STONE-VIEWER-PUBLICATION", "x" * 500])
def test_a_type_that_is_not_served_is_refused_with_a_reason(
    services: Services, internal_client: FlaskClient, study: Study, type_: str
) -> None:
    answer = put(internal_client, study, type_)

    assert answer.status_code == 400
    assert answer.json is not None and answer.json["error"].endswith(".")
    assert links(services) == []


@pytest.mark.parametrize("level", ["patient", "series", "instance", "system", "", None])
def test_nothing_but_studies_is_shared(internal_client: FlaskClient, study: Study, level: str | None) -> None:
    resource = {"dicom-uid": study.study_instance_uid, "orthanc-id": study.orthanc_id, "level": level}

    assert put(internal_client, study, resources=[resource]).status_code == 400
    assert put(internal_client, study, resources=[{**resource, "level": "Study"}]).status_code == 200


@pytest.mark.parametrize(
    "written",
    [
        "{:%Y-%m-%dT%H:%M:%S}",
        "{:%Y-%m-%dT%H:%M:%S}Z",
        "{:%Y-%m-%dT%H:%M:%S}+00:00",
        "{:%Y-%m-%dT%H:%M:%S.%f}Z",
    ],
)
def test_a_date_may_be_naive_or_zulu_or_have_an_offset(
    services: Services, internal_client: FlaskClient, study: Study, clock: Clock, written: str
) -> None:
    wanted = clock.now.replace(microsecond=0) + timedelta(days=3)

    assert put(internal_client, study, expiration_date=written.format(wanted)).status_code == 200

    assert ends(services) == wanted


def test_an_offset_counts(
    services: Services, internal_client: FlaskClient, study: Study, clock: Clock
) -> None:
    wanted = clock.now.replace(microsecond=0) + timedelta(days=3)

    put(internal_client, study, expiration_date=f"{wanted + timedelta(hours=5):%Y-%m-%dT%H:%M:%S}+05:00")

    assert ends(services) == wanted


@pytest.mark.parametrize(
    "date", ["tomorrow", "2026-13-01", 5, [], "9999-99-99T00:00:00Z", "2026-01-01T00:00:00+99:00"]
)
def test_a_date_that_is_none_is_refused(internal_client: FlaskClient, study: Study, date: object) -> None:
    assert put(internal_client, study, expiration_date=date).status_code == 400


# What the plugin sends when nobody gave a duration is whatever stood in memory (139870310347725 was seen).
@pytest.mark.parametrize("absurd", [139870310347725, -1, 2**63, 10 * 366 * DAY + 1, "7", True, [], 1e400])
def test_an_absurd_duration_is_the_sites_default(
    services: Services, internal_client: FlaskClient, study: Study, clock: Clock, absurd: object
) -> None:
    assert put(internal_client, study, validity_duration=absurd).status_code == 200

    assert ends(services) == clock.now + services.settings.grant_life


@pytest.mark.parametrize(
    ("asked", "lasts"), [(1, 1), (15 * DAY, 15 * DAY), (364 * DAY, 364 * DAY), (400 * DAY, 365 * DAY)]
)
def test_a_duration_is_kept_up_to_the_sites_longest(
    services: Services, internal_client: FlaskClient, study: Study, clock: Clock, asked: int, lasts: int
) -> None:
    put(internal_client, study, validity_duration=asked)

    assert ends(services) == clock.now + timedelta(seconds=lasts)


@pytest.mark.parametrize("nothing", [{}, {"validity_duration": 0}, {"validity_duration": None}])
def test_zero_is_until_revoked_where_the_site_allows_that_else_the_longest(
    services: Services, internal_client: FlaskClient, study: Study, clock: Clock, nothing: dict[str, object]
) -> None:
    put(internal_client, study, **nothing)
    assert ends(services) == clock.now + LONGEST

    set_rules(services, share_until_revoked="yes")
    put(internal_client, study, **nothing)
    assert ends(services) is None
