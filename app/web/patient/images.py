"""Images during a visit: the way to the viewer, and the light look in the portal itself."""

from __future__ import annotations

from collections.abc import Sequence

from flask import abort, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.domain.release import Release
from app.models import Study
from app.services.visits import LiveVisit, NotReleased, Part
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
    back = redirect(url_for("patient.study", study_id=study.id), 303)
    if why_unavailable(study, live, released(live, study)):
        return back
    if not images.suits_viewer(study):
        return redirect(url_for("patient.look", study_id=study.id), 303)
    try:
        token = services().visits.issue_viewer_token(
            live, study, address=caller_address(), at=services().clock()
        )
    except NotReleased:  # held back at this very moment
        return back
    return images.to_viewer(study, token)


def released(live: LiveVisit, study: Study) -> Release:
    """What this visit's holder has of the study at this moment."""
    return released_each(live, [study])[study.id]


def released_each(live: LiveVisit, studies: Sequence[Study]) -> dict[int, Release]:
    """By study: its images as the code that lets see them opens them, its report likewise."""
    at, releases = services().clock(), services().releases
    seen_by = {kind: releases.seen_by(kind, studies, at=at) for kind in {part.kind for part in live.parts}}
    seen_by.setdefault(Kind.PATIENT, next(iter(seen_by.values())))
    return {
        study.id: Release(
            seen_by[live.kind_for(study, Permission.VIEW)][study.id].images,
            seen_by[live.kind_for(study, Permission.REPORT)][study.id].report,
        )
        for study in studies
    }


def why_unavailable(study: Study, live: LiveVisit, release: Release) -> str | None:
    """Why the images can't be shown (a word that the study's page has sentences for), or None."""
    if Permission.VIEW not in live.permissions_on(study):
        return "not-allowed"
    return images.why_unavailable(study) if release.images.is_out else "not-released"


@blueprint.get("/study/<int:study_id>/look")
@allow(Who.VISITOR)
def look(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = study_or_404(live, study_id, Permission.VIEW)
    back = url_for("patient.study", study_id=study_id)
    if why_unavailable(shown, live, released(live, shown)):
        return redirect(back, 303)
    here = url_for("patient.look", study_id=study_id)
    context = images.look_context(shown, images.Place(here, back, url_for("patient.landing")))
    if context is None:
        return redirect(here, 303)
    try:
        services().visits.note_look(live, shown, address=caller_address(), at=services().clock())
    except NotReleased:
        return redirect(back, 303)
    return images.look_page(context)


@blueprint.get("/study/<int:study_id>/look/<int:series>/<int:number>.jpg")
@allow(Who.VISITOR)
def picture(study_id: int, series: int, number: int) -> ResponseReturnValue:
    live = access.visit()
    shown = study_or_404(live, study_id, Permission.VIEW)
    if not released(live, shown).images.is_out or not _is_on_record(live, shown):
        abort(404)
    return images.picture(shown, series, number)


def by_rule(live: LiveVisit, study: Study) -> Part | None:
    """The part that lets see a study's images, where that is by a rule: the beginning of its visit says nothing of the
    study, so each look at it has to be on record by itself."""
    try:
        part = live.part_to(study, Permission.VIEW)
    except LookupError:
        return None
    return part if part.rule is not None else None


def _is_on_record(live: LiveVisit, study: Study) -> bool:
    """Whether the trail has the look that a picture is asked for by."""
    part = by_rule(live, study)
    return part is None or services().openings.has_looked(study, part.grant.id, since=part.visit.begun_at)


def study_or_404(live: LiveVisit, study_id: int, wanted: Permission = Permission.NONE) -> Study:
    """A study that isn't this visit's, or not for that, looks like one that doesn't exist."""
    found = live.study(study_id)
    if found is None or wanted not in live.permissions_on(found):
        abort(_not_in_list(live) if live.groups else 404)
    return found


def _not_in_list(live: LiveVisit) -> Response:
    """404 in words for those who have a list: a study leaves it while its page is open. The same for any other."""
    lists = [
        (part.rule.name, url_for("patient.group", rule_id=part.rule.id)) for part in live.groups if part.rule
    ]
    return make_response(render_template("patient/left_list.html", lists=lists), 404)
