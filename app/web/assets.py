"""Static files as browsers get them: compressed once, kept for a year under an address that changes with the content.

Pages are compressed too, as they are made, but never one that repeats what somebody sent beside a CSRF token, whose
length would tell of it (BREACH): no answer to a POST, no staff page with a search in its address.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import brotli
from flask import Flask, Response, abort, request
from flask.typing import ResponseReturnValue
from werkzeug.security import safe_join

A_YEAR_SECONDS = 365 * 24 * 3600
SMALLEST = 300  # bytes: below it, headers and one packet outweigh what is saved
_COMPRESSIBLE = ("text/", "application/json", "image/svg+xml")
# Brotli's levels: for what is made once, and for what is made each time (1 ms for a page of 10 KB).
_BEST, _QUICK = 11, 5


def init(app: Flask) -> None:
    folder = Path(app.static_folder or "")
    app.view_functions["static"] = _view(folder)

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, object]) -> None:
        if endpoint == "static" and (found := _file(folder, str(values.get("filename")))):
            values.setdefault("v", _version(*found))

    app.after_request(_compress_page)


def _view(folder: Path) -> Callable[[str], ResponseReturnValue]:
    def static(filename: str) -> ResponseReturnValue:
        found = _file(folder, filename)
        if found is None:
            return abort(404)
        version = _version(*found)
        encoding = _encoding() if _is_compressible(_mimetype(found[0])) else ""
        response = Response(_encoded(*found, encoding), mimetype=_mimetype(found[0]))
        response.set_etag(f"{version}-{encoding or 'plain'}")
        if encoding:
            response.headers["Content-Encoding"] = encoding
        response.vary.add("Accept-Encoding")
        response.cache_control.public = True
        if request.args.get("v") == version:
            response.cache_control.max_age = A_YEAR_SECONDS
            response.cache_control.immutable = True
        else:
            response.cache_control.no_cache = True  # kept, and asked for again
        return response.make_conditional(request)

    return static


def _file(folder: Path, name: str) -> tuple[Path, int] | None:
    """The file and when it was changed (ns), or None where there is none."""
    path = safe_join(str(folder), name)
    if path is None:
        return None
    try:
        return (Path(path), Path(path).stat().st_mtime_ns) if Path(path).is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


@lru_cache(maxsize=256)
def _version(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


@lru_cache(maxsize=512)
def _encoded(path: Path, _changed: int, encoding: str) -> bytes:
    return _compressed(path.read_bytes(), encoding, _BEST)


def _mimetype(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _is_compressible(mimetype: str) -> bool:
    return mimetype.startswith(_COMPRESSIBLE)


def _encoding() -> str:
    """The best that the browser takes; "" for none."""
    accepted = request.accept_encodings
    return next((name for name in ("br", "gzip") if accepted[name] > 0), "")


def _compressed(body: bytes, encoding: str, level: int) -> bytes:
    match encoding:
        case "br":
            packed: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=level)
            return packed
        case "gzip":
            return gzip.compress(body, min(level, 9), mtime=0)
    return body


def _compress_page(response: Response) -> Response:
    repeats = request.method != "GET" or (request.path.startswith("/staff") and request.query_string)
    if (
        repeats
        or response.is_streamed
        or response.direct_passthrough
        or "Content-Encoding" in response.headers
        or not _is_compressible(response.mimetype or "")
        or len(response.get_data()) < SMALLEST
    ):
        return response
    response.vary.add("Accept-Encoding")
    if encoding := _encoding():
        response.set_data(_compressed(response.get_data(), encoding, _QUICK))
        response.headers["Content-Encoding"] = encoding
    return response
