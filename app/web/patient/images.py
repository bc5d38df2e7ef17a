"""Images: the way to the viewer, and the light look in the portal itself."""

from __future__ import annotations

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.orthanc import ArchiveUnreachable
from app.config import ArchiveSettings
from app.domain import viewers
from app.domain.permissions import Permission
from app.domain.study import GateState
from app.models import Study
from app.services.look import NotRenderable
from app.services.visits import LiveVisit
from app.web import access, study_texts
from app.web.access import Who, allow
from app.web.context import archive_of, caller_address, services
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
    settings = archive_settings(study)
    chosen = viewers.VIEWERS[settings.viewer]
    if _is_narrow() and chosen.narrow is None:
        return redirect(url_for("patient.look", study_id=study.id), 303)
    token = services().visits.issue_viewer_token(live, study, address=caller_address(), at=services().clock())
    address = viewers.address(
        chosen,
        public_url=settings.public_url,
        uid=study.study_instance_uid,
        orthanc_id=study.orthanc_id,
        token=token,
        is_narrow=_is_narrow(),
    )
    assert address is not None
    return redirect(address, 303)


def _is_narrow() -> bool:
    """Under 600 CSS px: told by the page's script, else guessed from what the browser says of itself."""
    if told := request.form.get("narrow"):
        return told == "1"
    if hint := request.headers.get("Sec-CH-UA-Mobile"):
        return hint == "?1"
    return "Mobi" in request.headers.get("User-Agent", "")


def why_unavailable(study: Study, permissions: Permission) -> str | None:
    """Why the images can't be shown (a word that the study's page has sentences for), or None."""
    if Permission.VIEW not in permissions:
        return "not-allowed"
    if study.deleted_at is not None:
        return "gone"
    state = services().archives.gate_state(archive_of(study), at=services().clock())
    return {GateState.GUARDED: None, GateState.OPEN: "unsafe"}.get(state, "unreachable")


@blueprint.get("/study/<int:study_id>/look")
@allow(Who.VISITOR)
def look(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = study_or_404(live, study_id, Permission.VIEW)
    if why_unavailable(shown, live.permissions):
        return redirect(url_for("patient.study", study_id=study_id), 303)
    listed = services().look.series(archive_of(shown), shown)
    first = next((series.number for series in listed if series.pictures), None)
    series_number = request.args.get("series", first, type=int)
    picture_number = request.args.get("image", None, type=int)
    current = study_texts.position(shown, listed, series_number, picture_number)
    if current is None and first is not None:
        return redirect(url_for("patient.look", study_id=study_id), 303)
    services().visits.note_look(live, shown, address=caller_address(), at=services().clock())
    return render_template(
        "patient/look.html",
        study=study_texts.describe(shown),
        series=[study_texts.describe_series(series) for series in listed],
        current=current,
    )


@blueprint.get("/study/<int:study_id>/look/<int:series>/<int:number>.jpg")
@allow(Who.VISITOR)
def picture(study_id: int, series: int, number: int) -> ResponseReturnValue:
    shown = study_or_404(access.visit(), study_id, Permission.VIEW)
    if shown.deleted_at is not None:
        abort(404)
    try:
        found = services().look.picture(archive_of(shown), shown, series, number)
    except ArchiveUnreachable:
        return Response(status=503, headers={"Retry-After": "5"})
    except NotRenderable:
        return Response(status=415)  # not 404: to the page's script that means that the visit is over
    if found is None:
        abort(404)
    media_type, body = found
    return Response(body, mimetype=media_type)


def study_or_404(live: LiveVisit, study_id: int, wanted: Permission = Permission.NONE) -> Study:
    """A study that isn't this visit's, or not for that, looks like one that doesn't exist."""
    found = live.study(study_id) if wanted in live.permissions else None
    return found or abort(404)


def archive_settings(study: Study) -> ArchiveSettings:
    return services().settings.archive(archive_of(study))
