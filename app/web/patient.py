"""The patient's pages: the way in, the study, the light look, the way out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response

from app.adapters import viewers
from app.adapters.orthanc import ArchiveUnreachable
from app.domain.study import GateState
from app.models import Study
from app.services.proof import Outcome
from app.services.visits import LiveVisit
from app.web import access, brand, i18n, landing_form, study_texts
from app.web.access import Who, allow
from app.web.context import archive_of, caller_address, services
from app.web.csrf import csrf
from app.web.i18n import _

blueprint = Blueprint("patient", __name__)


@blueprint.get("/brand.css")
@allow(Who.EVERYBODY)
def brand_css() -> ResponseReturnValue:
    response = make_response(brand.stylesheet(services().settings.brand_colour))
    response.mimetype = "text/css"
    response.cache_control.public = True
    response.cache_control.max_age = 3600
    return response


@blueprint.get("/")
@allow(Who.EVERYBODY)
def landing() -> ResponseReturnValue:
    # During a visit the portal's address is the way back from the viewer; ?another asks for the form.
    live = services().visits.find(access.visit_key(), at=services().clock())
    if isinstance(live, LiveVisit) and "another" not in request.args:
        return redirect(url_for("patient.study", study_id=live.studies[0].id), 303)
    return _form(landing_form.Typed())


@blueprint.post("/", endpoint="prove")
@csrf.exempt  # type: ignore[untyped-decorator]  # checked below: an old page must not cost what was typed
@allow(Who.EVERYBODY)
def prove() -> ResponseReturnValue:
    typed = landing_form.typed(request.form)
    try:
        csrf.protect()
    except CSRFError:
        return _form(
            typed,
            status=400,
            refusal={
                "title": _("Please press the button once more"),
                "paragraphs": [_("This page was open for a long time, or cookies are switched off.")],
            },
        )
    now, settings = services().clock(), services().settings
    read = landing_form.read(
        request.form, address=caller_address(), today=now.date(), data_symbols=settings.code_symbols
    )
    if isinstance(read, list):
        return _form(typed, errors=read, status=422)
    verdict = services().proof.check(read, at=now)
    if verdict.outcome is not Outcome.OPENED or verdict.grant_id is None:
        return _form(typed, refusal=_refusal(verdict.outcome), status=403)
    return _begin(verdict.grant_id)


def _begin(grant_id: int) -> ResponseReturnValue:
    now, visits = services().clock(), services().visits
    before = visits.find(access.visit_key(), at=now)
    if isinstance(before, LiveVisit):
        visits.end(before, address=caller_address(), at=now)
    live, key = visits.begin(grant_id, address=caller_address(), at=now)
    study = live.studies[0]
    if request.form.get("go") == "study":
        response = redirect(url_for("patient.study", study_id=study.id), 303)
    else:
        response = _to_images(live, study)
    access.set_key(response, "visit", key)
    return response


def _form(
    typed: landing_form.Typed,
    *,
    errors: list[landing_form.FieldError] | None = None,
    refusal: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    body = render_template(
        "patient/landing.html",
        form=typed,
        errors=errors or [],
        refusal=refusal,
        code_length=services().settings.code_symbols + 1,
    )
    return make_response(body, status)


def _refusal(outcome: Outcome) -> dict[str, Any]:
    """Words for a refusal. The first is one answer for unknown, wrong and locked; the others are said only
    to somebody who proved everything."""
    match outcome:
        case Outcome.EXPIRED:
            title, text = _("This sheet is too old"), _("The clinic can print a new one for you.")
        case Outcome.REVOKED:
            title = _("The clinic or the patient has ended this access.")
            text = _("If you have a newer sheet, use the code on that one.")
        case Outcome.SUSPENDED:
            title = _("The clinic has to check this study first")
            text = _("Something about the patient was changed, so we keep the study closed for now.")
        case Outcome.NOT_YET_RELEASED:
            title, text = (
                _("This study is not open yet"),
                _("Please try again later; your code stays the same."),
            )
        case _:
            title = _("We couldn't open a study with that code and birth date.")
            text = _("Check the sheet, and wait a little if you tried several times.")
    return {"title": title, "paragraphs": [text]}


@blueprint.get("/study/<int:study_id>")
@allow(Who.VISITOR)
def study(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = _study_or_404(live, study_id)
    settings = services().settings
    viewer = viewers.VIEWERS[settings.archive(archive_of(shown)).viewer]
    return render_template(
        "patient/study.html",
        study=study_texts.describe(shown),
        viewer={"label": viewer.label, "available": True, "why_not": ""},
        unavailable=_why_unavailable(shown),
        permissions=study_texts.permissions(live.permissions),
        expires_text=_("This access ends on %(date)s.", date=i18n.show_date(live.grant.expires_at.date())),
        other_studies=[study_texts.describe(other) for other in live.studies if other.id != shown.id],
    )


@blueprint.post("/study/<int:study_id>/viewer")
@allow(Who.VISITOR)
def viewer(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    return _to_images(live, _study_or_404(live, study_id))


def _to_images(live: LiveVisit, study: Study) -> Response:
    """To the viewer with a fresh token, to the light look on a narrow screen that the viewer is no good on,
    or to the study's page where it says why there are no images."""
    if _why_unavailable(study):
        return redirect(url_for("patient.study", study_id=study.id), 303)
    settings = services().settings.archive(archive_of(study))
    chosen = viewers.VIEWERS[settings.viewer]
    if _is_narrow() and chosen.narrow is None:
        return redirect(url_for("patient.look", study_id=study.id), 303)
    token = services().visits.issue_viewer_token(live, study, address=caller_address(), at=services().clock())
    address = viewers.address(
        chosen,
        public_url=settings.public_url,
        uid=study.study_instance_uid,
        orthanc_id=study.orthanc_id,
        token=token,
        is_narrow=_is_narrow(),
    )
    assert address is not None
    return redirect(address, 303)


def _is_narrow() -> bool:
    """Under 600 CSS px: told by the page's script, else guessed from what the browser says of itself."""
    if told := request.form.get("narrow"):
        return told == "1"
    if hint := request.headers.get("Sec-CH-UA-Mobile"):
        return hint == "?1"
    return "Mobi" in request.headers.get("User-Agent", "")


def _why_unavailable(study: Study) -> str | None:
    """ "gone", "unreachable", "unsafe", or None when the images can be shown."""
    if study.deleted_at is not None:
        return "gone"
    state = services().archives.gate_state(archive_of(study), at=services().clock())
    return {GateState.GUARDED: None, GateState.OPEN: "unsafe"}.get(state, "unreachable")


@blueprint.get("/study/<int:study_id>/look")
@allow(Who.VISITOR)
def look(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = _study_or_404(live, study_id)
    if _why_unavailable(shown):
        return redirect(url_for("patient.study", study_id=study_id), 303)
    listed = services().look.series(archive_of(shown), shown)
    first = next((series.number for series in listed if series.pictures), None)
    series_number = request.args.get("series", first, type=int)
    picture_number = request.args.get("image", None, type=int)
    current = study_texts.position(shown, listed, series_number, picture_number)
    if current is None and first is not None:
        return redirect(url_for("patient.look", study_id=study_id), 303)
    if "image" not in request.args:  # turning the pages of one look is one opening
        services().visits.note_look(live, shown, address=caller_address(), at=services().clock())
    return render_template(
        "patient/look.html",
        study=study_texts.describe(shown),
        series=[study_texts.describe_series(series) for series in listed],
        current=current,
    )


@blueprint.get("/study/<int:study_id>/look/<int:series>/<int:number>.jpg")
@allow(Who.VISITOR)
def picture(study_id: int, series: int, number: int) -> ResponseReturnValue:
    shown = _study_or_404(access.visit(), study_id)
    if shown.deleted_at is not None:
        abort(404)
    try:
        found = services().look.picture(archive_of(shown), shown, series, number)
    except ArchiveUnreachable:
        return Response(status=503, headers={"Retry-After": "5"})
    if found is None:
        return Response(status=415)  # not 404: to the page's script that means that the visit is over
    media_type, body = found
    return Response(body, mimetype=media_type)


@blueprint.post("/done")
@allow(Who.EVERYBODY)
def leave() -> ResponseReturnValue:
    now = services().clock()
    live = services().visits.find(access.visit_key(), at=now)
    if isinstance(live, LiveVisit):
        services().visits.end(live, address=caller_address(), at=now)
    response = redirect(url_for("patient.done"), 303)
    access.drop_key(response, "visit")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@blueprint.get("/done")
@allow(Who.EVERYBODY)
def done() -> ResponseReturnValue:
    return render_template("patient/done.html")


def _study_or_404(live: LiveVisit, study_id: int) -> Study:
    """A study that isn't this visit's looks like one that doesn't exist."""
    return live.study(study_id) or abort(404)
