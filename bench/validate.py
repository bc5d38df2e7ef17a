"""How fast the internal door answers "may this token do this?", and whether the number of grants matters.

The door runs as in production (one worker); wrk asks it over 1, 8 and 64 connections, in turn about 500 different
tokens of each state. Beside it, in the same run, the same server with a WSGI callable that answers a constant: what
the machine and the server alone can do.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text

from app.config import ROOT, Settings
from app.demo.place import free_port
from app.domain.permissions import PATIENT
from app.models import Archive, Grant, Study, ViewerToken, Visit, db, grant_study
from app.schema import migrate
from app.services.visits import TOKEN_PURPOSE
from app.supervisor import Part, Supervisor, parts
from bench import postgres
from bench.bulk import services_of, wait_for

SIZES = (10_000, 1_000_000)
TOKENS = 500
CONNECTIONS = (1, 8, 64)
REFERENCE = 2_400  # requests/s of the existing FastAPI service at 8 connections, one worker
STATES = ("live", "refused", "expired", "revoked")
PASSWORD = "gate-secret-of-the-benchmark"

LUA = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local n = math.random(#bodies)
request = function()
  n = n %% #bodies + 1
  return wrk.format("POST", "/tokens/validate", nil, bodies[n])
end
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "%s"
"""

CONSTANT = """
def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "30")])
    return (b'{"granted":false,"validity": 5}',)
"""


def fill(settings: Settings, grants: int) -> dict[str, list[str]]:
    """``grants`` grants with a study and a visit's token each; the questions of each state as JSON lines."""
    migrate(settings)
    with services_of(settings) as services:
        session, at = services.session, services.clock()
        archive = Archive(name="main", registered_at=at)
        session.add(archive)
        session.flush()
        texts = {name: "" for name, column in Study.__table__.columns.items() if str(column.type) == "TEXT"}
        questions: dict[str, list[str]] = {state: [] for state in STATES}
        for start in range(1, grants + 1, 20_000):
            rows: dict[str, list[dict[str, object]]] = {name: [] for name in ("s", "g", "l", "v", "t")}
            for number in range(start, min(start + 20_000, grants + 1)):
                state = STATES[number % 4]
                ids = {
                    "orthanc_id": f"{number:08x}" + "-0a1b2c3d" * 4,
                    "study_instance_uid": f"1.2.826.0.1.{number}",
                }
                token = secrets.token_urlsafe(16)
                rows["s"].append(
                    texts
                    | ids
                    | {
                        "id": number,
                        "archive_id": archive.id,
                        "birth_date_state": "missing",
                        "series_count": 1,
                    }
                    | {"instance_count": 1, "archive_updated_at": at, "stable_at": at, "fingerprint": ""}
                )
                rows["g"].append(
                    {
                        "id": number,
                        "ref": f"{number:016x}",
                        "kind": "patient",
                        "policy": "code+password",
                        "permissions": PATIENT.names,
                        "pepper_kid": "k",
                        "code_index": number.to_bytes(32),
                        "password_hash": "",
                        "issued_at": at,
                        "expires_at": at + timedelta(days=-1 if state == "expired" else 90),
                        "failures": 0,
                        "failures_in_life": 0,
                    }
                )
                rows["l"].append({"grant_id": number, "study_id": number})
                rows["v"].append(
                    {
                        "id": number,
                        "key": number.to_bytes(32),
                        "grant_id": number,
                        "begun_at": at,
                        "seen_at": at,
                    }
                )
                rows["t"].append(
                    {
                        "id": token,
                        "visit_id": number,
                        "study_id": number,
                        "issued_at": at,
                        "revoked_at": at if state == "revoked" else None,
                    }
                )
                # The asked-for ones are spread over all rows.
                if len(questions[state]) < TOKENS * number / grants:
                    asked = ids["study_instance_uid"] + (".9" if state == "refused" else "")
                    questions[state].append(_question(services.crypto.sign(TOKEN_PURPOSE, token), ids, asked))
            for table, key in (
                (Study, "s"),
                (Grant, "g"),
                (grant_study, "l"),
                (Visit, "v"),
                (ViewerToken, "t"),
            ):
                session.execute(insert(table), rows[key])
            session.commit()
            print(f"\r  {min(start + 19_999, grants):,} grants", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        if db.engine.dialect.name == "postgresql":  # SQLite has no statistics in production either
            session.execute(text("ANALYZE"))
            session.commit()
    return questions


def _question(token: str, ids: dict[str, str], uid: str) -> str:
    """As Orthanc's Authorization plugin asks of a DICOMweb request."""
    return json.dumps(
        {
            "dicom-uid": uid,
            "level": "study",
            "method": "get",
            "orthanc-id": ids["orthanc_id"],
            "server-id": None,
            "token-key": "Authorization",
            "token-value": f"Bearer {token}",
        }
    )


@contextmanager
def server(part: Part, environ: dict[str, str], port: int) -> Iterator[int]:
    """The process id of the server while it runs."""
    with Path(os.devnull).open("wb") as nowhere, Supervisor([part], environ, log=nowhere.fileno()) as running:
        wait_for(port)
        yield running.pids[0]


def ask(
    port: int, questions: Sequence[str], *, connections: int, seconds: float, folder: Path
) -> dict[str, float]:
    """wrk's figures: requests a second, median and p99 in milliseconds, answers that were no 200."""
    (folder / "bodies").write_text("\n".join(questions))
    secret = base64.b64encode(f"main:{PASSWORD}".encode()).decode()
    (folder / "ask.lua").write_text(LUA % (folder / "bodies", f"Basic {secret}"))
    threads = 1 if connections == 1 else 2
    told = subprocess.run(
        [
            *("wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds:g}s", "--latency"),
            *("-s", str(folder / "ask.lua"), f"http://127.0.0.1:{port}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    return {
        "per_second": float(_found(r"Requests/sec:\s+([\d.]+)", told)),
        "p50_ms": _milliseconds(_found(r"\s50%\s+([\d.]+\w+)", told)),
        "p99_ms": _milliseconds(_found(r"\s99%\s+([\d.]+\w+)", told)),
        "errors": int(errors[1]) if errors else 0,
    }


def _found(pattern: str, told: str) -> str:
    found = re.search(pattern, told)
    if found is None:
        raise SystemExit(f"wrk said something unexpected:\n{told}")
    return found[1]


def _milliseconds(value: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", value).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def memory_of(pid: int) -> float:
    """MB resident of a process and its children."""
    children = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "rss="], capture_output=True, text=True, check=False
    )
    own = subprocess.run(["ps", "-p", str(pid), "-o", "rss="], capture_output=True, text=True, check=True)
    return sum(int(one) for one in (own.stdout + children.stdout).split()) / 1024


def measure(name: str, url: str, grants: int, seconds: float, folder: Path) -> list[dict[str, object]]:
    port = free_port()
    environ = {
        **os.environ,
        "STUDYKEY_MODE": "dev",
        "STUDYKEY_INSTANCE": str(folder),
        "STUDYKEY_DATABASE_URL": url,
        "STUDYKEY_INTERNAL_PORT": str(port),
        "STUDYKEY_ARCHIVE_MAIN_GATE_PASSWORD": PASSWORD,
    }
    os.environ.update(environ)
    settings = Settings.from_env()
    print(f"{name}: filling", file=sys.stderr)
    questions = fill(settings, grants)
    part = next(part for part in parts(settings) if part.name == "internal")
    found: list[dict[str, object]] = []
    with server(part, environ, port) as pid:
        ask(port, questions["live"], connections=8, seconds=1, folder=folder)  # warm
        for state in STATES:
            for connections in CONNECTIONS if state == "live" else (8,):
                figures = ask(port, questions[state], connections=connections, seconds=seconds, folder=folder)
                row = {
                    "database": name,
                    "grants": grants,
                    "state": state,
                    "connections": connections,
                    **figures,
                }
                found.append(row | {"memory_mb": round(memory_of(pid), 1)})
                show(found[-1])
    return found


def constant(seconds: float, folder: Path) -> dict[str, object]:
    """The server with nothing behind it."""
    (folder / "constant.py").write_text(CONSTANT)
    port = free_port()
    granian = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--no-ws",
        "--http",
        "1",
        "--workers",
        "1",
    ]
    command = [*granian, *("--blocking-threads", "1", "--port", str(port), "--log-level", "warning")]
    environ = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    with server(Part("constant", [*command, "constant:app"]), environ, port):
        figures = ask(port, ["{}"], connections=8, seconds=seconds, folder=folder)
    return {"database": "a constant", "grants": 0, "state": "-", "connections": 8, **figures, "memory_mb": 0}


def show(row: dict[str, object]) -> None:
    print(
        f"{row['database']:12}{row['grants']:>12,}{row['state']:>10}{row['connections']:>8}"
        f"{row['per_second']:>12,.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}{row['errors']:>8}{row['memory_mb']:>9}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer grants, shorter rounds")
    quick = parser.parse_args().quick
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: scripts/install-packages bench")
    sizes, seconds = ((1_000, 10_000), 2.0) if quick else (SIZES, 5.0)
    head = ("database", "grants", "state", "conns", "requests/s", "p50 ms", "p99 ms", "errors", "MB")
    print("{:12}{:>12}{:>10}{:>8}{:>12}{:>9}{:>9}{:>8}{:>9}".format(*head))
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        rows.append(constant(seconds, Path(name)))
        show(rows[-1])
    for grants in sizes:
        with tempfile.TemporaryDirectory() as name:
            url = f"sqlite:///{name}/studykey.db"
            rows += measure("SQLite", url, grants, seconds, Path(name))
    with tempfile.TemporaryDirectory() as name, postgres.server() as url:
        rows += measure("PostgreSQL", url, sizes[-1], seconds, Path(name))

    def at_8(database: str, grants: int) -> dict[str, float]:
        wanted = (database, grants, "live", 8)
        return next(
            row
            for row in rows
            if (row["database"], row["grants"], row["state"], row["connections"]) == wanted
        )  # type: ignore[return-value]

    small, large, other = at_8("SQLite", sizes[0]), at_8("SQLite", sizes[1]), at_8("PostgreSQL", sizes[1])
    result = {
        "benchmark": "validate",
        "times_reference_sqlite": round(large["per_second"] / REFERENCE, 2),
        "times_reference_postgresql": round(other["per_second"] / REFERENCE, 2),
        "p99_ms_sqlite": large["p99_ms"],
        "p99_ms_postgresql": other["p99_ms"],
        "large_to_small": round(large["per_second"] / small["per_second"], 3),
        "rows": rows,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
