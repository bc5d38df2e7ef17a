"""Errors of the internal door: JSON, without details; the gate reads them as "not granted"."""

from __future__ import annotations

import structlog
from flask import Flask, Response, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

log = structlog.get_logger(__name__)


def _http(error: HTTPException) -> ResponseReturnValue:
    response: Response = jsonify({"error": error.name})
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        if name == "WWW-Authenticate":
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.error("internal door", type=type(error).__name__)
    return {"error": "Service Unavailable"}, 503


def init(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
