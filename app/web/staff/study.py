"""A study's page for staff: its report, its grant, its paper."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.pdf import RenderersBusy, RenderingFailed, RenderingTookTooLong
from app.domain.dicom import parse_person_name
from app.domain.staff import Act
from app.models import Study
from app.services.papers import Document, Effect, GlyphsMissing, PrintRefused, Wish
from app.services.reports import Outcome, Text
from app.services.site import LANGUAGES, PAPERS
from app.web import access, i18n, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_study", __name__, url_prefix="/staff/study")


@blueprint.get("/<int:study_id>")
@allow(Who.STAFF, Act.SEE)
def show(study_id: int) -> ResponseReturnValue:
    return _page(_study_or_404(study_id))


@blueprint.post("/<int:study_id>/report")
@allow(Who.STAFF, Act.WRITE)
def write(study_id: int) -> ResponseReturnValue:
    study = _study_or_404(study_id)
    text = Text(*(request.form.get(name, "") for name in ("findings", "impression", "reason")))
    revision = request.form.get("revision", 0, type=int)
    is_signing = request.form.get("go") == "sign"
    act = services().reports.sign if is_signing else services().reports.save
    outcome = act(study, text, revision=revision, by=access.staff(), at=services().clock())
    if outcome is not Outcome.DONE:
        return _page(study, typed=text, typed_revision=revision, problem=outcome)
    done = "signed" if is_signing else "saved"
    return redirect(url_for("staff_study.show", study_id=study_id, done=done), 303)


@blueprint.post("/<int:study_id>/sheet")
@allow(Who.STAFF, Act.PRINT)
def print_sheet(study_id: int) -> ResponseReturnValue:
    study = _study_or_404(study_id)
    return _print(
        study, lambda wish: services().papers.sheet(study, wish, at=services().clock(), actor=access.actor())
    )


@blueprint.post("/<int:study_id>/report/print")
@allow(Who.STAFF, Act.PRINT)
def print_report(study_id: int) -> ResponseReturnValue:
    study = _study_or_404(study_id)
    report = services().reports.signed(study) or abort(404)
    return _print(
        study,
        lambda wish: services().papers.report(
            study, report, wish, at=services().clock(), actor=access.actor()
        ),
    )


def _print(study: Study, make: Callable[[Wish], Document]) -> ResponseReturnValue:
    """The PDF in the browser's own viewer, or this study's page saying why there is none."""
    agreed = request.form.get("agreed", "")
    wish = Wish(
        language=request.form.get("language", ""),
        paper=request.form.get("paper", ""),
        with_password=bool(request.form.get("with_password")),
        agreed=Effect(agreed) if agreed in list(Effect) else Effect.SAME,
    )
    try:
        document = make(wish)
    except PrintRefused as refused:
        field = "agreed" if refused.effect is Effect.REISSUES else ""
        return _page(study, print_problem=_refusal(refused.effect), print_field=field, status=409)
    except GlyphsMissing as missing:
        text = _(
            "These characters can't be printed with the fonts of this computer: %(characters)s."
            " Nothing was changed.",
            characters=" ".join(missing.characters[:20]),
        )
        return _page(study, print_problem=text, status=422)
    except RenderersBusy:
        return _page(study, print_problem=_("Many pages are being printed. Please try again."), status=503)
    except (RenderingFailed, RenderingTookTooLong):
        text = _("This page couldn't be made. Nothing was changed; the sheet printed before still works.")
        return _page(study, print_problem=text, status=500)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


def _refusal(effect: Effect) -> str:
    if effect is Effect.REFUSED:
        return _("This study's access is suspended. Check whose study it is before anything is printed.")
    return _("Printing makes a new code: the sheet printed before stops working. Agree to that first.")


def _page(
    study: Study,
    *,
    typed: Text | None = None,
    typed_revision: int = 0,
    problem: Outcome | None = None,
    print_problem: str = "",
    print_field: str = "",
    status: int = 200,
) -> Response:
    now = services().clock()
    reports = services().reports
    versions = reports.versions(study)
    draft, signed = reports.draft(study), reports.signed(study)
    # What somebody else saved or signed meanwhile. Whoever sees it may write on top of it, so the form then
    # carries the present revision: with the old one it could never be saved.
    theirs = (draft or signed) if problem is Outcome.CONFLICT else None
    stored_revision = draft.revision if draft else 0
    base = draft or signed
    shown = typed or Text(
        base.findings if base else "", base.impression if base else "", (draft.reason or "") if draft else ""
    )
    site = services().site.facts()
    body = render_template(
        "staff/study.html",
        staff=access.staff(),
        study=study,
        title=study_texts.describe(study)["title"],
        patient_name=parse_person_name(study.patient_name).shown,
        grant=services().grants.current(study),
        now=now,
        effect=services().papers.effect(study, at=now).value,
        versions=versions,
        draft=draft,
        signed=signed,
        text=shown,
        revision=typed_revision if typed and not theirs else stored_revision,
        problem=_problem(problem, is_signed=theirs is not None and theirs.is_signed),
        problem_field=_FIELDS.get(problem, "") if problem else "",
        conflict=theirs,
        print_problem=print_problem,
        print_field=print_field,
        done=request.args.get("done", ""),
        languages=[(code, i18n.own_name(code)) for code in LANGUAGES],
        papers=PAPERS,
        site=site,
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, 422 if problem else status)


# The field that a problem is about: the summary leads there, the message stands there.
_FIELDS = {
    Outcome.CONFLICT: "findings",
    Outcome.EMPTY: "findings",
    Outcome.NO_REASON: "reason",
    Outcome.TOO_LONG: "findings",
}


def _problem(outcome: Outcome | None, *, is_signed: bool) -> str:
    match outcome:
        case Outcome.CONFLICT if is_signed:
            return _(
                "Somebody else signed this report while you were writing. Nothing is lost: your text is below,"
                " theirs beside it. What you save now is an amendment of theirs."
            )
        case Outcome.CONFLICT:
            return _(
                "Somebody else saved this report while you were writing. Nothing is lost: your text is below,"
                " theirs beside it. Join them and save again."
            )
        case Outcome.EMPTY:
            return _("There is nothing to sign yet: write the findings or the impression.")
        case Outcome.NO_REASON:
            return _("Say why the report is amended: the reason is printed with it.")
        case Outcome.TOO_LONG:
            return _("This text is too long to be saved.")
        case _:
            return ""


def _study_or_404(study_id: int) -> Study:
    return services().worklist.study(study_id) or abort(404)
