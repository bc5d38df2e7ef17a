"""The workers that make PDFs: their limits, their walls, their ends."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import page
import pytest
from PIL import Image

from app.adapters.pdf import Renderer, RenderersBusy, RenderingFailed, RenderingTookTooLong

SECRET = "the content of a private file"


def _page(body: str, head: str = "") -> str:
    return f"<!doctype html><html lang=en><head><title>A page</title>{head}</head><body>{body}</body></html>"


FINE = _page("<p>Fine")


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(workers=2, seconds=10) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def impatient() -> Iterator[Renderer]:
    with Renderer(workers=1, seconds=1.0) as renderer:
        yield renderer


@pytest.fixture
def small() -> Iterator[Callable[..., Renderer]]:
    """Makes renderers of one worker with tight limits, and closes them."""
    made: list[Renderer] = []

    def make(**options: float) -> Renderer:
        made.append(Renderer(workers=1, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for renderer in made:
        renderer.close()


def _text(pdf: bytes) -> str:
    return subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()


def _attachments(pdf: bytes) -> str:
    with NamedTemporaryFile(suffix=".pdf") as file:
        file.write(pdf)
        file.flush()
        command = ["pdfdetach", "-list", file.name]
        return subprocess.run(command, capture_output=True, check=True).stdout.decode()


# What it makes.


def test_a_page_becomes_a_tagged_pdf_with_title_and_language(renderer: Renderer) -> None:
    pdf = renderer.render(_page("<h1>Zażółć</h1>", "<meta name=author content='Test Clinic'>"))
    assert pdf.startswith(b"%PDF-1.7")
    assert "Zażółć" in _text(pdf)
    facts = subprocess.run(["pdfinfo", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
    assert "A page" in facts
    assert "Test Clinic" in facts
    assert "Tagged:          yes" in facts
    assert page.is_pdf_compliant_bytes(pdf)  # PDF/UA-1: the language is asked for, too


def test_the_same_page_becomes_the_same_file(renderer: Renderer) -> None:
    assert renderer.render(FINE) == renderer.render(FINE)


def test_many_threads_get_each_their_own_page(renderer: Renderer) -> None:
    with ThreadPoolExecutor(8) as pool:
        pdfs = list(pool.map(lambda number: renderer.render(_page(f"<p>Number {number}.")), range(24)))
    assert [_text(pdf).strip() for pdf in pdfs] == [f"Number {number}." for number in range(24)]


# What it refuses to fetch.


@pytest.fixture(scope="module")
def plain(renderer: Renderer) -> bytes:
    return renderer.render(_page("<p>Still printed"))


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on loopback, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


PULLS = {
    "image": "<img alt=a src={url}>",
    "object": "<object data={url}></object>",
    "embed": "<embed src={url}>",
    "stylesheet": "<link rel=stylesheet href={url}>",
    "import": "<style>@import url({url})</style>",
    "background": "<p style='background: url({url})'>b",
    "font": "<style>@font-face {{ font-family: x; src: url({url}) }} p {{ font-family: x }}</style><p>f",
    "content": "<style>p::before {{ content: url({url}) }}</style><p>c",
    "list marker": "<ul style='list-style: url({url})'><li>l</ul>",
    "link to attach": "<link rel=attachment href={url}>",
    "anchor to attach": "<a rel=attachment href={url}>a</a>",
    "svg image": "<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image width=9 height=9 href={url} /></svg>",
    "svg use": "<svg><use href='{url}#a' /></svg>",
    "svg stylesheet": "<svg><style>@import '{url}';</style></svg>",
    "base": "<base href={url}><img alt=a src=x.png>",
    "iframe": "<iframe src={url}></iframe>",
    "colour profile": "<style>@color-profile x {{ src: url({url}) }}</style><p>",
}


@pytest.mark.parametrize("pull", PULLS.values(), ids=PULLS.keys())
def test_nothing_outside_the_document_is_fetched(
    renderer: Renderer, plain: bytes, listener: tuple[str, list[str]], tmp_path: Path, pull: str
) -> None:
    private = tmp_path / "private.txt"
    private.write_text(SECRET)
    image = tmp_path / "private.png"
    Image.new("RGB", (8, 8), "red").save(image)
    base, asked = listener
    for url in (
        f"{base}/x.png",
        private.as_uri(),
        image.as_uri(),
        "//127.0.0.1/x",
        "ftp://127.0.0.1/x",
    ):
        pdf = renderer.render(_page(pull.format(url=url) + "<p>Still printed"))
        assert "Still printed" in _text(pdf)
        assert SECRET.encode() not in pdf
        assert b"/Subtype /Image" not in pdf
        assert b"/EmbeddedFile" not in pdf
        assert "0 embedded files" in _attachments(pdf)
        assert len(pdf) < len(plain) + 20_000
    assert asked == []


@pytest.mark.parametrize(
    "uri",
    [
        "data:text/plain,private",
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "data:image/png,%25!PS-Adobe-3.0%20EPSF-3.0",
        "data:image/png;base64,!!!!",
    ],
)
def test_of_data_only_real_pngs_and_jpegs_are_taken(renderer: Renderer, uri: str) -> None:
    pdf = renderer.render(_page(f'<link rel=attachment href="{uri}"><img alt=a src="{uri}"><p>Still printed'))
    assert "Still printed" in _text(pdf)
    assert "0 embedded files" in _attachments(pdf)


def test_a_logo_is_printed(renderer: Renderer) -> None:
    out = BytesIO()
    Image.new("RGB", (30, 10), "red").save(out, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    assert b"/Subtype /Image" in renderer.render(_page(f'<img alt=Logo src="{uri}">'))


# What it survives.


def _bomb() -> str:
    out = BytesIO()
    Image.new("1", (15_000, 15_000)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


HOSTILE: dict[str, Callable[[], str]] = {
    "deep nesting": lambda: _page("<div>" * 50_000),
    "deep inline nesting": lambda: _page("<b>" * 5_000 + "x"),
    "a huge table": lambda: _page("<table>" + "<tr><td>x<td>y" * 40_000),
    "a wide cell": lambda: _page("<table><tr><td colspan=100000000 rowspan=100000000>x"),
    "a million pages": lambda: _page("<div style='height: 1e9cm'>x</div>"),
    "a wide page": lambda: _page("<p>x", "<style>@page { size: 1e12cm }</style>"),
    "a giant image": lambda: _page(f"<img alt=a src='data:image/png;base64,{_bomb()}'>"),
    "a giant data uri": lambda: _page(f"<img alt=a src='data:image/png,{'A' * 6_000_000}'>"),
    "an svg that multiplies": lambda: _page(
        "<svg>"
        + "".join(
            f"<g id=g{n}>{f'<use href=#g{n - 1} />' * 12 if n else '<rect width=1 height=1 />'}</g>"
            for n in range(9)
        )
        + "</svg>"
    ),
    "counters": lambda: _page(
        "<ol style='list-style: upper-roman'>" + "<li value=999999999>x" * 50 + "</ol>"
    ),
    "one endless word": lambda: _page("x" * 2_000_000),
    "css that grows": lambda: _page(
        "<p>x",
        "<style>p{"
        + ";".join(f"--v{n}: var(--v{n - 1}) var(--v{n - 1})" for n in range(1, 40))
        + ";--v0: 1;content: var(--v39)}</style>",
    ),
    "odd characters": lambda: _page("\x00\x01\ud800\uffff" + chr(0x202E) * 999),
    "no markup": lambda: "",
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_takes_nothing_down(impatient: Renderer, document: Callable[[], str]) -> None:
    began = time.monotonic()
    try:
        impatient.render(document())
    except RenderingFailed as failure:
        assert len(str(failure)) < 100
    assert time.monotonic() - began < 30  # starting a worker on a busy machine included
    assert "Fine" in _text(impatient.render(FINE))


def test_a_document_over_its_memory_is_refused(small: Callable[..., Renderer]) -> None:
    renderer = small(seconds=30.0, memory_bytes=90 * 1024 * 1024)
    with pytest.raises(RenderingFailed):
        renderer.render(_page("<p>x" * 60_000))
    assert renderer.render(FINE)


def test_a_document_too_large_is_refused_unread(renderer: Renderer) -> None:
    with pytest.raises(RenderingFailed, match="8 MB"):
        renderer.render("x" * 9_000_000)


def test_a_document_over_its_time_is_refused_without_a_word_of_it_and_the_next_one_is_printed(
    impatient: Renderer,
) -> None:
    with pytest.raises(RenderingTookTooLong) as failure:
        impatient.render(_page("<p>Moreno" * 60_000))
    error: BaseException | None = failure.value
    while error is not None:
        assert "Moreno" not in repr(error)
        error = error.__cause__
    assert impatient.render(FINE)


# How its processes come and go.


def test_a_worker_is_replaced_after_its_share(small: Callable[..., Renderer]) -> None:
    renderer = small(renders=2)
    renderer.render(FINE)
    first = renderer.pids
    renderer.render(FINE)
    assert renderer.pids == []
    renderer.render(FINE)
    assert renderer.pids != first


def test_a_worker_that_died_while_idle_is_replaced(small: Callable[..., Renderer]) -> None:
    renderer = small()
    renderer.render(FINE)
    (pid,) = renderer.pids
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert renderer.render(FINE)


def test_callers_beyond_the_queue_are_turned_away(small: Callable[..., Renderer]) -> None:
    renderer = small(waiting=1, queue_seconds=0.2)
    renderer.render(FINE)
    slow = _page("<p>x" * 1_000)
    with ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(renderer.render, slow) for _ in range(4)]
    errors = [outcome.exception() for outcome in outcomes]
    assert sum(error is None for error in errors) == 1
    assert sum(isinstance(error, RenderersBusy) for error in errors) == 3


def test_a_worker_starts_with_the_first_document_sees_nothing_of_our_environment_and_ends_with_its_renderer(
    small: Callable[..., Renderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDYKEY_ARCHIVE_PASSWORD", "hunter2")
    renderer = small()
    assert renderer.pids == []
    renderer.render(FINE)
    (pid,) = renderer.pids
    assert b"STUDYKEY" not in Path(f"/proc/{pid}/environ").read_bytes()
    renderer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(RenderingFailed, match="closed"):
        renderer.render(FINE)


def test_workers_end_with_the_process_that_started_them() -> None:
    program = """
        import os
        from app.adapters.pdf import Renderer
        renderer = Renderer(workers=1)
        renderer.render("<html lang=en><title>t</title><p>x")
        print(renderer.pids[0], flush=True)
        os._exit(1)  # as if killed: nothing is closed
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    pid = int(run.stdout)
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError("the worker still runs")


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
