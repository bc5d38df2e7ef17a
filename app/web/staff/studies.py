"""The list of stable studies: where a radiologist starts."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.services.worklist import LARGEST_ID
from app.web import access
from app.web.access import Who, allow
from app.web.context import services

blueprint = Blueprint("staff_studies", __name__, url_prefix="/staff")


@blueprint.get("/")
@allow(Who.STAFF, Act.SEE)
def worklist() -> ResponseReturnValue:
    search = request.args.get("q", "")[:200]
    page = services().worklist.page(search=search, before=_cursor(request.args.get("before")))
    more = None
    if page.next_before is not None:
        stable_at, study_id = page.next_before
        more = url_for("staff_studies.worklist", q=search, before=f"{stable_at.isoformat()}~{study_id}")
    return render_template(
        "staff/worklist.html",
        staff=access.staff(),
        search=search,
        rows=page.rows,
        more=more,
        open_archives=services().archives.open_ones(),
    )


def _cursor(text: str | None) -> tuple[datetime, int] | None:
    if not text:
        return None
    stable_at, _, study_id = text.partition("~")
    try:
        moment = datetime.fromisoformat(stable_at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, min(int(study_id), LARGEST_ID)
    except ValueError:
        return abort(404)
