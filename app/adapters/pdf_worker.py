"""A process that turns HTML into PDF, one document after the other, and trusts none of them.

Started by adapters.pdf as a script, not as a module of ``app``: it needs WeasyPrint and nothing of ours, so the
database, the keys and the web framework aren't even loaded. Reads ``length, HTML`` from stdin, answers ``status,
length, body`` on stdout (lengths: 4 bytes, big-endian), ends when stdin does. Says nothing anywhere else: warnings
and tracebacks would carry patients' names.

The same loop, with the same walls, serves another trade where it is started with the path of one: a script whose
``worker()`` returns what answers a question (adapters.pdf_files_worker).

Refuses everything that isn't in the document: the only addresses it follows are ``data:`` URIs that hold a PNG or a
JPEG. No file, no network, no attachment, no program (after CVE-2025-68616, two walls: the fetcher and an audit hook).
"""

import gc
import logging
import os
import resource
import runpy
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any
from unicodedata import bidirectional

READY, PDF, FAILED, EXHAUSTED = b"R", b"P", b"F", b"M"
LENGTH = struct.Struct(">I")
MAX_PIXELS = 16_000_000
NOWHERE = "https://nowhere.invalid/"  # relative addresses become ones that are refused
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.",
)
# Where Python, its packages and fonts live. Time zones and MIME types are of no use here.
_READABLE = tuple(
    os.path.realpath(folder)
    for folder in (
        sys.prefix,
        sys.base_prefix,
        "/usr/lib",
        "/usr/local/lib",
        "/usr/share/fonts",
        "/etc/fonts",
    )
)


def main(memory_bytes: int, cpu_seconds: int, trade: str = "") -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints would break the protocol
    questions = sys.stdin.buffer
    # Anonymous memory only: fonts are mapped files (the CJK collections alone 100 MB) and cost nothing.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a report
    try:
        work: Callable[[bytes], bytes] = runpy.run_path(trade)["worker"]() if trade else _renderer()
    except Exception as error:  # noqa: BLE001 -- whatever it is, the parent has to hear of it
        _answer(answers, FAILED, f"{type(error).__name__}: {error}".encode()[:500])
        return
    sys.addaudithook(_wall)
    gc.freeze()  # what lives for ever needn't be looked through after each document
    _answer(answers, READY, b"")
    while len(header := questions.read(LENGTH.size)) == LENGTH.size:
        question = questions.read(LENGTH.unpack(header)[0])
        _limit_cpu(cpu_seconds)
        try:
            status, body = PDF, work(question)
        except MemoryError:
            status, body = EXHAUSTED, b""
        except Exception as error:  # noqa: BLE001 -- a document can make WeasyPrint raise anything
            # The kind, never the message: it may quote the document.
            status, body = FAILED, type(error).__name__.encode()
        _answer(answers, status, body)
        del question, body
        gc.collect()  # box trees are cycles; after the answer, so nobody waits for it


def _renderer() -> Callable[[bytes], bytes]:
    """Imports WeasyPrint here and not above, where adapters.pdf would load it too. Raises OSError without Pango."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from PIL import Image
    from weasyprint import HTML
    from weasyprint.pdf import tags
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses from twice this figure on
    Image.init = lambda: True  # of Pillow's readers only the few that ``preinit`` loads

    class DataOnly(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:  # noqa: ARG002
            if not url[:40].lower().startswith(("data:image/png", "data:image/jpeg")):
                raise ValueError("refused")
            response = super().fetch(url)
            content = response.read()
            if not content.startswith(_SIGNATURES):
                raise ValueError("refused")
            return URLFetcherResponse("data:", content, {"Content-Type": "image/png"})

    _speak(tags)
    fonts = FontConfiguration()  # one for all: each new one leaks 0.2 MB
    fetcher = DataOnly(allowed_protocols=("data",), allow_redirects=False)

    def render(html: bytes) -> bytes:
        document = HTML(string=html.decode(), url_fetcher=fetcher, base_url=NOWHERE)
        pdf = document.write_pdf(font_config=fonts, pdf_variant="pdf/ua-1")
        assert isinstance(pdf, bytes)
        return pdf

    render(b"<!doctype html><html lang=en><title>.</title><p>.")  # loads fonts and late imports
    return render


def _speak(tags: Any) -> None:
    """Teach WeasyPrint's tags what screen readers need of mixed languages and it leaves out: parts in another language
    name it (ISO 32000-1, 14.9.2), and what runs from right to left, drawn in visual order, says its text (14.9.4)."""
    from pydyf import String  # type: ignore[import-untyped]
    from weasyprint.formatting_structure.boxes import PageBox, TextBox

    build = tags._build_box_tree

    def speaking(
        box: Any, parent: Any, pdf: Any, number: int, nums: Any, notes: Any, marks: Any
    ) -> Iterator[Any]:
        first, texts = len(pdf.objects), {}
        if isinstance(box, PageBox):
            texts = {
                mark["mcid"]: piece.text
                for piece, mark in marks.items()
                if isinstance(piece, TextBox)
                and any(bidirectional(sign) in ("R", "AL") for sign in piece.text)
            }
        language = None if box.element is None or box.element_tag == "html" else box.element.get("lang")
        for tag in build(box, parent, pdf, number, nums, notes, marks):
            if language:
                tag["Lang"] = String(language)
            yield tag
        for made in pdf.objects[first:] if texts else ():
            held: Any = made.get("K", ()) if isinstance(made, dict) else ()
            if len(held) == 1 and held[0] in texts:
                made["ActualText"] = String(texts[held[0]])

    tags._build_box_tree = speaking


def _wall(event: str, arguments: tuple[object, ...]) -> None:
    """Raises PermissionError for what no rendering needs: it stands even where a library forgets to ask us."""
    if event.startswith(_FORBIDDEN):
        raise PermissionError(event)
    if event == "open" and isinstance(path := arguments[0], (str, bytes)):
        name = os.path.realpath(os.fsdecode(path))
        if not name.startswith(_READABLE):
            raise PermissionError(event)


def _limit_cpu(seconds: int) -> None:
    """The kernel ends this process (SIGXCPU) when one document takes longer, even if nobody watches."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + seconds, hard))


def _answer(stream: IO[bytes], status: bytes, body: bytes) -> None:
    stream.write(status + LENGTH.pack(len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):
        main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4])
    os._exit(0)  # no late messages from libraries
