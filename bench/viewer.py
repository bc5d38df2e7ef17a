"""What the gate costs somebody who reads: a 300-slice study over DICOMweb through a real Orthanc, with the gate and
without any filter, in turns; who is first changes from round to round.

Beside them a gate that says yes to everything: what Orthanc's Python plugin costs, whoever decides. Fetched as a
viewer does it: the series' metadata, then one frame after the other over six connections, with the token in the
Authorization header. The internal door answers the gate in a process of its own, as in production.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.config import Settings
from app.demo import studies
from app.demo.orthanc_server import GateSettings, OrthancServer
from app.demo.place import Place, free_port
from app.demo.studies import SyntheticStudy
from app.models import Archive, Study
from app.schema import migrate
from app.supervisor import Supervisor, parts
from bench.bulk import services_of, wait_for

SLICES, ROUNDS, CONNECTIONS = 300, 15, 6
# Refuses what a stranger is shown at the start, for OrthancServer wants to see a closed gate.
YES = """import orthanc
orthanc.RegisterIncomingHttpRequestFilter(lambda uri, **request: uri != "/system")
"""
PATIENCE_SECONDS = 120


def token_for(settings: Settings, study: SyntheticStudy) -> str:
    """A viewer token, once the follower has taken the study in."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with services_of(settings) as services:
        while time.monotonic() < deadline:
            services.session.rollback()
            found = (
                services.session.query(Study).filter_by(study_instance_uid=study.study_instance_uid).first()
            )
            grant = services.grants.current(found) if found else None
            if found and grant:
                live, _ = services.visits.begin(grant.id, address="127.0.0.1", at=services.clock())
                return services.visits.issue_viewer_token(
                    live, live.studies[0], address="127.0.0.1", at=services.clock()
                )
            time.sleep(0.2)
    raise SystemExit("The study didn't arrive; see the log.")


def read(port: int, paths: Sequence[str], headers: dict[str, str]) -> list[int]:
    """GET paths over one connection: the sizes. Raises SystemExit when one isn't given."""
    connection, sizes = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    for path in paths:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        sizes.append(len(answer.read()))
        if answer.status != 200:
            raise SystemExit(f"{answer.status} for {path}")
    connection.close()
    return sizes


def round_of(port: int, series: str, frames: Sequence[str], headers: dict[str, str]) -> tuple[float, int]:
    """(seconds, bytes) of one reading."""
    began = time.perf_counter()
    size = sum(read(port, [f"{series}/metadata"], headers))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [frames[n::CONNECTIONS] for n in range(CONNECTIONS)]
        size += sum(sum(sizes) for sizes in pool.map(lambda share: read(port, share, headers), shares))
    return time.perf_counter() - began, size


def addresses(port: int, study: SyntheticStudy, headers: dict[str, str]) -> tuple[str, list[str]]:
    """The series, and its frames in order."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    root = f"/dicom-web/studies/{study.study_instance_uid}"
    connection.request("GET", f"{root}/instances", headers=headers | {"Accept": "application/dicom+json"})
    found = json.loads(connection.getresponse().read())
    connection.close()
    series = f"{root}/series/{found[0]['0020000E']['Value'][0]}"
    return series, sorted(f"{series}/instances/{one['00080018']['Value'][0]}/frames/1" for one in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    study = studies.study(slices=SLICES, size=512, label="bench of viewing")
    with tempfile.TemporaryDirectory() as name:
        place = Place.at(Path(name))
        os.environ.update(place.environ(STUDYKEY_ARCHIVE_MAIN_VIEWER="stone"))
        settings = Settings.from_env()
        gate = GateSettings(
            url=place.internal_url,
            username="main",
            password=place.secrets["gate"],
            users={"studykey": place.secrets["service"]},
        )
        guarded = OrthancServer(place.folder / "guarded", http_port=place.ports["orthanc"], gate=gate)
        plain_port = free_port()
        plain = OrthancServer(place.folder / "plain", http_port=plain_port)
        yes_port, script = free_port(), place.folder / "yes.py"
        script.write_text(YES)
        yes = OrthancServer(place.folder / "yes", http_port=yes_port, gate=replace(gate, script=script))
        migrate(settings)
        log = (place.folder / "studykey.log").open("ab")
        with guarded, plain, yes, Supervisor(parts(settings), os.environ, log=log.fileno()):
            wait_for(place.ports["public"])
            _wait_for_archive(settings)
            print(f"Sending {SLICES} slices three times…", flush=True)
            files = list(studies.files(study))
            studies.send(
                guarded.url, files, auth=("studykey", place.secrets["service"]), progress=lambda _: None
            )
            for beside in (plain, yes):
                studies.send(beside.url, files, auth=None, progress=lambda _: None)
            headers = {"Authorization": f"Bearer {token_for(settings, study)}"}
            targets = {"gate": place.ports["orthanc"], "no filter": plain_port, "always yes": yes_port}
            series, frames = addresses(plain_port, study, headers)
            took: dict[str, list[float]] = {target: [] for target in targets}
            for number in range(rounds + 1):
                turn = number % len(targets)
                for target in [*targets, *targets][turn : turn + len(targets)]:
                    seconds, size = round_of(targets[target], series, frames, headers)
                    if number:  # the first warms caches
                        took[target].append(seconds)
                print(".", end="", flush=True)
    medians = {target: statistics.median(times) for target, times in took.items()}
    ratios = {target: medians[target] / medians["no filter"] for target in targets}
    print(
        f"\n{'':12}{'median s':>10}{'fastest':>10}{'slowest':>10}   {len(frames)} frames, {size / 1e6:.0f} MB"
    )
    for target, times in took.items():
        print(f"{target:12}{medians[target]:>10.3f}{min(times):>10.3f}{max(times):>10.3f}")
    for target in ("gate", "always yes"):
        print(f"{target}: {ratios[target]:.3f} times as long as no filter (medians)")
    figures = {target.replace(" ", "_"): round(value, 4) for target, value in medians.items()}
    print(json.dumps({"benchmark": "viewer", **figures, "ratio": round(ratios["gate"], 4), "rounds": rounds}))


def _wait_for_archive(settings: Settings) -> None:
    with services_of(settings) as services:
        while not services.session.query(Archive).count():
            services.session.rollback()
            time.sleep(0.1)


if __name__ == "__main__":
    main()
