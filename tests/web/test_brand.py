"""Whatever colour a clinic picks, its buttons stay readable on light and on dark pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import ROOT
from app.web import brand

colours = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")
EXTREMES = [
    *("#ffffff", "#000000", "#ffff00", "#00ffff", "#ff00ff", "#ff0000", "#00ff00", "#0000ff", "#FFFFFF"),
    *(f"#{grey:02x}{grey:02x}{grey:02x}" for grey in range(256)),
    *("#fffffe", "#010101", "#fefefe", "#767676", "#777777"),
]


def used(colour: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", brand.stylesheet(colour)))


def rgb(colour: str) -> brand.Rgb:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def paper() -> tuple[str, str]:
    """The page's colour, light and dark, as the stylesheet has it."""
    light, dark = re.findall(r"--paper: (#[0-9a-f]+);", (ROOT / "static" / "style.css").read_text())
    return ("#" + "".join(2 * digit for digit in light[1:]) if len(light) == 4 else light), dark


def readable(colour: str) -> bool:
    made, (light, dark) = used(colour), paper()
    return all(
        brand.contrast(rgb(one), rgb(other)) >= 4.5
        for one, other in (
            (made["brand"], light),
            (made["brand"], made["brand-text"]),
            (made["brand-dark"], dark),
            (made["brand-dark"], made["brand-dark-text"]),
        )
    )


@pytest.mark.parametrize("colour", EXTREMES)
def test_the_most_extreme_colours_stay_readable(colour: str) -> None:
    assert readable(colour)


@given(colours)
def test_every_colour_stays_readable_as_it_is_written_into_the_stylesheet(colour: str) -> None:
    assert readable(colour)


@pytest.mark.parametrize("colour", ["#0b5c8a", "#8a0b2f", "#1b5e20"])
def test_a_colour_that_is_readable_already_is_left_as_the_clinic_chose_it(colour: str) -> None:
    assert used(colour)["brand"] == colour


def test_a_bright_colour_keeps_its_hue() -> None:
    red, green, blue = rgb(used("#ffff00")["brand"])
    assert red == green > blue


@pytest.mark.parametrize(
    "colour",
    [
        "",
        "blue",
        "#fff",
        "#0b5c8a;}body{display:none",
        "#0b5c8a\n",
        "0b5c8a",
        "#gggggg",
        "url(//x)",
        "#١٢٣٤٥٦",
    ],
)
def test_what_is_no_colour_gives_the_default_and_nothing_of_it_reaches_the_page(colour: str) -> None:
    assert brand.stylesheet(colour) == brand.stylesheet(brand.FALLBACK)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_the_one_of_wcag(one: str, other: str, ratio: float) -> None:
    assert brand.contrast(rgb(one), rgb(other)) == pytest.approx(ratio, abs=0.005)
    assert brand.contrast(rgb(other), rgb(one)) == brand.contrast(rgb(one), rgb(other))
