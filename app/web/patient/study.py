"""The study's page during a visit, its report, and the way out."""

from __future__ import annotations

from flask import abort, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.domain.permissions import Permission
from app.models import Grant, Study
from app.services.visits import LiveVisit
from app.web import access, i18n, study_texts
from app.web import images as shared
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.patient import blueprint, images


@blueprint.get("/study/<int:study_id>")
@allow(Who.VISITOR)
def study(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = images.study_or_404(live, study_id)
    unavailable = images.why_unavailable(shown, live.permissions)
    label = "" if unavailable else shared.viewer_label(shown)
    return render_template(
        "patient/study.html",
        study=study_texts.describe(shown),
        viewer={"label": label, "available": True, "why_not": ""},
        unavailable=unavailable,
        permissions=study_texts.permissions(live.permissions),
        expires_text=expires_text(live.grant),
        report_url=_report_url(shown),
        studies_url=url_for("patient.studies") if len(live.studies) > 1 else None,
    )


def expires_text(grant: Grant) -> str:
    if grant.expires_at is None:
        return ""
    return _("This access ends on %(date)s.", date=i18n.show_date(grant.expires_at.date()))


def _report_url(study: Study) -> str | None:
    if services().reports.signed(study) is None:
        return None
    return url_for("patient.report", study_id=study.id)


@blueprint.get("/study/<int:study_id>/report.pdf")
@allow(Who.VISITOR)
def report(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = images.study_or_404(live, study_id)
    signed = services().reports.signed(shown)
    if signed is None or Permission.REPORT not in live.permissions:
        return abort(404)
    now = services().clock()
    services().reports.note_reading(shown, signed, grant_id=live.grant.id, address=caller_address(), at=now)
    document = services().papers.report_for_patient(shown, signed, language=str(i18n.locale()), at=now)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


@blueprint.post("/done")
@allow(Who.EVERYBODY)
def leave() -> ResponseReturnValue:
    now = services().clock()
    live = services().visits.find(access.visit_key(), at=now)
    if isinstance(live, LiveVisit):
        services().visits.end(live, address=caller_address(), at=now)
    response = redirect(url_for("patient.done"), 303)
    access.drop_key(response, "visit")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@blueprint.get("/done")
@allow(Who.EVERYBODY)
def done() -> ResponseReturnValue:
    return render_template("patient/done.html")
