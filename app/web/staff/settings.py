"""What an administrator sets: the clinic's look, codes, sharing, signing in. Each page is one form.

The form carries what it showed. A field that was left alone keeps what somebody else has set meanwhile; a field that
two people changed is shown with both values, and nothing is saved until one of them has chosen.
"""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.adapters.pdf import RenderersBusy, RenderingFailed
from app.domain.dicom import parse_person_name
from app.domain.exclusion import LeftOut
from app.domain.staff import Act
from app.services import rules as site_rules
from app.services.papers import GlyphsMissing
from app.services.rules import Rules
from app.services.site import PAPER_LANGUAGES, PAPERS, PATIENT_LANGUAGES, TEXTS, Unusable
from app.web import access, brand, i18n, settings_texts, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.staff import release_form

blueprint = Blueprint("staff_settings", __name__, url_prefix="/staff/settings")

SECTIONS: dict[str, tuple[str, ...]] = {
    "clinic": ("name", "address", "phone", "colour", "paper", "language", "languages"),
    "codes": ("grant_days", "codes_paused", "code_modalities", "code_excluded"),
    "release": (*release_form.NAMES, "archive_reports"),
    "sharing": ("share_days", "share_until_revoked", "password_in_link", "link_policy", "direct_links"),
    "signing-in": ("second_factor_roles", "lock_minutes", "splash_unlocked"),
}
_LISTS = ("languages", "code_modalities", "second_factor_roles", "direct_links")
AMONG = 200


@blueprint.get("")
@allow(Who.STAFF, Act.SETTINGS)
def first() -> ResponseReturnValue:
    return _page("clinic")


@blueprint.get("/<section>")
@allow(Who.STAFF, Act.SETTINGS)
def show(section: str) -> ResponseReturnValue:
    return _page(_section_or_404(section))


@blueprint.post("/<section>")
@allow(Who.STAFF, Act.SETTINGS)
def save(section: str) -> ResponseReturnValue:
    names, stored = SECTIONS[_section_or_404(section)], _stored()
    typed = {name: _typed(name) for name in names}
    shown = {name: _tidy(request.form.get(f"was-{name}", stored[name])) for name in names}
    mine = {name: typed[name] for name in names if typed[name] != shown[name]}
    problems = _problems(mine)
    theirs = {
        name: stored[name]
        for name in mine
        if stored[name] != shown[name] and stored[name] != mine[name] and name not in problems
    }
    if request.form.get("go") == "try":
        return _page(section, typed=typed, shown=shown, problems=problems)
    if problems or theirs:
        # What nobody typed here is shown as it is now; what two people changed awaits a choice.
        rest = {name: stored[name] for name in names if name not in mine}
        now_shown = {name: stored[name] for name in names}
        return _page(
            section, typed=typed | rest, shown=now_shown, problems=problems, theirs=theirs, status=422
        )
    at, actor = services().clock(), access.actor()
    changed = [
        name
        for name, text in mine.items()
        if name in TEXTS and services().site.set(name, text, at=at, actor=actor)
    ]
    changed += services().rules.set(
        {name: text for name, text in mine.items() if name not in TEXTS}, at=at, actor=actor
    )
    return redirect(url_for("staff_settings.show", section=section, changed=",".join(changed) or "none"), 303)


@blueprint.post("/logo")
@allow(Who.STAFF, Act.SETTINGS)
def logo() -> ResponseReturnValue:
    at, actor = services().clock(), access.actor()
    if request.form.get("go") == "remove":
        services().site.remove_logo(at=at, actor=actor)
        return redirect(url_for("staff_settings.show", section="clinic", changed="logo-removed"), 303)
    upload = request.files.get("logo")
    image = upload.read() if upload else b""
    try:
        if not image:
            raise Unusable(_("Choose a file first."))
        services().site.set_logo(image, at=at, actor=actor)
    except Unusable as problem:
        return _page("clinic", problems={"logo": _(problem.text)}, status=422)
    return redirect(url_for("staff_settings.show", section="clinic", changed="logo"), 303)


@blueprint.get("/colour")
@allow(Who.STAFF, Act.SETTINGS)
def colour() -> ResponseReturnValue:
    """How a colour would look, for the page's sample."""
    wanted = request.args.get("colour", "")
    sample = brand.sample(wanted)
    return jsonify(sample | {"text": settings_texts.contrast(sample)}) if sample else abort(404)


@blueprint.post("/sample")
@allow(Who.STAFF, Act.SETTINGS)
def sample() -> ResponseReturnValue:
    """A sheet of nobody in the look that stands in the form, saved or not."""
    typed = {name: _typed(name) for name in SECTIONS["clinic"]}
    shown = {name: _tidy(request.form.get(f"was-{name}", "")) for name in SECTIONS["clinic"]}
    values, wrong = services().site.checked({name: typed[name] for name in TEXTS})
    if wrong:
        problems = {name: _(problem.text, **problem.values) for name, problem in wrong.items()}
        return _page("clinic", typed=typed, shown=shown, problems=problems, status=422)
    try:
        facts = services().site.with_(values)
        document = services().papers.sample(facts, at=services().clock())
    except GlyphsMissing as missing:
        problem = _(
            "The fonts of this computer lack these characters: %(characters)s.",
            characters=" ".join(missing.characters[:20]),
        )
        return _page("clinic", typed=typed, shown=shown, problems={"name": problem}, status=422)
    except (RenderersBusy, RenderingFailed):
        problem = _("The sample couldn't be made just now. Nothing was changed.")
        return _page("clinic", typed=typed, shown=shown, problems={"sample": problem}, status=503)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


def _page(
    section: str,
    *,
    typed: dict[str, str] | None = None,
    shown: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    theirs: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    stored, now = _stored(), services().rules.now()
    problems = problems or {}
    values = stored | (typed or {})
    body = render_template(
        f"staff/settings/{section.replace('-', '_')}.html",
        staff=access.staff(),
        section=section,
        values=values,
        shown=stored | (shown or {}),
        problems=problems,
        theirs=theirs or {},
        changed=settings_texts.effects(request.args.get("changed", ""), now, services().grants.life),
        defaults=Rules(),
        installation_days=services().settings.grant_life.days,
        **_more(section, values, problems),
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)


def _more(section: str, values: dict[str, str], problems: dict[str, str]) -> dict[str, object]:
    """What one page shows beside its fields."""
    if section == "clinic":
        sample = brand.sample(values["colour"]) or brand.sample(brand.FALLBACK)
        assert sample is not None
        return {
            "languages": [(code, i18n.own_name(code)) for code in PATIENT_LANGUAGES],
            "paper_languages": [(code, i18n.own_name(code)) for code in PAPER_LANGUAGES],
            "papers": PAPERS,
            "has_logo": services().site.facts().logo is not None,
            "contrast": settings_texts.contrast(sample),
        }
    if section == "release":
        usable = {name: values[name] for name in release_form.NAMES if name not in problems}
        wanted, _wrong = services().rules.checked(usable)
        return {
            "images": release_form.cells(values["release_images"]),
            "report": release_form.cells(values["release_report"]),
            "rows": release_form.rows(values["release_by_modality"]),
            "choices": release_form.choices(),
            "examples": release_form.examples(wanted.release, at=services().clock()),
        }
    if section == "sharing":
        return {"policies": settings_texts.policies(), "link_types": settings_texts.link_types()}
    if section == "signing-in":
        return {"without": services().rules.without_second_factor()}
    if section == "codes":
        wanted, _wrong = services().rules.checked(
            {name: values[name] for name in SECTIONS["codes"] if name not in problems}
        )
        left_out = services().ingestion.would_leave_out(replace(wanted, codes_paused=False), among=AMONG)
        return {
            "modalities": settings_texts.modalities(values["code_modalities"]),
            "among": AMONG,
            "left_out": [
                study_texts.describe(study)
                | {"name": parse_person_name(study.patient_name).shown, "is_patient": why is LeftOut.PATIENT}
                for study, why in left_out
            ],
        }
    return {}


def _stored() -> dict[str, str]:
    """Every setting as a form shows it."""
    facts, rules = services().site.facts(), services().rules.now()
    texts = {name: str(getattr(facts, name)) for name in TEXTS}
    texts |= {name: site_rules.write(getattr(rules, name)) for name in site_rules.NAMES}
    texts["code_excluded"] = "\n".join(rules.code_excluded)
    return {name: _tidy(text) for name, text in texts.items()}


def _typed(name: str) -> str:
    form: MultiDict[str, str] = request.form
    if name in release_form.NAMES:
        return release_form.typed(name, form)
    if name in site_rules.NAMES and isinstance(getattr(Rules, name), bool):
        return "yes" if form.get(name) else "no"
    if name == "languages" and set(form.getlist(name)) >= set(PATIENT_LANGUAGES):
        return ""  # all: those of later versions too
    if name in _LISTS:
        return site_rules.write(_in_order(name, form.getlist(name)))
    if name == "link_policy" and name not in form:
        return form.get("was-link_policy") or site_rules.write(services().rules.now().link_policy)
    text = _tidy(form.get(name, ""))
    if name == "grant_days" and not text:
        return "0"
    return text


def _in_order(name: str, ticked: list[str]) -> tuple[str, ...]:
    """As stored, or as ticked where it can't be: then it is told so."""
    try:
        value: tuple[str, ...] = site_rules.read(name, ",".join(ticked))
    except Unusable:
        value = tuple(ticked)
    return value


def _tidy(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _problems(typed: dict[str, str]) -> dict[str, str]:
    """What can't be used, in the reader's words."""
    wrong = services().site.checked({name: text for name, text in typed.items() if name in TEXTS})[1]
    wrong |= services().rules.checked({name: text for name, text in typed.items() if name not in TEXTS})[1]
    return {name: _(problem.text, **problem.values) for name, problem in wrong.items()}


def _section_or_404(section: str) -> str:
    return section if section in SECTIONS else abort(404)
