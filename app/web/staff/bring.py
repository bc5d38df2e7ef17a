"""A report made elsewhere comes to a study: uploaded, or out of the study; looked at; signed for.

What it is, and whether it may be taken, is for services.bringing to say; here it becomes sentences.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.orthanc import ArchiveUnreachable
from app.adapters.pdf import RenderersBusy, RenderingFailed
from app.adapters.pdf_files import Inspection, Refusal
from app.domain.report import LARGEST_PDF
from app.domain.staff import Act
from app.domain.study import DocumentKind, ListedDocument
from app.models import Study
from app.services.bringing import Brought
from app.services.reports import Outcome
from app.services.site import PAPER_LANGUAGES
from app.web import access, bring_texts, i18n, release_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.staff import report_page
from app.web.staff.study_page import study_or_404

blueprint = Blueprint("staff_bring", __name__, url_prefix="/staff/study")
LARGEST = LARGEST_PDF + 2 * 1024 * 1024  # of a request: a little more is told apart from far too much


@blueprint.get("/<int:study_id>/bring")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def show(study_id: int) -> ResponseReturnValue:
    return _page(study_or_404(study_id))


@blueprint.post("/<int:study_id>/bring")
@allow(Who.STAFF, Act.WRITE, Act.READ, changes=True)
def upload(study_id: int) -> ResponseReturnValue:
    study, file = study_or_404(study_id), request.files.get("pdf")
    pdf = file.read() if file else b""
    if file:
        file.close()  # what was large is a temporary file: gone now, not some time later
    if not file or not pdf:
        return _page(study, problem=_("Choose a PDF first."), status=422)
    return _take(study, file.filename or "", pdf)


@blueprint.post("/<int:study_id>/bring/from-study")
@allow(Who.STAFF, Act.WRITE, Act.READ, changes=True)
def from_study(study_id: int) -> ResponseReturnValue:
    """A report that stands among the images: a PDF is brought, a structured report becomes a draft to go on with."""
    study = study_or_404(study_id)
    try:
        wanted = request.form.get("instance", "")
        document = next(
            (one for one in services().bringing.documents(study) if one.instance_id == wanted), None
        )
        if document is None:
            return _page(study, problem=_("It isn't in the study any more."), status=409)
        if document.kind is DocumentKind.STRUCTURED:
            return _write(study, document)
        pdf = services().bringing.pdf_of(study, document)
    except ArchiveUnreachable:
        return _page(study, problem=_("The archive doesn't answer. Nothing was changed."), status=503)
    return _take(study, f"{document.title or 'report'}.pdf", pdf or b"", origin=document.sop_instance_uid)


def _take(study: Study, name: str, pdf: bytes, *, origin: str = "") -> ResponseReturnValue:
    try:
        looked = services().bringing.look(pdf)
    except RenderersBusy:
        return _page(study, problem=_("Several files are being looked at. Please try again."), status=503)
    if isinstance(looked, Refusal):
        return _page(study, problem=bring_texts.refusal(looked), status=422)
    outcome = services().bringing.bring(
        study,
        Brought(name, pdf, looked, origin),
        revision=_revision(),
        agreed=bool(request.form.get("agreed")),
        by=access.staff(),
        at=services().clock(),
    )
    if outcome is not Outcome.DONE:
        return _page(
            study, problem=_("The draft has changed. Look at it, then bring the file again."), status=409
        )
    return redirect(url_for("staff_bring.show", study_id=study.id), 303)


def _write(study: Study, document: ListedDocument) -> ResponseReturnValue:
    try:
        words = services().bringing.words_of(study, document)
    except RenderersBusy:
        return _page(study, problem=_("Several files are being looked at. Please try again."), status=503)
    if words is None or not any(words.texts.values()):
        return _page(study, problem=_("No text could be read from this report."), status=422)
    if words.patient_id != study.patient_id:
        return _page(study, problem=_("This report carries another patient ID than the study."), status=409)
    outcome = services().bringing.write(
        study, words, revision=_revision(), by=access.staff(), at=services().clock()
    )
    if outcome is not Outcome.DONE:
        problem = _("There is a draft already. Throw it away first, or copy what you need by hand.")
        return _page(study, problem=problem, status=409)
    return redirect(url_for("staff_study.report", study_id=study.id), 303)


@blueprint.post("/<int:study_id>/bring/sign")
@allow(Who.STAFF, Act.WRITE, Act.READ, changes=True)
def sign(study_id: int) -> ResponseReturnValue:
    study, language = study_or_404(study_id), request.form.get("language", "")
    outcome = services().reports.sign_brought(
        study,
        revision=_revision(),
        reason=request.form.get("reason", ""),
        language=language if language in PAPER_LANGUAGES else "",
        by=access.staff(),
        at=services().clock(),
    )
    match outcome:
        case Outcome.DONE:
            return redirect(url_for("staff_study.show", study_id=study_id, done="signed"), 303)
        case Outcome.NO_REASON:
            problem, field = _("Say why the report is amended: the reason is kept with it."), "reason"
        case Outcome.TOO_LONG:
            problem, field = _("This text is too long to be saved."), "reason"
        case _:
            problem, field = _("The draft has changed since you looked at it. Look again, then sign."), ""
    return _page(study, problem=problem, field=field, status=422 if field else 409)


@blueprint.get("/<int:study_id>/bring/page.png")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def first_page(study_id: int) -> ResponseReturnValue:
    """The first page of what was brought, drawn in a process of its own."""
    _report, file = services().bringing.draft(study_or_404(study_id)) or abort(404)
    try:
        picture = services().bringing.preview(file.pdf)
    except RenderersBusy:
        return abort(503)
    except RenderingFailed:
        return abort(404)
    response = make_response(picture)
    response.mimetype = "image/png"
    return response


@blueprint.get("/<int:study_id>/bring/file.pdf")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def file(study_id: int) -> ResponseReturnValue:
    """What was brought and isn't signed yet, byte for byte, in the browser's own viewer. It carries no script and
    opens nothing (Refusal); our headers let no browser take it for anything but a PDF."""
    _report, kept = services().bringing.draft(study_or_404(study_id)) or abort(404)
    response = make_response(kept.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename="report.pdf")
    return response


def _page(study: Study, *, problem: str = "", field: str = "", status: int = 200) -> Response:
    now, reports = services().clock(), services().reports
    drawn = services().bringing.draft(study)
    draft = drawn[0] if drawn else reports.draft(study)
    documents, documents_problem = _documents(study) if drawn is None else ([], "")
    body = render_template(
        "staff/bring.html",
        **report_page.header(study),
        **release_texts.for_staff(study, at=now),
        draft=draft,
        file=drawn[1] if drawn else None,
        looked=_looked(study, drawn[1].pdf) if drawn else None,
        signed=reports.signed(study),
        grant=services().grants.current(study),
        writer=reports.writer(draft) if draft else "",
        documents=documents,
        documents_problem=documents_problem,
        languages=[(code, i18n.own_name(code)) for code in PAPER_LANGUAGES],
        clinic_language=i18n.own_name(services().site.facts().language),
        largest_mb=LARGEST_PDF // 1024 // 1024,
        problem=problem,
        problem_field=field,
        now=now,
    )
    return make_response(body, status)


def _looked(study: Study, pdf: bytes) -> dict[str, Any] | None:
    """What is said of the PDF beside its picture; None while nobody can look at it."""
    try:
        looked = services().bringing.look(pdf)
    except RenderersBusy:
        return None
    if not isinstance(looked, Inspection):
        return None
    cautions = services().bringing.warnings(study, looked)
    wide, high = looked.sizes_mm[0]
    return {
        "facts": looked,
        "size": f"{wide:.0f} × {high:.0f} mm",
        "cautions": [(caution.value, bring_texts.caution(caution)) for caution in cautions],
    }


def _documents(study: Study) -> tuple[list[ListedDocument], str]:
    try:
        return services().bringing.documents(study), ""
    except ArchiveUnreachable:
        return [], _("The archive doesn't answer, so what stands in the study can't be listed now.")


def _revision() -> int:
    return request.form.get("revision", 0, type=int)
