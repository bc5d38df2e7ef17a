"""The list of studies of a visit that opens several."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.domain.dicom import parse_person_name
from app.services.visits import LiveVisit
from app.web import access, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.patient import blueprint, images
from app.web.patient.study import expires_text


@blueprint.get("/studies")
@allow(Who.VISITOR)
def studies() -> ResponseReturnValue:
    live = access.visit()
    if len(live.studies) == 1:
        return redirect(first_page(live), 303)
    with_report = services().reports.signed_among([study.id for study in live.studies])
    why = _why_unavailable(live)
    listed = [
        study_texts.describe(study) | {"unavailable": why[study.id], "has_report": study.id in with_report}
        for study in live.studies
    ]
    names = {parse_person_name(study.patient_name).shown for study in live.studies}
    return render_template(
        "patient/studies.html",
        studies=listed,
        one_name=names.pop() if len(names) == 1 else None,
        permissions=study_texts.permissions(live.permissions),
        expires_text=expires_text(live.grant),
    )


def _why_unavailable(live: LiveVisit) -> dict[int, str | None]:
    """Why the images of each study can't be shown. Each archive is asked once: one that is away takes its time."""
    of_archive: dict[int, str | None] = {}
    why: dict[int, str | None] = {}
    for study in live.studies:
        if study.deleted_at is None and study.archive_id in of_archive:
            why[study.id] = of_archive[study.archive_id]
            continue
        why[study.id] = images.why_unavailable(study, live.permissions)
        if study.deleted_at is None:
            of_archive[study.archive_id] = why[study.id]
    return why


def first_page(live: LiveVisit) -> str:
    """Where a visit begins, and what the portal's address leads to while it goes on."""
    if len(live.studies) > 1:
        return url_for("patient.studies")
    return url_for("patient.study", study_id=live.studies[0].id)
