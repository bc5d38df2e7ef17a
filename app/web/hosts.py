"""Under which name the public door answers: the configured base URL's, whatever a request claims.

A Host header is typed by whoever sends the request. Nothing here reads it: not links, not the CSRF check's
comparison with the referrer (which so also works behind a proxy that doesn't pass the name on), and a name that is
none can't break a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask

from app.config import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class OwnHost:
    """WSGI middleware: scheme and host of every request are those of the base URL."""

    def __init__(self, application: WSGIApplication, base_url: str) -> None:
        self._application = application
        base = urlsplit(base_url)
        self._host = base.netloc or "localhost"  # no base URL: developers, never production
        self._scheme = base.scheme or "http"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["HTTP_HOST"] = self._host
        environ["wsgi.url_scheme"] = self._scheme
        return self._application(environ, start_response)


def init(app: Flask, settings: Settings) -> None:
    app.wsgi_app = OwnHost(app.wsgi_app, settings.base_url)  # type: ignore[method-assign]
