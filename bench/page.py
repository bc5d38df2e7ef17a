"""What the landing page costs a phone on a slow line: bytes over the wire, file by file, and how soon it can be used.

The real public door (studykey serve) and a real Chromium. Bytes are what the network carried, headers included; slow:
400 kbit/s down and up, 400 ms for each round trip, a processor six times slower than this one; every run starts with
an empty cache, and visits once more with a full one. Usable: script has run, the form takes typing. Chromium's throttle
knows no TCP or TLS handshake; each new connection costs a real phone two or three round trips more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from app.config import Settings
from app.demo.place import free_port
from app.schema import migrate
from app.supervisor import Supervisor, parts
from bench.bulk import wait_for

LARGEST = 14 * 1024  # bytes, of everything that the page needs
KBIT_S, ROUND_TRIP_MS, SLOWER = 400, 400, 6
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
PHONE = {"width": 390, "height": 844}
TIMES = """() => ({
  painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  shift: window.shifts,
})"""
WATCH = """window.shifts = 0; new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.shifts += one.value;
}).observe({ type: "layout-shift", buffered: true });"""


@contextmanager
def door() -> Iterator[str]:
    """The public door as `studykey serve` runs it; gives its address."""
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("STUDYKEY_")},
            "STUDYKEY_MODE": "test",
            "STUDYKEY_INSTANCE": name,
            "STUDYKEY_BASE_URL": f"http://localhost:{port}",
            "STUDYKEY_PUBLIC_PORT": str(port),
            "STUDYKEY_INTERNAL_PORT": str(free_port()),
            "STUDYKEY_CLINIC_NAME": "Riverside Imaging",
            "STUDYKEY_CLINIC_PHONE": "+1 555 0199",
        }
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(environ)
        settings = Settings.from_env()
        os.environ.clear()
        os.environ.update(before)
        migrate(settings)
        public = [part for part in parts(settings) if part.name == "public"]
        with (Path(name) / "log").open("ab") as log, Supervisor(public, environ, log=log.fileno()):
            wait_for(port)
            yield settings.base_url


def fetched(browser: Browser, address: str, language: str) -> dict[str, int]:
    """Bytes on the wire by file, for an empty cache."""
    context = browser.new_context(viewport=PHONE, locale=language)  # type: ignore[arg-type]
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    network.on(
        "Network.requestWillBeSent", lambda sent: names.update({sent["requestId"]: sent["request"]["url"]})
    )
    network.on(
        "Network.loadingFinished",
        lambda done: sizes.update({names[done["requestId"]]: int(done["encodedDataLength"])}),
    )
    page.goto(address, wait_until="networkidle")
    context.close()
    if foreign := [url for url in sizes if not url.startswith((address, "data:"))]:
        raise SystemExit(f"The page asks elsewhere: {foreign}")
    return {url.removeprefix(address).partition("?")[0] or "/": size for url, size in sizes.items()}


def slow_run(browser: Browser, address: str) -> list[dict[str, float]]:
    """(first paint, usable, layout shift) with an empty cache, then with a full one. Milliseconds."""
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.add_init_script(WATCH)
    session = context.new_cdp_session(page)
    speed = KBIT_S * 1000 / 8
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": ROUND_TRIP_MS, "downloadThroughput": speed, "uploadThroughput": speed},
    )
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    runs = []
    for _visit in range(2):
        page.goto("about:blank")
        page.goto(address, wait_until="commit")
        usable = page.evaluate(
            """() => new Promise((resolve) => {
              const look = () => {
                const button = document.querySelector("[data-scan-start]");
                const painted = performance.getEntriesByName("first-contentful-paint").length;
                if (button && !button.hidden && painted) resolve(performance.now());
                else setTimeout(look, 10);
              };
              look();
            })"""
        )
        page.wait_for_load_state("networkidle")
        times: dict[str, Any] = page.evaluate(TIMES)
        runs.append({"first_paint_ms": times["painted"], "usable_ms": usable, "layout_shift": times["shift"]})
    context.close()
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--language", default="en")
    asked = parser.parse_args()
    with door() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        sizes = fetched(browser, address, asked.language)
        runs = [slow_run(browser, address) for _ in range(asked.runs)]
        browser.close()
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size:>8,} bytes  {name}")
    total = sum(sizes.values())
    print(f"{total:>8,} bytes  in all, of {LARGEST:,}")
    figures = {
        visit: {name: round(statistics.median(run[n][name] for run in runs), 3) for name in runs[0][n]}
        for n, visit in enumerate(("first visit", "second visit"))
    }
    for visit, times in figures.items():
        print(
            f"{visit}: first paint {times['first_paint_ms']:,.0f} ms, usable {times['usable_ms']:,.0f} ms,"
            f" layout shift {times['layout_shift']:.3f} (median of {asked.runs})"
        )
    print(
        json.dumps(
            {"benchmark": "page", "bytes": total, "limit": LARGEST, "files": sizes, "figures": figures}
        )
    )
    if total > LARGEST:
        raise SystemExit("More than the limit.")


if __name__ == "__main__":
    main()
