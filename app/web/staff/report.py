"""Writing a report: the page, saving it by itself and by hand, signing after a look at the printed page, throwing away.

Works without script, one form and redirects; with it (staff-report.js) nothing has to be saved by hand.
"""

from __future__ import annotations

from typing import Any

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.orthanc import ArchiveUnreachable
from app.domain.report import Section
from app.domain.staff import Act
from app.models import Study
from app.services.report_asides import FIELDS
from app.services.reports import Outcome, Text
from app.web import access, release_texts, study_texts
from app.web.access import Who, allow
from app.web.context import archive_of, services
from app.web.i18n import _
from app.web.staff import report_page
from app.web.staff.images import note_view
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.get("/<int:study_id>/report")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def report(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    if report_page.is_brought(services().reports.draft(study)):
        return redirect(url_for("staff_study.show", study_id=study_id), 303)
    problem, field = _problem(request.args.get("problem", ""))
    return report_page.page(study, problem=problem, field=field)


@blueprint.post("/<int:study_id>/report")
@allow(Who.STAFF, Act.WRITE)
def write(study_id: int) -> ResponseReturnValue:
    """Save what was typed, and go where the button says: on writing, to signing, to another view beside."""
    study, go = study_or_404(study_id), request.form.get("go", "save")
    desk, text = report_page.desk(study), _typed(study)
    if go == "template":
        if desk.draft is None and desk.signed is None and not any(text.typed.values()):
            return _back(study_id, template=request.form.get("other", type=int))
        text = _with_template(study, text)
    outcome = services().reports.save(
        study, text, revision=_revision(), by=access.staff(), at=services().clock(), joins=_joins()
    )
    if outcome is Outcome.TOO_LONG:
        problem, field = _problem(outcome)
        return report_page.page(study, text=text, problem=problem, field=field, status=422)
    if outcome is Outcome.CONFLICT:
        return _back(study_id)
    if go == "sign":
        return _to_signing(study, text)
    if go.startswith("beside-"):
        return _back(study_id, beside=go.removeprefix("beside-"))
    return _back(study_id, done="saved")


@blueprint.post("/<int:study_id>/report/autosave")
@allow(Who.STAFF, Act.WRITE)
def autosave(study_id: int) -> ResponseReturnValue:
    """What a script saves while somebody types, or as they leave. Says where it went and when, in words."""
    study, text, now = study_or_404(study_id), _typed(study_or_404(study_id)), services().clock()
    reports, me = services().reports, access.staff()
    if _joins():
        outcome = reports.keep_aside(study, text, by=me, at=now)
        kept = outcome is Outcome.DONE
    else:
        outcome = reports.save(study, text, revision=_revision(), by=me, at=now)
        kept = outcome is Outcome.CONFLICT
    if outcome is Outcome.TOO_LONG:
        return jsonify(where="nowhere", says=_("Not saved: this text is too long. It stays here.")), 422
    theirs = reports.draft(study) or reports.signed(study)
    if not kept:
        says = _("Saved %(time)s", time=report_page.clock_time())
        return jsonify(where="draft", revision=theirs.revision if theirs else 0, says=says)
    says = _("Kept beside the draft %(time)s", time=report_page.clock_time())
    return jsonify(where="aside", says=says, why="" if _joins() else _who_was_first(study))


@blueprint.post("/<int:study_id>/report/preview")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def preview(study_id: int) -> ResponseReturnValue:
    """The printed page of what stands in the form, as pictures; nothing is saved."""
    study = study_or_404(study_id)
    shown = report_page.rendered(study, services().reports.unsigned(study, _typed(study)))
    body = render_template("staff/report_pages.html", shown=shown)
    return Response(body, 503 if shown.status == 503 else 200, mimetype="text/html")


@blueprint.get("/<int:study_id>/report/images")
@allow(Who.STAFF, Act.VIEW, Act.WRITE)
def report_images(study_id: int) -> ResponseReturnValue:
    """The study's pictures, as a part of the page."""
    study = study_or_404(study_id)
    series, problem = [], ""
    if study.deleted_at is not None:
        problem = _("The images aren't in the archive any more.")
    else:
        try:
            listed = services().look.series(archive_of(study), study)
            series = [study_texts.describe_series(one) for one in listed if one.pictures]
        except ArchiveUnreachable:
            problem = _("The archive doesn't answer, so the images can't be opened now.")
    if series:
        note_view(study, how="look")
    return render_template("staff/report_images.html", study=study, series=series, problem=problem)


@blueprint.get("/<int:study_id>/report/sign")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def ask_to_sign(study_id: int) -> ResponseReturnValue:
    return _sign_page(study_or_404(study_id))


@blueprint.post("/<int:study_id>/report/sign")
@allow(Who.STAFF, Act.WRITE)
def sign(study_id: int) -> ResponseReturnValue:
    """Sign the draft of the revision that was shown, as it was shown."""
    study, reports, now = study_or_404(study_id), services().reports, services().clock()
    draft = reports.draft(study)
    if draft is None or reports.aside(study, access.staff()):
        return _back(study_id)
    if draft.revision != _revision():
        name = reports.writer(draft)
        changed = _("%(name)s saved this report after you looked at it. Read it again, then sign.", name=name)
        return _sign_page(study, problem=changed, status=409)
    text, me = Text.of(draft), access.staff()
    shown = report_page.rendered(study, reports.as_signed(study, text, by=me, at=now))
    if shown.problem:
        return _sign_page(study, problem=shown.problem, status=shown.status)
    outcome = reports.sign(
        study, text, revision=draft.revision, by=me, at=now, pdf=shown.pdf, pages=shown.pages
    )
    if outcome in (Outcome.EMPTY, Outcome.NO_REASON):
        return _back(study_id, problem=outcome)
    if outcome is not Outcome.DONE:
        return _back(study_id)
    return redirect(url_for("staff_study.show", study_id=study_id, done="signed"), 303)


@blueprint.get("/<int:study_id>/report/discard")
@allow(Who.STAFF, Act.WRITE, Act.READ)
def ask_to_discard(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    draft = services().reports.draft(study)
    if draft is None:
        return _back(study_id)
    return render_template(
        "staff/report_discard.html",
        **report_page.header(study),
        draft=draft,
        signed=services().reports.signed(study),
        writer=services().reports.writer(draft),
    )


@blueprint.post("/<int:study_id>/report/discard")
@allow(Who.STAFF, Act.WRITE)
def discard(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    outcome = services().reports.discard(
        study, revision=_revision(), by=access.staff(), at=services().clock()
    )
    if outcome is not Outcome.DONE:
        return redirect(url_for("staff_study.ask_to_discard", study_id=study_id), 303)
    return redirect(url_for("staff_study.show", study_id=study_id, done="discarded"), 303)


@blueprint.post("/<int:study_id>/report/aside/discard")
@allow(Who.STAFF, Act.WRITE)
def discard_aside(study_id: int) -> ResponseReturnValue:
    """Throw away what was kept for oneself; the draft stays as the other person saved it."""
    services().reports.forget_aside(study_or_404(study_id), access.staff())
    return _back(study_id)


def _sign_page(study: Study, *, problem: str = "", status: int = 200) -> ResponseReturnValue:
    reports, me, now = services().reports, access.staff(), services().clock()
    draft = reports.draft(study)
    if draft is None or report_page.is_brought(draft) or reports.aside(study, me):
        return redirect(url_for("staff_study.show", study_id=study.id), 303)
    text = Text.of(draft)
    if (signable := reports.signable(study, text)) is not Outcome.DONE:
        return _back(study.id, problem=signable)
    shown = report_page.rendered(study, reports.as_signed(study, text, by=me, at=now))
    body = render_template(
        "staff/report_sign.html",
        **report_page.header(study),
        **release_texts.for_staff(study, at=now),
        draft=draft,
        signed=reports.signed(study),
        grant=services().grants.current(study),
        shown=shown,
        problem=problem or shown.problem,
        now=now,
    )
    return Response(body, status, mimetype="text/html")


def _typed(study: Study) -> Text:
    """The form's text, in the language and under the headings that the report began with."""
    words = {name: request.form.get(name, "") for name in FIELDS}
    return report_page.desk(study).frame.saying(words)


def _with_template(study: Study, text: Text) -> Text:
    """Another template's headings and language; its first words only where nothing stands."""
    offered = {one.id: one for one in services().report_templates.offered(study)}
    chosen = offered.get(request.form.get("other", 0, type=int))
    if chosen is None:
        return text
    first = report_page.words_of(chosen)
    words: dict[str, Any] = {name.value: getattr(text, name) or first[name] for name in Section}
    headings = services().report_templates.headings(chosen)
    return text.saying(words | {"language": chosen.language, "headings": headings})


def _revision() -> int:
    return request.form.get("revision", 0, type=int)


def _joins() -> bool:
    return request.form.get("joins") == "1"


def _to_signing(study: Study, text: Text) -> Response:
    signable = services().reports.signable(study, text)
    if signable is not Outcome.DONE:
        return _back(study.id, problem=signable)
    return redirect(url_for("staff_study.ask_to_sign", study_id=study.id), 303)


def _back(study_id: int, **query: Any) -> Response:
    return redirect(url_for("staff_study.report", study_id=study_id, **query), 303)


def _who_was_first(study: Study) -> str:
    reports = services().reports
    draft = reports.draft(study)
    theirs = draft or reports.signed(study)
    if theirs is None:
        return _("Somebody threw this draft away while you were writing.")
    if draft is None:
        return _("%(name)s signed this report while you were writing.", name=theirs.signed_name)
    if draft.written_by_id == access.staff().id:
        return _("You saved this report in another window.")
    return _("%(name)s saved this report while you were writing.", name=reports.writer(draft))


def _problem(outcome: str) -> tuple[str, str]:
    """A sentence, and the field it is about."""
    match outcome:
        case Outcome.EMPTY:
            return _("There is nothing to sign yet: write the findings or the impression."), "findings"
        case Outcome.NO_REASON:
            return _("Say why the report is amended: the reason is printed with it."), "reason"
        case Outcome.TOO_LONG:
            return _("This text is too long to be saved."), "findings"
    return "", ""
