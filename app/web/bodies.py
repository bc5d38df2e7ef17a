"""How much a request may send: little, but where people write reports or upload a logo."""

from __future__ import annotations

from flask import Flask, request

from app.adapters.logo import MAX_BYTES
from app.services.reports import MAX_TEXT

SMALL = 64 * 1024  # bytes; a landing form is under 1 KB
# Three texts of at most MAX_TEXT characters, four bytes each in UTF-8, and the form around them.
LARGE = 3 * MAX_TEXT * 4 + SMALL
_LARGE_ENDPOINTS = {"staff_study.write": LARGE, "staff_settings.logo": MAX_BYTES + SMALL}


def init(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = SMALL

    @app.before_request
    def allow_more_where_it_is_needed() -> None:
        if most := _LARGE_ENDPOINTS.get(request.endpoint or ""):
            request.max_content_length = request.max_form_memory_size = most
