"""The reading room's screen: the newest study large, its sheet one press away, its code covered.

It locks as every page does. Where the clinic's rule ``splash_unlocked`` says so, being shown counts as being used, and
it stays open until its session's own limit.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.modality import examination
from app.domain.staff import Act
from app.services.grants import Paper
from app.services.worklist import Row
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_splash", __name__, url_prefix="/staff/splash")

MOST = 6  # the newest, and five others
SHOWN_SECONDS = 60


@blueprint.get("")
@allow(Who.STAFF, Act.SEE)
def show() -> ResponseReturnValue:
    return _page("staff/splash.html")


@blueprint.get("/newest")
@allow(Who.STAFF, Act.SEE, is_poll=True)
def newest() -> ResponseReturnValue:
    return _news()


@blueprint.get("/shown")
@allow(Who.STAFF, Act.SEE)
def shown() -> ResponseReturnValue:
    """As ``newest``, and a sign of use: only where the clinic wants the reading room's screen to stay open."""
    return _news() if services().rules.now().splash_unlocked else abort(404)


@blueprint.post("/<int:study_id>/code")
@allow(Who.STAFF, Act.PRINT)
def uncover(study_id: int) -> ResponseReturnValue:
    """Code and password for a minute, on record. Without script the browser covers them by itself."""
    study = services().worklist.study(study_id) or abort(404)
    grant = services().grants.current(study)
    paper = services().grants.show(grant, at=services().clock(), actor=access.actor()) if grant else None
    response = _page("staff/splash.html", uncovered=study_id, paper=paper)
    response.headers["Refresh"] = f"{SHOWN_SECONDS}; url={url_for('staff_splash.show')}"
    return response


def _news() -> Response:
    """The part of the page that changes; 204 while the screen shows it already."""
    rows = _rows()
    if request.args.get("seen") == _digest(rows):
        return make_response("", 204)
    return _page("staff/splash_newest.html", rows)


def _page(template: str, rows: list[Row] | None = None, **more: Any) -> Response:
    rows = _rows() if rows is None else rows
    paper: Paper | None = more.pop("paper", None)
    return make_response(
        render_template(
            template,
            staff=access.staff(),
            rows=[
                {"row": row, "title": examination(row.modalities.replace(" ", "\\"), row.description, _)}
                for row in rows
            ],
            digest=_digest(rows),
            code=paper.code.grouped if paper else "",
            password=paper.password.grouped if paper else "",
            uncovered=more.get("uncovered"),
            shown_seconds=SHOWN_SECONDS,
            stays_open=services().rules.now().splash_unlocked,
            open_archives=services().archives.open_ones(),
        )
    )


def _rows() -> list[Row]:
    page = services().worklist.page(at=services().clock())
    return [row for row in page.rows if not row.is_deleted][:MOST]


def _digest(rows: list[Row]) -> str:
    """Differs when something on the screen does."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
