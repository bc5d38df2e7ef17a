"""Images for staff, in one click: the archive's viewer, or the light look where that is no good."""

from __future__ import annotations

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from app.domain.events import Event
from app.domain.staff import Act
from app.models import Study
from app.web import access, images
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.staff import study_page
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.post("/<int:study_id>/viewer")
@allow(Who.STAFF, Act.VIEW)
def viewer(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    why = images.why_unavailable(study)
    # An archive whose gate isn't working gets no tokens; its pictures pass through Studykey all the same.
    if why == "unsafe" or (why is None and not images.suits_viewer(study)):
        return redirect(url_for("staff_study.look", study_id=study_id), 303)
    if why:
        return study_page.page(study, problem=_unavailable(why), status=503 if why == "unreachable" else 409)
    note_view(study, how="viewer")
    token = services().staff_tokens.issue(access.staff_session(), at=services().clock())
    return images.to_viewer(study, token)


@blueprint.get("/<int:study_id>/look")
@allow(Who.STAFF, Act.VIEW)
def look(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    if study.deleted_at is not None:
        return study_page.page(study, problem=_unavailable("gone"), status=409)
    here = url_for("staff_study.look", study_id=study_id)
    back = url_for("staff_study.show", study_id=study_id)
    context = images.look_context(study, images.Place(here, back, here, is_staff=True))
    if context is None:
        return redirect(here, 303)
    note_view(study, how="look")
    return images.look_page(context)


@blueprint.get("/<int:study_id>/look/<int:series>/<int:number>.jpg")
@allow(Who.STAFF, Act.VIEW)
def picture(study_id: int, series: int, number: int) -> ResponseReturnValue:
    return images.picture(study_or_404(study_id), series, number)


def note_view(study: Study, *, how: str) -> None:
    """On record, committed, before anything is shown. Raises StoreUnavailable."""
    services().audit.record(
        Event.STAFF_VIEWED,
        at=services().clock(),
        actor=access.actor(),
        address=caller_address(),
        study_id=study.id,
        how=how,
    )


def _unavailable(why: str) -> str:
    if why == "gone":
        return _("The images aren't in the archive any more.")
    return _("The archive doesn't answer, so the images can't be opened now. Try again in a few minutes.")
