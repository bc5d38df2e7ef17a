"""Exceptions become pages here and nowhere else: in the reader's language, with a way on, no secret.

Whoever sent the landing form gets it back as it was typed (but the password), and it sends itself again.
"""

from __future__ import annotations

import math
from datetime import timedelta

import structlog
from flask import Flask, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from app.adapters.hash_slots import Busy
from app.adapters.orthanc import ArchiveUnreachable
from app.adapters.pdf import RenderersBusy, RenderingFailed
from app.services.audit import StoreUnavailable
from app.services.limits import TooManyFailures
from app.services.papers import GlyphsMissing
from app.web.context import services
from app.web.i18n import _
from app.web.patient import landing

log = structlog.get_logger(__name__)

RETRY_AFTER = timedelta(seconds=10)


def page(
    status: int, title: str, *paragraphs: str, retry: bool = False, after: timedelta = RETRY_AFTER
) -> Response:
    is_staff_page = request.path.startswith("/staff")
    again = request.full_path.rstrip("?") if request.method == "GET" and retry else None
    if is_staff_page:
        template, start, label = "errors/staff.html", "/staff/", _("All studies")
    else:
        template, start, label = "errors/error.html", "/", _("To the start page")
    body = render_template(
        template,
        title=title,
        paragraphs=paragraphs,
        action={"href": again or start, "label": _("Try again") if retry else label},
        staff=g.get("staff"),
    )
    response = make_response(body, status)
    if status in (429, 503):
        response.headers["Retry-After"] = str(_seconds(after))
    return response


def _later(status: int, title: str, *paragraphs: str, after: timedelta = RETRY_AFTER) -> Response:
    """Not now: the landing form again, any other page with a way to try again."""
    if request.endpoint != "patient.prove":
        return page(status, title, *paragraphs, retry=True, after=after)
    response = landing.wait_page(title, _seconds(after), status)
    response.headers["Retry-After"] = str(_seconds(after))
    return response


def _seconds(after: timedelta) -> int:
    return max(2, math.ceil(after.total_seconds()))


def _busy(error: Exception) -> Response:
    return _later(
        503,
        _("Many people are opening their studies just now"),
        _("Nothing is lost. Please wait a few seconds and try again; your code stays the same."),
        after=error.retry_after if isinstance(error, Busy) else RETRY_AFTER,
    )


def _too_many(error: Exception) -> Response:
    assert isinstance(error, TooManyFailures)
    return _later(429, _("Too many tries"), _("Please wait a little and try again."), after=error.retry_after)


def _unavailable(error: Exception) -> Response:
    log.error("store unavailable", why=type(error.__cause__ or error).__name__)
    services().session.rollback()  # or PostgreSQL refuses what this page itself has to read
    return _later(
        503,
        _("This page can't be opened right now"),
        _("Nothing is lost. Please try again in a few minutes; your code stays the same."),
    )


def _not_printable(error: Exception) -> Response:
    log.error("not printable", why=type(error).__name__)
    return page(
        500,
        _("The report can't be shown right now"),
        _("Nothing is lost. Please try again in a few minutes, or ask the clinic for a printed report."),
        retry=True,
    )


def _archive_unreachable(error: Exception) -> Response:
    assert isinstance(error, ArchiveUnreachable)
    log.error("archive unreachable", archive=error.archive, why=error.why)
    return page(
        503,
        _("The images can't be reached right now"),
        _("The clinic's image archive doesn't answer. Nothing is lost. Try again in a few minutes."),
        retry=True,
    )


def _csrf(_error: Exception) -> Response:
    return page(
        400,
        _("Please try once more"),
        _("Your browser didn't send what we need to know that it was you who pressed the button."),
        _("Cookies have to be allowed for this site."),
    )


def _http(error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.code or 500
    texts = {
        404: (_("There is nothing here"), _("The address may be incomplete, or the study is closed.")),
        405: (_("There is nothing here"), _("The address may be incomplete, or the study is closed.")),
        403: (
            _("This page can't be used from another website"),
            _("Please open it by the clinic's own address, and try again there."),
        ),
        413: (_("That was too much to send"), _("Please send less at once.")),
        429: (_("Too many tries"), _("Please wait a little and try again.")),
    }
    title, text = texts.get(status, (_("That didn't work"), _("Please start again.")))
    return page(status, title, text)


def _unexpected(error: Exception) -> Response:
    # The type and the place, never the message: it may quote what a person typed.
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else ""
    log.error("unexpected", type=type(error).__name__, where=where, endpoint=request.endpoint)
    return page(500, _("That didn't work"), _("The mistake is ours. Please try again in a few minutes."))


def init(app: Flask) -> None:
    app.register_error_handler(Busy, _busy)
    app.register_error_handler(RenderersBusy, _busy)
    app.register_error_handler(TooManyFailures, _too_many)
    app.register_error_handler(RenderingFailed, _not_printable)
    app.register_error_handler(GlyphsMissing, _not_printable)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(SQLAlchemyError, _unavailable)
    app.register_error_handler(ArchiveUnreachable, _archive_unreachable)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
