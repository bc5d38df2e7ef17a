"""A process that turns HTML into PDF, one document after the other, and trusts none of them.

Started by adapters.pdf as a script, not as a module of ``app``: it needs WeasyPrint and nothing of ours, so the
database, the keys and the web framework aren't even loaded. Reads ``length, HTML`` from stdin, answers ``status,
length, body`` on stdout (lengths: 4 bytes, big-endian), ends when stdin does. Says nothing anywhere else: warnings
and tracebacks would carry patients' names.

Refuses everything that isn't in the document: the only addresses it follows are ``data:`` URIs that hold a PNG or a
JPEG. No file, no network, no attachment, no program (after CVE-2025-68616, two walls: the fetcher and an audit hook).
"""

import gc
import logging
import os
import resource
import struct
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import IO

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


def main(memory_bytes: int, cpu_seconds: int) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints would break the protocol
    questions = sys.stdin.buffer
    # Anonymous memory only: fonts are mapped files (the CJK collections alone 100 MB) and cost nothing.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a report
    try:
        render = _renderer()
        render("<!doctype html><html lang=en><title>.</title><p>.")  # loads fonts and late imports
    except Exception as error:  # noqa: BLE001 -- whatever it is, the parent has to hear of it
        _answer(answers, FAILED, f"{type(error).__name__}: {error}".encode()[:500])
        return
    sys.addaudithook(_wall)
    gc.freeze()  # what lives for ever needn't be looked through after each document
    _answer(answers, READY, b"")
    while len(header := questions.read(LENGTH.size)) == LENGTH.size:
        html = questions.read(LENGTH.unpack(header)[0]).decode()
        _limit_cpu(cpu_seconds)
        try:
            status, body = PDF, render(html)
        except MemoryError:
            status, body = EXHAUSTED, b""
        except Exception as error:  # noqa: BLE001 -- a document can make WeasyPrint raise anything
            # The kind, never the message: it may quote the document.
            status, body = FAILED, type(error).__name__.encode()
        _answer(answers, status, body)
        del html, body
        gc.collect()  # box trees are cycles; after the answer, so nobody waits for it


def _renderer() -> Callable[[str], bytes]:
    """Imports WeasyPrint here and not above, where adapters.pdf would load it too. Raises OSError without Pango."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from PIL import Image
    from weasyprint import HTML
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

    fonts = FontConfiguration()  # one for all: each new one leaks 0.2 MB
    fetcher = DataOnly(allowed_protocols=("data",), allow_redirects=False)

    def render(html: str) -> bytes:
        document = HTML(string=html, url_fetcher=fetcher, base_url=NOWHERE)
        pdf = document.write_pdf(font_config=fonts, pdf_variant="pdf/ua-1")
        assert isinstance(pdf, bytes)
        return pdf

    return render


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
        main(int(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)  # no late messages from libraries
