"""``studykey`` as a process: what it refuses, in a sentence each, before anything is begun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import ROOT


def studykey(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STUDYKEY_")}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env=environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("mode", ["production", "dev"])
def test_an_internal_door_that_would_stand_open_stops_the_start(tmp_path: Path, mode: str) -> None:
    ended = studykey(
        "serve",
        STUDYKEY_MODE=mode,
        STUDYKEY_INSTANCE=str(tmp_path),
        STUDYKEY_BASE_URL="https://portal.example.org",
        STUDYKEY_INTERNAL_HOST="0.0.0.0",
    )

    assert ended.returncode == 1
    assert "STUDYKEY_INTERNAL_HOST lets other machines ask at the internal door" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []  # no database, no log: nothing was begun


@pytest.mark.no_database
def test_a_database_that_was_never_prepared_is_said_in_a_sentence(tmp_path: Path) -> None:
    ended = studykey("staff", "list", STUDYKEY_MODE="dev", STUDYKEY_INSTANCE=str(tmp_path))

    assert ended.returncode == 1
    assert "A new one has to be prepared first: studykey database upgrade." in ended.stderr
    assert "Traceback" not in ended.stderr
