"""``studykey serve`` as a process: it refuses to start with a door that would stand open, before anything listens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import ROOT


@pytest.mark.parametrize("mode", ["production", "dev"])
def test_an_internal_door_that_would_stand_open_stops_the_start(tmp_path: Path, mode: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STUDYKEY_")}
    environ |= {
        "STUDYKEY_MODE": mode,
        "STUDYKEY_INSTANCE": str(tmp_path),
        "STUDYKEY_BASE_URL": "https://portal.example.org",
        "STUDYKEY_INTERNAL_HOST": "0.0.0.0",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 1
    assert "STUDYKEY_INTERNAL_HOST lets other machines ask at the internal door" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []  # no database, no log: nothing was begun
