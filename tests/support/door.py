"""The public door behind a real port, in this process: for a browser that needs no archive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object, **__: object) -> None:  # type: ignore[override]
        """Nothing: a test's output is its own."""


@contextmanager
def serving(app: Flask, base_url: str) -> Iterator[str]:
    """Serves ``app`` at ``base_url``, whose port has to be free; gives the base URL."""
    server = make_server(
        "127.0.0.1", urlsplit(base_url).port or 80, app, threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield base_url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
