"""Whether patients get in, and attackers don't, while the public door is under attack.

The real doors as ``studykey serve`` starts them (no follower: no Orthanc is needed), throttles on, callers told apart
by X-Forwarded-For behind one trusted hop, everything on loopback. At once, as fast as the answers come:
one attacker guesses codes from 2,000 addresses, one holds a found sheet and guesses its birth date from 50, one floods
the landing page with GETs and malformed POSTs. Meanwhile 200 patients come in from networks of their own, some after a
mistyped birth date, and 20 from one hospital's address. They do what the page does: wait as told, send again.
Turned away is who isn't in within 60 s of sending the right form. 90 seconds at most.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import math
import multiprocessing
import os
import random
import re
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from app.config import Settings
from app.demo.place import Place
from app.models import Attempt
from app.supervisor import Supervisor, parts
from bench.attackers import ADDRESSES, ATTACKS, RIGHT, Browser, attack
from bench.bulk import fill, free_ports, services_of, wait_for

GRANTS, FRESH, HOSPITAL = 10_000, 200, 20
HOSPITAL_ADDRESS = "198.51.100.20"
PATIENCE_SECONDS, ARRIVE_WITHIN_SECONDS, HEAD_START_SECONDS = 60, 20, 2
NOT_BORN = {"day": "28", "month": "3", "year": "1958"}
STATUSES = ("200", "303", "400", "403", "422", "429", "503")


# Patients.


@dataclass
class Patient:
    code: str
    address: str
    arrives: float  # seconds after the first
    mistypes: bool
    waited: float | None = None  # None: turned away
    tries: int = 0
    told: str = ""


def come_in(patient: Patient, port: int) -> None:
    time.sleep(patient.arrives)
    browser = Browser(port, patient.address)
    if patient.mistypes and _sent(browser, patient, NOT_BORN, time.monotonic() + PATIENCE_SECONDS):
        time.sleep(3)  # reads the message, types again
    began = time.monotonic()
    if _sent(browser, patient, RIGHT, began + PATIENCE_SECONDS):
        patient.waited = time.monotonic() - began


def _sent(browser: Browser, patient: Patient, born: dict[str, str], deadline: float) -> bool:
    """Whether the form was looked at in time; sends it again by itself as the page does."""
    while time.monotonic() < deadline:
        wait = 2.0
        try:
            if not browser.token:
                browser.get()
            status, _, retry_after = browser.post(code=patient.code, **born)
            patient.tries += 1
            patient.told += f"{status} "
            if status in (303, 403):
                return status == 303 or born is NOT_BORN
            wait = retry_after + random.random() * 2
        except (OSError, http.client.HTTPException) as error:
            patient.told += f"{type(error).__name__} "
        time.sleep(max(0.0, min(wait, deadline - time.monotonic())))
    return False


def patients_of(codes: list[str]) -> list[Patient]:
    fresh = [
        Patient(
            code,
            f"100.{64 + number // 50}.{number}.7",
            random.uniform(0, ARRIVE_WITHIN_SECONDS),
            number % 20 == 0,
        )
        for number, code in enumerate(codes[:FRESH])
    ]
    shared = [
        Patient(code, HOSPITAL_ADDRESS, random.uniform(0, ARRIVE_WITHIN_SECONDS), number % 5 == 0)
        for number, code in enumerate(codes[FRESH:])
    ]
    return fresh + shared


def watch_memory(pids: list[int], peak: list[float], stop: threading.Event) -> None:
    """The largest sum of resident memory of the server's processes and their children, in MiB."""
    while not stop.wait(0.25):
        total = 0
        for pid in pids:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for one in [str(pid), *children]:
                try:
                    status = Path(f"/proc/{one}/status").read_text()
                except OSError:
                    continue
                total += int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
        peak[0] = max(peak[0], total / 1024)


def run(
    database_url: str | None, addresses: int
) -> tuple[list[Patient], dict[str, Counter[str]], dict[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        place = Place.at(Path(name))
        more = {"STUDYKEY_DATABASE_URL": database_url} if database_url else {}
        os.environ.update(place.environ(STUDYKEY_TRUSTED_HOPS="1", **free_ports(), **more))
        settings = Settings.from_env()
        codes = fill(settings, grants=GRANTS, real=FRESH + HOSPITAL + 1)
        doors = [part for part in parts(settings) if part.name != "follower"]
        with (
            (place.folder / "studykey.log").open("ab") as log,
            Supervisor(doors, os.environ, log=log.fileno()) as running,
        ):
            wait_for(settings.public_port)
            patients, told, seen = _measure(settings, running, codes, addresses)
        return patients, told, seen | _written(settings)


def _measure(
    settings: Settings, running: Supervisor, codes: list[str], addresses: int
) -> tuple[list[Patient], dict[str, Counter[str]], dict[str, float]]:
    port, sheet, patients = settings.public_port, codes[-1], patients_of(codes[:-1])
    peak, stop = [0.0], threading.Event()
    threading.Thread(target=watch_memory, args=(running.pids, peak, stop), daemon=True).start()
    context = multiprocessing.get_context("spawn")
    is_over, answers = context.Event(), context.Queue()
    attackers = [
        context.Process(target=attack, args=(name, port, sheet, addresses, is_over, answers), daemon=True)
        for name in ATTACKS
    ]
    for one in attackers:
        one.start()
    began = time.monotonic()
    time.sleep(HEAD_START_SECONDS)
    with ThreadPoolExecutor(len(patients)) as pool:
        list(pool.map(come_in, patients, itertools.repeat(port)))
    is_over.set()
    told = dict(answers.get(timeout=90) for _ in attackers)
    for one in attackers:
        one.join()
    stop.set()
    return patients, told, {"seconds": time.monotonic() - began, "memory_mib": peak[0]}


def _written(settings: Settings) -> dict[str, float]:
    """What the database says: guesses that were compared, and those that opened a grant."""
    with services_of(settings) as services:
        count = select(func.count()).where(
            ~Attempt.network.like("100.%"), Attempt.network != HOSPITAL_ADDRESS
        )
        return {
            "compared": services.session.scalar(count) or 0,
            "opened": services.session.scalar(count.where(Attempt.outcome != "refused")) or 0,
            "alarm": services.limits.site(at=services.clock()).is_alarm,
        }


def summary(patients: list[Patient]) -> dict[str, float]:
    waits = sorted(patient.waited for patient in patients if patient.waited is not None)
    return {
        "patients": len(patients),
        "in": len(waits),
        "turned_away": len(patients) - len(waits),
        "median_s": round(statistics.median(waits), 2) if waits else math.inf,
        "p99_s": round(waits[math.ceil(len(waits) * 0.99) - 1], 2) if waits else math.inf,
        "retried": sum(patient.tries > 1 + patient.mistypes for patient in patients),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="An empty PostgreSQL database; SQLite unless given.")
    parser.add_argument("--addresses", type=int, default=ADDRESSES, help="Of the one who guesses codes.")
    parser.add_argument("--verbose", action="store_true", help="What each patient was told.")
    options = parser.parse_args()
    print(f"{GRANTS} grants, three attackers, {FRESH} + {HOSPITAL} patients…", flush=True)
    patients, told, seen = run(options.database_url, options.addresses)
    fresh, shared = summary(patients[:FRESH]), summary(patients[FRESH:])
    print(f"\n{'answers to attackers':26}" + "".join(f"{status:>8}" for status in STATUSES) + f"{'other':>8}")
    for name, counted in told.items():
        shown = [counted[status] for status in STATUSES]
        print(f"{name:26}" + "".join(f"{number:8}" for number in [*shown, counted.total() - sum(shown)]))
    print(f"\n{'patients':26}{'in':>8}{'away':>8}{'median':>10}{'p99':>10}{'sent again':>12}")
    for name, row in (("networks of their own", fresh), ("one hospital address", shared)):
        waits = f"{row['median_s']:8.2f} s{row['p99_s']:8.2f} s"
        print(f"{name:26}{row['in']:8}{row['turned_away']:8}{waits}{row['retried']:12}")
    print(f"\n{'guesses compared':26}{seen['compared']:8}")
    print(f"{'grants opened by guessing':26}{seen['opened']:8}")
    print(f"{'alarm raised':26}{'yes' if seen['alarm'] else 'no':>8}")
    print(f"{'memory of the doors, peak':26}{seen['memory_mib']:8.0f} MiB")
    print(f"{'under attack':26}{seen['seconds']:8.0f} s")
    if options.verbose:
        for patient in sorted(patients, key=lambda one: one.tries):
            if patient.tries != 1:
                print(f"{patient.address:18} {patient.mistypes:1} {patient.waited} {patient.told}"[:150])
    figures = {name: round(value, 1) for name, value in seen.items()}
    print(json.dumps({"benchmark": "attack", "fresh": fresh, "shared": shared, "attackers": told, **figures}))


if __name__ == "__main__":
    main()
