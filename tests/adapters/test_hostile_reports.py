"""What a report's text can do to paper: nothing but be read, or be refused in time while the next one is printed.

Documents that attack the renderer itself are in test_pdf; here the text goes the way of every report.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import page
import pytest

from app.adapters.pdf import Renderer, RenderingFailed
from tests.adapters.test_paper import TEMPLATES, _context
from tests.support.paper import text as read

SECONDS = 1.5
MARKUP = {
    "script": "<script>alert(1)</script><svg onload=alert(1)><img src=x onerror=alert(1)>",
    "end of the page": "</p></section></body></html><h1>Another report</h1>",
    "style": "<style>* { display: none } @page { size: 1mm }</style> body { visibility: hidden }",
    "import": "@import url(http://127.0.0.1:9/x.css); url(file:///etc/passwd)",
    "data uri": '<img src="data:image/png;base64,iVBORw0KGgo="><object data="data:text/html,x">',
    "attachment": '<link rel=attachment href="file:///etc/passwd"><a rel=attachment href="file:///etc/passwd">x</a>',
    "template": "{{ 7 * 7 }}{% include 'x' %} %(name)s {0}",
    "comment": "<!-- <![CDATA[ ]]> &#0; &lt; &copy; \\2014",
    "attributes": '" style="display:none" dir="x\' onclick=1',
    "links": "https://nowhere.example/ javascript:alert(1)",
}
PRINTED = {
    "items in items": "- - - " * 16_000,
    "nothing wide": "a" + "\u200b\u200d" * 49_990 + "b",
    "overrides": "\u202e" * 99_990 + "12 mm",
    "embeddings": "\u202b" * 99_990 + "12 mm",
    "isolates": "\u2067\u2066" * 49_990 + "12 mm",
    "jamo": "\u1100" * 100_000,
}
ENDLESS = {  # seven seconds and more, or more memory than there is
    "one word": "x" * 100_000,
    "many items": "- x\n" * 25_000,
    "bold words": "**a** " * 16_600,
    "paragraphs": "a\n\n" * 33_333,
    "lines": "a\n" * 50_000,
    "spaces": "a" + " " * 99_990 + "b",
    "marks on one letter": "a" + "\u0301" * 99_990,
    "a wide ligature": "\ufdfa" * 30_000,
}


@pytest.fixture(scope="module")
def impatient() -> Iterator[Renderer]:
    with Renderer(workers=1, seconds=SECONDS) as renderer:
        yield renderer


def _html(text: str, **more: object) -> str:
    return TEMPLATES.html(
        "report.html",
        language="en",
        **_context(report={"findings": text, "impression": "That is all.", **more}),
    )


def _words(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP.keys())
def test_markup_is_printed_as_it_was_typed_and_does_nothing(
    renderer: Renderer, tmp_path: Path, text: str
) -> None:
    pdf = renderer.render(_html(f"Before.\n{text}\n- **{text}**\nAfter."))
    seen = _words(read(pdf))

    assert seen.count(_words(text)) == 2
    assert all(_words(words) in seen for words in ("Before.", "After.", "That is all.", "Ana Moreno"))
    assert b"/EmbeddedFile" not in pdf and b"/URI" not in pdf and b"/JavaScript" not in pdf
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf)
    assert page.is_pdf_compliant(path)


@pytest.mark.parametrize("text", PRINTED.values(), ids=PRINTED.keys())
def test_a_long_text_of_odd_signs_is_printed(renderer: Renderer, text: str) -> None:
    pdf = renderer.render(_html(text))
    assert len(pdf) < 10 * 1024 * 1024
    assert "That is all." in read(pdf)


def test_no_text_keeps_the_process_that_formats_it_busy() -> None:
    for kind, text in (PRINTED | ENDLESS).items():
        began = time.process_time()
        _html(text)
        assert time.process_time() - began < 2, kind


@pytest.mark.parametrize("kind", ["one word", "lines", "spaces", "a wide ligature"])
def test_a_text_that_grows_on_paper_is_refused_in_time_and_the_next_report_is_printed(
    impatient: Renderer, kind: str
) -> None:
    began = time.monotonic()
    with pytest.raises(RenderingFailed):
        impatient.render(_html(ENDLESS[kind]))
    assert time.monotonic() - began < 30  # most of it for a worker that starts on a busy machine
    assert "Lungs: clear." in read(impatient.render(_html("Lungs: clear.")))


def test_overrides_and_what_has_no_width_hide_and_turn_no_figure(renderer: Renderer) -> None:
    pdf = renderer.render(
        _html("Nodule \u202e12\u202c mm, \u200b\u200b3\ufeff*4*5 mm, \u202dminus\u202c -7 HU")
    )

    seen = re.sub("[\u200b\u202a-\u202e\ufeff]", "", read(pdf))
    assert "Nodule 12 mm, 3*4*5 mm, minus -7 HU" in seen


def test_counters_of_the_page_are_not_in_anybodys_hand(renderer: Renderer, tmp_path: Path) -> None:
    html = _html("Page \ue000 of \ue001.", reason="\ue001", version=2)

    assert html.count("counter(page)") == 1 and html.count("counter(pages)") == 1


def test_lists_and_bold_print_are_what_a_screen_reader_is_told(renderer: Renderer, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(renderer.render(_html("**Liver:** 3*4*5 cm\n- 5 HU\n- **no** stones\n\n3. Spleen")))

    assert page.is_pdf_compliant(path)
    structure = subprocess.run(
        ["pdfinfo", "-struct-text", path], capture_output=True, text=True, check=True
    ).stdout
    assert structure.count("LI") >= 2
    seen = read(path.read_bytes())
    assert "Liver: 3*4*5 cm" in seen and "– 5 HU" in seen and "– no stones" in seen and "3. Spleen" in seen
