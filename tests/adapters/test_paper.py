"""Sheet and report as people hold them: one page, readable by eye, by camera and by screen reader.

QR codes are read back by two independent readers from rendered pages, clean and mistreated.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import page
import pytest
import zxingcpp
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from jinja2 import UndefinedError
from PIL import Image, ImageDraw, ImageFilter
from pyzbar import pyzbar

from app.adapters import fonts, logo, paper, qr
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from tests.support.paper import codes as found_codes

ADDRESS = "https://images.clinic.example/#K0QD8B5S2Z6G"
CODE, PASSWORD = "K0QD-8B5S-2Z6G", "482 917 3065"
PRINTED = datetime(2026, 11, 21, 9, 5, tzinfo=timezone(timedelta(hours=1)))
LONG = "Hospital Universitario de Nuestra Señora de la Candelaria y Norte"[:64]
NAMES = {
    "Latin": ["Ana Moreno"],
    "Polish": ["Zażółć Gęślą-Jaźń"],
    "Japanese": ["山田 太郎", "やまだ たろう", "Tarou Yamada"],
    "Arabic": ["قباني لنزار", "Nizar Qabbani"],
    "Hebrew": ["שרון דבורה", "Deborah Sharon"],
    "Greek": ["Διονυσίου Διονύσιος"],
    "Korean": ["洪 吉洞", "홍 길동", "Gildong Hong"],
}
WORDS = {  # enough of a right-to-left language to see that the page turns round
    "Your images": "صورك",
    "See your images": "شاهد صورك",
    "How to see the images": "كيف تشاهد الصور",
    "Works until %(date)s": "صالح حتى %(date)s",
    "Page %(page)s of %(pages)s": "صفحة %(page)s من %(pages)s",
    "Report": "التقرير",
}


TEMPLATES = PaperTemplates()


@cache
def _logo() -> str:
    image = Image.new("RGBA", (300, 100), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, 290, 90), fill="#0b6b5c")
    out = BytesIO()
    image.save(out, "PNG")
    return logo.data_uri(logo.prepare(out.getvalue()))


def _context(**changes: dict[str, Any] | None) -> dict[str, Any]:
    """What a sheet shows; ``access={"password": PASSWORD}`` changes one value of one part."""
    context: dict[str, Any] = {
        "site": {
            "name": "Riverside Imaging",
            "address": ["14 Mill Lane", "Ashford TN23 1AB"],
            "phone": "+1 555 0199",
            "logo": _logo(),
            "colour": "#0b6b5c",
            "paper": "A4",
        },
        "patient": {"name": "Ana Moreno", "other_names": [], "id": "P-004711"},
        "study": {
            "title": "CT of the chest",
            "date": date(2026, 11, 20),
            "accession": "A-2026-11834",
            "institution": "Main Building",
        },
        "access": {
            "code": CODE,
            "password": None,
            "asks_birth_date": True,
            "address": "images.clinic.example",
            "qr": qr.svg(ADDRESS),
            "expires": date(2027, 2, 19),
            "holder": "",
            "opened": None,
        },
        "report": {
            "headings": {"indication": "", "technique": "", "findings": "", "impression": ""},
            "verify_at": "portal.example/verify",
            "indication": "",
            "technique": "",
            "findings": "Lungs: clear.\nHeart: normal.\n\nBones: no fracture.",
            "impression": "No acute disease.",
            "signed_by": "Dr. Maria Kowalska",
            "signed_at": PRINTED,
            "version": 1,
            "reason": "",
            "replaces": None,
        },
        "printed_at": PRINTED,
    }
    for part, values in changes.items():
        context[part] = values and {**context[part], **values}
    return context


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> PaperTemplates:
    """Templates that know a little Arabic."""
    folder = tmp_path_factory.mktemp("translations")
    catalogue = Catalog(locale="ar")
    for english, arabic in WORDS.items():
        catalogue.add(english, arabic)
    (folder / "ar" / "LC_MESSAGES").mkdir(parents=True)
    with (folder / "ar" / "LC_MESSAGES" / "messages.mo").open("wb") as file:
        write_mo(file, catalogue)
    return PaperTemplates(translations=folder)


Printer = Callable[..., Path]


@pytest.fixture
def printed(renderer: Renderer, tmp_path: Path) -> Printer:
    """Prints ``sheet.html`` or ``report.html`` with changes, and gives the file."""

    def make(
        name: str, *, templates: PaperTemplates | None = None, language: str = "en", **changes: Any
    ) -> Path:
        html = (templates or TEMPLATES).html(name, language=language, **_context(**changes))
        path = tmp_path / "paper.pdf"
        path.write_bytes(renderer.render(html))
        return path

    return make


def _run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def _pages(pdf: Path) -> int:
    return int(re.findall(r"Pages: +(\d+)", _run("pdfinfo", pdf))[0])


def _text(pdf: Path) -> str:
    return _run("pdftotext", "-raw", pdf, "-")


def _boxes(pdf: Path) -> list[tuple[str, float, float, float, float]]:
    """Every word of the first page with its left, top, right and bottom edge in millimetres."""
    root = ElementTree.fromstring(_run("pdftotext", "-f", "1", "-l", "1", "-bbox", pdf, "-"))
    words = root.iter("{http://www.w3.org/1999/xhtml}word")
    return [
        (
            word.text or "",
            *(float(word.attrib[edge]) * 25.4 / 72 for edge in ("xMin", "yMin", "xMax", "yMax")),
        )
        for word in words
    ]


def _picture(pdf: Path, dpi: int) -> Image.Image:
    command = ["pdftoppm", "-f", "1", "-l", "1", "-r", str(dpi), "-gray", str(pdf)]
    return Image.open(BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)).convert("L")


def _read(picture: Image.Image) -> tuple[list[str], list[str]]:
    """What zxing and what zbar read."""
    codes = pyzbar.decode(picture, symbols=[pyzbar.ZBarSymbol.QRCODE])
    return [code.text for code in found_codes(picture)], [code.data.decode() for code in codes]


# The sheet.


@pytest.mark.parametrize(
    ("script", "size"), [*((script, "A4") for script in NAMES), ("Japanese", "Letter"), ("Latin", "Letter")]
)
def test_a_sheet_is_one_page_that_shows_the_name_and_the_code(
    printed: Printer, size: str, script: str
) -> None:
    name, *others = NAMES[script]
    pdf = printed("sheet.html", site={"paper": size}, patient={"name": name, "other_names": others})
    text = _text(pdf)
    assert _pages(pdf) == 1
    assert CODE in text
    assert "images.clinic.example" in text
    assert "February 19, 2027" in text
    for form in (name, *others):
        # Right to left: poppler gives presentation forms and marks; letters are what counts.
        wanted = form if script not in ("Arabic", "Hebrew") or form.isascii() else form.split()[0][:3]
        assert wanted in text or wanted[::-1] in text
    assert "www" not in text
    assert "http" not in text
    assert fonts.missing(text) == []
    assert page.is_pdf_compliant(pdf)


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize(("size", "middle"), [("A4", 148.5), ("Letter", 139.7)])
def test_a_punch_at_the_side_and_a_fold_at_the_middle_spare_what_matters(
    printed: Printer, translated: PaperTemplates, size: str, middle: float, language: str
) -> None:
    pdf = printed(
        "sheet.html",
        templates=translated,
        language=language,
        site={"paper": size},
        access={"password": PASSWORD},
    )
    words = _boxes(pdf)
    width = 210 if size == "A4" else 215.9
    assert min(left for _, left, *_ in words) > 19
    assert max(right for *_, right, _ in words) < width - 19
    block = [box for box in words if box[0] in (CODE, "482", "917", "3065")]
    assert len(block) == 4
    assert max(bottom for *_, bottom in block) < middle - 15
    assert min(left for _, left, *_ in block) > width / 2
    (code,) = found_codes(_picture(pdf, 150))
    corner = code.position.bottom_left
    assert corner.y / 150 * 25.4 < 80  # above the middle and above the fold of a letter
    assert corner.x / 150 * 25.4 > width / 2


def test_the_code_stays_in_one_line_however_long_it_is(printed: Printer) -> None:
    long = "K0QD-8B5S-2Z6G-8B5S-9"
    pdf = printed("sheet.html", access={"code": long})
    ((_, left, _, right, _),) = (word for word in _boxes(pdf) if word[0] == long)
    assert right - left < 62


@pytest.mark.parametrize(
    ("password", "birth_date", "shown"),
    [
        (None, True, ["date of birth"]),
        (PASSWORD, True, ["password", "date of birth"]),
        (PASSWORD, False, ["password"]),
    ],
)
def test_the_sheet_asks_for_what_the_policy_asks_for(
    printed: Printer, password: str | None, birth_date: bool, shown: list[str]
) -> None:
    text = _text(printed("sheet.html", access={"password": password, "asks_birth_date": birth_date}))
    for words in ("password", "date of birth"):
        assert (words in text) == (words in shown)
    assert (PASSWORD in text) == (password is not None)


def test_no_sheet_or_report_can_print_the_birth_date() -> None:
    """Nothing in the templates asks for one, so that no caller's mistake prints it."""
    context = _context(patient={"birth_date": date(1958, 3, 27), "other_names": []})
    for name in ("sheet.html", "report.html"):
        assert "1958" not in TEMPLATES.html(name, language="en", **context)


@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_the_longest_values_that_dicom_allows_still_fit_on_one_page(printed: Printer, size: str) -> None:
    pdf = printed(
        "sheet.html",
        site={"paper": size, "name": LONG, "address": [LONG, LONG, LONG]},
        patient={"name": LONG, "other_names": [LONG, LONG], "id": "1" * 64},
        study={"title": LONG, "institution": LONG, "accession": "A" * 16},
        access={"password": PASSWORD, "address": f"images.{'long.' * 8}hospital-group.example"},
    )
    assert _pages(pdf) == 1


def test_a_sheet_gets_by_with_little(printed: Printer) -> None:
    pdf = printed(
        "sheet.html",
        site={"logo": None, "phone": "", "address": []},
        patient={"name": "", "id": ""},
        study={"title": "", "date": None, "accession": "", "institution": ""},
    )
    text = _text(pdf)
    assert "Name not given in the images" in text
    assert "Phone" not in text
    assert page.is_pdf_compliant(pdf)


# Languages.


def test_a_right_to_left_sheet_turns_round_and_keeps_the_code_as_it_is(
    printed: Printer, translated: PaperTemplates
) -> None:
    pdf = printed("sheet.html", templates=translated, language="ar", patient={"name": "قباني لنزار"})
    words = {word: (left, right) for word, left, _, right, _ in _boxes(pdf)}
    assert CODE in words
    assert words["P-004711"][1] > 70  # facts stand at the right of their column
    assert page.is_pdf_compliant(pdf)
    html = translated.html("sheet.html", language="ar", **_context())
    assert '<html lang="ar" dir="rtl">' in html


def test_without_a_catalogue_the_sheet_is_english_throughout() -> None:
    html = PaperTemplates(translations=Path("/nowhere")).html("sheet.html", language="ar", **_context())
    assert '<html lang="en" dir="ltr">' in html
    assert "February 19, 2027" in html


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("Ana", "ltr"), ("שרון", "rtl"), ("قباني", "rtl"), ("12 שרון", "rtl"), ("12", "ltr"), ("", "ltr")],
)
def test_a_name_runs_in_its_own_direction(text: str, wanted: str) -> None:
    assert paper.direction(text) == wanted


# The report.


def test_a_report_carries_the_same_block_on_its_first_page(printed: Printer) -> None:
    sheet = {word: box for word, *box in _boxes(printed("sheet.html"))}
    report = {word: box for word, *box in _boxes(printed("report.html"))}
    assert report[CODE] == pytest.approx(sheet[CODE], abs=0.5)


def test_a_report_for_the_patients_own_download_shows_no_code(printed: Printer) -> None:
    pdf = printed("report.html", access=None)
    assert CODE not in _text(pdf)
    picture = _picture(pdf, 100)
    assert _read(picture) == ([], [])
    assert list(zxingcpp.read_barcodes(picture)) == []  # nor a code of another kind
    assert page.is_pdf_compliant(pdf)


def test_a_long_report_names_patient_and_page_on_every_page(printed: Printer) -> None:
    findings = "\n\n".join(f"Paragraph {number}.\n" + "Words and words. " * 30 for number in range(25))
    pdf = printed("report.html", report={"findings": findings})
    pages = _text(pdf).split("\f")[:-1]
    assert len(pages) >= 3
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in text
        assert ("Ana Moreno · November 20, 2026 · CT of the chest" in text) == (number > 1)
    assert page.is_pdf_compliant(pdf)


def test_the_text_of_a_report_keeps_its_lines_and_its_signs(printed: Printer) -> None:
    text = _text(
        printed("report.html", report={"findings": "First <b>line</b>\nSecond & line\n\nThird: 5 < 6"})
    )
    assert "First <b>line</b>\nSecond & line\nThird: 5 < 6" in text


def test_an_amended_report_says_what_it_replaces_and_why(printed: Printer) -> None:
    changes = {"version": 2, "reason": "The side was wrong.", "replaces": date(2026, 11, 19)}
    text = _text(printed("report.html", report=changes))
    assert "Amended report, version 2" in text
    assert "November 19, 2026" in text
    assert "The side was wrong." in text


def test_an_unsigned_report_says_so(printed: Printer) -> None:
    text = _text(printed("report.html", report={"signed_by": None, "signed_at": None}))
    assert "Draft, not signed" in text


def test_a_report_is_read_in_the_order_of_sense(printed: Printer) -> None:
    tags = _run("pdfinfo", "-struct-text", printed("report.html"))
    order = [
        "Riverside Imaging",
        '"Report"',
        "Ana Moreno",
        "P-004711",
        CODE,
        "Findings",
        "Impression",
        "Kowalska",
    ]
    places = [tags.index(words) for words in order]
    assert places == sorted(places)


# Hostile values.


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><svg onload=alert(1)>',
        "</style><img src=x>",
        "{{ 7 * 7 }}",
        "%(x)s %s",
    ],
)
def test_markup_in_any_value_is_printed_as_text(printed: Printer, hostile: str) -> None:
    changes: dict[str, Any] = {
        "site": {"name": hostile, "address": [hostile], "phone": hostile},
        "patient": {"name": hostile, "other_names": [hostile], "id": hostile},
        "study": {"title": hostile, "accession": hostile, "institution": hostile},
        "access": {"address": hostile},
        "report": {
            "findings": hostile,
            "impression": hostile,
            "signed_by": hostile,
            "reason": hostile,
            "version": 2,
        },
    }
    for name in ("sheet.html", "report.html"):
        html = TEMPLATES.html(name, language="en", **_context(**changes))
        for mark in ("<script", "<svg onload", "<img src=x", "49"):
            assert mark not in html
        assert html.count("</style>") == 1
    assert hostile in _text(printed("sheet.html", patient={"name": hostile}))


@pytest.mark.parametrize("value", ["red", "#12345", "#000;}</style>", "url(http://x/)", "", "#0b6b5c;"])
def test_no_odd_colour_reaches_the_stylesheet(value: str) -> None:
    assert paper.colour(value) == paper.INK


def test_a_missing_value_is_an_error_and_not_a_gap_on_paper() -> None:
    context = _context()
    del context["access"]["code"]
    with pytest.raises(UndefinedError):
        TEMPLATES.html("sheet.html", language="en", **context)


# The QR code, as cameras meet it.


def _blurred(picture: Image.Image) -> Image.Image:
    """By a quarter of a millimetre."""
    return picture.filter(ImageFilter.GaussianBlur(picture.width / 210 / 4))


def _turned(picture: Image.Image) -> Image.Image:
    return picture.rotate(7, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def _compressed(picture: Image.Image) -> Image.Image:
    out = BytesIO()
    picture.save(out, "JPEG", quality=15)
    return Image.open(BytesIO(out.getvalue())).convert("L")


def _damaged(picture: Image.Image) -> Image.Image:
    """8 % of the code's area gone: a hole of 5 % and three spots of 1 %, away from the patterns that mark it."""
    (found,) = found_codes(picture)
    left, top = found.position.top_left.x, found.position.top_left.y
    side = found.position.bottom_right.x - left
    picture = picture.copy()
    draw = ImageDraw.Draw(picture)
    for x, y, share, ink in (
        (0.38, 0.4, 0.05, 255),
        (0.7, 0.4, 0.01, 0),
        (0.3, 0.75, 0.01, 0),
        (0.5, 0.15, 0.01, 0),
    ):
        x, y, edge = left + side * x, top + side * y, side * share**0.5
        draw.rectangle((x, y, x + edge, y + edge), fill=ink)
    return picture


HARMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "clean": lambda same: same,
    "blurred": _blurred,
    "turned": _turned,
    "jpeg": _compressed,
    "damaged": _damaged,
}
SHORT, USUAL, LONGEST = "a.example", "images.clinic.example", "images.radiology.city-hospital-group.example"
# Any two of paper, address, resolution and harm meet; each address meets each harm at the coarse resolution.
SEEN = {
    ("sheet.html", SHORT): {150: ("clean", "turned", "damaged"), 300: ("jpeg",)},
    ("report.html", SHORT): {150: ("blurred", "jpeg")},
    ("sheet.html", USUAL): {150: ("blurred", "jpeg")},
    ("report.html", USUAL): {150: ("clean", "turned", "damaged"), 300: ("blurred",)},
    ("sheet.html", LONGEST): {150: ("clean", "blurred", "damaged"), 300: ("turned",)},
    ("report.html", LONGEST): {150: ("turned", "jpeg"), 300: ("clean", "damaged")},
}


@pytest.mark.parametrize(("name", "host"), SEEN)
def test_the_qr_code_is_read_by_both_readers(printed: Printer, name: str, host: str) -> None:
    address = f"https://{host}/#K0QD8B5S2Z6G"
    pdf = printed(name, access={"address": host, "qr": qr.svg(address)})
    for dpi, harms in SEEN[name, host].items():
        picture = _picture(pdf, dpi)
        for harm in harms:
            assert _read(HARMS[harm](picture)) == ([address], [address]), f"{harm} at {dpi} dpi"
