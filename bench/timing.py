"""Whether an attacker can tell by the clock, or by the answer, why an attempt was refused.

The real public door as ``studykey serve`` starts it, over keep-alive HTTP. Four kinds of attempt, in random order in
one run: a code that nobody has, a wrong birth date, a wrong password, a locked grant with everything right. The form
has the same fields each time. Each attempt comes from a network of its own (X-Forwarded-For, one trusted hop), and no
grant is tried more often than is free, so that neither limits nor delays change what is measured.

For each pair of kinds: the medians' difference, a rank test (Mann-Whitney) and the distance of the distributions
(Kolmogorov-Smirnov), both two-sided. Ends with 1 when the kinds can be told apart.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import math
import os
import random
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from app import create_internal_app
from app.config import Settings
from app.demo.place import Place
from app.domain import access_code, password
from app.domain.access_code import AccessCode
from app.domain.grants import THROTTLE, Policy
from app.models import Archive, Grant, Study
from app.schema import migrate
from app.supervisor import Supervisor, parts
from app.wiring import EXTENSION, Services

ATTEMPTS, QUICK = 2000, 200
KINDS = ("unknown code", "wrong birth date", "wrong password", "locked")
BORN, NOT_BORN = date(1958, 3, 27), date(1961, 11, 14)
MAX_MEDIANS_MS = 1.0
# Of twelve tests, one falls below this by chance in fewer than one run of eighty.
MIN_P = 0.001
HEADERS = ("Content-Type", "Content-Length", "Cache-Control", "Set-Cookie", "Vary", "Retry-After")
TOKEN = re.compile(rb'name="csrf_token" value="([^"]*)"')
# A MAC of the code and the address, so different each time by nature; for an unknown code as for a known one.
AGAIN = re.compile(rb'(name="again" value=")[A-Za-z0-9_-]{43}"')

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Guess:
    kind: str
    code: AccessCode
    born: date
    password: str


@dataclass(frozen=True)
class Answer:
    """What the attacker sees beside the time; the page without its tokens and what was typed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    size: int
    page: bytes


def prepare(services: Services, attempts: int) -> list[Guess]:
    """The attempts, and the grants that they are made against."""
    study, at = _study(services), services.clock()
    paper = services.grants.prepare([study], at=at)
    right = paper.password.digits
    wrong = next(words.digits for words in iter(password.generate, None) if words.digits != right)
    per_kind = math.ceil(attempts / THROTTLE.free)
    codes = [access_code.generate(services.settings.code_symbols) for _ in range(3 * per_kind)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        indexes = list(pool.map(services.crypto.code_indexes, codes))
    guesses = []
    kid = services.crypto.pepper_kid
    for number, (code, index) in enumerate(zip(codes, indexes, strict=True)):
        kind = KINDS[1 + number % 3]
        ref = f"{number:016x}"
        policy = Policy.BIRTH_DATE_AND_PASSWORD if kind == "wrong password" else Policy.BIRTH_DATE
        grant = Grant(
            ref=ref,
            kind=paper.grant.kind,
            policy=policy,
            permissions=paper.grant.permissions,
            pepper_kid=kid,
            code_index=index[kid],
            password_hash=paper.grant.password_hash,
            birth_date_mac=services.crypto.birth_date_mac(kid, ref, BORN),
            issued_at=at,
            expires_at=paper.grant.expires_at,
            failures=THROTTLE.locks_at(policy) if kind == "locked" else 0,
            failures_in_life=0,
            studies=[study],
        )
        services.session.add(grant)
        born = NOT_BORN if kind == "wrong birth date" else BORN
        words = wrong if kind == "wrong password" else right
        guesses += [Guess(kind, code, born, words)] * THROTTLE.free
    services.session.commit()
    unknown = [access_code.generate(services.settings.code_symbols) for _ in range(attempts)]
    guesses += [Guess("unknown code", code, BORN, right) for code in unknown]
    random.shuffle(guesses)
    return guesses


def _study(services: Services) -> Study:
    at = services.clock()
    texts = (
        *("patient_id", "patient_name", "birth_date_text", "patient_sex", "description", "accession_number"),
        *("modalities", "body_part", "institution_name", "referring_physician", "performing_physician"),
        *("reading_physicians", "responsible_organization", "fingerprint"),
    )
    archive = Archive(name="main", registered_at=at - timedelta(days=1))
    services.session.add(archive)
    services.session.flush()
    study = Study(
        **dict.fromkeys(texts, ""),
        archive_id=archive.id,
        orthanc_id="bench",
        study_instance_uid="1.2.826.0.1.3680043.2.1125.1",
        birth_date=BORN,
        birth_date_state="valid",
        series_count=1,
        instance_count=1,
        archive_updated_at=at,
        stable_at=at,
    )
    services.session.add(study)
    services.session.commit()
    return study


def networks() -> Iterator[str]:
    """Addresses, each alone in its /24: none has failed before."""
    return (f"10.{number >> 8}.{number & 255}.7" for number in range(1, 1 << 16))


class Attacker:
    """One keep-alive connection, one session with its CSRF token."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("localhost", port, timeout=60)
        self._connection.request("GET", "/")
        answer = self._connection.getresponse()
        found = TOKEN.search(answer.read())
        assert found is not None
        self._token = found[1].decode()
        self._cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]

    def tries(self, guess: Guess, address: str) -> tuple[float, Answer]:
        """(milliseconds from the first byte sent to the last byte read, the answer)."""
        body = urlencode(
            {
                "csrf_token": self._token,
                "code": guess.code.grouped,
                "day": f"{guess.born.day:02}",
                "month": f"{guess.born.month:02}",
                "year": guess.born.year,
                "with_password": "1",
                "password": guess.password,
                "go": "images",
            }
        )
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self._cookie,
            "X-Forwarded-For": address,
            "X-Forwarded-Proto": "http",
        }
        began = time.perf_counter()
        self._connection.request("POST", "/", body, headers)
        answer = self._connection.getresponse()
        page = answer.read()
        took = (time.perf_counter() - began) * 1000
        told = tuple((name, answer.headers.get(name, "")) for name in HEADERS)
        shown = AGAIN.sub(rb'\1"', TOKEN.sub(b"", page)).replace(guess.code.grouped.encode(), b"CODE")
        for field, value in (("day", guess.born.day), ("month", guess.born.month), ("year", guess.born.year)):
            # Only the birth date as typed differs, by nature.
            shown = re.sub(rb'(name="%s"[^>]* value=")0?%d"' % (field.encode(), value), rb'\1"', shown)
        return took, Answer(answer.status, told, len(page), shown)


def attack(
    port: int, guesses: list[Guess], clients: int, addresses: Iterator[str]
) -> tuple[dict[str, list[float]], dict[str, set[Answer]]]:
    """Make all guesses: times and different answers by kind."""
    times: dict[str, list[float]] = defaultdict(list)
    answers: dict[str, set[Answer]] = defaultdict(set)
    turn = threading.Lock()
    shares = [guesses[number::clients] for number in range(clients)]

    def work(share: list[Guess]) -> None:
        attacker = Attacker(port)
        for guess in share:
            with turn:  # a generator serves one thread at a time
                address = next(addresses)
            took, answer = attacker.tries(guess, address)
            times[guess.kind].append(took)
            answers[guess.kind].add(answer)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, shares))
    return times, answers


def mann_whitney(one: Times, other: Times) -> tuple[float, float]:
    """(chance that one of ``one`` takes longer than one of ``other``, two-sided p by the normal approximation)."""
    both = np.concatenate([one, other])
    _, inverse, count = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[inverse]
    u = ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2
    mean = len(one) * len(other) / 2
    deviation = math.sqrt(mean * (len(both) + 1) / 6)
    return u / (2 * mean), math.erfc(abs(u - mean) / deviation / math.sqrt(2))


def kolmogorov_smirnov(one: Times, other: Times) -> tuple[float, float]:
    """(greatest distance of the two distribution functions, its asymptotic p)."""
    both = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(np.sort(times), both, side="right") / len(times) for times in (one, other)]
    distance = float(np.abs(below[0] - below[1]).max())
    scale = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    x = distance * (scale + 0.12 + 0.11 / scale)
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return distance, min(1.0, max(0.0, p)) if x > 0.2 else 1.0


def report(times: dict[str, list[float]], answers: dict[str, set[Answer]]) -> dict[str, object]:
    """Print the tables; the last line's object."""
    print(f"{'':20}{'attempts':>9}{'median':>11}{'p90':>11}{'status':>8}{'bytes':>8}")
    kinds: dict[str, object] = {}
    for kind in KINDS:
        median, p90 = np.percentile(times[kind], [50, 90])
        statuses = sorted({answer.status for answer in answers[kind]})
        sizes = sorted({answer.size for answer in answers[kind]})
        kinds[kind] = {"median_ms": round(median, 2), "p90_ms": round(p90, 2), "bytes": sizes}
        told = "/".join(map(str, statuses)), "/".join(map(str, sizes))
        print(f"{kind:20}{len(times[kind]):9}{median:8.2f} ms{p90:8.2f} ms{told[0]:>8}{told[1]:>8}")
    print(f"\n{'pair':38}{'medians':>11}{'slower':>9}{'p (rank)':>10}{'distance':>10}{'p (K-S)':>9}")
    pairs, apart, p_values = {}, [], []
    for one, other in itertools.combinations(KINDS, 2):
        a, b = np.array(times[one]), np.array(times[other])
        difference = float(np.median(a) - np.median(b))
        chance, p_rank = mann_whitney(a, b)
        distance, p_ks = kolmogorov_smirnov(a, b)
        apart.append(abs(difference))
        p_values += [p_rank, p_ks]
        pairs[f"{one} / {other}"] = {
            "medians_ms": round(difference, 3),
            "slower": round(chance, 4),
            "p_rank": round(p_rank, 4),
            "distance": round(distance, 4),
            "p_ks": round(p_ks, 4),
        }
        name = f"{one} / {other}"
        print(
            f"{name:38}{difference:8.2f} ms{chance:9.1%}{p_rank:10.3f}{distance:10.3f}{p_ks:9.3f}",
        )
    different = len(set().union(*answers.values()))
    is_same = different == 1
    is_close = max(apart) <= MAX_MEDIANS_MS
    is_alike = min(p_values) >= MIN_P
    print(f"\nOne answer (status, headers, size, page): {'yes' if is_same else f'NO, {different} of them'}")
    print(
        f"Medians within {MAX_MEDIANS_MS:g} ms: {'yes' if is_close else 'NO'} (largest {max(apart):.2f} ms)"
    )
    print(f"Distributions alike: {'yes' if is_alike else 'NO'} (smallest p {min(p_values):.4f})")
    return {
        "benchmark": "timing",
        "attempts": len(times[KINDS[0]]),
        "kinds": kinds,
        "pairs": pairs,
        "largest_median_difference_ms": round(max(apart), 3),
        "smallest_p": round(min(p_values), 4),
        "one_answer": is_same,
        "passed": is_same and is_close and is_alike,
    }


def run(attempts: int, clients: int, database: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        place = Place.at(Path(name))
        more = {"STUDYKEY_TRUSTED_HOPS": "1", "STUDYKEY_MODE": "test"}
        if database:
            more["STUDYKEY_DATABASE_URL"] = database
        os.environ.update(place.environ(**more))
        settings = Settings.from_env()
        migrate(settings)
        app = create_internal_app(settings)
        print("Preparing grants…", flush=True)
        with app.app_context():
            services: Services = app.extensions[EXTENSION]
            guesses = prepare(services, attempts)
            services.session.close()
        public = [part for part in parts(settings) if part.name == "public"]
        with (
            (place.folder / "studykey.log").open("ab") as log,
            Supervisor(public, os.environ, log=log.fileno()),
        ):
            port, addresses = place.ports["public"], networks()
            _wait(port)
            warm = [Guess("warm", access_code.generate(), BORN, "0000000000") for _ in range(60)]
            attack(port, warm, 6, addresses)
            print(f"{len(guesses)} attempts in random order, {clients} at a time…\n", flush=True)
            times, answers = attack(port, guesses, clients, addresses)
        return report(times, answers)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            Attacker(port)
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The public door didn't open.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="of each kind")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} of each kind")
    parser.add_argument("--clients", type=int, default=1, help="attempts at a time")
    parser.add_argument(
        "--database", default="", help="an empty database's SQLAlchemy URL; SQLite if not given"
    )
    asked = parser.parse_args()
    result = run(QUICK if asked.quick else asked.attempts, asked.clients, asked.database)
    print(json.dumps(result))
    raise SystemExit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
