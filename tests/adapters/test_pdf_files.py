"""PDFs made elsewhere: what is refused, what is seen of them, and that a stamp leaves them as they were."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO

import page as pdfua
import pikepdf
import pytest
from pikepdf import Array, Name
from PIL import ImageChops, ImageOps

from app.adapters import qr
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import Inspection, PdfFiles, Place, Refusal
from tests.support import foreign, paper

LINK = "https://images.clinic.example/#K7QD9M3X4TBN"


@pytest.fixture(scope="module")
def files() -> Iterator[PdfFiles]:
    with PdfFiles(workers=1, seconds=10) as files:
        yield files


def _block(renderer: Renderer, size: str) -> bytes:
    code = qr.svg(LINK)
    side = 26 * code.modules / (code.modules - 8)
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}mm" height="{side}mm"'
        f' viewBox="0 0 {code.modules} {code.modules}"><title>QR</title><path d="{code.path}"/></svg>'
    )
    rules = "svg, p { display: block; margin: 0 } body { border: 1pt solid; margin: 0 }"
    style = f"<style>@page {{ size: {size}; margin: 2mm }} {rules}</style>"
    head = f"<title>Code</title>{style}"
    return renderer.render(
        f"<!doctype html><html lang=fr><head>{head}</head><body>{picture}K7QD-9M3X</body></html>"
    )


@pytest.fixture(scope="module")
def whole(renderer: Renderer) -> bytes:
    return _block(renderer, "A4")


@pytest.fixture(scope="module")
def lying(renderer: Renderer) -> bytes:
    return _block(renderer, "80mm 60mm")


def _taken(files: PdfFiles, pdf: bytes) -> Inspection:
    looked = files.inspect(pdf)
    assert isinstance(looked, Inspection), looked
    return looked


# What is refused.


@pytest.mark.parametrize(("why", "make"), foreign.REFUSED.values(), ids=foreign.REFUSED.keys())
def test_what_no_report_should_be_is_refused_by_its_name(
    files: PdfFiles, why: str, make: Callable[[], bytes]
) -> None:
    assert files.inspect(make()) is Refusal(why)
    assert _taken(files, foreign.plain()).pages == 1  # and the next one is looked at


def test_a_link_to_a_web_page_is_no_reason_to_refuse(files: PdfFiles) -> None:
    link = pikepdf.Dictionary(S=Name.URI, URI=pikepdf.String("https://clinic.example"))

    def change(pdf: pikepdf.Pdf) -> None:
        note = pikepdf.Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=link)
        pdf.pages[0].obj.Annots = Array([note])

    assert not _taken(files, foreign.plain(change=change)).is_mended


def test_wrong_offsets_are_mended_where_no_page_is_missing(files: PdfFiles) -> None:
    moved = foreign.plain(pages=3).replace(b"startxref\n", b"startxref\n9", 1)
    looked = _taken(files, moved)
    assert (looked.pages, looked.is_mended) == (3, True)


# What is seen.


def test_facts_and_text_are_read(files: PdfFiles, renderer: Renderer) -> None:
    looked = _taken(files, foreign.tagged(renderer))
    assert (looked.pages, looked.is_tagged, looked.language, looked.title) == (1, True, "de", "Befund")
    assert foreign.WORDS in looked.text
    assert [round(edge) for edge in looked.sizes_mm[0]] == [210, 297]


def test_a_scan_has_no_text(files: PdfFiles) -> None:
    assert _taken(files, foreign.scan()).text.strip() == ""


def test_a_turned_page_is_as_wide_as_it_is_read(files: PdfFiles) -> None:
    wide, high = _taken(files, foreign.plain(Rotate=90)).sizes_mm[0]
    assert (round(wide), round(high)) == (297, 210)


def test_the_first_page_is_drawn(files: PdfFiles) -> None:
    assert files.preview(foreign.plain()).startswith(b"\x89PNG")


# What a stamp does.


def _structure(pdf: bytes) -> str:
    told = subprocess.run(["pdfinfo", "-struct-text", "-"], input=pdf, capture_output=True, check=True)
    return told.stdout.decode().strip()


@pytest.mark.parametrize("place", [Place.FRONT, Place.END])
def test_a_page_of_its_own_keeps_the_reports_tags_and_stays_pdf_ua(
    files: PdfFiles, renderer: Renderer, whole: bytes, place: Place
) -> None:
    report = foreign.tagged(renderer)
    stamped = files.stamp(report, whole, place)
    assert stamped is not None
    assert pdfua.is_pdf_compliant_bytes(report)
    assert pdfua.is_pdf_compliant_bytes(stamped)
    lines = [line.strip() for line in _structure(report).splitlines()[1:] if line.strip()]
    after = [line.strip() for line in _structure(stamped).splitlines()]
    assert "".join(lines) in "".join(after)
    assert "K7QD-9M3X" in "".join(after)
    assert paper.text(report).strip() in paper.text(stamped)
    drawn = paper.pages(stamped)
    own, theirs = (drawn[0], drawn[1]) if place is Place.FRONT else (drawn[-1], drawn[0])
    assert paper.scan(own) == LINK
    assert ImageChops.difference(theirs, paper.pages(report)[0]).getbbox() is None


def test_a_corners_block_is_an_artifact_of_a_report_that_stays_pdf_ua(
    files: PdfFiles, renderer: Renderer, lying: bytes
) -> None:
    report = foreign.tagged(renderer)
    stamped = files.stamp(report, lying, Place.CORNER)
    assert stamped is not None
    assert pdfua.is_pdf_compliant_bytes(stamped)
    assert _structure(stamped) == _structure(report)
    assert paper.text(report).strip() in paper.text(stamped)
    assert paper.scan(paper.pages(stamped)[0]) == LINK
    assert b"/Subtype /Image" not in stamped


A5, LETTER = (419.53, 595.28), (612.0, 792.0)
SHAPES = {
    "upright": foreign.plain(),
    "letter": foreign.plain(size=LETTER),
    "a5": foreign.plain(size=A5),
    "landscape": foreign.plain(size=(841.89, 595.276)),
    **{f"turned by {angle}": foreign.plain(Rotate=angle) for angle in (90, 180, 270)},
    "a5 turned": foreign.plain(size=A5, Rotate=270),
    "cropped": foreign.plain(CropBox=Array([40, 60, 560, 800])),
    "cropped and turned": foreign.plain(CropBox=Array([40, 60, 560, 800]), Rotate=90),
    "in units of its own": foreign.plain(size=(297.6, 420.9), UserUnit=2),
}


def _shifted() -> bytes:
    with pikepdf.open(BytesIO(foreign.plain())) as pdf:
        pdf.pages[0].obj.MediaBox = Array([-100, -200, 495, 642])
        return foreign.saved(pdf)


SHAPES["off the origin"] = _shifted()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_corners_code_is_read_upright_whatever_the_page(
    files: PdfFiles, lying: bytes, shape: bytes
) -> None:
    stamped = files.stamp(shape, lying, Place.CORNER)
    assert stamped is not None
    dpi = 300 if b"/UserUnit 2" in shape else 150  # pdftoppm counts in the page's own units
    before, after = paper.pages(shape, dpi=dpi)[0], paper.pages(stamped, dpi=dpi)[0]
    assert paper.scan(after) == LINK
    # Upright, in the upper right, and all that was there before untouched.
    changed = ImageChops.difference(before.convert("L"), after.convert("L")).getbbox()
    assert changed is not None
    _left, top, right, _bottom = (edge / 150 * 25.4 for edge in changed)
    wide, _high = (edge / 150 * 25.4 for edge in before.size)
    assert top < 30
    assert wide - right < 45
    blank = ImageOps.invert(before.convert("L")).crop(changed)
    assert blank.getbbox() is None
    (found,) = paper.codes(after)
    side_mm = (found.position.top_right.x - found.position.top_left.x) / 150 * 25.4
    assert side_mm >= 25
    assert abs(found.position.top_right.y - found.position.top_left.y) < 4


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_page_of_its_own_is_read_in_front_of_any_page(files: PdfFiles, whole: bytes, shape: bytes) -> None:
    stamped = files.stamp(shape, whole, Place.FRONT)
    assert stamped is not None
    assert paper.scan(paper.pages(stamped)[0]) == LINK
    assert len(paper.pages(stamped, dpi=20)) == 2


def test_the_first_free_corner_is_taken_from_the_upper_right_on(
    files: PdfFiles, renderer: Renderer, lying: bytes
) -> None:
    def corner(*taken: str) -> tuple[bool, bool] | None:
        marks = "".join(f"<p style='position:absolute;{where}'>X</p>" for where in taken)
        style = "<style>@page { size: A4; margin: 0 } p { margin: 0 }</style>"
        page = f"<!doctype html><html lang=en><title>R</title>{style}{marks}<p style='padding:140mm 0 0 80mm'>Text"
        before = renderer.render(page)
        stamped = files.stamp(before, lying, Place.CORNER)
        if stamped is None:
            return None
        (found,) = paper.codes(drawn := paper.pages(stamped)[0])
        spot = found.position.top_left
        return spot.y < drawn.size[1] / 2, spot.x > drawn.size[0] / 2

    upper_right, upper_left = "top:35mm;left:170mm", "top:35mm;left:30mm"
    lower_right, lower_left = "top:260mm;left:170mm", "top:260mm;left:30mm"
    assert corner() == (True, True)
    assert corner(upper_right) == (True, False)
    assert corner(upper_right, upper_left) == (False, True)
    assert corner(upper_right, upper_left, lower_right) == (False, False)
    assert corner(upper_right, upper_left, lower_right, lower_left) is None


def test_a_page_left_deep_in_saved_states_or_with_one_too_few_is_stamped_in_its_place(
    files: PdfFiles, lying: bytes
) -> None:
    for drawn in (b"q q q 0.1 0 0 0.1 5 5 cm ", b"Q Q 1 0 0 1 0 0 cm "):
        with pikepdf.open(BytesIO(foreign.plain())) as pdf:
            pdf.pages[0].obj.Contents = pdf.make_stream(drawn)
            odd = foreign.saved(pdf)
        stamped = files.stamp(odd, lying, Place.CORNER)
        assert stamped is not None
        (found,) = paper.codes(paper.pages(stamped)[0])
        assert found.text == LINK
        assert found.position.top_left.x > 600


def test_the_same_stamp_is_the_same_file(files: PdfFiles, lying: bytes) -> None:
    assert files.stamp(foreign.plain(), lying, Place.CORNER) == files.stamp(
        foreign.plain(), lying, Place.CORNER
    )
