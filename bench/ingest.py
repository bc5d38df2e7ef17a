"""How long a new study waits for its printable code: from Orthanc's stable event to the committed grant.

A real Orthanc with its gate, the real internal door and follower, a SQLite database. 200 small studies are sent in a
row. A relay between gate and internal door notes when each stable event comes out of Orthanc; the database is watched
for the grant. Beside it, what the two hashes of a grant cost alone, on this machine, in this run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from app.adapters import keys
from app.adapters.crypto import Crypto
from app.adapters.hash_slots import HashSlots
from app.config import Settings
from app.demo import studies
from app.demo.orthanc_server import GateSettings, OrthancServer
from app.demo.place import Place
from app.domain import access_code, password
from app.schema import migrate
from app.supervisor import Supervisor, parts

STUDIES = 200
PATIENCE_SECONDS = 120


class Relay(ThreadingHTTPServer):
    """Stands where the gate expects the internal door, and notes when each study's signal passes."""

    daemon_threads = True

    def __init__(self, door: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.door = door
        self.stable: dict[str, float] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Relay
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        arrived = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/signals/stable-study":
            self.server.stable.setdefault(json.loads(body)["orthanc-id"], arrived)
        connection = http.client.HTTPConnection(*self.server.door, timeout=10)
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        told = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)
        connection.close()

    def log_message(self, *_: object) -> None:
        pass


def two_hashes(rounds: int = 30) -> float:
    """Median milliseconds of the hashes that every grant costs."""
    crypto = Crypto(keys.generate(), HashSlots(1))
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        crypto.code_indexes(access_code.generate())
        crypto.hash_password(password.generate())
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def watch(database: Path, issued: dict[str, float], stop: threading.Event) -> None:
    """Note when each study's grant can be read by another process."""
    query = """SELECT study.orthanc_id FROM access_grant
               JOIN study ON study.id = access_grant.automatic_study_id WHERE access_grant.id > ?"""
    connection, newest = sqlite3.connect(database), 0
    while not stop.wait(0.003):
        rows = connection.execute(query, (newest,)).fetchall()
        if rows:
            now = time.monotonic()
            newest = connection.execute("SELECT max(id) FROM access_grant").fetchone()[0]
            for (orthanc_id,) in rows:
                issued.setdefault(orthanc_id, now)


def run(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        place = Place.at(Path(name))
        relay = Relay(("127.0.0.1", place.ports["internal"]))
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        os.environ.update(place.environ())
        settings = Settings.from_env()
        gate = GateSettings(
            url=f"http://127.0.0.1:{relay.server_port}",
            username="main",
            password=place.secrets["gate"],
            users={"studykey": place.secrets["service"]},
        )
        orthanc = OrthancServer(place.folder / "orthanc", http_port=place.ports["orthanc"], gate=gate)
        migrate(settings)
        log = (place.folder / "studykey.log").open("ab")
        with orthanc, Supervisor(parts(settings), os.environ, log=log.fileno()):
            return _measure(place, relay, count)


def _measure(place: Place, relay: Relay, count: int) -> dict[str, float]:
    issued: dict[str, float] = {}
    stop = threading.Event()
    database = place.folder / "studykey.db"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not sqlite3.connect(database).execute("SELECT count(*) FROM archive").fetchone()[0]:
        if time.monotonic() > deadline:
            raise SystemExit("The follower didn't start; see the log.")
        time.sleep(0.1)
    watcher = threading.Thread(target=watch, args=(database, issued, stop))
    watcher.start()
    auth = ("studykey", place.secrets["service"])
    began = time.monotonic()
    for number in range(count):
        one = studies.study(patient_id=f"DEMO-B{number}", label=f"bench {number}", slices=1)
        studies.send(place.orthanc_url, studies.files(one), auth=auth, progress=lambda _: None)
    sending = time.monotonic() - began
    while len(issued) < count and time.monotonic() < deadline + PATIENCE_SECONDS:
        time.sleep(0.05)
    stop.set()
    watcher.join()
    waits = sorted((issued[one] - relay.stable[one]) * 1000 for one in issued.keys() & relay.stable.keys())
    if len(waits) < count:
        raise SystemExit(f"Only {len(waits)} of {count} studies got both a stable event and a grant.")
    return {
        "studies": count,
        "sent_in_s": round(sending, 2),
        "median_ms": round(statistics.median(waits), 1),
        "p99_ms": round(waits[int(len(waits) * 0.99) - 1], 1),
        "max_ms": round(waits[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES)
    count = parser.parse_args().studies
    print("Measuring the two hashes alone…", flush=True)
    hashes = two_hashes()
    print(f"Sending {count} studies…", flush=True)
    figures = run(count)
    print(f"\n{'stable event → printable code':34}{'median':>12}{'p99':>12}{'max':>12}")
    row = (figures["median_ms"], figures["p99_ms"], figures["max_ms"])
    print(f"{f'{count} studies sent in a row':34}" + "".join(f"{value:9.0f} ms" for value in row))
    print(f"{'the two hashes alone':34}{hashes:9.0f} ms")
    print(json.dumps({"benchmark": "ingest", **figures, "two_hashes_ms": round(hashes, 1)}))


if __name__ == "__main__":
    main()
