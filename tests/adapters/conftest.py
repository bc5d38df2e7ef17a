"""An archive of the stub for every test that wants one, and a renderer for all tests that only print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.adapters.orthanc import Orthanc
from app.adapters.pdf import Renderer
from tests.adapters.http_stub import Stub, serving
from tests.conftest import ARCHIVE


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    with Renderer(workers=1) as renderer:
        yield renderer


@pytest.fixture
def orthanc(stub: Stub) -> Orthanc:
    return Orthanc(replace(ARCHIVE, url=stub.url))
