"""A study's page for staff: showing it, and writing its report."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.models import Study
from app.services.reports import Outcome, Text
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.staff import study_page
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.get("/<int:study_id>")
@allow(Who.STAFF, Act.SEE)
def show(study_id: int) -> ResponseReturnValue:
    return study_page.page(study_or_404(study_id))


@blueprint.post("/<int:study_id>/report")
@allow(Who.STAFF, Act.WRITE)
def write(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    text = Text(*(request.form.get(name, "") for name in ("findings", "impression", "reason")))
    revision = request.form.get("revision", 0, type=int)
    is_signing = request.form.get("go") == "sign"
    act = services().reports.sign if is_signing else services().reports.save
    outcome = act(study, text, revision=revision, by=access.staff(), at=services().clock())
    if outcome is not Outcome.DONE:
        report, problem = _refused(study, text, revision, outcome)
        return study_page.page(study, report=report, problem=problem, status=422)
    done = "signed" if is_signing else "saved"
    return redirect(url_for("staff_study.show", study_id=study_id, done=done), 303)


def _refused(study: Study, text: Text, revision: int, outcome: Outcome) -> tuple[dict[str, Any], str]:
    """The report with what was typed, and why it wasn't taken."""
    report = study_page.written(study, typed=text, typed_revision=revision)
    report["problem_field"] = _FIELDS[outcome]
    if outcome is not Outcome.CONFLICT:
        return report, _problem(outcome)
    # What somebody else saved or signed meanwhile. Whoever sees it may write on top of it, so the form then
    # carries the present revision: with the old one it could never be saved.
    draft, theirs = report["draft"], report["draft"] or report["signed"]
    name = theirs.signed_name or services().reports.writer(theirs)
    report |= {"conflict": theirs, "revision": draft.revision if draft else 0}
    if theirs.is_signed:
        return report, _(
            "%(name)s signed this report while you were writing. Nothing is lost: your text is below,"
            " theirs beside it. What you save now is an amendment of theirs.",
            name=name,
        )
    return report, _(
        "%(name)s saved this report while you were writing. Nothing is lost: your text is below,"
        " theirs beside it. Join them and save again.",
        name=name,
    )


# The field that a problem is about: the summary leads there, the message stands there.
_FIELDS = {
    Outcome.CONFLICT: "findings",
    Outcome.EMPTY: "findings",
    Outcome.NO_REASON: "reason",
    Outcome.TOO_LONG: "findings",
}


def _problem(outcome: Outcome) -> str:
    match outcome:
        case Outcome.EMPTY:
            return _("There is nothing to sign yet: write the findings or the impression.")
        case Outcome.NO_REASON:
            return _("Say why the report is amended: the reason is printed with it.")
        case _:
            return _("This text is too long to be saved.")
