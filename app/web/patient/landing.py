"""The landing page: the one form, the proof, and what is said when it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response

from app.domain.dicom import parse_person_name
from app.services.audit import StoreUnavailable
from app.services.proof import Outcome
from app.services.site import PATIENT_LANGUAGES
from app.services.visits import LiveVisit
from app.web import access, i18n, landing_form
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.csrf import csrf
from app.web.i18n import _
from app.web.patient import blueprint, images, studies

LONGEST_WAIT_SECONDS = 120


@blueprint.get("/")
@allow(Who.EVERYBODY)
def landing() -> ResponseReturnValue:
    # During a visit the portal's address is the way back from the viewer; ?another asks for the form.
    live = services().visits.find(access.visit_key(), at=services().clock())
    if isinstance(live, LiveVisit) and "another" not in request.args:
        return i18n.remember(redirect(studies.first_page(live), 303))
    return i18n.remember(_form(landing_form.Typed()))


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
        typed = replace(typed, again=services().proof.second_chance(read, at=now))
        return _form(typed, refusal=_refusal(verdict.outcome), status=403)
    return _begin(verdict.grant_id)


def _begin(grant_id: int) -> ResponseReturnValue:
    now, visits = services().clock(), services().visits
    before = visits.find(access.visit_key(), at=now)
    if isinstance(before, LiveVisit) and "join" in request.form:
        both = visits.add(before, grant_id, address=caller_address(), at=now)
        return redirect(studies.first_page(both), 303)
    if isinstance(before, LiveVisit):
        visits.end(before, address=caller_address(), at=now)
    live, key = visits.begin(grant_id, address=caller_address(), at=now)
    if request.form.get("go") == "study" or len(live.studies) != 1 or live.groups:
        response = redirect(studies.first_page(live), 303)
    else:
        response = images.open_images(live, live.studies[0])
    access.set_key(response, "visit", key)
    return response


def wait_page(title: str, seconds: int, status: int) -> Response:
    """The form as it was typed, for when it couldn't be looked at now: it sends itself again after ``seconds``.

    Not for waits that nobody sits out, and not where the password, which is never given back, is missing.
    """
    typed = landing_form.typed(request.form)
    by_itself = seconds < LONGEST_WAIT_SECONDS and not typed.with_password
    go = "study" if request.form.get("go") == "study" else "images"
    wait = {"title": title, "seconds": seconds, "by_itself": by_itself, "go": go}
    return _form(typed, wait=wait, status=status)


def _form(
    typed: landing_form.Typed,
    *,
    wait: dict[str, Any] | None = None,
    errors: list[landing_form.FieldError] | None = None,
    refusal: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    body = render_template(
        "patient/landing.html",
        form=typed,
        errors=errors or [],
        refusal=refusal,
        wait=wait,
        joined=_joined(),
        code_length=services().settings.code_symbols + 1,
        languages=[(code, i18n.own_name(code)) for code in i18n.offered()],
        picture_language=_with_picture(str(i18n.locale())),
        home=services().settings.base_url,
        another="another" in request.args,
    )
    return make_response(body, status)


def _joined() -> list[str] | None:
    """Whose studies are open where another sheet's code is to be added to them; None: it stands alone.

    Only where somebody asked for that: on a shared computer the next person's code ends what was open before.
    """
    if request.args.get("another") != "add" and "join" not in request.form:
        return None
    try:
        live = services().visits.find(access.visit_key(), at=services().clock())
    except StoreUnavailable:  # the page that asks to wait says enough
        return None
    if not isinstance(live, LiveVisit):
        return None
    g.visit = live  # a page of the visit, with its way out
    names = [parse_person_name(study.patient_name).shown for study in live.studies]
    return list(dict.fromkeys([*names, *(part.rule.name for part in live.groups if part.rule)]))


def _with_picture(language: str) -> str:
    """The language of the picture of the sheet: the default language of an installation may have none."""
    return language if language in PATIENT_LANGUAGES else "en"


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
