"""Settings of reports: the templates that they begin with, and the text blocks that everybody has.

A template's form carries what it showed, as the other settings do (web.staff.settings): a field left alone keeps what
somebody else has set meanwhile, and a field that two people changed is shown with both values.
"""

from __future__ import annotations

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.paper import PaperTemplates
from app.domain.formatting import tidied
from app.domain.modality import N_
from app.domain.report import Section
from app.domain.staff import Act
from app.models import ReportTemplate
from app.services.report_templates import FIELDS, HEADINGS
from app.services.site import PAPER_LANGUAGES
from app.web import access, i18n, settings_texts, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.staff import text_blocks as blocks

blueprint = Blueprint("staff_settings_reports", __name__, url_prefix="/staff/settings/reports")

TITLES = {
    Section.INDICATION: N_("Indication"),
    Section.TECHNIQUE: N_("Technique"),
    Section.FINDINGS: N_("Findings"),
    Section.IMPRESSION: N_("Impression"),
}


@blueprint.get("")
@allow(Who.STAFF, Act.SETTINGS)
def show() -> ResponseReturnValue:
    templates = services().report_templates.all()
    said = {
        "saved": _("New reports begin with it from now on. Reports that were begun before stay as they are."),
        "deleted": _("The template is deleted. Reports that began with it keep their headings and text."),
        "none": _("Nothing was changed."),
    }.get(request.args.get("done", ""), "")
    return render_template(
        "staff/settings/reports.html",
        staff=access.staff(),
        section="reports",
        templates=[_described(template) for template in templates],
        has_clinic=any(not template.modality and not template.name for template in templates),
        blocks=len(services().text_blocks.owned(None)),
        problems={},
        theirs={},
        changed=[said] if said else [],
        open_archives=services().archives.open_ones(),
    )


@blueprint.get("/new")
@allow(Who.STAFF, Act.SETTINGS)
def new() -> ResponseReturnValue:
    return _page(None)


@blueprint.post("/new")
@allow(Who.STAFF, Act.SETTINGS, changes=True)
def add() -> ResponseReturnValue:
    return _save(None)


@blueprint.get("/<int:template_id>")
@allow(Who.STAFF, Act.SETTINGS)
def edit(template_id: int) -> ResponseReturnValue:
    return _page(_template_or_404(template_id))


@blueprint.post("/<int:template_id>")
@allow(Who.STAFF, Act.SETTINGS, changes=True)
def change(template_id: int) -> ResponseReturnValue:
    return _save(_template_or_404(template_id))


@blueprint.post("/<int:template_id>/delete")
@allow(Who.STAFF, Act.SETTINGS, changes=True)
def delete(template_id: int) -> ResponseReturnValue:
    services().report_templates.delete(
        _template_or_404(template_id), at=services().clock(), actor=access.actor()
    )
    return redirect(url_for("staff_settings_reports.show", done="deleted"), 303)


@blueprint.get("/text-blocks")
@allow(Who.STAFF, Act.SETTINGS)
def text_blocks() -> ResponseReturnValue:
    return blocks.page(None)


@blueprint.post("/text-blocks")
@allow(Who.STAFF, Act.SETTINGS, changes=True)
def save_text_blocks() -> ResponseReturnValue:
    return blocks.save_rows(None)


@blueprint.post("/text-blocks/paste")
@allow(Who.STAFF, Act.SETTINGS, changes=True)
def paste_text_blocks() -> ResponseReturnValue:
    return blocks.paste_lines(None)


def _save(template: ReportTemplate | None) -> Response:
    stored = _stored(template)
    typed = {name: tidied(request.form.get(name, "")) for name in FIELDS}
    shown = {name: tidied(request.form.get(f"was-{name}", stored[name])) for name in FIELDS}
    mine = {name: text for name, text in typed.items() if text != shown[name]}
    merged = stored | mine
    wrong = services().report_templates.checked(merged, template=template)[1]
    problems = {name: _(problem.text, **problem.values) for name, problem in wrong.items()}
    theirs = {
        name: stored[name]
        for name in mine
        if stored[name] not in (shown[name], mine[name]) and name not in problems
    }
    if request.form.get("go") == "try":
        return _page(template, typed=typed, shown=shown, problems=problems)
    if problems or theirs:
        return _page(template, typed=merged, shown=stored, problems=problems, theirs=theirs, status=422)
    services().report_templates.keep(merged, at=services().clock(), actor=access.actor(), template=template)
    is_same = template is not None and merged == stored
    return redirect(url_for("staff_settings_reports.show", done="none" if is_same else "saved"), 303)


def _page(
    template: ReportTemplate | None,
    *,
    typed: dict[str, str] | None = None,
    shown: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    theirs: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    stored = _stored(template)
    values = stored | (typed or {})
    clinics = services().site.facts().language
    language = values["language"] if values["language"] in PAPER_LANGUAGES else clinics
    translate = PaperTemplates().translator(language)
    headings = services().report_templates.headings(
        ReportTemplate(language=values["language"], **{name: values[name] for name in HEADINGS.values()})
    )
    own = {section: translate(title) for section, title in TITLES.items()}
    body = render_template(
        "staff/settings/report_template.html",
        staff=access.staff(),
        section="reports",
        template=template,
        described=_described(template) if template else None,
        values=values,
        shown=stored | (shown or {}),
        problems=problems or {},
        theirs=theirs or {},
        changed=[],
        modalities=settings_texts.modalities(values["modality"]),
        languages=[(code, i18n.own_name(code)) for code in PAPER_LANGUAGES],
        clinics=i18n.own_name(clinics),
        sections=[
            {
                "key": section.value,
                "title": _(title),
                "own": own[section],
                "heading": headings[section.value] or own[section],
                "text": values[section],
            }
            for section, title in TITLES.items()
        ],
        language=language,
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)


def _stored(template: ReportTemplate | None) -> dict[str, str]:
    return {name: (getattr(template, name) or "") if template else "" for name in FIELDS}


def _described(template: ReportTemplate) -> dict[str, object]:
    """A template as the list and its page name it."""
    texts = [getattr(template, section) for section in Section]
    return {
        "id": template.id,
        "modality": template.modality,
        "meaning": study_texts.modality(template.modality) if template.modality else "",
        "name": template.name,
        "language": i18n.own_name(template.language) if template.language else "",
        "headings": [text for name in HEADINGS.values() if (text := getattr(template, name))],
        "first_words": next((text for text in texts if text), ""),
    }


def _template_or_404(template_id: int) -> ReportTemplate:
    return services().report_templates.get(template_id) or abort(404)
