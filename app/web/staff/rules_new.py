"""Making a rule for a DICOM tag: the form, the preview that comes before saving, values while somebody types.

Refuses to save what nobody has looked at: a preview of exactly these values has to have been on the page.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.dicom import clean_text, parse_person_name
from app.domain.permissions import Permission
from app.domain.staff import Act
from app.models import Study, TagRule
from app.services import tag_keys
from app.services.sharing import LONGEST_LABEL
from app.services.tag_keys import Wanted
from app.web import access, rule_texts, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.landing_form import FieldError
from app.web.staff import rule_form
from app.web.staff.rule_form import LONGEST_VALUE, Typed
from app.web.staff.rules import blueprint, handed_over, members, row_or_404


@blueprint.get("/new")
@allow(Who.STAFF, Act.SETTINGS)
def form() -> ResponseReturnValue:
    """Empty; or filled with what another rule asks for (``like``), which goes on."""
    other = request.args.get("like", type=int)
    if other is None:
        return _page(rule_form.fresh())
    rule = row_or_404(other).rule
    permissions = Permission.from_names(services().grants.by_id(rule.grant_id).permissions)
    return _page(rule_form.like(rule, services().tag_rules.members(rule), permissions), like=rule)


@blueprint.post("/new")
@allow(Who.STAFF, Act.SETTINGS)
def make() -> ResponseReturnValue:
    typed, go = rule_form.read(request.form), request.form.get("go", "look")
    if near := clean_text(request.form.get("add", ""))[:LONGEST_VALUE]:
        added = replace(typed, values=tuple(dict.fromkeys((*typed.values, near))))
        return _looked(added)
    if go != "save":
        return _looked(typed)
    if problems := rule_form.problems(typed):
        return _page(typed, problems, status=422)
    if request.form.get("looked") != typed.digest:
        text = _("Something was changed since you looked. Look at what matches now, then make the rule.")
        return _page(typed, [FieldError("preview", text)], status=409)
    now = services().clock()
    rule, paper = services().tag_rules.make(
        typed.name,
        typed.wanted,
        permissions=typed.permissions,
        back_days=typed.back_days,
        may_give_on=typed.may_give_on,
        announce_to=typed.announce_to,
        members=members(typed),
        life=timedelta(days=typed.days) if typed.days is not None else None,
        at=now,
        actor=access.actor(),
    )
    return handed_over(rule, paper, "made")


@blueprint.post("/values")
@allow(Who.STAFF, Act.SETTINGS)
def values() -> ResponseReturnValue:
    """Values that a tag has had, for the field in which somebody types one."""
    tag, text = request.form.get("tag", "")[:64], clean_text(request.form.get("text", ""))[:LONGEST_VALUE]
    return jsonify(services().rule_preview.offered(tag, text))


def _looked(typed: Typed) -> Response:
    problems = rule_form.about_matching(typed)
    if not problems and not typed.name:
        typed = replace(typed, name=rule_texts.for_whom(typed.values[0], typed.wanted.how)[:LONGEST_LABEL])
    return _page(typed, problems, status=422 if problems else 200)


def _page(
    typed: Typed, problems: list[FieldError] | None = None, *, like: TagRule | None = None, status: int = 200
) -> Response:
    problems = problems or []
    can_look = bool(typed.values) and not rule_form.about_matching(typed)
    wanted = typed.wanted
    preview = (
        services().tag_rules.preview(wanted, back_days=typed.back_days, at=services().clock())
        if can_look
        else None
    )
    body = render_template(
        "staff/rules/new.html",
        staff=access.staff(),
        typed=typed,
        allows=typed.permissions.names.split(","),
        errors=problems,
        like=like,
        preview=preview,
        newest=[_shown(study, wanted) for study in preview.newest] if preview else [],
        warnings=rule_texts.warnings(wanted, preview) if preview else [],
        tag_in_words=rule_texts.tag(wanted.tag),
        back_in_words=rule_texts.back(typed.back_days),
        how_in_words=rule_texts.how(wanted),
        **rule_form.choices(typed),
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)


def _shown(study: Study, wanted: Wanted) -> dict[str, object]:
    return {
        "study": study,
        "name": parse_person_name(study.patient_name).shown,
        "title": study_texts.describe(study)["title"],
        "value": tag_keys.tag_text(study, wanted.tag),
    }
