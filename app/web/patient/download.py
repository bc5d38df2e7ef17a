"""Taking the report and the images away during a visit: what there is, how large, and the files themselves."""

from __future__ import annotations

import math
from typing import Any

from flask import abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.orthanc import ArchiveUnreachable
from app.domain.permissions import Permission
from app.models import Study
from app.services.downloads import TooManyDownloads
from app.services.visits import LiveVisit, NotReleased
from app.web import access, examination_texts, i18n, study_texts
from app.web import images as shared
from app.web.access import Who, allow
from app.web.context import archive_of, caller_address, services
from app.web.patient import blueprint, images

MEGABYTE = 1_000_000
LARGE = 200 * MEGABYTE  # from here on a mobile data plan minds
BUSY_SECONDS = 120


@blueprint.get("/study/<int:study_id>/download")
@allow(Who.VISITOR)
def keep(study_id: int) -> ResponseReturnValue:
    """What can be taken away; back to the study's page where there is nothing."""
    return _page(images.study_or_404(access.visit(), study_id))


@blueprint.get("/study/<int:study_id>/images.zip")
@allow(Who.VISITOR)
def zip_file(study_id: int) -> ResponseReturnValue:
    """The images as a ZIP, piece by piece as the archive packs it: its length isn't known before its end."""
    live = access.visit()
    study = images.study_or_404(live, study_id, Permission.DOWNLOAD)
    back = redirect(url_for("patient.study", study_id=study_id), 303)  # which says why there is nothing
    if not is_possible(live, study):
        return back
    response = Response(mimetype="application/zip")
    if request.method != "HEAD":  # which gets no bytes, takes no place and leaves no trace
        try:
            found = services().downloads.begin(
                live, study, archive_of(study), address=caller_address(), at=services().clock()
            )
        except TooManyDownloads as refused:
            return _page(study, busy="own" if refused.is_own else "others")
        except NotReleased:  # held back at this very moment
            return back
        if found is None:
            abort(404)
        response.response = found
    response.headers.set("Content-Disposition", "attachment", filename=_file_name(study))
    response.headers["X-Accel-Buffering"] = (
        "no"  # nginx passes it on as it comes, and hangs up with the browser
    )
    return response


def is_possible(live: LiveVisit, study: Study) -> bool:
    """Whether this visit may take the images away now, and the archive gives them."""
    if Permission.DOWNLOAD not in live.permissions_on(study) or shared.why_unavailable(study):
        return False
    at, kind = services().clock(), live.kind_for(study, Permission.DOWNLOAD)
    return services().releases.seen_by(kind, [study], at=at)[study.id].images.is_out


def _page(study: Study, *, busy: str = "") -> Response:
    live = access.visit()
    has_report = (
        Permission.REPORT in live.permissions_on(study) and images.released(live, study).report.is_out
    )
    may_download = is_possible(live, study)
    if not has_report and not may_download:
        return redirect(url_for("patient.study", study_id=study.id), 303)
    body = render_template(
        "patient/download.html",
        study=study_texts.describe(study) | examination_texts.examined(study),
        has_report=has_report,
        file=_file(study) if may_download else None,
        busy=busy,
    )
    response = make_response(body, 503 if busy else 200)
    if busy:
        response.headers["Retry-After"] = str(BUSY_SECONDS)
    return response


def _file(study: Study) -> dict[str, Any]:
    """What is known of the ZIP before it is packed. No size where the archive doesn't tell it just now."""
    try:
        size = services().downloads.most_bytes(archive_of(study), study)
    except ArchiveUnreachable:
        size = None
    return {
        "name": _file_name(study),
        "most": i18n.show_megabytes(math.ceil(size / MEGABYTE)) if size else "",
        "is_large": size is not None and size > LARGE,
    }


def _file_name(study: Study) -> str:
    """Without the patient's name: a list of downloads is seen by many."""
    return f"images-{study.study_date.isoformat()}.zip" if study.study_date else "images.zip"
