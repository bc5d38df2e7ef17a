"""A real Orthanc process in a folder of its own, for the demo and for tests.

Owns: its configuration file, its process, its log file. Refuses to call an Orthanc started that should have
the gate but answers strangers. Everything is on 127.0.0.1; the DICOM port stays closed (studies come in over
HTTP).
"""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

GATE_FILE = Path(__file__).resolve().parents[2] / "orthanc-plugin" / "studykey_gate.py"
PLUGINS = Path("/usr/share/orthanc/plugins")
STOP_SECONDS = 10  # Orthanc needs 1.5 to 3.5 s to stop


class OrthancDidNotStart(Exception):  # noqa: N818 - a sentence, as everywhere here
    """Orthanc ended, stayed silent, or answers without the gate; ``log`` holds its last lines."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"Orthanc did not start: {reason}\n{log}".rstrip())
        self.log = log


@dataclass(frozen=True)
class GateSettings:
    """What the gate is told: Studykey's internal door, the credential there, Orthanc's full-right clients."""

    url: str
    username: str
    password: str = field(repr=False)
    users: Mapping[str, str] = field(repr=False)
    nudge: bool = True
    ohif_folder: Path | None = None
    mode: str = "gate"
    script: Path = GATE_FILE
    allowed_origins: Sequence[str] = ()


class OrthancServer:
    """One Orthanc. ``start`` again after ``stop`` or ``kill`` finds the same studies."""

    def __init__(
        self,
        folder: Path,
        *,
        http_port: int,
        name: str = "Studykey demo",
        stable_age_seconds: int = 1,
        gate: GateSettings | None = None,
        executable: str = "Orthanc",
        dicom_web: bool = True,
        max_wait_seconds: float = 20,
    ) -> None:
        self.url = f"http://127.0.0.1:{http_port}"
        self.log_file = folder / "orthanc.log"
        self._folder, self._http_port, self._name = folder, http_port, name
        self._stable_age_seconds, self._gate, self._dicom_web = stable_age_seconds, gate, dicom_web
        self._executable, self._max_wait_seconds = executable, max_wait_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Write the configuration, start the process, return once it answers. Raises OrthancDidNotStart."""
        if self.is_running:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_a_taken_port()
        configuration = self._folder / "orthanc.json"
        configuration.unlink(missing_ok=True)
        with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self._configuration(), file, indent=2)
        self._process = self._launch([*self._ends_with_us(), self._program(), str(configuration)])
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the process as Orthanc likes it (SIGTERM), by force after 10 seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _configuration(self) -> dict[str, Any]:
        storage = str(self._folder / "storage")
        plugins: list[str] = []
        configuration: dict[str, Any] = {
            "Name": self._name,
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "HttpPort": self._http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,  # true would ask everybody for a password before the gate
            "DicomServerEnabled": False,
            "StableAge": self._stable_age_seconds,
            "Plugins": plugins,
        }
        if self._gate is not None:  # first, so that its filter stands before any other plugin serves
            plugins.append(str(PLUGINS / "libOrthancPython.so"))
            configuration["PythonScript"] = str(self._gate.script)
            configuration["Studykey"] = self._gate_section(self._gate)
        if self._dicom_web:
            plugins.append(str(PLUGINS / "libOrthancDicomWeb.so"))
        if self._gate is not None and self._gate.ohif_folder is not None:
            plugins.append(str(PLUGINS / "libServeFolders.so"))
            # OHIF is 49 MB of files: without AllowCache a phone would load them anew on every visit.
            folders = {"/ohif": str(self._gate.ohif_folder.resolve())}
            configuration["ServeFolders"] = {"AllowCache": True, "GenerateETag": True, "Folders": folders}
        return configuration

    @staticmethod
    def _gate_section(gate: GateSettings) -> dict[str, Any]:
        section: dict[str, Any] = {
            "Url": gate.url,
            "Username": gate.username,
            "Password": gate.password,
            "Users": dict(gate.users),
            "StaticFolders": ["/ohif/", "/stone-webviewer/"],
            "TimeoutSeconds": 2,
            "Nudge": gate.nudge,
            "Mode": gate.mode,
            "AllowedOrigins": list(gate.allowed_origins),
        }
        if gate.ohif_folder is not None:
            section["OhifIndex"] = str(gate.ohif_folder.resolve() / "index.html")
        return section

    def _program(self) -> str:
        # Debian has Orthanc in a folder that isn't on the PATH of people who aren't root.
        return (
            shutil.which(self._executable)
            or shutil.which(self._executable, path="/usr/sbin")
            or self._executable
        )

    @staticmethod
    def _ends_with_us() -> list[str]:
        # util-linux's setpriv sets PR_SET_PDEATHSIG and execs, so no Python runs between fork and exec
        # (preexec_fn can hang in a program with threads).
        setpriv = shutil.which("setpriv")
        return [setpriv, "--pdeathsig", "TERM"] if setpriv else []

    def _launch(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """Start the process from a thread that waits for its end.

        Linux sends the parent-death signal when the *thread* that forked ends, not the process: started from
        a short-lived thread, Orthanc would stop with it.
        """
        started: list[subprocess.Popen[bytes]] = []
        failure: list[OSError] = []
        ready = threading.Event()

        def run() -> None:
            try:
                with self.log_file.open("ab") as log:
                    process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone
                    )
            except OSError as error:
                failure.append(error)
                return
            else:
                started.append(process)
            finally:
                ready.set()
            while process.poll() is None:  # not wait(): it would hold Popen's lock for the whole time
                time.sleep(0.5)

        threading.Thread(target=run, name="orthanc", daemon=True).start()
        ready.wait()
        if failure:
            raise OrthancDidNotStart(str(failure[0]), "")
        return started[0]

    def _refuse_a_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self._http_port))
            except OSError as error:
                raise OrthancDidNotStart(f"port {self._http_port} is taken", "") from error

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + self._max_wait_seconds
        while time.monotonic() < deadline:
            if not self.is_running:
                raise OrthancDidNotStart("it ended by itself", self.last_log_lines())
            status = self._status_for_a_stranger()
            if status == 200 and self._gate is not None:
                raise OrthancDidNotStart("it answers strangers: the gate did not load", self.last_log_lines())
            if status in (200, 401, 403):
                return
            time.sleep(0.05)
        raise OrthancDidNotStart(f"no answer within {self._max_wait_seconds} s", self.last_log_lines())

    def _status_for_a_stranger(self) -> int | None:
        connection = HTTPConnection("127.0.0.1", self._http_port, timeout=2)
        try:
            connection.request("GET", "/system")
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def last_log_lines(self, count: int = 20) -> str:
        """Return the end of Orthanc's log; empty when there is none."""
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-count:])
        except FileNotFoundError:
            return ""
