"""The images of an archive's studies: pictures in reading order, and a ZIP as it comes; never anything else."""

from __future__ import annotations

import pytest

from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from app.domain.looks import Pixels
from app.domain.study import Picture
from tests.adapters.http_stub import Answer, Stub


def test_pictures_come_in_reading_order_and_objects_without_pixels_have_none(
    stub: Stub, orthanc: Orthanc
) -> None:
    series = [
        {"ID": "b", "MainDicomTags": {"Modality": "SR", "SeriesNumber": "9"}},
        {
            "ID": "a",
            "MainDicomTags": {"Modality": "CT", "SeriesNumber": "2", "SeriesDescription": "Axial"},
        },
    ]
    instances = [
        {"ID": "i2", "IndexInSeries": None, "MainDicomTags": {"InstanceNumber": "10"}},
        {"ID": "i1", "MainDicomTags": {"InstanceNumber": " 2 ", "NumberOfFrames": "2"}},
        {"ID": "i4", "MainDicomTags": {"InstanceNumber": "rubbish", "NumberOfFrames": "-3"}},
    ]
    stub.routes(
        {
            "studies/s1/series": Answer.json(series),
            "series/a/instances": Answer.json(instances),
            "series/b/instances": Answer.json([{"ID": "i3"}]),
            "instances/i2/simplified-tags": Answer.json({"Rows": "512", "Columns": "400"}),
        }
    )
    axial, document = orthanc.series("s1")
    assert (axial.number, axial.title, axial.modality) == (1, "Axial", "CT")
    assert axial.pictures == (Picture("i4", 0), Picture("i1", 0), Picture("i1", 1), Picture("i2", 0))
    assert axial.pixels == Pixels(512)
    assert (document.number, document.modality, document.pictures) == (2, "SR", ())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, b"jpeg", {"Content-Type": "image/jpeg"}), ("image/jpeg", b"jpeg")),
        (Answer(200, b"png", {"Content-Type": "image/png"}), ("image/png", b"png")),
        (Answer(200, b"<script>", {"Content-Type": "text/html"}), None),
        (Answer(200, b"<svg>", {"Content-Type": "image/svg+xml"}), None),
        (Answer(200, b"?"), None),
        (Answer(302, headers={"Location": "/"}), None),
        (Answer(415), None),
        (Answer(500), None),
    ],
)
def test_only_a_picture_is_passed_on_as_a_picture(
    stub: Stub, orthanc: Orthanc, answer: Answer, expected: tuple[str, bytes] | None
) -> None:
    stub.always(answer)
    assert orthanc.rendered(Picture("i1", 3), size=768, quality=80) == expected
    assert stub.asked[0].path == "instances/i1/frames/3/rendered"


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
