"""A study's page as it is drawn, whatever was done on it: its report, its grants, its story."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from app.domain.dicom import parse_person_name
from app.domain.grants import Kind, Policy
from app.domain.staff import Act
from app.models import Grant, Study
from app.services.grants import Paper
from app.services.papers import OF_PATIENTS
from app.services.site import PAPER_LANGUAGES, PAPERS
from app.services.timeline import Page
from app.web import (
    access,
    event_texts,
    grant_texts,
    i18n,
    opened_by_texts,
    release_texts,
    report_texts,
    study_texts,
)
from app.web.context import services

blueprint = Blueprint("staff_study", __name__, url_prefix="/staff/study")


def page(study: Study, *, problem: str = "", status: int = 200, **more: Any) -> Response:
    """The page of a study. ``more`` says what just went wrong; ``problem`` is its sentence."""
    now, grants = services().clock(), services().grants.of_study(study)
    current = services().grants.current(study)
    site = services().site.facts()
    timeline = services().timeline.of_study(study, grants, before=request.args.get("before", type=int))
    body = render_template(
        "staff/study.html",
        staff=access.staff(),
        study=study,
        title=study_texts.describe(study)["title"],
        patient_name=parse_person_name(study.patient_name).shown,
        grant=current,
        now=now,
        is_expired=current is not None and current.expires_at is not None and current.expires_at <= now,
        effect=services().papers.effect(study, at=now).value,
        ends_with=services().grants.ends_with(current, at=now) if current else [],
        can_replace=current is not None and services().papers.effect(study, at=now) == "same",
        **_grants(grants, current),
        **_opened_by(study, at=now),
        **release_texts.for_staff(study, at=now),
        delivery=services().deliveries.of(study) if Act.READ in access.acts() else None,
        **events(timeline, grants, url_for("staff_study.show", study_id=study.id)),
        others=[
            study_texts.describe(other) | {"study": other} for other in services().timeline.others(study)
        ],
        languages=[(code, i18n.own_name(code)) for code in PAPER_LANGUAGES],
        papers=PAPERS,
        site=site,
        done=request.args.get("done", ""),
        problem=problem,
        open_archives=services().archives.open_ones(),
        **_written(study),
        **more,
    )
    return make_response(body, status)


def _written(study: Study) -> dict[str, Any]:
    """What the page shows of the report; for whoever may not read reports nothing but where it stands."""
    reports = services().reports
    versions = reports.versions(study)
    draft = next((one for one in versions if not one.is_signed), None)
    may_read = Act.READ in access.acts()
    return {
        "versions": versions if may_read else [],
        "draft": draft,
        "draft_writer": reports.writer(draft) if draft else "",
        "signed": next((one for one in versions if one.is_signed), None),
        "brought": reports.brought(study) if may_read else {},
        "kept_aside": reports.aside(study, access.staff()) is not None,
        "parts": {one.id: report_texts.parts(one) for one in versions} if may_read else {},
    }


def _grants(grants: list[Grant], current: Grant | None) -> dict[str, Any]:
    """The grants that open the study: the patient's first, then the others, newest first; ended ones apart."""
    now, rules = services().clock(), services().rules.now()
    names = services().timeline.names(grant.issued_by for grant in grants)
    ordered = sorted(grants, key=lambda grant: (grant is not current, -grant.id))
    straight = services().share_tokens.straight(ordered)
    described = [
        grant_texts.describe(grant, at=now, names=names, straight=straight.get(grant.id)) for grant in ordered
    ]
    return {
        "grants": [one for one in described if not one.is_revoked],
        "revoked_grants": [one for one in described if one.is_revoked],
        "extensions": {grant.ref: grant_texts.extensions(grant, rules, at=now) for grant in grants},
    }


def _opened_by(study: Study, *, at: datetime) -> dict[str, Any]:
    """The rules that open the study now."""
    found = services().rules_of_study.of(study, at=at)
    names = services().timeline.names(row.last_by for row in found.rows)
    return {
        "opened_by": opened_by_texts.described(found.rows, study, names),
        "is_more_opened_by": found.is_more,
    }


def events(timeline: Page, grants: list[Grant], here: str) -> dict[str, Any]:
    """The story for templates: who did what when. Through a grant, its holder is named."""
    holders = {grant.id: grant_texts.whom(grant) for grant in grants}
    return {
        "timeline": [
            {
                "at": entry.at,
                "who": holders.get(entry.grant_id or 0) or entry.details.get("rule", "")
                if entry.actor == "holder"
                else event_texts.actor_text(entry.actor, timeline.names),
                "text": event_texts.event_text(entry.event, entry.details),
                "is_opening": entry.event in event_texts.OPENINGS,
                # Of several grants, which one an act of staff was about.
                "about": holders.get(entry.grant_id or 0, "")
                if len(grants) > 1 and entry.actor != "holder"
                else "",
            }
            for entry in timeline.entries
        ],
        "earlier": f"{here}?before={timeline.next_before}#timeline" if timeline.next_before else None,
        "is_later_hidden": "before" in request.args,
    }


def grant_page(
    grant: Grant, *, paper: Paper | None = None, problem: str = "", status: int = 200, ask: str = ""
) -> Response:
    """The page of one grant. ``paper``: with code and password uncovered. ``ask``: the question whether to
    revoke or confirm, in place of the other actions."""
    now, rules = services().clock(), services().rules.now()
    is_theirs = may_hand_on(grant)
    names = services().timeline.names([grant.issued_by])
    here = url_for("staff_grants.show", ref=grant.ref)
    story = services().timeline.of_grant(grant, before=request.args.get("before", type=int))
    body = render_template(
        "staff/grant.html",
        staff=access.staff(),
        rule=services().tag_rules.of_grant(grant.id) if grant.kind == Kind.GROUP else None,
        grant=grant_texts.describe(
            grant, at=now, names=names, straight=services().share_tokens.straight([grant]).get(grant.id)
        ),
        may={act.value for act in access.acts() if is_theirs or act not in (Act.PRINT, Act.SHARE)},
        extensions={grant.ref: grant_texts.extensions(grant, rules, at=now) if is_theirs else []},
        paper=paper,
        link=services().sharing.link(paper) if paper else "",
        ask=ask,
        what_ends=grant_texts.what_ends(grant),
        ends_with=services().grants.ends_with(grant, at=now),
        given_by=services().grants.by_id(grant.parent_id) if grant.parent_id else None,
        asks_password=Policy(grant.policy).asks_password,
        is_printable=grant.kind in OF_PATIENTS,
        languages=[(code, i18n.own_name(code)) for code in PAPER_LANGUAGES],
        site=services().site.facts(),
        suspension=grant.suspension,
        was=_was(grant),
        problem=problem,
        done=request.args.get("done", ""),
        back=request.values.get("study", type=int),
        **events(story, [grant], here),
        open_archives=services().archives.open_ones(),
    )
    return make_response(body, status)


def may_hand_on(grant: Grant) -> bool:
    """Whether who is signed in may show, mail or extend a code: a group's, which opens thousands of studies without a
    name in the trail, only those who make rules."""
    return grant.kind != Kind.GROUP or Act.SETTINGS in access.acts()


def _was(grant: Grant) -> dict[str, str] | None:
    """Who the images were of before, where another identity is why the grant is suspended."""
    before = grant.identity_before
    return {"name": parse_person_name(before[0]).shown, "id": before[1]} if before else None


def study_or_404(study_id: int) -> Study:
    return services().worklist.study(study_id) or abort(404)
