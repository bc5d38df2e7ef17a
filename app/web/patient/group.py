"""The list of those whom a DICOM tag names: every study that their rule opens, newest first; images, report, no more.

Before the list comes once a visit what its code and password mean. A search comes as POST and answers with the address
of its page, in which the text is sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.models import TagRule
from app.services.rule_studies import Page, Row
from app.services.visits import LiveVisit, Part
from app.web import access, images, sealed, study_texts, tag_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.patient import blueprint

UNDERSTOOD = "understood"  # in the browser's session: the visit that began with the warning


@blueprint.get("/list/<int:rule_id>")
@allow(Who.VISITOR)
def group(rule_id: int) -> ResponseReturnValue:
    live = access.visit()
    part, rule = _part_or_404(live, rule_id)
    if session.get(UNDERSTOOD) != live.leader_id:
        return render_template("patient/group_warning.html", rule=rule, opens=tag_texts.opens(rule))
    text, since = sealed.unseal(request.args.get("q", "")), before()
    page = services().rule_studies.page(rule, text=text, before=since, at=services().clock())
    here: dict[str, Any] = {"rule_id": rule.id, "q": sealed.seal(text) or None}
    next_page = older(page)
    return render_template(
        "patient/group.html",
        rule=rule,
        opens=tag_texts.opens(rule),
        rows=described(page.rows),
        permissions=study_texts.permissions(part.permissions),
        may_view=Permission.VIEW in part.permissions,
        text=text,
        newest=url_for("patient.group", **here) if since else None,
        older=url_for("patient.group", **here, before=next_page) if next_page else None,
        all_lists=url_for("patient.studies") if len(live.groups) + len(live.studies) > 1 else None,
        expires_text=study_texts.expires_text([part.grant]),
        is_matching=rule.match_below is not None,
    )


@blueprint.post("/list/<int:rule_id>/search")
@allow(Who.VISITOR)
def search_group(rule_id: int) -> ResponseReturnValue:
    _part, rule = _part_or_404(access.visit(), rule_id)
    text = sealed.typed(request.form.get("q", ""))
    return redirect(url_for("patient.group", rule_id=rule.id, q=sealed.seal(text) or None), 303)


@blueprint.post("/list/<int:rule_id>/understood")
@allow(Who.VISITOR)
def understood(rule_id: int) -> ResponseReturnValue:
    live = access.visit()
    _part, rule = _part_or_404(live, rule_id)
    session[UNDERSTOOD] = live.leader_id
    return redirect(url_for("patient.group", rule_id=rule.id), 303)


def _part_or_404(live: LiveVisit, rule_id: int) -> tuple[Part, TagRule]:
    for part in live.groups:
        if part.rule is not None and part.rule.id == rule_id:
            return part, part.rule
    return abort(404)


def described(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Nobody asks the archives here: whether one answers shows when a study is opened."""
    seen = services().releases.seen_by(Kind.GROUP, [row.study for row in rows], at=services().clock())
    # By archive: where its viewer is no good on a narrow screen, both ways would lead to the light look.
    one_of = {row.study.archive_id: row.study for row in rows}
    suits = {archive: images.ways(study)["viewer_when_narrow"] for archive, study in one_of.items()}
    return [
        study_texts.describe(row.study)
        | {
            "is_new": row.is_new,
            "has_report": seen[row.study.id].report.is_out,
            "date": row.study.study_date,
            "has_two_ways_when_narrow": suits[row.study.archive_id],
        }
        for row in rows
    ]


def older(page: Page) -> str | None:
    """Where the next page of a list begins, for its address."""
    return "{:%Y%m%d}.{}".format(*page.next_before) if page.next_before else None


def before() -> tuple[date, int] | None:
    """Where a page of the list begins: "20261120.31", the day and the number of the study before it."""
    day, _dot, number = request.args.get("before", "").partition(".")
    try:
        return date.fromisoformat(day), max(0, min(int(number), 2**31 - 1))
    except ValueError:
        return None
