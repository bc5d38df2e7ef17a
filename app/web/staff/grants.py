"""One grant for staff: its page, its code for a moment, and what can be done with it.

Each act says first what it will do to whom; what can't be undone asks on a page of its own.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, abort, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.adapters.pdf import RenderersBusy, RenderingFailed, RenderingTookTooLong
from app.domain.staff import Act
from app.models import Grant
from app.services.papers import GlyphsMissing, Wish
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.staff.study_page import grant_page, may_hand_on

blueprint = Blueprint("staff_grants", __name__, url_prefix="/staff/grant")

# How long code and password stay on a page that no script covers again.
SHOWN_SECONDS = 60


@blueprint.get("/<ref>")
@allow(Who.STAFF, Act.SEE)
def show(ref: str) -> ResponseReturnValue:
    return grant_page(_grant_or_404(ref))


@blueprint.post("/<ref>/code")
@allow(Who.STAFF, Act.PRINT)
def show_code(ref: str) -> ResponseReturnValue:
    grant = _to_hand_on_or_404(ref)
    paper = services().grants.show(grant, at=services().clock(), actor=access.actor())
    if paper is None:
        problem = _("Code and password can't be shown any more. Printing makes new ones.")
        return grant_page(grant, problem=problem, status=409)
    response = grant_page(grant, paper=paper)
    response.headers["Refresh"] = f"{SHOWN_SECONDS}; url={url_for('staff_grants.show', ref=ref)}"
    return response


@blueprint.post("/<ref>/sheet")
@allow(Who.STAFF, Act.PRINT)
def print_sheet(ref: str) -> ResponseReturnValue:
    """The sheet that was handed out, once more, in the browser's own viewer: it lists what the code opens."""
    grant = _grant_or_404(ref)
    wish = Wish(request.form.get("language", ""), with_password=bool(request.form.get("with_password")))
    try:
        document = services().papers.sheet_of(grant, wish, at=services().clock(), actor=access.actor())
    except (GlyphsMissing, RenderersBusy, RenderingFailed, RenderingTookTooLong) as error:
        is_busy = isinstance(error, RenderersBusy)
        problem = (
            _("Many pages are being printed. Please try again.")
            if is_busy
            else _("This page couldn't be made. Nothing was changed; the sheet printed before still works.")
        )
        return grant_page(grant, problem=problem, status=503 if is_busy else 500)
    if document is None:
        return grant_page(grant, problem=_("There is no sheet to print for this access now."), status=409)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


@blueprint.post("/<ref>/extend")
@allow(Who.STAFF, Act.GRANTS)
def extend(ref: str) -> ResponseReturnValue:
    grant, now, rules = _to_hand_on_or_404(ref), services().clock(), services().rules.now()
    wanted = request.form.get("until", "")
    if wanted == "revoked" and rules.share_until_revoked:
        until = None
    elif wanted in {str(days) for days in rules.share_days}:
        until = now + timedelta(days=int(wanted))
    else:
        return grant_page(grant, problem=_("Choose how much longer it works."), status=422)
    if not services().grants.extend(grant, until, at=now, actor=access.actor()):
        return grant_page(grant, problem=_("It would not end later than it does now."), status=409)
    return _back(grant, "extended")


@blueprint.get("/<ref>/revoke")
@allow(Who.STAFF, Act.GRANTS)
def ask_to_revoke(ref: str) -> ResponseReturnValue:
    return grant_page(_grant_or_404(ref), ask="revoke")


@blueprint.post("/<ref>/revoke")
@allow(Who.STAFF, Act.GRANTS)
def revoke(ref: str) -> ResponseReturnValue:
    grant = _grant_or_404(ref)
    services().grants.revoke(grant, at=services().clock(), actor=access.actor())
    return _back(grant, "revoked")


@blueprint.post("/<ref>/unlock")
@allow(Who.STAFF, Act.GRANTS)
def unlock(ref: str) -> ResponseReturnValue:
    grant = _grant_or_404(ref)
    services().grants.unlock(grant, at=services().clock(), actor=access.actor())
    return _back(grant, "unlocked")


@blueprint.get("/<ref>/confirm")
@allow(Who.STAFF, Act.GRANTS)
def ask_to_confirm(ref: str) -> ResponseReturnValue:
    return grant_page(_grant_or_404(ref), ask="confirm")


@blueprint.post("/<ref>/confirm")
@allow(Who.STAFF, Act.GRANTS)
def confirm(ref: str) -> ResponseReturnValue:
    grant = _grant_or_404(ref)
    if not request.form.get("checked"):
        problem = _("Say that you have checked whose study this is.")
        return grant_page(grant, ask="confirm", problem=problem, status=422)
    services().grants.confirm(grant, at=services().clock(), actor=access.actor())
    return _back(grant, "confirmed")


@blueprint.post("/<ref>/end-visits")
@allow(Who.STAFF, Act.GRANTS)
def end_visits(ref: str) -> ResponseReturnValue:
    grant = _grant_or_404(ref)
    services().visits.end_all(grant.id, at=services().clock(), actor=access.actor())
    return _back(grant, "visits-ended")


def _back(grant: Grant, done: str) -> ResponseReturnValue:
    """To the page of the study that the act was done from, or the grant's own."""
    study_id = request.form.get("study", type=int)
    if study_id in {study.id for study in grant.studies}:
        return redirect(url_for("staff_study.show", study_id=study_id, done=done), 303)
    return redirect(url_for("staff_grants.show", ref=grant.ref, done=done), 303)


def _to_hand_on_or_404(ref: str) -> Grant:
    grant = _grant_or_404(ref)
    return grant if may_hand_on(grant) else abort(404)


def _grant_or_404(ref: str) -> Grant:
    return services().grants.by_ref(ref) or abort(404)
