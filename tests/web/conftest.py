"""A public door with a study behind it."""

from __future__ import annotations

import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from app.wiring import Services
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal, portal_of


class Compiled(BytecodeCache):
    """Templates are compiled once a run, not once an app: each test has an app of its own."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


@pytest.fixture
def portal(public_app: Flask, services: Services) -> Portal:
    public_app.jinja_env.bytecode_cache = COMPILED
    return portal_of(public_app, services)


@pytest.fixture
def orthanc(portal: Portal) -> FakeOrthanc:
    fake = portal.services.orthancs["main"]
    assert isinstance(fake, FakeOrthanc)
    return fake
