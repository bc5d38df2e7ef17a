"""The patient's own hand over a study: who opened it, letting a doctor in, taking that back, stopping all of it.

Code and password of somebody let in stand once, in the answer to the form, and nowhere else. Whoever may not give on
meets the page that isn't there.
"""

from __future__ import annotations

from typing import Any

from flask import abort, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters import qr
from app.domain.permissions import PATIENT, Permission
from app.models import Grant, Study
from app.services.giving_on import DAYS, Problem, Wish
from app.services.grants import Paper
from app.services.rules_of_study import Row
from app.services.visits import LiveVisit, Part
from app.web import access, control_texts, study_texts
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.patient import blueprint, images

MAX_TYPED = 200  # characters of a field that are given back


@blueprint.get("/study/<int:study_id>/openings")
@allow(Who.VISITOR)
def openings(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    study = images.study_or_404(live, study_id)
    before = request.args.get("before", type=int)
    page = services().openings.of(live, study, before=before)
    return render_template(
        "patient/openings.html",
        study=study_texts.describe(study),
        days=control_texts.by_day(page.openings, _own(live)),
        is_everybody=page.is_everybody,
        named=control_texts.named(_named(study)) if page.is_everybody and before is None else [],
        is_later_hidden=before is not None,
        earlier=url_for("patient.openings", study_id=study.id, before=page.before) if page.before else None,
        may_give_on=services().giving_on.is_owner(live, study),
    )


@blueprint.get("/study/<int:study_id>/share")
@allow(Who.VISITOR)
def share(study_id: int) -> ResponseReturnValue:
    live, study, part = _giver_or_404(study_id)
    wish = Wish("", part.permissions & (Permission.VIEW | Permission.REPORT))
    return _share_page(live, study, part, wish)


@blueprint.post("/study/<int:study_id>/share")
@allow(Who.VISITOR)
def give(study_id: int) -> ResponseReturnValue:
    live, study, part = _giver_or_404(study_id)
    wish, now, giving_on = _wish(), services().clock(), services().giving_on
    # Sent once more, by "Back" or by reloading the page with the code: that makes no second one.
    if request.form.get("after", "") != _newest(giving_on.given(live, study, at=now)):
        return _share_page(live, study, part, wish, is_again=True, status=409)
    made = giving_on.give(live, study, wish, at=now, address=caller_address())
    if isinstance(made, list):
        return _share_page(live, study, part, wish, problems=made, status=422)
    return _once(study, made)


@blueprint.get("/study/<int:study_id>/share/<ref>/end")
@allow(Who.VISITOR)
def ask_to_take_back(study_id: int, ref: str) -> ResponseReturnValue:
    live, study, _part = _giver_or_404(study_id)
    found = services().giving_on.given(live, study, at=services().clock())
    grant = next((one for one in found if one.ref == ref), None) or abort(404)
    return render_template(
        "patient/take_back.html", study=study_texts.describe(study), given=control_texts.given(grant)
    )


@blueprint.post("/study/<int:study_id>/share/<ref>/end")
@allow(Who.VISITOR)
def take_back(study_id: int, ref: str) -> ResponseReturnValue:
    live, study, _part = _giver_or_404(study_id)
    services().giving_on.take_back(live, study, ref, at=services().clock())
    # One that has ended meanwhile is ended all the same.
    return redirect(url_for("patient.share", study_id=study.id, done="ended"), 303)


@blueprint.get("/study/<int:study_id>/stop")
@allow(Who.VISITOR)
def ask_to_stop(study_id: int) -> ResponseReturnValue:
    live, study = _owner_or_404(study_id)
    reach = services().giving_on.reach(live, study, at=services().clock())
    return render_template(
        "patient/stop.html",
        study=study_texts.describe(study),
        given=[control_texts.given(grant) for grant in reach.given],
        goes_on=[
            *((control_texts.who(grant, _own(live)), grant.label) for grant in reach.goes_on),
            *((one["who"], one["label"]) for one in control_texts.named(_named(study))),
        ],
        others=[study_texts.describe(one) for one in _opened_by(reach.own) if one.id != study.id],
    )


@blueprint.post("/study/<int:study_id>/stop")
@allow(Who.VISITOR)
def stop(study_id: int) -> ResponseReturnValue:
    live, study = _owner_or_404(study_id)
    now, own_code_too = services().clock(), request.form.get("own") == "close"
    described = study_texts.describe(study)
    goes_on = [*services().giving_on.reach(live, study, at=now).goes_on, *_named(study)]
    ended = services().giving_on.stop_all(live, study, own_code_too=own_code_too, at=now)
    is_over = own_code_too and all(part in live.parts_of(study) for part in live.parts)
    if is_over:
        g.pop("visit")  # the page is none of a visit's any more
    response = make_response(
        render_template(
            "patient/stopped.html",
            study=described,
            ended=ended,
            own_code_too=own_code_too,
            is_over=is_over,
            goes_on=len(goes_on),
        )
    )
    if is_over:
        access.drop_key(response, "visit")
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def _giver_or_404(study_id: int) -> tuple[LiveVisit, Study, Part]:
    live = access.visit()
    study = images.study_or_404(live, study_id)
    return live, study, services().giving_on.giver(live, study) or abort(404)


def _owner_or_404(study_id: int) -> tuple[LiveVisit, Study]:
    """Whose study it is; those whom a tag names may let a colleague in, and stop nobody else."""
    live = access.visit()
    study = images.study_or_404(live, study_id)
    return (live, study) if services().giving_on.is_owner(live, study) else abort(404)


def _own(live: LiveVisit) -> set[int]:
    return {part.grant.id for part in live.parts}


def _named(study: Study) -> list[Row]:
    """The rules through which those whom the study names can open it."""
    return services().rules_of_study.of(study, at=services().clock()).open


def _opened_by(grants: list[Grant]) -> list[Study]:
    return list({study.id: study for grant in grants for study in grant.studies}.values())


def _newest(given: list[Grant]) -> str:
    return given[0].ref if given else ""


def _wish() -> Wish:
    told, permissions = request.form.get("days", ""), Permission.NONE
    for flag in PATIENT:
        if request.form.get(str(flag.name).lower()):
            permissions |= flag
    days = int(told) if told in {str(days) for days in DAYS} else 0
    return Wish(request.form.get("label", "").strip()[:MAX_TYPED], permissions, days)


def _share_page(
    live: LiveVisit,
    study: Study,
    part: Part,
    wish: Wish,
    *,
    problems: list[Problem] | None = None,
    is_again: bool = False,
    status: int = 200,
) -> Response:
    given = services().giving_on.given(live, study, at=services().clock())
    body = render_template(
        "patient/share.html",
        study=study_texts.describe(study),
        wish=wish,
        is_owner=services().giving_on.is_owner(live, study),
        choices=control_texts.choices(part.permissions),
        chosen=wish.permissions.names.split(","),
        days=DAYS,
        ends=control_texts.until(part.grant) if part.grant.expires_at else "",
        given=[control_texts.given(grant) for grant in given],
        after=_newest(given),
        errors=[control_texts.error(problem) for problem in problems or []],
        is_again=is_again,
        done=request.args.get("done", "") if status == 200 else "",
    )
    return make_response(body, status)


def _once(study: Study, paper: Paper) -> Response:
    """Code and password for whom they are: shown now and never again."""
    link = services().sharing.link(paper)
    context: dict[str, Any] = {
        "study": study_texts.describe(study),
        "given": control_texts.given(paper.grant),
        "code": paper.code.grouped,
        "password": paper.password.grouped,
        "link": link,
        "address": services().settings.base_url.partition("://")[2],
        "qr": qr.svg(link, title=_("QR code with the link")),
    }
    return make_response(render_template("patient/shared.html", **context))
