"""A study as a ZIP from its archive: passed on as it comes; what is no ZIP is never taken for one."""

from __future__ import annotations

import pytest

from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from tests.adapters.http_stub import Answer, Stub


def test_a_study_comes_in_pieces(stub: Stub, orthanc: Orthanc) -> None:
    body = bytes(range(256)) * 1000
    stub.routes({"studies/one/media": Answer(200, body)})

    media = orthanc.media("one")
    assert media is not None
    pieces = list(media)
    media.close()
    assert b"".join(pieces) == body and len(pieces) > 1


def test_a_study_that_is_not_there_is_none(stub: Stub, orthanc: Orthanc) -> None:
    stub.routes({})
    assert orthanc.media("one") is None
    assert orthanc.size("one") is None


@pytest.mark.parametrize("status", [302, 401, 403, 500])
def test_a_refusal_is_no_file(stub: Stub, orthanc: Orthanc, status: int) -> None:
    stub.always(Answer(status, b"no"))
    with pytest.raises(ArchiveUnreachable):
        orthanc.media("one")


def test_the_size_is_what_the_files_have_unpacked(stub: Stub, orthanc: Orthanc) -> None:
    stub.always(Answer.json({"DiskSize": "7", "UncompressedSize": "158234567"}))
    assert orthanc.size("one") == 158234567


@pytest.mark.parametrize("told", [{}, {"UncompressedSize": "many"}, {"UncompressedSize": None}, []])
def test_a_size_that_is_none_is_not_guessed(stub: Stub, orthanc: Orthanc, told: object) -> None:
    stub.always(Answer.json(told))
    with pytest.raises(ArchiveUnreachable):
        orthanc.size("one")
