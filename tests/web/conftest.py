"""A public door with a study behind it."""

from __future__ import annotations

import pytest
from flask import Flask

from app.wiring import Services
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal, portal_of


@pytest.fixture
def portal(public_app: Flask, services: Services) -> Portal:
    return portal_of(public_app, services)


@pytest.fixture
def orthanc(portal: Portal) -> FakeOrthanc:
    fake = portal.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    return fake
