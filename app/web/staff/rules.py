"""Rules for DICOM tags: one rule, changing it, a new code, its sheet, its end.

Each act says first what it will do to whom; what can't be undone asks on a page of its own. All of them: rules_list;
making one: rules_new.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.pdf import RenderersBusy, RenderingFailed, RenderingTookTooLong
from app.domain.permissions import Permission
from app.domain.staff import Act
from app.models import TagRule
from app.services.grants import Paper
from app.services.papers import GlyphsMissing
from app.services.rule_list import Row
from app.services.tag_keys import Wanted
from app.services.worklist import LARGEST_ID
from app.web import access, grant_texts, rule_texts, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.landing_form import FieldError
from app.web.staff import rule_form
from app.web.staff.rule_form import Typed
from app.web.staff.study_page import events

blueprint = Blueprint("staff_rules", __name__, url_prefix="/staff/rules")

SHOWN = 10  # studies on a rule's page


@blueprint.get("/<int:rule_id>")
@allow(Who.STAFF, Act.SETTINGS)
def show(rule_id: int) -> ResponseReturnValue:
    return _page(row_or_404(rule_id))


@blueprint.get("/<int:rule_id>/progress")
@allow(Who.STAFF, Act.SETTINGS, is_poll=True)
def progress(rule_id: int) -> ResponseReturnValue:
    """The parts of the page that change while studies are matched in the background."""
    row = row_or_404(rule_id)
    return render_template("staff/rules/polled.html", one=described(row), **_listed(row.rule))


@blueprint.get("/<int:rule_id>/change")
@allow(Who.STAFF, Act.SETTINGS)
def change_form(rule_id: int) -> ResponseReturnValue:
    rule = _going_on_or_404(rule_id)
    return _change_page(rule, rule_form.of(rule, services().tag_rules.members(rule)))


@blueprint.post("/<int:rule_id>/change")
@allow(Who.STAFF, Act.SETTINGS)
def change(rule_id: int) -> ResponseReturnValue:
    rule, typed = _going_on_or_404(rule_id), rule_form.read_change(request.form)
    if problems := rule_form.about_days(typed) + rule_form.about_people(typed):
        return _change_page(rule, typed, problems, status=422)
    has_changed = services().tag_rules.change(
        rule,
        name=typed.name,
        back_days=typed.back_days,
        may_give_on=typed.may_give_on,
        announce_to=typed.announce_to,
        members=members(typed),
        at=services().clock(),
        actor=access.actor(),
    )
    return _done(rule_id, "changed" if has_changed else "same")


@blueprint.get("/<int:rule_id>/code")
@allow(Who.STAFF, Act.SETTINGS)
def ask_to_rotate(rule_id: int) -> ResponseReturnValue:
    _going_on_or_404(rule_id)
    return _page(row_or_404(rule_id), ask="code")


@blueprint.post("/<int:rule_id>/code")
@allow(Who.STAFF, Act.SETTINGS)
def rotate(rule_id: int) -> ResponseReturnValue:
    rule = _going_on_or_404(rule_id)
    paper = services().tag_rules.rotate(rule, at=services().clock(), actor=access.actor())
    if paper is None:
        return abort(404)
    return handed_over(rule, paper, "rotated")


@blueprint.get("/<int:rule_id>/end")
@allow(Who.STAFF, Act.SETTINGS)
def ask_to_end(rule_id: int) -> ResponseReturnValue:
    _going_on_or_404(rule_id)
    return _page(row_or_404(rule_id), ask="end")


@blueprint.post("/<int:rule_id>/end")
@allow(Who.STAFF, Act.SETTINGS)
def end(rule_id: int) -> ResponseReturnValue:
    services().tag_rules.end(_going_on_or_404(rule_id), at=services().clock(), actor=access.actor())
    return _done(rule_id, "ended")


@blueprint.post("/<int:rule_id>/sheet")
@allow(Who.STAFF, Act.SETTINGS, Act.PRINT)
def print_sheet(rule_id: int) -> ResponseReturnValue:
    rule = _going_on_or_404(rule_id)
    try:
        document = services().rule_papers.sheet(rule, at=services().clock(), actor=access.actor())
    except GlyphsMissing as missing:
        text = _(
            "These characters can't be printed with the fonts of this computer: %(characters)s."
            " Nothing was changed.",
            characters=" ".join(missing.characters[:20]),
        )
        return _page(row_or_404(rule_id), problem=text, status=422)
    except (RenderersBusy, RenderingFailed, RenderingTookTooLong):
        text = _("The sheet couldn't be made just now. Nothing was changed; please try again.")
        return _page(row_or_404(rule_id), problem=text, status=503)
    if document is None:
        text = _("Code and password can't be shown any more. Make new ones first.")
        return _page(row_or_404(rule_id), problem=text, status=409)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


def handed_over(rule: TagRule, paper: Paper, done: str) -> Response:
    """After a code was made: the rule's page, where it can be uncovered; or, where nothing is sealed, code and password
    once, in the answer to the form."""
    if paper.grant.sealed is not None:
        return _done(rule.id, done)
    body = render_template(
        "staff/rules/once.html",
        staff=access.staff(),
        rule=rule,
        code=paper.code.grouped,
        password=paper.password.grouped,
        link=services().sharing.link(paper),
        expires_at=paper.grant.expires_at,
        open_archives=services().archives.open_ones(),
    )
    return make_response(body)


def described(row: Row) -> dict[str, Any]:
    """A rule as list and page show it."""
    wanted = Wanted.of(row.rule)
    return {
        "row": row,
        "rule": row.rule,
        "tag": rule_texts.tag(row.rule.tag),
        "how": rule_texts.how(wanted),
        "wanted": wanted.values,
        "count": rule_texts.count(row),
        "back": rule_texts.back(row.rule.back_days),
    }


def members(typed: Typed) -> list[int]:
    """The accounts that were ticked and exist; a device is nobody's."""
    there = {row.person.id for row in services().staff_list.people(at=services().clock())}
    return [one for one in typed.members if one in there]


def row_or_404(rule_id: int) -> Row:
    return (
        services().rule_list.one(rule_id, at=services().clock()) if rule_id <= LARGEST_ID else None
    ) or abort(404)


def _going_on_or_404(rule_id: int) -> TagRule:
    rule = row_or_404(rule_id).rule
    return rule if rule.ended_at is None else abort(404)


def _done(rule_id: int, done: str) -> Response:
    return redirect(url_for("staff_rules.show", rule_id=rule_id, done=done), 303)


def _page(row: Row, *, ask: str = "", problem: str = "", status: int = 200) -> Response:
    now, rule = services().clock(), row.rule
    grant = services().grants.by_id(rule.grant_id)
    names = services().timeline.names([rule.made_by, grant.issued_by])
    story = services().timeline.of_grant(grant, before=request.args.get("before", type=int))
    waiting, waits_since = services().announcements.waiting(rule)
    body = render_template(
        "staff/rules/rule.html",
        staff=access.staff(),
        one=described(row),
        grant=grant_texts.describe(grant, at=now, names=names),
        allows=rule_texts.allows(Permission.from_names(grant.permissions)),
        paper=None,
        link="",
        members=services().tag_rules.members(rule),
        given_on=len(services().grants.given_on([grant])),
        **_listed(rule),
        waiting=waiting,
        waits_since=waits_since,
        ask=ask,
        problem=problem,
        done=request.args.get("done", ""),
        **events(story, [grant], url_for("staff_rules.show", rule_id=rule.id)),
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)


def _listed(rule: TagRule) -> dict[str, Any]:
    newest = services().rule_studies.page(rule, at=services().clock()).rows
    shown = [study_texts.describe(each.study) | {"study": each.study} for each in newest[:SHOWN]]
    return {"listed": shown, "are_there_more": len(newest) > SHOWN}


def _change_page(
    rule: TagRule, typed: Typed, problems: list[FieldError] | None = None, *, status: int = 200
) -> Response:
    body = render_template(
        "staff/rules/change.html",
        staff=access.staff(),
        one=described(row_or_404(rule.id)),
        typed=typed,
        errors=problems or [],
        **rule_form.choices(typed),
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)
