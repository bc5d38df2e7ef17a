"""The pages of a PDF that Studykey made, as pictures for a screen (PDFium).

Only for PDFs of our own renderer: what somebody brings is looked at in a process of its own (adapters.pdf_files).
"""

from __future__ import annotations

import io
import threading
from base64 import b64encode

import pypdfium2

DOTS_PER_INCH = 132  # sharp at the width of half a screen
SHOWN_PAGES = 12
_lock = threading.Lock()  # PDFium isn't thread-safe


def page_count(pdf: bytes) -> int:
    """Raises ValueError for bytes that are no PDF."""
    with _lock:
        try:
            document = pypdfium2.PdfDocument(pdf)
        except pypdfium2.PdfiumError as error:
            raise ValueError("no PDF") from error
        try:
            return len(document)
        finally:
            document.close()


def pages(pdf: bytes, *, most: int = SHOWN_PAGES) -> list[str]:
    """The first ``most`` pages as ``data:`` URIs of PNGs, white as paper is."""
    with _lock:
        document = pypdfium2.PdfDocument(pdf)
        try:
            return [_png(document[number]) for number in range(min(len(document), most))]
        finally:
            document.close()


def _png(page: pypdfium2.PdfPage) -> str:
    picture = page.render(scale=DOTS_PER_INCH / 72).to_pil()
    page.close()
    file = io.BytesIO()
    picture.quantize(64).save(file, "png")  # text on paper: few colours, a third of the size
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
