"""The list of studies of a visit that opens several."""

from __future__ import annotations

from collections.abc import Mapping

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.domain.dicom import parse_person_name
from app.domain.permissions import Permission
from app.domain.release import Release
from app.models import Study
from app.services.visits import LiveVisit
from app.web import access, examination_texts, release_texts, study_texts, tag_texts
from app.web import images as shared
from app.web.access import Who, allow
from app.web.patient import blueprint, images


@blueprint.get("/studies")
@allow(Who.VISITOR)
def studies() -> ResponseReturnValue:
    live = access.visit()
    if len(live.studies) + len(live.groups) == 1:
        return redirect(first_page(live), 303)
    released = images.released_each(live, live.studies)
    why = _why_unavailable(live, released)
    listed = [
        study_texts.describe(study)
        | examination_texts.examined(study)
        | {
            "has_preview": not why[study.id] and examination_texts.has_pictures(study),
            "ways": None if why[study.id] else shared.ways(study),
            "unavailable": why[study.id],
            "has_report": released[study.id].report.is_out,
            "comes": release_texts.for_patient(released[study.id]),
            "permissions": study_texts.permissions(live.permissions_on(study)),
        }
        for study in live.studies
    ]
    names = {parse_person_name(study.patient_name).shown for study in live.studies}
    return render_template(
        "patient/studies.html",
        studies=listed,
        one_name=names.pop() if len(names) == 1 else None,
        lists=[(part.rule, tag_texts.opens(part.rule)) for part in live.groups if part.rule],
        expires_text=study_texts.expires_text(part.grant for part in live.parts),
    )


def _why_unavailable(live: LiveVisit, released: Mapping[int, Release]) -> dict[int, str | None]:
    """Why the images of each study can't be shown. Each archive is asked once: one that is away takes its time."""
    of_archive: dict[int, str | None] = {}
    why: dict[int, str | None] = {}
    for study in live.studies:
        may_view = Permission.VIEW in live.permissions_on(study)
        is_asked = study.deleted_at is None and may_view and released[study.id].images.is_out
        if is_asked and study.archive_id in of_archive:
            why[study.id] = of_archive[study.archive_id]
            continue
        why[study.id] = images.why_unavailable(study, live, released[study.id])
        if is_asked:
            of_archive[study.archive_id] = why[study.id]
    return why


def first_page(live: LiveVisit) -> str:
    """Where a visit begins, and what the portal's address leads to while it goes on."""
    if len(live.studies) + len(live.groups) > 1:
        return url_for("patient.studies")
    for part in live.groups:
        if part.rule is not None:
            return url_for("patient.group", rule_id=part.rule.id)
    return url_for("patient.study", study_id=live.studies[0].id)


def way_up(live: LiveVisit, study: Study) -> str | None:
    """From a study's page to the list that it stands in; None for a visit's only one."""
    for part in live.parts_of(study):
        if part.rule is None:
            return url_for("patient.studies") if len(live.studies) + len(live.groups) > 1 else None
        return url_for("patient.group", rule_id=part.rule.id)
    return None
