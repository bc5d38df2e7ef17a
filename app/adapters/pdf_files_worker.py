"""A trade of adapters.pdf_worker: PDFs and structured reports made elsewhere, looked at in a process of their own.

Loaded there as a script: it needs pikepdf, PDFium and pydicom, and nothing of ours. A question and its answer are
parts (``pack``): JSON first, files after. Refusals are words in the JSON (adapters.pdf_files.Refusal).
"""

import io
import json
import runpy
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LENGTH = struct.Struct(">I")
MOST_TEXT = 200_000  # characters of a PDF that are looked at
_HERE = Path(__file__).resolve().parent
# Actions (PDF 32000-1, 12.6.4) that run, open, send or fetch something. A link to a web page is none of them.
_ACTIONS = {
    "/JavaScript": "script",
    "/Launch": "launch",
    "/SubmitForm": "sends",
    "/ImportData": "launch",
    "/GoToE": "embedded",
    "/GoToR": "launch",
    "/Rendition": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/RichMediaExecute": "media",
    "/GoTo3DView": "media",
}
_ANNOTATIONS = {
    "/FileAttachment": "embedded",
    "/RichMedia": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/Screen": "media",
    "/3D": "media",
}


class Refused(Exception):
    """The message is the word for it."""


def pack(*parts: bytes) -> bytes:
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def unpack(packed: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(packed):
        (length,) = _LENGTH.unpack_from(packed, at)
        parts.append(packed[at + 4 : at + 4 + length])
        at += 4 + length
    return parts


def worker() -> Callable[[bytes], bytes]:
    """Imports here and not above, where adapters.pdf_files would load it all too."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    import pikepdf
    import pypdfium2

    stamp = runpy.run_path(str(_HERE / "pdf_files_stamp.py"))
    structured = runpy.run_path(str(_HERE / "structured_reports.py"))

    def answer(packed: bytes) -> bytes:
        head, *files = unpack(packed)
        asked = json.loads(head)
        try:
            match asked["act"]:
                case "inspect":
                    return pack(json.dumps(_inspect(files[0], asked["most_pages"])).encode())
                case "preview":
                    return pack(b"{}", _preview(files[0], asked["width"]))
                case "stamp":
                    placed, pdf = stamp["stamp"](files[0], files[1], asked["place"])
                    return pack(json.dumps({"place": placed}).encode(), pdf)
                case "read":
                    return pack(json.dumps(structured["read"](files[0])).encode())
                case _:
                    raise ValueError
        except Refused as refused:
            return pack(json.dumps({"refused": str(refused)}).encode())

    # The first look loads what is loaded late; the wall goes up after it.
    empty = io.BytesIO()
    with pikepdf.new() as blank:
        blank.add_blank_page()
        blank.save(empty)
    _inspect(empty.getvalue(), 1)
    _preview(empty.getvalue(), 16)
    assert pypdfium2.PDFIUM_INFO
    return answer


def _inspect(data: bytes, most_pages: int) -> dict[str, Any]:
    """Raises Refused."""
    import pikepdf

    if b"%PDF-" not in data[:1024]:  # where readers look for it (PDF 32000-1, annex H.3.4.1)
        raise Refused("no-pdf")
    is_mended = False
    try:
        try:
            pdf = pikepdf.open(io.BytesIO(data), attempt_recovery=False)
        except pikepdf.PasswordError:
            raise
        except pikepdf.PdfError:
            # Its index is wrong, as after a transfer that changed the ends of lines. What was cut off, though, may
            # have lost pages that nobody misses: it has no end, or fewer pages than it says.
            pdf, is_mended = pikepdf.open(io.BytesIO(data)), True
    except pikepdf.PasswordError:
        raise Refused("encrypted") from None
    except pikepdf.PdfError:
        raise Refused("broken") from None
    with pdf:
        if is_mended and (b"%%EOF" not in data[-1024:] or int(pdf.Root.Pages.Count) != len(pdf.pages)):
            raise Refused("broken")
        if pdf.is_encrypted:
            raise Refused("protected")
        if len(pdf.pages) > most_pages:
            raise Refused("too-many-pages")
        if not len(pdf.pages):
            raise Refused("broken")
        try:
            is_signed = _look_for_trouble(pdf)
            for page in pdf.pages:
                page.contents_coalesce()
                if "/Contents" in page.obj:
                    page.obj.Contents.read_bytes()
            found = _facts(pdf)
        except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise Refused("broken") from None
    texts = _texts(data)
    return found | {"text": texts, "is_signed": is_signed, "is_mended": is_mended}


def _look_for_trouble(pdf: Any) -> bool:
    """Every object of the file, whether or not a page uses it. Says whether there is a digital signature.

    Raises Refused.
    """
    import pikepdf

    is_signed = False
    root = pdf.Root
    for key in ("/OpenAction", "/AA"):
        if key in root and b"/URI" in root[key].unparse(resolved=True):
            raise Refused("sends")
    for one in pdf.objects:
        waiting = [(one, 0)]
        while waiting:
            thing, depth = waiting.pop()
            if isinstance(thing, pikepdf.Array):
                if depth < 50:
                    waiting += [(item, depth + 1) for item in thing if _is_direct(item)]
                continue
            if not isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
                continue
            _refuse_trouble(thing)
            is_signed = is_signed or str(thing.get("/FT", "")) == "/Sig" and "/V" in thing
            if depth < 50:
                waiting += [(value, depth + 1) for _, value in thing.items() if _is_direct(value)]
    return is_signed


def _is_direct(thing: Any) -> bool:
    """What has a number of its own is met on its own."""
    import pikepdf

    return isinstance(thing, pikepdf.Object) and not thing.is_indirect


def _refuse_trouble(thing: Any) -> None:
    if word := _ACTIONS.get(str(thing.get("/S", ""))):
        raise Refused(word)
    if word := _ANNOTATIONS.get(str(thing.get("/Subtype", ""))):
        raise Refused(word)
    if "/JS" in thing or "/JavaScript" in thing:
        raise Refused("script")
    if "/EF" in thing or "/EmbeddedFiles" in thing or str(thing.get("/Type", "")) == "/EmbeddedFile":
        raise Refused("embedded")
    if "/XFA" in thing or "/NeedsRendering" in thing:
        raise Refused("xfa")


def _facts(pdf: Any) -> dict[str, Any]:
    sizes = []
    for page in pdf.pages:
        left, bottom, right, top = (float(edge) for edge in page.cropbox)
        unit = float(page.obj.get("/UserUnit", 1)) * 25.4 / 72
        width, height = abs(right - left) * unit, abs(top - bottom) * unit
        if not (10 <= width <= 2000 and 10 <= height <= 2000):
            raise ValueError("no page of paper")
        is_turned = int(page.rotation) % 180 == 90
        sizes.append((height, width) if is_turned else (width, height))
    info = pdf.docinfo
    return {
        "pages": len(pdf.pages),
        "sizes_mm": sizes,
        "is_tagged": "/StructTreeRoot" in pdf.Root,
        "language": str(pdf.Root.get("/Lang", ""))[:32],
        "title": str(info.get("/Title", ""))[:300],
        "producer": str(info.get("/Producer", info.get("/Creator", "")))[:300],
    }


def _texts(data: bytes) -> str:
    """The text, page after page, up to MOST_TEXT. Raises Refused where PDFium can't open a page."""
    import pypdfium2

    pieces, left = [], MOST_TEXT
    try:
        with pypdfium2.PdfDocument(data) as document:
            for number in range(len(document)):
                page = document[number]
                words = page.get_textpage()
                wanted = min(words.count_chars(), left)
                pieces.append(words.get_text_range(0, wanted) if wanted else "")
                left -= wanted
                words.close()
                page.close()
    except pypdfium2.PdfiumError:
        raise Refused("broken") from None
    return "\n\f".join(pieces).replace("\r\n", "\n")


def _preview(data: bytes, width: int) -> bytes:
    """The first page as a PNG of that many pixels."""
    import pypdfium2

    with pypdfium2.PdfDocument(data) as document:
        page = document[0]
        across, high = page.get_size()
        scale = min(width / across, 2 * width / high)
        picture = page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB")
        out = io.BytesIO()
        picture.quantize(64).save(out, "png")
        page.close()
    return out.getvalue()
