"""Where a viewer is opened: one study, one token, nothing that a viewer has to decode."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from app.domain.viewers import VIEWERS, address

UID, TOKEN = "1.2.826.0.1.3680043.2", "AbC-_.~09.xYz"
ORTHANC_ID = "8163b464-1317cc81-c25be14a-e2a5b3c1-94f6cf23"
PUBLIC = "https://images.example.org/"


def opened(name: str, *, is_narrow: bool = False) -> str | None:
    return address(
        VIEWERS[name], public_url=PUBLIC, uid=UID, orthanc_id=ORTHANC_ID, token=TOKEN, is_narrow=is_narrow
    )


@pytest.mark.parametrize(
    ("name", "is_narrow", "path"),
    [
        ("stone", False, f"stone-webviewer/index.html?study={UID}&selectedStudies={UID}&token={TOKEN}"),
        (
            "stone",
            True,
            f"stone-webviewer/index.html?study={UID}&selectedStudies={UID}&token={TOKEN}&menu=hidden",
        ),
        ("ohif", False, f"ohif/viewer?StudyInstanceUIDs={UID}&token={TOKEN}"),
        (
            "volview",
            False,
            f"volview/index.html?names=[archive.zip]&urls=../studies/{ORTHANC_ID}/archive&token={TOKEN}",
        ),
        (
            "osimis",
            False,
            f"osimis-viewer/app/index.html?pickableStudyIds={ORTHANC_ID}"
            f"&selectedStudyIds={ORTHANC_ID}&token={TOKEN}",
        ),
    ],
)
def test_a_viewer_is_opened_at_the_address_that_it_understands(name: str, is_narrow: bool, path: str) -> None:
    assert opened(name, is_narrow=is_narrow) == PUBLIC + path


@pytest.mark.parametrize("name", sorted(set(VIEWERS) - {"stone"}))
def test_a_phone_gets_the_light_look_where_the_viewer_is_no_good_on_it(name: str) -> None:
    assert opened(name, is_narrow=True) is None


@pytest.mark.parametrize("name", sorted(VIEWERS))
def test_every_viewer_gets_its_token_unencoded_and_nothing_else_that_is_secret(name: str) -> None:
    where = opened(name)
    assert where is not None
    assert parse_qs(urlsplit(where).query)["token"] == [TOKEN]
    assert where.count(TOKEN) == 1
    assert re.fullmatch(r"[A-Za-z0-9:/._~?&=\[\]-]+", where)
