"""Talking to one archive: HTTP as Studykey's own Basic user, and answers that are seen to be an Orthanc's.

Owns how long is waited, and what counts as no answer. Refuses redirects, and what the environment would add: proxies
and .netrc.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import requests
from requests.auth import HTTPBasicAuth

from app.config import ArchiveSettings

TIMEOUT_SECONDS = (2.0, 20.0)  # to connect, between bytes
Answer = TypeVar("Answer")


class ArchiveUnreachable(Exception):
    """The archive doesn't answer, or not as an Orthanc that knows us. Carries its name, no address."""

    def __init__(self, archive: str, why: str) -> None:
        super().__init__(f"archive {archive}: {why}")
        self.archive = archive
        self.why = why


class OrthancHttp:
    """One archive. Safe to share between threads."""

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        self._local = threading.local()

    @property
    def name(self) -> str:
        return self._settings.name

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.trust_env = False  # no proxy and no .netrc stands between us and the archive
            # As UTF-8 (RFC 7617): requests would fail on what Latin-1 doesn't have.
            session.auth = HTTPBasicAuth(self._settings.username.encode(), self._settings.password.encode())
            self._local.session = session
        session_: requests.Session = self._local.session
        return session_

    def _ask(
        self, method: str, path: str, *, timeout: tuple[float, float] | None = None, **more: Any
    ) -> requests.Response:
        """Whatever the archive answers. ``timeout``: in seconds, TIMEOUT_SECONDS unless given. Raises
        ArchiveUnreachable where there is no answer."""
        try:
            return self._session().request(
                method,
                self._settings.url + path,
                timeout=timeout or TIMEOUT_SECONDS,
                allow_redirects=False,
                **more,
            )
        except requests.RequestException as error:
            raise ArchiveUnreachable(self.name, type(error).__name__) from None

    def _get(self, path: str, **params: str | int) -> requests.Response | None:
        """None for 404. Raises ArchiveUnreachable."""
        answer = self._ask("GET", path, params=params)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise ArchiveUnreachable(self.name, f"status {answer.status_code}")
        return answer

    def _json(self, path: str, **params: str | int) -> Any:
        answer = self._get(path, **params)
        return None if answer is None else self._parsed(answer)

    def _parsed(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise ArchiveUnreachable(self.name, "an answer that is no JSON") from None

    def _object(self, path: str, **params: str | int) -> dict[str, Any] | None:
        """A JSON object, None for 404. Raises ArchiveUnreachable."""
        answer = self._json(path, **params)
        if answer is not None and not isinstance(answer, dict):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's")
        return answer

    def _rows(self, path: str, **params: str | int) -> list[dict[str, Any]] | None:
        """Objects with an ID, None for 404. Raises ArchiveUnreachable."""
        answer = self._json(path, **params)
        return None if answer is None else self._checked(answer, "ID")

    def _found(self, answer: Answer | None) -> Answer:
        """For what every Orthanc has: its absence must not be taken for an archive without studies."""
        if answer is None:
            raise ArchiveUnreachable(self.name, "status 404")
        return answer

    def _checked(self, rows: Any, *keys: str) -> list[dict[str, Any]]:
        """``rows`` if they are objects with these keys: what answers may be no Orthanc at all."""
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and row.keys() >= set(keys) for row in rows
        ):
            raise ArchiveUnreachable(self.name, "an answer that is not Orthanc's")
        return rows
