"""Everything but the fast lane, on threads that can be given up.

The internal door answers on one thread, since more of them cost it two thirds of its answers (``make
bench-validate``). So nothing may hold that thread: while something is stuck (a frozen database), the answer is 503.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog
from werkzeug.test import run_wsgi_app

from app.services.audit import StoreUnavailable
from app.services.patience import Patience

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

THREADS = 4
LARGEST_BODY = 64 * 1024  # bytes; Flask refuses what is longer


class SlowLane:
    """WSGI middleware."""

    def __init__(self, application: WSGIApplication, patience: Patience) -> None:
        self._application = application
        self._patience = patience
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="internal-door")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Read here, whatever comes of it: Orthanc sends in pieces, and an answer before the last one breaks its pipe.
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(LARGEST_BODY + 1))
        try:
            self._patience.check()
            answer = self._threads.submit(run_wsgi_app, self._application, environ, buffered=True)
            body, status, headers = self._patience.wait(answer)
        except StoreUnavailable:
            log.error("internal door", type="took too long", path=environ["PATH_INFO"])
            return unavailable(start_response)
        start_response(status, list(headers))
        return body


def unavailable(start_response: StartResponse) -> Iterable[bytes]:
    """503 without details: whoever asks for a study is refused."""
    answer = b'{"error":"Service Unavailable"}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
    start_response("503 Service Unavailable", headers)
    return (answer,)
