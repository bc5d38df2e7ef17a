"""What the demo keeps between starts: its ports, its secrets, its folders. Chosen once, so that what was
printed stays true."""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from zoneinfo import available_timezones

Kind = TypeVar("Kind")

DOCUMENTED_PORTS = {"public": 8045, "internal": 8046, "orthanc": 8047}


@dataclass(frozen=True)
class Place:
    """``secrets`` are of this demo alone: made at its first start, kept with mode 0600."""

    folder: Path
    ports: dict[str, int]
    secrets: dict[str, str] = field(repr=False)

    @classmethod
    def at(cls, folder: Path) -> Place:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ports = _kept(folder / "ports.json", _choose_ports)
        made = _kept(
            folder / "secrets.json",
            lambda: {name: secrets.token_urlsafe(18) for name in ("service", "gate", "staff")},
        )
        return cls(folder, ports, made)

    @property
    def portal(self) -> str:
        return f"http://localhost:{self.ports['public']}"

    @property
    def orthanc_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['orthanc']}"

    @property
    def internal_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['internal']}"

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of Studykey's processes. Portal and viewer stand on two host names (localhost and
        127.0.0.1), because cookies ignore ports."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("STUDYKEY_")},
            "STUDYKEY_MODE": "demo",
            "STUDYKEY_INSTANCE": str(self.folder),
            "STUDYKEY_BASE_URL": self.portal,
            "STUDYKEY_PUBLIC_PORT": str(self.ports["public"]),
            "STUDYKEY_INTERNAL_PORT": str(self.ports["internal"]),
            "STUDYKEY_TIME_ZONE": _time_zone(),
            "STUDYKEY_CLINIC_NAME": "Demo Clinic",
            "STUDYKEY_CLINIC_PHONE": "+1 555 0100",
            "STUDYKEY_ARCHIVE_MAIN_URL": self.orthanc_url,
            "STUDYKEY_ARCHIVE_MAIN_PASSWORD": self.secrets["service"],
            "STUDYKEY_ARCHIVE_MAIN_GATE_PASSWORD": self.secrets["gate"],
            "STUDYKEY_ARCHIVE_MAIN_VIEWER": "ohif",
            **more,
        }


def _kept(file: Path, make: Callable[[], dict[str, Kind]]) -> dict[str, Kind]:
    try:
        kept: dict[str, Kind] = json.loads(file.read_text())
    except FileNotFoundError:
        kept = make()
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(kept, out)
    return kept


def _time_zone() -> str:
    """This machine's, where it tells one by name."""
    zone = Path("/etc/timezone")
    name = zone.read_text().strip() if zone.is_file() else ""
    return name if name in available_timezones() else "UTC"


def _choose_ports() -> dict[str, int]:
    return {
        name: documented if _is_free(documented) else free_port()
        for name, documented in DOCUMENTED_PORTS.items()
    }


_given: set[int] = set()  # by this process, perhaps not listened on yet


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel lends to outgoing connections: it is still
    free when a server that stopped wants it back."""
    while True:
        port = random.randrange(15_000, 32_000)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
