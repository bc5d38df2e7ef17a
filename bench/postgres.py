"""A real PostgreSQL of one's own, on loopback, for as long as it is needed (as scripts/test starts one)."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database. Raises SystemExit where no PostgreSQL is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise SystemExit("There is no PostgreSQL: scripts/install-packages test brings it.")
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        data = f"{name}/data"

        def run(*command: str) -> None:
            # It refuses to run as root.
            as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            # Popen's exit waits for it, when we are ended too: a killed initdb leaves processes that go on writing.
            with subprocess.Popen(
                [*(as_owner if os.getuid() == 0 else []), f"{found[-1]}/{command[0]}", *command[1:]],
                cwd=name,
                stdout=subprocess.DEVNULL,
            ) as process:
                status = process.wait()
            if status:
                raise SystemExit(f"{command[0]} failed.")

        if os.getuid() == 0:
            subprocess.run(["chown", "postgres:", name], check=True)
        run("initdb", "-D", data, "-U", "studykey", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        # No fsync: the data lives as long as this. Otherwise as it comes.
        options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories= -c fsync=off"
        try:
            run("pg_ctl", "-D", data, "-w", "-l", f"{name}/log", "-o", options, "start")
            yield f"postgresql+psycopg://studykey@127.0.0.1:{port}/postgres"
        finally:
            if Path(data, "postmaster.pid").exists():  # it may have come up although pg_ctl was ended
                run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
