"""The clinic's own settings: what can be set is checked, and stands on pages and paper at once."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app.services.site import Unusable
from app.wiring import Services
from tests.support.factories import events


def test_the_table_stands_before_the_settings(services: Services) -> None:
    services.site.set("name", "  Clínica Moreno ", at=services.clock(), actor="test")
    services.session.commit()

    facts = services.site.facts()
    assert (facts.name, facts.phone) == ("Clínica Moreno", services.settings.clinic_phone)
    assert events(services) == ["site:changed"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", " "),
        ("phone", ""),
        ("colour", "red"),
        ("colour", "#12345"),
        ("language", "tlh"),
        ("paper", "A5"),
        ("logo", "x"),
        ("policy", "none"),
        ("address", "x" * 501),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(services: Services, name: str, value: str) -> None:
    with pytest.raises(Unusable, match=r"\.$"):
        services.site.set(name, value, at=services.clock(), actor="test")


def test_a_logo_is_scaled_and_kept(services: Services) -> None:
    upload = io.BytesIO()
    Image.new("RGB", (2000, 1000), "navy").save(upload, "JPEG")

    services.site.set_logo(upload.getvalue(), at=services.clock(), actor="test")
    services.session.commit()

    logo = services.site.facts().logo
    assert logo is not None
    assert Image.open(io.BytesIO(logo)).size[0] <= 600
    assert services.site.facts().logo_version != ""


@pytest.mark.parametrize(
    "upload", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n junk"]
)
def test_what_is_no_picture_is_refused(services: Services, upload: bytes) -> None:
    with pytest.raises(Unusable):
        services.site.set_logo(upload, at=services.clock(), actor="test")
