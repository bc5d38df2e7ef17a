"""The report during a visit: to read on the screen, and as the PDF. Each opening is on record before it is shown."""

from __future__ import annotations

from flask import abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.permissions import Permission
from app.domain.report import Source
from app.models import Report, Study
from app.web import access, examination_texts, i18n, study_texts
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.patient import blueprint, images


@blueprint.get("/study/<int:study_id>/report")
@allow(Who.VISITOR)
def read_report(study_id: int) -> ResponseReturnValue:
    """The report's text, for screens on which a page of paper is hard to read. A brought one is a PDF alone."""
    study, signed = _standing(study_id)
    if signed.source == Source.BROUGHT:
        return redirect(url_for("patient.report", study_id=study_id), 303)
    _note(study, signed)
    return render_template(
        "patient/report.html",
        study=study_texts.describe(study) | examination_texts.examined(study),
        report=services().report_reading.html(study, signed),
    )


@blueprint.get("/study/<int:study_id>/report.pdf")
@allow(Who.VISITOR)
def report(study_id: int) -> ResponseReturnValue:
    """``?save`` keeps it as a file in place of showing it."""
    study, signed = _standing(study_id)
    _note(study, signed)
    document = services().papers.report_for_patient(
        study, signed, language=str(i18n.locale()), at=services().clock()
    )
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    disposition = "attachment" if "save" in request.args else "inline"
    response.headers.set("Content-Disposition", disposition, filename=document.name)
    return response


def _standing(study_id: int) -> tuple[Study, Report]:
    """The version that stands, where this visit may read it now. 404 otherwise."""
    live = access.visit()
    study = images.study_or_404(live, study_id, Permission.REPORT)
    signed = services().reports.signed(study)
    if signed is None or not images.released(live, study).report.is_out:
        return abort(404)
    return study, signed


def _note(study: Study, signed: Report) -> None:
    """HEAD shows nothing, so it leaves no trace. Raises StoreUnavailable: what isn't recorded isn't shown."""
    if request.method == "HEAD":
        return
    services().visits.note_reading(
        access.visit(), study, signed.version, address=caller_address(), at=services().clock()
    )
