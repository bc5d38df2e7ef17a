"""Who comes to the public door in ``bench.attack``: a browser of few words, and three attackers that use it."""

from __future__ import annotations

import http.client
import itertools
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from urllib.parse import urlencode

from app.domain import access_code
from bench.bulk import BORN

ADDRESSES, SHEET_ADDRESSES = 2000, 50
CONNECTIONS = {"codes": 48, "sheet": 4, "flood": 24}
TIMEOUT_SECONDS = 60
TOKEN = re.compile(rb'name="csrf_token" value="([^"]*)"')
AGAIN = re.compile(rb'name="again" value="([^"]*)"')
RIGHT = {"day": str(BORN.day), "month": str(BORN.month), "year": str(BORN.year)}


class Browser:
    """One caller: an address, a connection that is kept, a cookie. Raises OSError, HTTPException."""

    def __init__(self, port: int, address: str) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.address, self.cookie, self.token, self.again = address, "", "", ""

    def get(self, path: str = "/") -> tuple[int, bytes]:
        status, page, _ = self._send("GET", path)
        if found := TOKEN.search(page):
            self.token = found[1].decode()
        return status, page

    def post(self, **form: str) -> tuple[int, bytes, float]:
        """Status, page, and the seconds of Retry-After."""
        fields = {"csrf_token": self.token, "again": self.again, "go": "study", **form}
        status, page, retry_after = self._send("POST", "/", urlencode(fields))
        if found := AGAIN.search(page):
            self.again = found[1].decode()
        return status, page, retry_after

    def _send(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes, float]:
        headers = {"X-Forwarded-For": self.address, "Cookie": self.cookie, "Host": "localhost"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        for is_last in (False, True):  # as browsers do when a kept connection was closed meanwhile
            try:
                self._http.request(method, path, body, headers)
                answer = self._http.getresponse()
                page = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self._http.close()
                if is_last:
                    raise
        cookies = [line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie") or []]
        if cookies:
            kept = dict(part.split("=", 1) for part in self.cookie.split("; ") if part)
            self.cookie = "; ".join(
                f"{name}={value}" for name, value in (kept | dict(c.split("=", 1) for c in cookies)).items()
            )
        return answer.status, page, float(answer.headers.get("Retry-After", 5))


# Attackers. Each is a process; each of its connections sends as soon as it was answered.


def guess_codes(browser: Browser, number: int, _sheet: str) -> int:
    browser.address = f"{11 + number % 90}.{number * 7 % 256}.{number * 13 % 256}.{number % 250 + 1}"
    return browser.post(code=access_code.generate().symbols, **RIGHT)[0]


def guess_birth_date(browser: Browser, number: int, sheet: str) -> int:
    browser.address = f"203.0.{number % SHEET_ADDRESSES}.9"
    born = date(1930, 1, 1) + timedelta(days=random.randrange(30_000))
    if born == BORN:
        born = date(1930, 1, 1)
    return browser.post(code=sheet, day=str(born.day), month=str(born.month), year=str(born.year))[0]


MALFORMED = [
    {"code": "K7QD"},
    {"code": "U" * 60_000, **RIGHT},
    {"code": "K7QD-9M3X-4TBP", **RIGHT},
    {"csrf_token": "x", "code": "K7QD-9M3X-4TBN"},
    {"day": "\0", "month": "\u202e", "year": "99999"},
]


def flood(browser: Browser, number: int, _sheet: str) -> int:
    browser.address = f"192.0.2.{number % 4}"
    if number % 2:
        return browser.get()[0]
    return browser.post(**MALFORMED[number // 2 % len(MALFORMED)])[0]


ATTACKS: dict[str, Callable[[Browser, int, str], int]] = {
    "codes": guess_codes,
    "sheet": guess_birth_date,
    "flood": flood,
}


def attack(
    name: str,
    port: int,
    sheet: str,
    addresses: int,
    is_over: Event,
    answers: Queue[tuple[str, Counter[str]]],
) -> None:
    """One attacker, until it is over; puts how often each answer came."""
    numbers: Iterator[int] = itertools.cycle(range(addresses))
    lock, counted = threading.Lock(), Counter[str]()

    def connection() -> None:
        browser = Browser(port, "192.0.2.200")
        mine = Counter[str]()
        while not is_over.is_set():
            try:
                if not browser.token:
                    browser.get()
                with lock:
                    number = next(numbers)
                mine[str(ATTACKS[name](browser, number, sheet))] += 1
            except (OSError, http.client.HTTPException) as error:
                mine[type(error).__name__] += 1
        with lock:
            counted.update(mine)

    threads = [threading.Thread(target=connection) for _ in range(CONNECTIONS[name])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((name, counted))
