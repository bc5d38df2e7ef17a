"""My studies: what rules for DICOM tags open to somebody with an account, whatever their role. Images, report, no more.

Whoever may see all studies finds here those that name them. Another's rule, and a study that isn't in the list (any
more), look like a page that doesn't exist.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.grants import Kind, Standing
from app.domain.permissions import Permission
from app.models import Study, TagRule
from app.services.member_openings import NotTheirs
from app.web import access, i18n, images, sealed, tag_texts
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.patient import group

blueprint = Blueprint("staff_mine", __name__, url_prefix="/staff/mine")


@blueprint.get("")
@allow(Who.STAFF)
def first() -> ResponseReturnValue:
    rules = _mine()
    if rules:
        return redirect(url_for("staff_mine.show", rule_id=rules[0].id), 303)
    return render_template("staff/mine.html", staff=access.staff(), rule=None, rules=[])


@blueprint.get("/<int:rule_id>")
@allow(Who.STAFF)
def show(rule_id: int) -> ResponseReturnValue:
    rule, permissions = _rule_or_404(rule_id)
    text, before = sealed.unseal(request.args.get("q", "")), group.before()
    page = services().rule_studies.page(rule, text=text, before=before, at=services().clock())
    here: dict[str, Any] = {"rule_id": rule.id, "q": sealed.seal(text) or None}
    older = group.older(page)
    return render_template(
        "staff/mine.html",
        staff=access.staff(),
        rule=rule,
        rules=_mine(),
        opens=tag_texts.opens(rule),
        rows=group.described(page.rows),
        may_view=Permission.VIEW in permissions,
        may_read=Permission.REPORT in permissions,
        text=text,
        newest=url_for("staff_mine.show", **here) if before else None,
        older=url_for("staff_mine.show", **here, before=older) if older else None,
        problem=request.args.get("problem", ""),
    )


@blueprint.post("/<int:rule_id>/search")
@allow(Who.STAFF)
def search(rule_id: int) -> ResponseReturnValue:
    rule, _permissions = _rule_or_404(rule_id)
    text = sealed.typed(request.form.get("q", ""))
    return redirect(url_for("staff_mine.show", rule_id=rule.id, q=sealed.seal(text) or None), 303)


@blueprint.post("/<int:rule_id>/<int:study_id>/viewer")
@allow(Who.STAFF)
def viewer(rule_id: int, study_id: int) -> ResponseReturnValue:
    rule, study = _study_or_404(rule_id, study_id, Permission.VIEW)
    why = images.why_unavailable(study)
    if why is None and not images.suits_viewer(study):
        return redirect(url_for("staff_mine.look", rule_id=rule.id, study_id=study.id), 303)
    if why:
        return redirect(url_for("staff_mine.show", rule_id=rule.id, problem="unreachable"), 303)
    try:
        token = services().member_openings.viewer_token(rule, study, access.staff_session(), **_by())
    except NotTheirs:  # ended at this very moment
        return abort(404)
    return images.to_viewer(study, token)


@blueprint.get("/<int:rule_id>/<int:study_id>/look")
@allow(Who.STAFF)
def look(rule_id: int, study_id: int) -> ResponseReturnValue:
    rule, study = _study_or_404(rule_id, study_id, Permission.VIEW)
    here = url_for("staff_mine.look", rule_id=rule.id, study_id=study.id)
    back = url_for("staff_mine.show", rule_id=rule.id)
    context = images.look_context(study, images.Place(here, back, here, is_staff=True))
    if context is None:
        return redirect(here, 303)
    services().member_openings.note_look(rule, study, **_by())
    return images.look_page(context)


@blueprint.get("/<int:rule_id>/<int:study_id>/look/<int:series>/<int:number>.jpg")
@allow(Who.STAFF)
def picture(rule_id: int, study_id: int, series: int, number: int) -> ResponseReturnValue:
    rule, study = _study_or_404(rule_id, study_id, Permission.VIEW)
    began_at, by = access.staff_session().begun_at, access.actor()
    if not services().openings.has_looked(study, rule.grant_id, actor=by, since=began_at):
        abort(404)  # the page that shows it is on record, and nothing is shown that isn't
    return images.picture(study, series, number)


@blueprint.get("/<int:rule_id>/<int:study_id>/report.pdf")
@allow(Who.STAFF)
def report(rule_id: int, study_id: int) -> ResponseReturnValue:
    rule, study = _study_or_404(rule_id, study_id, Permission.REPORT)
    at = services().clock()
    signed = services().reports.signed(study)
    if signed is None or not services().releases.seen_by(Kind.GROUP, [study], at=at)[study.id].report.is_out:
        return abort(404)
    services().member_openings.note_reading(rule, study, signed.version, **_by())
    document = services().papers.report_for_patient(study, signed, language=str(i18n.locale()), at=at)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


def _by() -> dict[str, Any]:
    return {"actor": access.actor(), "address": caller_address(), "at": services().clock()}


def _mine() -> list[TagRule]:
    """The rules that are for whoever is signed in, and open now: a rule's end and its suspension are its grant's."""
    at, grants = services().clock(), services().grants
    rules = services().tag_rules.of_member(access.staff())
    return [rule for rule in rules if grants.by_id(rule.grant_id).standing(at) is Standing.OPEN]


def _rule_or_404(rule_id: int) -> tuple[TagRule, Permission]:
    rule = next((rule for rule in _mine() if rule.id == rule_id), None) or abort(404)
    return rule, Permission.from_names(services().grants.by_id(rule.grant_id).permissions)


def _study_or_404(rule_id: int, study_id: int, wanted: Permission) -> tuple[TagRule, Study]:
    rule, permissions = _rule_or_404(rule_id)
    if wanted not in permissions or study_id >= 2**31:
        abort(404)
    return rule, services().rule_studies.one(rule, study_id, at=services().clock()) or abort(404)
