"""Limits per network and for the whole site: the figures, and how long a network has to wait.

Failures count, successes never do, and no wait is for ever: a hospital's shared address gets its next try a
minute after the last failure, however many there were. Nobody is shut out for what others typed elsewhere
unless their own network has failed as well. Typing errors are no attempts and don't come here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Networks:
    """Where an attempt comes from: an IPv4 address and its /24, an IPv6 /64 and its /48 (one line's
    addresses and one customer's, RFC 6177)."""

    narrow: str
    wide: str


def networks_of(address: str) -> Networks:
    """Raises ValueError for what is no IP address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    narrow, wide = (64, 48) if ip.version == 6 else (32, 24)
    around = [ipaddress.ip_network(f"{ip}/{prefix}", strict=False) for prefix in (narrow, wide)]
    return Networks(str(ip) if ip.version == 4 else str(around[0]), str(around[1]))


@dataclass(frozen=True)
class Failure:
    """An attempt that didn't prove its grant. While it is being compared it stands as a failure."""

    at: datetime
    is_finished: bool


@dataclass(frozen=True)
class Limit:
    """At most ``failures`` within ``window``; where there is a ``pace``, one more each ``pace`` all the same."""

    failures: int
    window: timedelta
    pace: timedelta | None = None

    def wait(self, failures: Sequence[Failure], *, at: datetime) -> timedelta:
        """How long the next try has to wait; zero when it is welcome now.

        Short when it is only tries still being compared that fill the limit: twenty patients who come in
        together behind one address are no attack.
        """
        wait = self._wait([failure.at for failure in failures], at)
        finished = [failure.at for failure in failures if failure.is_finished]
        if wait and not self._wait(finished, at):
            return UNFINISHED_WAIT
        return wait

    def _wait(self, failures: Sequence[datetime], at: datetime) -> timedelta:
        recent = sorted(moment for moment in failures if moment > at - self.window)
        if len(recent) < self.failures:
            return timedelta(0)
        ends = [recent[-self.failures] + self.window]
        if self.pace is not None:
            ends.append(recent[-1] + self.pace)
        return max(timedelta(0), min(ends) - at)


NARROW = Limit(failures=10, window=timedelta(minutes=10), pace=timedelta(minutes=1))
WIDE = Limit(failures=100, window=timedelta(hours=1))
# Questions of where a PDF comes from, each of which may bring a file of some megabytes along.
VERIFY_NARROW = Limit(failures=30, window=timedelta(minutes=10), pace=timedelta(seconds=20))
VERIFY_WIDE = Limit(failures=300, window=timedelta(hours=1))
UNFINISHED_WAIT = timedelta(seconds=2)


@dataclass(frozen=True)
class SiteLimit:
    """The whole site: when guessing of codes is an alarm, and what a thousand addresses get together.

    The cap is for networks that failed within the last ten minutes; a network that didn't is never turned
    away by it.
    """

    alarm_failures: int = 300  # unknown codes: one a second …
    alarm_window: timedelta = timedelta(minutes=5)  # … for this long
    cap_tries: int = 10
    cap_window: timedelta = timedelta(seconds=1)
    cap_wait: timedelta = timedelta(seconds=5)


SITE = SiteLimit()


SECOND_CHANCES = 3


def rank_of(failures: int, people: int, *, is_second_chance: bool) -> int:
    """How far behind others a network stands in the queue: 0 comes first and is under no cap.

    ``people`` is the number of different grants that were proved from there lately: at a hospital's address
    many get in and a few mistype, so each person outweighs one failure. ``is_second_chance``: the same code as
    in the try that just failed, as when a person corrects the birth date. It guesses no new code, so up to three
    failures it isn't held back with those who do. Neither lifts a network's own limit.
    """
    if is_second_chance and failures <= SECOND_CHANCES:
        return 0
    return max(0, failures - people)
