"""The clinic's one colour, made readable: contrast is computed, not hoped for (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import colorsys
import re

AA = 4.5
LIGHT_PAGE, DARK_PAGE = (1.0, 1.0, 1.0), (20 / 255, 24 / 255, 26 / 255)  # --paper of style.css
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
FALLBACK = "#0b5c8a"

Rgb = tuple[float, float, float]


def stylesheet(colour: str) -> str:
    """Custom properties: the colour as used on light and dark pages, and the text that stands on it."""
    light = _until_readable(_parse(colour), against=LIGHT_PAGE, step=-0.02)
    dark = _until_readable(_parse(colour), against=DARK_PAGE, step=0.02)
    return (
        ":root{"
        f"--brand:{_hex(light)};--brand-text:{_hex(_text_on(light))};"
        f"--brand-dark:{_hex(dark)};--brand-dark-text:{_hex(_text_on(dark))}"
        "}\n"
    )


def sample(colour: str) -> dict[str, str | float] | None:
    """How a colour would look: as used on light and dark pages, each with the text that stands on it, and its
    own contrast with white. None for what is no colour."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        return None
    light = _until_readable(_parse(colour), against=LIGHT_PAGE, step=-0.02)
    dark = _until_readable(_parse(colour), against=DARK_PAGE, step=0.02)
    return {
        "light": _hex(light),
        "light_text": _hex(_text_on(light)),
        "dark": _hex(dark),
        "dark_text": _hex(_text_on(dark)),
        "ratio": contrast(_parse(colour), WHITE),
    }


def _parse(colour: str) -> Rgb:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        colour = FALLBACK
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in rgb)


def _luminance(rgb: Rgb) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _text_on(rgb: Rgb) -> Rgb:
    return max(WHITE, BLACK, key=lambda text: contrast(text, rgb))


def _until_readable(rgb: Rgb, *, against: Rgb, step: float) -> Rgb:
    """The same hue, darker or lighter until it and its text are readable on the page.

    Ends: black on the light page and white on the dark one are readable. Compared as it will be written,
    in whole steps of a channel.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*rgb)
    while contrast(rgb, against) < AA:
        lightness = min(1.0, max(0.0, lightness + step))
        rgb = _parse(_hex(colorsys.hls_to_rgb(hue, lightness, saturation)))
    return rgb
