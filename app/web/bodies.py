"""How much a request may send: little, but where people write reports or upload a logo."""

from __future__ import annotations

from flask import Flask, request

from app.adapters.logo import MAX_BYTES
from app.services.report_templates import LONGEST_TEXT
from app.services.reports import MAX_TEXT
from app.web import verify
from app.web.staff import bring, text_blocks

SMALL = 64 * 1024  # bytes; a landing form is under 1 KB
# Four sections and a reason of at most MAX_TEXT characters, four bytes each in UTF-8, and the form around them.
LARGE = 5 * MAX_TEXT * 4 + SMALL
# A form carries what it showed beside what was typed.
TEMPLATE = 2 * 4 * LONGEST_TEXT * 6 + SMALL
_LARGE_ENDPOINTS = {
    "staff_settings_reports.add": TEMPLATE,
    "staff_settings_reports.change": TEMPLATE,
    "staff_settings_reports.save_text_blocks": text_blocks.LARGEST,
    "staff_settings_reports.paste_text_blocks": text_blocks.LARGEST,
    "staff_text_blocks.save": text_blocks.LARGEST,
    "staff_text_blocks.paste": text_blocks.LARGEST,
    "staff_bring.upload": bring.LARGEST,
    "staff_study.write": LARGE,
    "staff_study.autosave": LARGE,
    "staff_study.preview": LARGE,
    "verify.answer": verify.LARGEST + SMALL,
    "staff_settings.logo": MAX_BYTES + SMALL,
}


def init(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = SMALL

    @app.before_request
    def allow_more_where_it_is_needed() -> None:
        if most := _LARGE_ENDPOINTS.get(request.endpoint or ""):
            request.max_content_length = request.max_form_memory_size = most
