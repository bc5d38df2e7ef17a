"""Release to the patient by hand, from a study's page: now, held back, or as the clinic's rule says again."""

from __future__ import annotations

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.post("/<int:study_id>/release")
@allow(Who.STAFF, Act.WRITE)
def release(study_id: int) -> ResponseReturnValue:
    study, releases = study_or_404(study_id), services().releases
    # What is asked for twice is done once; of two people the later one counts, and the trail has both.
    acts = {
        "release": (releases.release, "released"),
        "hold": (releases.hold, "held"),
        "undo": (releases.undo, "release-undone"),
    }
    act, done = acts.get(request.form.get("go", "")) or abort(400)
    act(study, at=services().clock(), actor=access.actor())
    services().deliveries.recheck(study, at=services().clock())
    return redirect(url_for("staff_study.show", study_id=study_id, done=done), 303)
