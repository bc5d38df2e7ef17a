from __future__ import annotations

import pytest

from app.domain import looks
from app.domain.looks import Pixels, Window, pixels_of, shifted

GRAY = {"Rows": "512", "Columns": "384", "PhotometricInterpretation": "MONOCHROME2"}
MADE = {"WindowCenter": "500\\40", "WindowWidth": "1000\\400"}


def test_what_has_no_rows_has_no_pixels() -> None:
    assert pixels_of("SR", {"Modality": "SR"}) is None
    assert pixels_of("US", {"Rows": "480", "Columns": "640"}) == Pixels(640)


def test_a_ct_in_hounsfield_units_has_the_windows_that_ct_is_read_with() -> None:
    found = pixels_of("CT", {**GRAY, "RescaleIntercept": "-1024"})
    assert found == Pixels(512, (Window.MADE, Window.SOFT, Window.LUNG, Window.BONE, Window.BRAIN))


@pytest.mark.parametrize("modality", ["MR", "CR", "DX", "MG", "CT"])
def test_other_gray_pictures_can_be_brighter_darker_or_swapped(modality: str) -> None:
    found = pixels_of(modality, {**GRAY, **MADE})
    assert found and found.windows == (Window.MADE, Window.BRIGHTER, Window.DARKER, Window.INVERTED)


@pytest.mark.parametrize(
    "made", [{}, {"WindowCenter": "x", "WindowWidth": "1"}, {**MADE, "WindowWidth": "0"}]
)
def test_without_a_window_of_its_own_a_picture_can_only_be_swapped(made: dict[str, str]) -> None:
    found = pixels_of("MR", {**GRAY, **made})
    assert found and found.windows == (Window.MADE, Window.INVERTED)


@pytest.mark.parametrize("colour", ["RGB", "YBR_FULL_422", "PALETTE COLOR", ""])
def test_colour_is_what_it_is(colour: str) -> None:
    found = pixels_of("CT", {**GRAY, **MADE, "PhotometricInterpretation": colour, "RescaleIntercept": "0"})
    assert found == Pixels(512)


@pytest.mark.parametrize(
    ("tags", "rate"),
    [
        ({"FrameTime": "40"}, 25),
        ({"FrameTime": "40", "CineRate": "12"}, 12),
        ({"RecommendedDisplayFrameRate": "10", "CineRate": "12"}, 10),
        ({"FrameTime": "0.001"}, 30),
        ({"FrameTime": "90000"}, 1),
        ({"FrameTime": "0"}, None),
        ({"FrameTime": "-40"}, None),
        ({"FrameTime": "nan"}, None),
        ({"CineRate": "inf"}, None),
        ({"CineRate": ""}, None),
    ],
)
def test_a_film_goes_at_its_own_rate_within_reason(tags: dict[str, str], rate: float | None) -> None:
    found = pixels_of("XA", {**GRAY, **tags})
    assert found and found.rate == rate


def test_brighter_means_brighter_also_where_low_values_are_light() -> None:
    made = looks.window_of(MADE)
    assert made == (500, 1000)
    assert shifted(Window.BRIGHTER, made, is_light_low=False) == (280, 1000)
    assert shifted(Window.BRIGHTER, made, is_light_low=True) == (720, 1000)
    assert shifted(Window.DARKER, made, is_light_low=False) == (720, 1000)
