"""The drill: a running clinic is backed up, its machine is lost, and yesterday's paper opens on another one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.config import ROOT
from app.demo import studies
from tests.support.clinic import Clinic, Visitor
from tests.support.databases import Databases

PASSPHRASE = "correct horse battery staple"
CHEST = studies.study(patient_id="DEMO-B1", label="drill 1", slices=1)
HEAD = studies.study(
    patient_id="DEMO-B2",
    patient_name="Okafor^Samuel",
    birth_date=None,
    modality="MR",
    label="drill 2",
    slices=1,
)


def studykey(instance: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """One command, as an operator types it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STUDYKEY_")}
    environ |= {
        "STUDYKEY_MODE": "test",
        "STUDYKEY_INSTANCE": str(instance),
        "STUDYKEY_DATABASE_URL": url,
    }
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def elsewhere(databases: Databases) -> Iterator[str]:
    with databases.empty() as url:
        yield url


def test_yesterdays_paper_opens_on_another_machine(
    make_clinic: Callable[..., Clinic], elsewhere: str, tmp_path: Path
) -> None:
    # Given a clinic that runs, with a sheet from before a rotation of the keys and one from after it,
    clinic = make_clinic()
    clinic.orthanc.start()
    clinic.start_studykey()
    instance, url = clinic.settings.instance, clinic.settings.database_url
    first = clinic.receive(CHEST)
    rotated = studykey(instance, url, "keys", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    second = clinic.receive(HEAD)
    assert second.grant.pepper_kid != first.grant.pepper_kid, "the follower took the new key up by itself"
    for paper, study in ((first, CHEST), (second, HEAD)):
        assert clinic.enter(paper, study).token

    # when it is backed up while patients go on coming in,
    stop, came = threading.Event(), []

    def keep_coming() -> None:
        while not stop.is_set():
            came.append(clinic.enter(first, CHEST).answer.status_code)  # type: ignore[union-attr]

    patients = threading.Thread(target=keep_coming)
    patients.start()
    file, secret = tmp_path / "backup", tmp_path / "passphrase"
    secret.write_text(f"{PASSPHRASE}\n")
    made = studykey(instance, url, "backup", str(file), "--passphrase-file", str(secret))
    stop.set()
    patients.join()
    assert made.returncode == 0, made.stderr
    assert "2 grants, 2 studies" in made.stdout
    assert "audit_event: " in made.stderr, "progress is shown"
    assert set(came) == {303}
    clinic.stop_studykey()

    # and restored into an empty place,
    folder = tmp_path / "machine"
    secret.write_text("correct horse battery stable\n")
    refused = studykey(folder / "instance", elsewhere, "restore", str(file), "--passphrase-file", str(secret))
    assert refused.returncode == 1
    assert "Error: The passphrase is wrong" in refused.stderr
    secret.write_text(f"{PASSPHRASE}\n")
    restored = studykey(
        folder / "instance", elsewhere, "restore", str(file), "--passphrase-file", str(secret)
    )
    assert restored.returncode == 0, restored.stderr

    # then both sheets open there, once more through the public door.
    machine = Clinic(folder, elsewhere)
    try:
        machine.start_studykey("public")
        for paper, study in ((first, CHEST), (second, HEAD)):
            visitor = Visitor(machine.portal)
            visitor.prove(paper, study, go="study")
            assert visitor.answer is not None
            assert visitor.answer.status_code == 303
            page = visitor.http.get(f"{machine.portal}{visitor.answer.headers['Location']}", timeout=10)
            assert page.status_code == 200
            assert study.description in page.text
        verified = studykey(folder / "instance", elsewhere, "audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        again = studykey(
            folder / "instance", elsewhere, "restore", str(file), "--passphrase-file", str(secret)
        )
        assert again.returncode == 1, "never over what is there"
    finally:
        machine.close()
