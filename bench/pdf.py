"""What paper costs: ``python -m bench.pdf [--quick]`` prints a table, and one JSON object in the last line.

Sheet, report and a report of four pages: cold (a fresh worker), warm through Renderer, beside WeasyPrint alone on the
same HTML in a process of its own; documents a second with 1, 2 and 4 workers; what a report made elsewhere costs (the
look at it, the access block on a page of its own and in a corner); a worker's memory over 1,000 documents. Aims: a warm
sheet under 1.15 times bare WeasyPrint, throughput that grows with the cores, memory flat.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from app.adapters import logo, qr
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import PdfFiles, Place
from app.domain.report import Section

# Reads one document from stdin, renders it as often as asked, prints milliseconds. Our options, nothing else of ours.
BARE = """
import json, sys, time
began = time.perf_counter()
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration
html, times = sys.stdin.read(), int(sys.argv[1])
fonts, took = FontConfiguration(), []
for _ in range(times + 1):
    HTML(string=html).write_pdf(font_config=fonts, pdf_variant="pdf/ua-1")
    now = time.perf_counter()
    took.append((now - began) * 1000)
    began = now
print(json.dumps(took))
"""
PARAGRAPH = "Liver, spleen and adrenal glands without suspicious findings, as far as they are seen. " * 4


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    times, rounds, share, lasting = (8, 1, 24, 100) if quick else (40, 3, 160, 1000)
    documents = _documents()
    corner = documents.pop("corner")
    result: dict[str, Any] = {"cores": os.cpu_count()}
    print(f"{'ms':<10}{'cold':>9}{'bare cold':>11}{'warm':>9}{'bare warm':>11}{'ratio':>8}")
    for name, html in documents.items():
        # Turn by turn, so that a noisy neighbour hits both.
        warm, bare, cold, bare_cold = [], [], [], []
        for _ in range(rounds):
            first, *rest = json.loads(_bare(html, times))
            bare_cold.append(first)
            bare += rest
            with Renderer(workers=1) as renderer:
                cold.append(_milliseconds(renderer, html))
                warm += [_milliseconds(renderer, html) for _ in range(times)]
        row = [statistics.median(figures) for figures in (cold, bare_cold, warm, bare)]
        row.append(row[2] / row[3])
        result[name] = dict(
            zip(("cold", "bare_cold", "warm", "bare_warm", "ratio"), (round(f, 2) for f in row), strict=True)
        )
        print(f"{name:<10}{row[0]:>9.0f}{row[1]:>11.0f}{row[2]:>9.1f}{row[3]:>11.1f}{row[4]:>8.2f}")

    result["brought"] = _brought(documents, corner, times)
    print(f"\n{'brought, ms':<12}" + "".join(f"{name:>14}" for name in result["brought"]))
    print(" " * 12 + "".join(f"{figure:>14.1f}" for figure in result["brought"].values()))

    print(f"\n{'sheets/s':<10}" + "".join(f"{f'{n} workers':>12}" for n in (1, 2, 4)))
    rates = {n: _throughput(documents["sheet"], n, share) for n in (1, 2, 4)}
    result["sheets_per_second"] = {str(n): round(rate, 1) for n, rate in rates.items()}
    print(" " * 10 + "".join(f"{rate:>12.1f}" for rate in rates.values()))

    marks = _memory(list(documents.values()), lasting)
    result["rss_mb"] = marks
    print(f"\n{'documents':<10}" + "".join(f"{mark:>8}" for mark in marks))
    print(f"{'RSS, MB':<10}" + "".join(f"{size:>8.1f}" for size in marks.values()))
    print(json.dumps(result))


def _brought(documents: dict[str, str], corner: str, times: int) -> dict[str, float]:
    """Milliseconds, warm, for the report of four pages as one made elsewhere, its foot left free for the corner."""
    with Renderer(workers=1) as renderer, PdfFiles(workers=1) as files:
        pdf, block, lying = (
            renderer.render(html) for html in (documents["4 pages"], documents["sheet"], corner)
        )
        short = renderer.render("<!doctype html><html lang=en><title>A report</title><p>Clear lungs.")
        verbs: dict[str, Callable[[], object]] = {
            "look": lambda: files.inspect(pdf),
            "preview": lambda: files.preview(pdf),
            "own page": lambda: files.stamp(pdf, block, Place.FRONT),
            "corner": lambda: files.stamp(short, lying, Place.CORNER),
            "no corner": lambda: files.stamp(pdf, lying, Place.CORNER),
        }
        took = {}
        for name, verb in verbs.items():
            verb()
            began = time.perf_counter()
            for _ in range(times):
                verb()
            took[name] = round((time.perf_counter() - began) * 1000 / times, 1)
    return took


def _bare(html: str, times: int) -> str:
    command = [sys.executable, "-I", "-c", BARE, str(times)]
    return subprocess.run(command, input=html, capture_output=True, text=True, check=True).stdout


def _milliseconds(renderer: Renderer, html: str) -> float:
    began = time.perf_counter()
    renderer.render(html)
    return (time.perf_counter() - began) * 1000


def _throughput(html: str, workers: int, documents: int) -> float:
    """Documents a second with as many callers as workers, once all are warm."""
    with Renderer(workers=workers) as renderer, ThreadPoolExecutor(workers) as callers:
        list(callers.map(renderer.render, [html] * workers * 4))
        began = time.perf_counter()
        list(callers.map(renderer.render, [html] * documents))
        return documents / (time.perf_counter() - began)


def _memory(documents: list[str], lasting: int) -> dict[int, float]:
    """A worker's resident memory in MB after so many documents, sheets and reports in turn."""
    marks = {}
    with Renderer(workers=1, renders=lasting + 1) as renderer:
        for number in range(1, lasting + 1):
            renderer.render(documents[number % len(documents)])
            if number in (10, 100, 250, 500, 750, 1000):
                status = Path(f"/proc/{renderer.pids[0]}/statm").read_text()
                marks[number] = round(int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return marks


def _documents() -> dict[str, str]:
    picture = Image.new("RGBA", (600, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((10, 10, 590, 190), fill="#0b6b5c")
    out = BytesIO()
    picture.save(out, "PNG")
    now = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
    context: dict[str, Any] = {
        "site": {
            "name": "Riverside Imaging",
            "address": ["14 Mill Lane", "Ashford TN23 1AB"],
            "phone": "+1 555 0199",
            "logo": logo.data_uri(logo.prepare(out.getvalue())),
            "colour": "#0b6b5c",
            "paper": "A4",
        },
        "patient": {"name": "Ana Moreno", "other_names": [], "id": "P-004711"},
        "study": {
            "title": "CT of the chest",
            "date": date(2026, 11, 20),
            "accession": "A-11834",
            "institution": "",
        },
        "access": {
            "code": "K7QD-9M3X-4TBN",
            "password": None,
            "asks_birth_date": True,
            "address": "images.clinic.example",
            "qr": qr.svg("https://images.clinic.example/#K7QD9M3X4TBN"),
            "expires": date(2027, 2, 19),
        },
        "report": {
            "headings": dict.fromkeys(Section, ""),
            "verify_at": "images.clinic.example/verify",
            "indication": "Cough for three weeks.",
            "technique": "Unenhanced, low dose, 1 mm slices.",
            "findings": "\n\n".join([PARAGRAPH] * 12),
            "impression": "No acute disease.",
            "signed_by": "Dr. Maria Kowalska",
            "signed_at": now,
            "version": 1,
            "reason": "",
            "replaces": None,
        },
        "printed_at": now,
    }
    long = context | {"report": context["report"] | {"findings": "\n\n".join([PARAGRAPH] * 36)}}
    pages = {"sheet": ("sheet", context), "report": ("report", context), "4 pages": ("report", long)}
    pages["corner"] = ("access_corner", context)
    templates = PaperTemplates()
    return {
        name: templates.html(f"{page}.html", language="en", **told) for name, (page, told) in pages.items()
    }


if __name__ == "__main__":
    main()
