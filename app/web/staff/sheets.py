"""Printing many access sheets at once: first what it will do to whom, then one PDF."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters.paper import LABELS
from app.adapters.pdf import RenderersBusy, RenderingFailed
from app.domain.staff import Act
from app.models import Study
from app.services.papers import Effect, GlyphsMissing, PrintRefused, Wish
from app.services.sheets import LONGEST, MOST, Plan
from app.services.site import PAPER_LANGUAGES, PAPERS
from app.web import access, i18n, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_sheets", __name__, url_prefix="/staff/sheets")


@blueprint.post("")
@allow(Who.STAFF, Act.PRINT)
def print_many() -> ResponseReturnValue:
    """``study`` (repeated) in the order of printing, or ``day=today`` for those of today that weren't printed yet;
    ``agreed=reissues`` once somebody has agreed to new codes. ``paper`` may be a label's size."""
    agreed, paper = request.form.get("agreed", ""), request.form.get("paper", "")
    wish = Wish(
        language=request.form.get("language", ""),
        paper=paper,
        with_password=bool(request.form.get("with_password")),
        agreed=Effect.REISSUES if agreed == Effect.REISSUES else Effect.SAME,
        label=paper if paper in LABELS else "",
    )
    now, is_day = services().clock(), request.form.get("day") == "today"
    studies = services().sheets.of_day(now) if is_day else _wanted()
    plan = services().sheets.plan(studies, wish, at=now, only_new=is_day)
    if not plan.is_settled(wish):
        return _ask(plan, wish, is_day=is_day)
    chosen = {study.id for study in plan.ready} | {one.study.id for one in plan.replaced}
    in_order = [study for study in studies if study.id in chosen]
    try:
        document = services().sheets.print(in_order, wish, at=now, actor=access.actor())
    except (PrintRefused, GlyphsMissing):  # somebody changed something in this very moment
        services().session.rollback()
        return _ask(services().sheets.plan(studies, wish, at=now), wish, is_day=is_day)
    except RenderersBusy:
        services().session.rollback()
        problem = _("Many pages are being printed. Nothing was changed. Please try again.")
        return _ask(plan, wish, is_day=is_day, problem=problem, status=503)
    except RenderingFailed:
        services().session.rollback()
        problem = _("This file couldn't be made. Nothing was changed; sheets printed before still work.")
        return _ask(plan, wish, is_day=is_day, problem=problem, status=500)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


def _wanted() -> list[Study]:
    """The studies that the form names, each once, in its order."""
    ids = list(dict.fromkeys(request.form.getlist("study", type=int)))[:LONGEST]
    found = {study.id: study for study in services().worklist.studies(ids)}
    return [found[study_id] for study_id in ids if study_id in found]


def _ask(plan: Plan, wish: Wish, *, is_day: bool, problem: str = "", status: int = 200) -> Response:
    """What would be printed, what not and why, and whose sheet would stop working. Nothing has happened yet."""
    site = services().site.facts()
    body = render_template(
        "staff/sheets.html",
        staff=access.staff(),
        ready=[study_texts.describe(study) for study in plan.ready],
        replaced=[study_texts.describe(one.study) | {"is_alive": one.is_alive} for one in plan.replaced],
        left_out=[study_texts.describe(study) | {"why": why.value} for study, why in plan.left_out],
        wish=wish,
        is_day=is_day,
        most=MOST,
        problem=problem,
        languages=[(code, i18n.own_name(code)) for code in PAPER_LANGUAGES],
        papers=PAPERS,
        site=site,
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)
