"""The signed report as a file, without the access block, for whoever may read it."""

from __future__ import annotations

from flask import abort, make_response
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.get("/<int:study_id>/report/<int:version>.pdf")
@allow(Who.STAFF, Act.READ)
def download_report(study_id: int, version: int) -> ResponseReturnValue:
    taken = services().report_downloads.take(
        study_or_404(study_id), version, at=services().clock(), actor=access.actor()
    )
    if taken is None:
        return abort(404)
    response = make_response(taken.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "attachment", filename=taken.name)
    return response
