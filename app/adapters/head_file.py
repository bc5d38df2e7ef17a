"""The audit trail's head, kept in a file: what a change inside the database can't reach."""

from __future__ import annotations

import os
from pathlib import Path

from app.domain.audit_chain import Head


class HeadFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """None: never written. Raises ValueError for a file that holds no head, OSError."""
        try:
            return Head.parse(self.path.read_text())
        except FileNotFoundError:
            return None

    def write(self, head: Head) -> None:
        """Replace the file whole, readable by its owner alone: a crash leaves the old head or the new one.

        Raises OSError.
        """
        fresh = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{head}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
