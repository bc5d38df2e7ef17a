"""What a QR code on our paper must be. That cameras read it is shown in test_paper.py."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from app.adapters import qr

ADDRESS = "https://images.clinic.example/#K7QD9M3X4TBN"


def _dark(code: qr.Qr) -> set[tuple[int, int]]:
    runs = re.findall(r"M(\d+) (\d+)h(\d+)v1H\d+z", code.path)
    return {(int(x) + step, int(y)) for x, y, length in runs for step in range(int(length))}


def test_four_modules_round_the_code_stay_white() -> None:
    code = qr.svg(ADDRESS)
    inside = range(4, code.modules - 4)
    assert all(x in inside and y in inside for x, y in _dark(code))


def test_the_finder_patterns_stand_in_three_corners() -> None:
    code = qr.svg(ADDRESS)
    dark, last = _dark(code), code.modules - 5
    for x, y in ((4, 4), (last - 6, 4), (4, last - 6)):
        assert {(x + step, y) for step in range(7)} <= dark
        assert (x + 1, y + 1) not in dark
        assert (x + 3, y + 3) in dark


def test_it_is_measured_in_millimetres() -> None:
    code = qr.svg(ADDRESS, module_mm=0.6)
    assert code.modules == 41
    assert code.side_mm == pytest.approx(24.6)


def test_a_longer_address_gets_smaller_modules_but_never_below_half_a_millimetre() -> None:
    for length in range(10, 330, 20):
        code = qr.svg("https://images.clinic.example/#" + "K" * length)
        assert code.side_mm <= qr.LARGEST_SIDE_MM
        assert code.side_mm / code.modules >= qr.SMALLEST_MODULE_MM


@pytest.mark.parametrize("length", [500, 5000])
def test_a_text_too_long_for_the_paper_is_refused(length: int) -> None:
    with pytest.raises(qr.TooLongForQr):
        qr.svg("x" * length)


def test_modules_that_no_phone_reads_are_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        qr.svg(ADDRESS, module_mm=0.3)


def test_the_picture_is_black_on_white_and_says_what_it_is() -> None:
    picture = ElementTree.fromstring(qr.svg(ADDRESS, title='Code of "A & <B>"').svg)
    title, ground, path = picture
    assert title.text == 'Code of "A & <B>"'
    assert (ground.attrib["fill"], path.attrib["fill"]) == ("#fff", "#000")


def test_its_repr_gives_nothing_away() -> None:
    assert "path" not in repr(qr.svg(ADDRESS))
