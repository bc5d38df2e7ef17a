"""A clinic's logo: what somebody uploads is checked, and leaves as a small clean PNG.

Refuses what isn't a picture, what would explode when decoded, and what can't be seen on white paper. Vector
files (SVG, EPS, PDF) are refused: they are programs.
"""

from __future__ import annotations

import base64
import warnings
from enum import StrEnum
from io import BytesIO

from PIL import Image, ImageChops, ImageOps

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 16_000_000  # 64 MB decoded as RGBA
MAX_SIZE = (600, 240)  # pixels: 50 mm at 300 dpi
NEARLY_WHITE = 16  # of 255: the noise that JPEG leaves on a white ground
_RESAMPLE = Image.Resampling.LANCZOS


class Reason(StrEnum):
    """Why a logo is refused; the page has a sentence for each."""

    TOO_LARGE_A_FILE = "too-large-a-file"  # over 5 MB
    TOO_MANY_PIXELS = "too-many-pixels"  # over 16 million
    NOT_A_PICTURE = "not-a-picture"  # none of FORMATS, or broken
    NOTHING_TO_SEE = "nothing-to-see"  # empty, or white on transparent


class LogoRefused(Exception):
    """The upload can't be the logo; ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def prepare(upload: bytes) -> bytes:
    """The first frame of ``upload`` as a PNG of at most 600 × 240 pixels, without its margins and metadata.

    Transparency stays; small pictures aren't enlarged. Raises LogoRefused.
    """
    if len(upload) > MAX_BYTES:
        raise LogoRefused(Reason.TOO_LARGE_A_FILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files are no concern of the log
        picture = _decode(upload)
    flat = Image.new("RGBA", picture.size, "white")
    flat.alpha_composite(picture)
    contrast = ImageChops.invert(flat.convert("RGB")).convert("L")
    box = contrast.point([0] * NEARLY_WHITE + [255] * (256 - NEARLY_WHITE)).getbbox()
    if box is None:
        raise LogoRefused(Reason.NOTHING_TO_SEE)
    picture = picture.crop(box)
    picture.thumbnail(MAX_SIZE, _RESAMPLE)
    opaque = picture.getchannel("A").getextrema() == (255, 255)
    out = BytesIO()
    # A new image carries none of the old one's chunks, profiles and comments.
    clean = Image.new("RGBA", picture.size)
    clean.paste(picture)
    clean.convert("RGB" if opaque else "RGBA").save(out, "PNG", optimize=True)
    return out.getvalue()


def data_uri(png: bytes) -> str:
    """``png`` for the ``src`` of an image: the only kind of address that our paper may load."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def size_mm(png: bytes) -> tuple[float, float]:
    """Width and height on paper of what ``prepare`` made, as ``.logo`` of paper.css has them: within 55 × 17 mm,
    at 96 pixels an inch where it is smaller."""
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        width, height = (pixels * 25.4 / 96 for pixels in image.size)
    scale = min(1.0, 55 / width, 17 / height)
    return width * scale, height * scale


def _decode(upload: bytes) -> Image.Image:
    try:
        # Opening reads the header only: the size is known before anything is decoded.
        with Image.open(BytesIO(upload), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LogoRefused(Reason.TOO_MANY_PIXELS)
            # A photograph straight from a camera is decoded at a fraction of its size.
            image.draft("RGB" if image.mode != "L" else "L", (MAX_SIZE[0] * 2, MAX_SIZE[1] * 2))
            return ImageOps.exif_transpose(image).convert("RGBA")
    except Image.DecompressionBombError:
        raise LogoRefused(Reason.TOO_MANY_PIXELS) from None
    except (OSError, ValueError, SyntaxError, TypeError, IndexError, KeyError, OverflowError, EOFError):
        # Pillow's decoders raise all of these for broken files.
        raise LogoRefused(Reason.NOT_A_PICTURE) from None
