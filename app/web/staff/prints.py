"""Printing from a study's page: the access sheet and the report with the code on it."""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, make_response, request
from flask.typing import ResponseReturnValue

from app.adapters.paper import LABELS
from app.adapters.pdf import RenderersBusy, RenderingFailed, RenderingTookTooLong
from app.adapters.pdf_files import Place
from app.domain.staff import Act
from app.models import Study
from app.services.papers import Document, Effect, GlyphsMissing, PrintRefused, Wish
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _
from app.web.staff import study_page
from app.web.staff.study_page import blueprint, study_or_404


@blueprint.post("/<int:study_id>/sheet")
@allow(Who.STAFF, Act.PRINT)
def print_sheet(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    return _print(
        study, lambda wish: services().papers.sheet(study, wish, at=services().clock(), actor=access.actor())
    )


@blueprint.post("/<int:study_id>/report/print")
@allow(Who.STAFF, Act.PRINT, Act.READ)
def print_report(study_id: int) -> ResponseReturnValue:
    study = study_or_404(study_id)
    report = services().reports.signed(study) or abort(404)
    return _print(
        study,
        lambda wish: services().papers.report(
            study, report, wish, at=services().clock(), actor=access.actor()
        ),
    )


def _print(study: Study, make: Callable[[Wish], Document]) -> ResponseReturnValue:
    """The PDF in the browser's own viewer, or this study's page saying why there is none."""
    agreed, label, place = (request.form.get(name, "") for name in ("agreed", "label", "place"))
    wish = Wish(
        language=request.form.get("language", ""),
        paper=request.form.get("paper", ""),
        with_password=bool(request.form.get("with_password")),
        agreed=Effect(agreed) if agreed in list(Effect) else Effect.SAME,
        replaces=request.form.get("replaces", "")[:16],
        label=label if label in LABELS else "",
        place=Place(place) if place in list(Place) else Place.FRONT,
    )
    try:
        document = make(wish)
    except PrintRefused as refused:
        field = "agreed" if refused.effect is Effect.REISSUES else ""
        return study_page.page(study, print_problem=_refusal(refused.effect), print_field=field, status=409)
    except GlyphsMissing as missing:
        text = _(
            "These characters can't be printed with the fonts of this computer: %(characters)s."
            " Nothing was changed.",
            characters=" ".join(missing.characters[:20]),
        )
        return study_page.page(study, print_problem=text, status=422)
    except RenderersBusy:
        text = _("Many pages are being printed. Please try again.")
        return study_page.page(study, print_problem=text, status=503)
    except (RenderingFailed, RenderingTookTooLong):
        text = _("This page couldn't be made. Nothing was changed; the sheet printed before still works.")
        return study_page.page(study, print_problem=text, status=500)
    response = make_response(document.pdf)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=document.name)
    return response


def _refusal(effect: Effect) -> str:
    if effect is Effect.REFUSED:
        return _("This study's access is suspended. Check whose study it is before anything is printed.")
    return _("Printing makes a new code: the sheet printed before stops working. Agree to that first.")
