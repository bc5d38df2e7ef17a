"""Another website's page can't send anything to the public door."""

from __future__ import annotations

import pytest

from app.config import Settings, SettingsError
from tests.support.portal import Portal

OWN = "http://localhost:8045"


@pytest.mark.parametrize(
    "origin",
    ["https://attacker.example", "null", "", "http://localhost", "https://localhost:8045", OWN + "/"],
)
def test_a_page_of_another_website_is_refused_before_anything_is_looked_at(
    portal: Portal, origin: str
) -> None:
    refused = portal.prove(headers={"Origin": origin})
    assert refused.status_code == 403
    assert "This page can&#39;t be used from another website" in refused.text
    assert portal.cookie is None
    for path in ("/", "/staff/", "/static/style.css", "/nothing"):
        assert portal.get(path, headers={"Origin": origin}).status_code == 403


def test_our_own_pages_and_links_from_anywhere_pass(portal: Portal) -> None:
    assert portal.get("/").status_code == 200
    assert portal.prove(headers={"Origin": OWN}).status_code == 303


class TestWithAllowedWebsites:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.with_(allowed_origins=("https://*.example.org",))

    def test_they_may_call(self, portal: Portal) -> None:
        assert portal.get("/", headers={"Origin": "https://a.example.org"}).status_code == 200
        assert portal.get("/", headers={"Origin": "https://example.org"}).status_code == 403


def test_a_pattern_that_is_none_stops_the_start(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"STUDYKEY_ALLOWED_ORIGINS: 'https://\*' is no origin"):
        settings.with_(allowed_origins=("https://*",))
