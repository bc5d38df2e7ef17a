"""The study's page during a visit, and the way out."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.domain.report import Source
from app.models import Study
from app.services.visits import LiveVisit
from app.web import access, examination_texts, i18n, release_texts, study_texts
from app.web import images as shared
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.patient import blueprint, download, images, studies


@blueprint.get("/study/<int:study_id>")
@allow(Who.VISITOR)
def study(study_id: int) -> ResponseReturnValue:
    live = access.visit()
    shown = images.study_or_404(live, study_id)
    release = images.released(live, shown)
    unavailable = images.why_unavailable(shown, live, release)
    permissions = study_texts.permissions(live.permissions_on(shown))
    return render_template(
        "patient/study.html",
        study=study_texts.describe(shown) | examination_texts.examined(shown),
        ways=None if unavailable else shared.ways(shown),
        has_preview=not unavailable
        and examination_texts.has_pictures(shown)
        and images.by_rule(live, shown) is None,
        unavailable=unavailable,
        permissions=permissions,
        expires_text=study_texts.expires_text([part.grant for part in live.parts_of(shown)]),
        report=_report(shown) if permissions["report"] and release.report.is_out else None,
        may_download=download.is_possible(live, shown),
        comes=release_texts.for_patient(release),
        may_give_on=services().giving_on.giver(live, shown) is not None,
        is_owner=services().giving_on.is_owner(live, shown),
        studies_url=studies.way_up(live, shown),
    )


def _report(study: Study) -> dict[str, Any] | None:
    """What the page says of the report that stands; of an earlier version only that there was one."""
    signed = services().reports.signed(study)
    if signed is None or signed.signed_at is None:
        return None
    is_amended, signed_on = signed.version > 1, i18n.show_date(i18n.local(signed.signed_at).date())
    says = _("Amended on %(date)s by %(name)s.") if is_amended else _("Signed on %(date)s by %(name)s.")
    return {
        "is_pdf_alone": signed.source == Source.BROUGHT,
        "is_amended": is_amended,
        "says": says % {"date": signed_on, "name": signed.signed_name},
    }


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
