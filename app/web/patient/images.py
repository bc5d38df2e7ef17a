"""Images during a visit: the way to the viewer, and the light look in the portal itself."""

from __future__ import annotations

from flask import abort, redirect, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.permissions import Permission
from app.models import Study
from app.services.visits import LiveVisit
from app.web import access, images
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.patient import blueprint


@blueprint.post("/study/<int:study_id>/viewer")
@allow(Who.VISITOR)
def viewer(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    return open_images(live, study_or_404(live, study_id))


def open_images(live: LiveVisit, study: Study) -> Response:
    """To the viewer with a fresh token, to the light look on a narrow screen that the viewer is no good on,
    or to the study's page where it says why there are no images."""
    if why_unavailable(study, live.permissions):
        return redirect(url_for("patient.study", study_id=study.id), 303)
    if not images.suits_viewer(study):
        return redirect(url_for("patient.look", study_id=study.id), 303)
    token = services().visits.issue_viewer_token(live, study, address=caller_address(), at=services().clock())
    return images.to_viewer(study, token)


def why_unavailable(study: Study, permissions: Permission) -> str | None:
    """Why the images can't be shown (a word that the study's page has sentences for), or None."""
    return images.why_unavailable(study) if Permission.VIEW in permissions else "not-allowed"


@blueprint.get("/study/<int:study_id>/look")
@allow(Who.VISITOR)
def look(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = study_or_404(live, study_id, Permission.VIEW)
    back = url_for("patient.study", study_id=study_id)
    if why_unavailable(shown, live.permissions):
        return redirect(back, 303)
    here = url_for("patient.look", study_id=study_id)
    context = images.look_context(shown, images.Place(here, back, url_for("patient.landing")))
    if context is None:
        return redirect(here, 303)
    services().visits.note_look(live, shown, address=caller_address(), at=services().clock())
    return images.look_page(context)


@blueprint.get("/study/<int:study_id>/look/<int:series>/<int:number>.jpg")
@allow(Who.VISITOR)
def picture(study_id: int, series: int, number: int) -> ResponseReturnValue:
    return images.picture(study_or_404(access.visit(), study_id, Permission.VIEW), series, number)


def study_or_404(live: LiveVisit, study_id: int, wanted: Permission = Permission.NONE) -> Study:
    """A study that isn't this visit's, or not for that, looks like one that doesn't exist."""
    found = live.study(study_id) if wanted in live.permissions else None
    return found or abort(404)
