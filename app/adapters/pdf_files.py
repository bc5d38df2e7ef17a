"""PDFs made elsewhere: looked at, refused with a word, shown, and given the access block. Structured reports: read.

All of it happens in processes of their own (adapters.pdf_files_worker), with the limits and walls of adapters.pdf:
such a file may be hostile. What comes back is plain values; no exception carries a word of a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.adapters.pdf import Pool, RenderingFailed
from app.adapters.pdf_files_worker import pack, unpack
from app.domain.report import LARGEST_PDF, MOST_PAGES

PREVIEW_PIXELS = 1000


class Refusal(StrEnum):
    """Why a file is not taken."""

    NO_PDF = "no-pdf"
    TOO_LARGE = "too-large"
    TOO_MANY_PAGES = "too-many-pages"
    ENCRYPTED = "encrypted"  # it opens with a password
    PROTECTED = "protected"  # it opens, but its maker forbids changes
    BROKEN = "broken"  # or so damaged that pages may be missing
    SCRIPT = "script"
    LAUNCH = "launch"  # it opens other files or programs
    SENDS = "sends"  # it sends a form, or asks for a web page by itself
    EMBEDDED = "embedded"  # files within the file
    MEDIA = "media"
    XFA = "xfa"
    TOO_HARD = "too-hard"  # more memory or time than a report takes


class Place(StrEnum):
    """Where the access block stands."""

    FRONT = "front"
    END = "end"
    CORNER = "corner"  # of the first page


@dataclass(frozen=True)
class Inspection:
    """What there is to know of a PDF that is taken. ``language``, ``title`` and ``producer`` as the file says."""

    pages: int
    sizes_mm: tuple[tuple[float, float], ...]  # of each page as it is read: turned, cropped
    is_tagged: bool
    is_signed: bool  # digitally
    is_mended: bool  # its index was wrong; every page that it says it has is there
    language: str
    title: str
    producer: str = field(repr=False)
    text: str = field(repr=False)  # up to 200,000 characters; empty: a scan


@dataclass(frozen=True)
class StructuredReport:
    """``texts`` by domain.report.Section; ``left_out``: how many pictures and references have no words."""

    texts: dict[str, str] = field(repr=False)
    left_out: int
    sop_instance_uid: str
    patient_id: str = field(repr=False)
    is_verified: bool


class PdfFiles(Pool):
    """Raises RenderersBusy from all of its verbs."""

    trade = Path(__file__).with_name("pdf_files_worker.py")

    def inspect(self, pdf: bytes) -> Inspection | Refusal:
        if len(pdf) > LARGEST_PDF:
            return Refusal.TOO_LARGE
        if (told := self._asked({"act": "inspect", "most_pages": MOST_PAGES}, pdf)) is None:
            return Refusal.TOO_HARD
        facts, _ = told
        if "refused" in facts:
            return Refusal(facts["refused"])
        sizes = tuple((float(wide), float(high)) for wide, high in facts.pop("sizes_mm"))
        return Inspection(sizes_mm=sizes, **facts)

    def preview(self, pdf: bytes) -> bytes:
        """The first page of a PDF that was taken, as a PNG. Raises RenderingFailed."""
        _, files = self._ask({"act": "preview", "width": PREVIEW_PIXELS}, pdf)
        return files[0]

    def stamp(self, pdf: bytes, block: bytes, place: Place) -> bytes | None:
        """``pdf`` with the first page of ``block``: as a page of its own, or drawn into a corner of the first page.

        None where no corner is free. Raises RenderingFailed.
        """
        facts, files = self._ask({"act": "stamp", "place": place.value}, pdf, block)
        return None if facts["place"] == "none" else files[0]

    def read(self, dicom_file: bytes) -> StructuredReport | None:
        """A structured report's words; None when they can't be read."""
        if len(dicom_file) > LARGEST_PDF or (told := self._asked({"act": "read"}, dicom_file)) is None:
            return None
        return None if "refused" in told[0] else StructuredReport(**told[0])

    def _asked(self, question: dict[str, Any], *files: bytes) -> tuple[dict[str, Any], list[bytes]] | None:
        try:
            return self._ask(question, *files)
        except RenderingFailed:
            return None

    def _ask(self, question: dict[str, Any], *files: bytes) -> tuple[dict[str, Any], list[bytes]]:
        head, *made = unpack(self.ask(pack(json.dumps(question).encode(), *files)))
        return json.loads(head), made
