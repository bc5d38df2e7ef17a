"""Every document in every language of paper: PDF/UA, read in order, read by cameras; two languages in one document."""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import page
import pikepdf
import pytest
from PIL import Image, ImageFilter
from pyzbar import pyzbar

from app.adapters import fonts
from app.adapters.paper import DOT_MM, LABELS, PaperTemplates, apart, whole_dots
from app.adapters.pdf import Renderer
from app.services.paper_contexts import MOST_LISTED
from app.services.site import PAPER_LANGUAGES
from tests.adapters.test_paper import ADDRESS, CODE, PASSWORD, PRINTED, _context
from tests.support.paper import codes

# One document of each kind in every language; its sisters in those that take most room or other letters.
KINDS, SISTERS = ("sheet", "report", "62x100"), ("several", "family", "sheets", "signed", "102x152")
DOCUMENTS = [
    *((name, language) for name in KINDS for language in PAPER_LANGUAGES),
    *((name, language) for name in SISTERS for language in ("de", "ar", "ja")),
    *((f"{name} on Letter", language) for name in ("sheet", "family") for language in ("de", "ja")),
]
TITLES = {"en": "See your images", "de": "Ihre Bilder ansehen", "ar": "لمشاهدة صورك", "ja": "画像を見るには"}
WORDS = {  # what a sheet says in its own script: words in the order in which they are read
    "ar": "كيف تشاهد الصور",
    "ja": "画像の見かた",
}
Make = Callable[..., bytes]


@pytest.fixture(scope="session")
def make(renderer: Renderer) -> Make:
    """A document by its name, once for all tests of a worker."""
    templates = PaperTemplates()

    @cache
    def make(name: str, language: str = "en", reader: str = "") -> bytes:
        context = _context(access={"password": PASSWORD})
        name, _, size = name.partition(" on ")
        context["site"] |= {"paper": size or "A4"}
        context["report"] |= {"indication": "Cough", "technique": "Spiral CT", "version": 2, "reason": "Side"}
        one = {part: context[part] for part in ("patient", "study", "access")}
        if name in LABELS:
            template, context = "labels", {"site": context["site"], "label": name, "sheets": [one, one]}
        elif name == "sheets":
            template, context = "sheets", context | {"sheets": [one, one]}
            context["site"] |= {"logo_mm": (50.0, 16.0)}
        elif name in ("several", "family"):
            studies = [
                context["study"] | {"whose": whose} for whose in ("Ana Moreno", "ليلى حداد", "山田 太郎")
            ]
            opened = {
                "studies": (studies * 3)[:MOST_LISTED],
                "is_of_several": name == "family",
                "left_out": 4,
            }
            template = "sheet"
            context["access"] |= {"opened": opened, "holder": "Dr. María Moreno"}
        elif name == "signed":
            template, context = "report", context | {"access": None, "printed_at": None}
        else:
            template = name
        return renderer.render(
            templates.html(f"{template}.html", language=language, reader=reader, **context)
        )

    return make


def _text(pdf: bytes) -> str:
    """In the order of reading, Arabic letters in their plain form and without marks of direction."""
    text = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
    return "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")


def _elements(pdf: bytes) -> list[Any]:
    with pikepdf.open(BytesIO(pdf)) as file:
        found = [one for one in file.objects if isinstance(one, pikepdf.Dictionary) and "/S" in one]
        return [{key: str(value) for key, value in one.items() if key != "/P"} for one in found]


def _pictures(pdf: bytes, dpi: int, folder: Path) -> list[Image.Image]:
    command = ["pdftoppm", "-r", str(dpi), "-gray", "-", str(folder / "page")]
    subprocess.run(command, input=pdf, check=True)
    return [Image.open(file).convert("L") for file in sorted(folder.glob("page*"))]


@pytest.mark.parametrize(("name", "language"), DOCUMENTS)
def test_every_document_is_accessible_keeps_its_figures_and_is_read_by_both_readers(
    make: Make, tmp_path: Path, name: str, language: str
) -> None:
    pdf = make(name, language)

    assert page.is_pdf_compliant_bytes(pdf)
    with pikepdf.open(BytesIO(pdf)) as file:
        assert str(file.Root.Lang) == language
        assert "Riverside Imaging" in str(file.docinfo.Title)
        assert file.Root.ViewerPreferences.DisplayDocTitle
        assert len(file.pages) == (2 if name in ("sheets", *LABELS) else 1)
    elements = _elements(pdf)
    assert all(one.get("/Alt") for one in elements if one["/S"] == "/Figure")
    assert "/H1" in [one["/S"] for one in elements]

    text = _text(pdf)
    assert fonts.missing(text) == []
    for figures in (CODE, PASSWORD, "images.clinic.example"):
        assert (figures in text) == (name != "signed")
    assert "1958" not in text
    assert "+1 555 0199" in text or name in LABELS

    wanted = [] if name == "signed" else [ADDRESS]
    for picture in _pictures(pdf, 150, tmp_path):
        # As a camera sees it, out of focus by a quarter of a millimetre; and labels, whose modules are small, clean.
        blurred = picture.filter(ImageFilter.GaussianBlur(0.25 / 25.4 * 150))
        for seen in (picture, blurred) if name in LABELS else (blurred,):
            assert [code.text for code in codes(seen)] == wanted
            assert [code.data.decode() for code in pyzbar.decode(seen, [pyzbar.ZBarSymbol.QRCODE])] == wanted


@pytest.mark.parametrize("language", WORDS)
def test_text_is_extracted_in_the_order_of_reading(make: Make, language: str) -> None:
    assert WORDS[language] in _text(make("sheet", language))


def test_a_screen_reader_gets_arabic_in_the_order_of_reading(make: Make) -> None:
    spoken = [one.get("/ActualText", "") for one in _elements(make("sheet", "ar"))]
    assert WORDS["ar"] in spoken
    assert any("متصفح" in words for words in spoken)


@pytest.mark.parametrize(("report", "patient"), [("de", "ar"), ("ar", "de"), ("en", "ja"), ("ja", "en")])
def test_a_report_keeps_its_language_and_the_access_block_speaks_the_patients(
    make: Make, report: str, patient: str
) -> None:
    pdf = make("report", report, patient)
    text = _text(pdf)
    assert TITLES[patient] in text and TITLES[report] not in text
    assert CODE in text and PASSWORD in text
    (block,) = (one for one in _elements(pdf) if "/Lang" in one)
    assert (block["/S"], block["/Lang"]) == ("/Sect", patient)
    assert page.is_pdf_compliant_bytes(pdf)


def test_headings_of_a_report_are_its_own_or_else_its_languages(renderer: Renderer) -> None:
    report = {"headings": {"indication": "", "technique": "", "findings": "Befund CT", "impression": ""}}
    pdf = renderer.render(PaperTemplates().html("report.html", language="ar", **_context(report=report)))
    assert "Befund CT" in _text(pdf)
    assert "الخلاصة" in [one.get("/ActualText") for one in _elements(pdf)]
    assert "Impression" not in _text(pdf)


# Labels.


@pytest.mark.parametrize("size", LABELS)
def test_a_label_is_of_its_size_and_black_on_white(make: Make, size: str) -> None:
    with pikepdf.open(BytesIO(make(size, "de"))) as file:
        for leaf in file.pages:
            box = [float(edge) / 72 * 25.4 for edge in leaf.mediabox]
            assert box[2:] == pytest.approx(LABELS[size], abs=0.1)
            for operands, operator in pikepdf.parse_content_stream(leaf):
                if str(operator) in ("g", "G", "rg", "RG", "k", "K", "sc", "scn", "SC", "SCN"):
                    assert {float(value) for value in operands} <= {0.0, 1.0}


@pytest.mark.parametrize("room", [35, 50])
def test_the_modules_of_a_label_are_whole_dots_of_a_third_of_a_millimetre_at_least(room: float) -> None:
    for modules in range(29, 81, 4):
        module = whole_dots(modules, room) / modules
        assert module >= 0.33
        assert module / DOT_MM == pytest.approx(round(module / DOT_MM), abs=0.01)
    with pytest.raises(ValueError, match="don't fit"):
        whole_dots(400, room)


@pytest.mark.parametrize("language", ["de", "ar", "ja"])
@pytest.mark.parametrize("size", LABELS)
def test_the_longest_values_still_fit_on_one_label(renderer: Renderer, size: str, language: str) -> None:
    long = "Hospital Universitario de Nuestra Señora de la Candelaria y Norte"[:64]
    host = f"images.{'long.' * 6}hospital-group.example"
    context = _context(
        site={"name": long},
        patient={"name": long},
        study={"title": long},
        access={"password": PASSWORD, "code": f"{CODE}-8B5S-9", "address": host},
    )
    one = {part: context[part] for part in ("patient", "study", "access")}
    html = PaperTemplates().html(
        "labels.html", language=language, site=context["site"], label=size, sheets=[one]
    )
    pdf = renderer.render(html)
    with pikepdf.open(BytesIO(pdf)) as file:
        assert len(file.pages) == 1
    assert long.split()[-1] in _text(pdf)  # a name is never cut


# Pages that end well.


@pytest.mark.parametrize("lines", range(16, 34, 3))
def test_a_heading_and_a_signature_stay_with_their_text(renderer: Renderer, lines: int) -> None:
    findings = "\n\n".join(f"Line {number} of the findings." for number in range(lines))
    context = _context(report={"findings": findings, "impression": "Nothing new.\n\nNothing old."})
    pages = _text(renderer.render(PaperTemplates().html("report.html", language="en", **context))).split("\f")
    for text in pages:
        assert ("Impression" in text) == ("Nothing new." in text)
        assert ("Kowalska" in text) == ("Nothing old." in text)


def test_pieces_of_two_directions_do_not_move_each_other() -> None:
    assert apart(["Ana", "CT"]) == "Ana · CT"
    assert apart(["ليلى", "CT"]) == "\u2068ليلى\u2069 · \u2068CT\u2069"


def test_what_is_signed_names_no_day_of_printing(make: Make) -> None:
    assert "Printed on" in _text(make("report"))
    assert "Printed on" not in _text(make("signed"))
    assert PRINTED.strftime("%B %d, %Y") in _text(make("signed"))  # the day of signing
