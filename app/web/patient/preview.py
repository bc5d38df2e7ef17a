"""One small picture of a study for its page. What the audit trail has of it is the beginning of the visit, so there is
none where a rule opens the study."""

from __future__ import annotations

from flask import abort
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.orthanc import ArchiveUnreachable
from app.domain.permissions import Permission
from app.web import access
from app.web.access import Who, allow
from app.web.context import archive_of, services
from app.web.patient import blueprint, images


@blueprint.get("/study/<int:study_id>/preview.jpg")
@allow(Who.VISITOR)
def preview(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    study = images.study_or_404(live, study_id, Permission.VIEW)
    if images.by_rule(live, study) or images.why_unavailable(study, live, images.released(live, study)):
        abort(404)
    try:
        found = services().previews.picture(archive_of(study), study)
    except ArchiveUnreachable:
        return Response(status=503, headers={"Retry-After": "5"})
    if found is None:
        abort(404)
    media_type, body = found
    return Response(body, mimetype=media_type)
