"""Logos: what comes out of what people upload, and what is refused."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from app.adapters import logo
from app.adapters.logo import LogoRefused, Reason


def _picture(size: tuple[int, int] = (1200, 300), mode: str = "RGB", ground: object = "white") -> Image.Image:
    image = Image.new(mode, size, ground)  # type: ignore[arg-type]
    ImageDraw.Draw(image).rectangle(
        (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4),
        fill=(200, 20, 40) if mode.startswith("RGB") else 0,
    )
    return image


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _open(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png), formats=("PNG",))


def _refusal(upload: bytes) -> Reason:
    with pytest.raises(LogoRefused) as refused:
        logo.prepare(upload)
    return refused.value.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_every_usual_format_becomes_a_png_that_fits(kind: str) -> None:
    out = _open(logo.prepare(_bytes(_picture((2400, 600)), kind)))
    assert out.width <= 600
    assert out.height <= 240
    assert out.getpixel((out.width // 2, out.height // 2))[0] > 150  # type: ignore[index]


def test_white_margins_are_cut_off() -> None:
    assert _open(logo.prepare(_bytes(_picture((400, 200)), "PNG"))).size == (201, 101)


def test_a_small_logo_is_not_enlarged() -> None:
    assert _open(logo.prepare(_bytes(_picture((40, 20), ground="navy"), "PNG"))).size == (40, 20)


def test_transparency_stays() -> None:
    image = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, 190, 90), fill=(0, 0, 200, 255))
    assert _open(logo.prepare(_bytes(image, "PNG"))).convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_a_palette_with_a_transparent_colour_and_a_cmyk_picture_are_understood() -> None:
    assert logo.prepare(_bytes(_picture().convert("P"), "GIF", transparency=0))
    assert logo.prepare(_bytes(_picture().convert("CMYK"), "JPEG"))


def test_names_places_and_profiles_in_the_file_are_left_behind() -> None:
    exif = Image.Exif()
    exif[0x013B] = "Jane Doe of 4 Secret Lane"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "Jane Doe of 4 Secret Lane", zip=False)
    for upload in (
        _bytes(_picture(), "JPEG", exif=exif),
        _bytes(_picture(), "PNG", pnginfo=text, icc_profile=b"x" * 99),
    ):
        out = logo.prepare(upload)
        assert b"Secret" not in out
        assert b"Exif" not in out
        assert set(_chunks(out)) == {b"IHDR", b"IDAT", b"IEND"}


def test_a_photograph_turned_by_its_exif_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = _open(logo.prepare(_bytes(_picture((400, 100), ground="navy"), "JPEG", exif=exif)))
    assert out.height > out.width


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [_picture((60, 30), ground="navy"), _picture((60, 30), ground="yellow")]
    upload = _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:] * 50)
    assert _open(logo.prepare(upload)).convert("RGB").getpixel((0, 0)) == (0, 0, 128)


def test_a_picture_that_explodes_when_decoded_is_refused_before_it_is() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    bomb = (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000)) + chunk(b"IEND", b"")
    )
    assert len(bomb) < 5000
    assert _refusal(bomb) is Reason.TOO_MANY_PIXELS
    # Between our limit and Pillow's.
    assert _refusal(_bytes(Image.new("1", (5000, 4000)), "PNG")) is Reason.TOO_MANY_PIXELS


def test_a_huge_file_is_refused() -> None:
    assert _refusal(b"\x89PNG\r\n\x1a\n" + b"\0" * logo.MAX_BYTES) is Reason.TOO_LARGE_A_FILE


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        _bytes(_picture(), "TIFF"),
        _bytes(_picture(), "PNG")[:-200],
        _bytes(_picture(), "JPEG")[:200],
    ],
    ids=["empty", "text", "svg", "pdf", "eps", "tiff", "half a png", "half a jpeg"],
)
def test_what_is_no_whole_picture_is_refused(upload: bytes) -> None:
    assert _refusal(upload) is Reason.NOT_A_PICTURE


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (100, 50), "white"),
        Image.new("RGBA", (100, 50), (0, 0, 0, 0)),
        Image.new("RGBA", (100, 50), (255, 255, 255, 200)),
    ],
    ids=["white", "transparent", "white on transparent"],
)
def test_a_logo_that_nobody_could_see_on_paper_is_refused(image: Image.Image) -> None:
    assert _refusal(_bytes(image, "PNG")) is Reason.NOTHING_TO_SEE


def _chunks(png: bytes) -> list[bytes]:
    kinds, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kinds.append(png[place + 4 : place + 8])
        place += 12 + length
    return kinds
