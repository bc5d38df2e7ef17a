"""What the audit trail's chain is made of: the bytes that are MACed, and a head as people carry it.

A row's MAC covers the MAC of the row before it, so a row can't be changed, moved, put in or taken out without the
key. The chain's ends are sealed as well (``ends_message``): what was taken off the end shows, and so does
anything taken off the front but by a purge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# What the first row stands on.
NOTHING = b""


@dataclass(frozen=True)
class Head:
    """The last row at some moment, by number and MAC. No secret: meant to be kept outside the database."""

    row_id: int
    mac: bytes

    def __str__(self) -> str:
        return f"{self.row_id}:{self.mac.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read ``<row>:<MAC in hex>``. Raises ValueError."""
        number, colon, mac = text.strip().partition(":")
        if not (colon and number.isascii() and number.isdigit()):
            raise ValueError("a head looks like 4711:0a1b…")
        return cls(int(number), bytes.fromhex(mac))


def row_message(
    previous: bytes,
    *,
    row_id: int,
    at: datetime,
    event: str,
    actor: str,
    address: str | None,
    grant_id: int | None,
    study_id: int | None,
    details: dict[str, Any],
) -> bytes:
    """One row, and what it stands on, as one unambiguous text (JSON, keys sorted, ASCII, UTC)."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return _text("row", previous.hex(), row_id, moment, event, actor, address, grant_id, study_id, details)


def ends_message(last: Head, purged: Head) -> bytes:
    """Where the chain ends, and after which row (purged since) it begins."""
    return _text("ends", str(last), str(purged))


def as_stored(details: dict[str, Any]) -> dict[str, Any]:
    """Details as the database will give them back: what is MACed now has to be what is read later."""
    kept: dict[str, Any] = json.loads(json.dumps(details))
    return kept


def _text(*parts: object) -> bytes:
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
