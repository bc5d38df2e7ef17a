"""The fast lane of ``POST /tokens/validate``: the question that Orthanc asks again and again while somebody reads.

A plain WSGI callable in front of Flask, because routing, request and response objects cost ten times what the answer
does (``make bench-validate``). It takes the ordinary question alone: a POST from a known archive, not from a browser.
Everything else goes on to Flask, whose view answers through the same ``answer_to``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from flask import Flask

from app.internal.authorization import answer_to
from app.internal.slow_lane import LARGEST_BODY, SlowLane, unavailable
from app.wiring import EXTENSION, Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)


class FastLane:
    """WSGI middleware."""

    def __init__(self, application: WSGIApplication, services: Services) -> None:
        self._application = application
        self._services = services
        # By digest: how long a look-up takes tells nothing of the secret.
        self._archives = {
            _digest(_basic(archive.gate_username, archive.gate_password)): archive.name
            for archive in services.settings.archives
            if archive.gate_password
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if (
            environ["PATH_INFO"] != "/tokens/validate"
            or environ["REQUEST_METHOD"] != "POST"
            or "HTTP_ORIGIN" in environ
        ):
            return self._application(environ, start_response)
        archive = self._archives.get(_digest(environ.get("HTTP_AUTHORIZATION", "")))
        if archive is None:
            return self._application(environ, start_response)
        # Orthanc sends its questions chunked, without a length: the end of the input is the end of the body.
        body = environ["wsgi.input"].read(LARGEST_BODY)
        try:
            answer = answer_to(body, archive, self._services)
        except Exception as error:  # noqa: BLE001 - as Flask's error handler: a refusal, and no details
            log.error("internal door", type=type(error).__name__)
            return unavailable(start_response)
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return (answer,)


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("latin-1", "replace")).digest()


def init(app: Flask) -> None:
    services: Services = app.extensions[EXTENSION]
    app.wsgi_app = FastLane(SlowLane(app.wsgi_app, services.patience), services)  # type: ignore[method-assign]
