"""Sharing studies with somebody who isn't the patient: the form, the mail, the list of what is shared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.dicom import parse_person_name
from app.domain.grants import Kind
from app.domain.permissions import PATIENT, Permission
from app.domain.share_links import INSTANT
from app.domain.staff import Act
from app.models import Study
from app.services.grants import Paper
from app.services.sharing import MOST_STUDIES, Mailing, Problem, Wish, has_birth_date, is_of_several_people
from app.services.site import LANGUAGES
from app.services.worklist import LARGEST_ID
from app.web import access, grant_texts, i18n, share_texts, study_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.staff.study_page import may_hand_on

blueprint = Blueprint("staff_share", __name__, url_prefix="/staff")

UNTIL_REVOKED = "until-revoked"
DEFAULT_DAYS = 30


@blueprint.get("/share")
@allow(Who.STAFF, Act.SHARE)
def form() -> ResponseReturnValue:
    return _form(_studies_or_404(), _unasked())


@blueprint.post("/share")
@allow(Who.STAFF, Act.SHARE)
def share() -> ResponseReturnValue:
    studies, now = _studies_or_404(), services().clock()
    wish = _wish(len(studies))
    made = services().sharing.share(studies, wish, at=now, actor=access.actor())
    if isinstance(made, list):
        return _form(studies, wish, problems=made, status=422)
    ref, is_sealed = made.grant.ref, made.grant.sealed is not None
    mailing = _mail(made, wish.address) if wish.by_mail else None
    if not is_sealed:
        return _once(made, mailing)  # nobody can show code and password a second time
    if mailing in (None, Mailing.SENT):
        done = "mailed" if mailing else "shared"
        return redirect(url_for("staff_grants.show", ref=ref, done=done), 303)
    return _mail_page(made, wish.address, failed=mailing, is_fresh=True)


@blueprint.get("/grant/<ref>/mail")
@allow(Who.STAFF, Act.SHARE)
def mail_form(ref: str) -> ResponseReturnValue:
    paper = _mailable_or_404(ref)
    return _mail_page(paper, "") if paper else redirect(url_for("staff_grants.show", ref=ref), 303)


@blueprint.post("/grant/<ref>/mail")
@allow(Who.STAFF, Act.SHARE)
def mail(ref: str) -> ResponseReturnValue:
    paper, address = _mailable_or_404(ref), request.form.get("address", "").strip()[:300]
    if paper is None:
        return redirect(url_for("staff_grants.show", ref=ref), 303)
    mailing = _mail(paper, address)
    if mailing is Mailing.SENT:
        return redirect(url_for("staff_grants.show", ref=ref, done="mailed"), 303)
    return _mail_page(paper, address, failed=mailing)


@blueprint.get("/shares")
@allow(Who.STAFF, Act.SHARE)
def shares() -> ResponseReturnValue:
    now, before = services().clock(), request.args.get("before", type=int)
    page = services().sharing.live(at=now, before=min(before, LARGEST_ID) if before else None)
    more = url_for("staff_share.shares", before=page.next_before) if page.next_before else None
    straight = services().share_tokens.straight(page.grants)
    return render_template(
        "staff/shares.html",
        staff=access.staff(),
        shares=[
            {
                "grant": grant,
                "kind": share_texts.kind(grant.kind),
                "way": grant_texts.way(grant, straight.get(grant.id)),
                "asks": "" if grant.id in straight else grant_texts.asks(grant),
                "is_click": straight.get(grant.id) in INSTANT,
                "archive": grant.issued_by.removeprefix("archive:") if grant.kind == Kind.LINK else "",
                "people": list(dict.fromkeys(_name(study) for study in grant.studies)),
                "studies": [study_texts.describe(study)["title"] for study in grant.studies],
            }
            for grant in page.grants
        ],
        more=more,
        open_archives=services().archives.open_ones(),
    )


def _mail(paper: Paper, address: str) -> Mailing:
    return services().sharing.mail(
        paper,
        address,
        language=request.form.get("language", ""),
        sharer=access.staff().name,
        at=services().clock(),
        actor=access.actor(),
    )


def _studies_or_404() -> list[Study]:
    """The studies that the address or the form names, each once; all of them exist."""
    told = request.values.getlist("study", type=int)
    ids = list(dict.fromkeys(told))
    if len(ids) > MOST_STUDIES:
        return abort(413)
    if not ids or not all(0 < study_id <= LARGEST_ID for study_id in ids):
        return abort(404)
    found = services().sharing.studies(ids)
    return found if len(found) == len(ids) else abort(404)


def _mailable_or_404(ref: str) -> Paper | None:
    """None: a share whose code can't be mailed any more; its page says why."""
    grant = services().grants.by_ref(ref)
    if grant is None or grant.kind == Kind.PATIENT or not may_hand_on(grant):
        return abort(404)
    return services().sharing.mailable(grant, at=services().clock())


def _unasked() -> Wish:
    """What stands in the form before anybody has touched it."""
    days = services().rules.now().share_days
    return Wish(label="", days=DEFAULT_DAYS if DEFAULT_DAYS in days else days[0])


def _wish(count: int) -> Wish:
    fields = request.form
    kind, told = fields.get("kind", ""), fields.get("days", "")
    permissions = Permission.NONE
    for flag in PATIENT:
        if fields.get(str(flag.name).lower()):
            permissions |= flag
    # What is no number of days is no duration of the clinic's either.
    days = None if told == UNTIL_REVOKED else int(told) if told.isdecimal() and len(told) < 6 else 0
    return Wish(
        label=" ".join(fields.get("label", "").split()),
        kind=Kind(kind) if kind in share_texts.kinds(count) else Kind.PHYSICIAN,
        permissions=permissions,
        days=days,
        asks_birth_date=bool(fields.get("asks_birth_date")),
        is_several_people_meant=bool(fields.get("several_people")),
        by_mail=fields.get("how") == "mail",
        address=fields.get("address", "").strip()[:300],
    )


def _form(
    studies: list[Study], wish: Wish, *, problems: list[Problem] | None = None, status: int = 200
) -> Response:
    rules, sharing = services().rules.now(), services().sharing
    body = render_template(
        "staff/share.html",
        staff=access.staff(),
        studies=[_described(study, sharing.held_back(studies)) for study in studies],
        people=list(dict.fromkeys(_name(study) for study in studies)),
        several_people=is_of_several_people(studies),
        has_birth_date=has_birth_date(studies),
        wish=wish,
        allows=wish.permissions.names.split(","),
        kinds=[(kind.value, share_texts.kind(kind)) for kind in share_texts.kinds(len(studies))],
        days=rules.share_days,
        until_revoked=UNTIL_REVOKED if rules.share_until_revoked else None,
        errors=[share_texts.error(problem) for problem in problems or []],
        **_about_mail(),
    )
    return make_response(body, status)


def _described(study: Study, held_back: set[int]) -> dict[str, Any]:
    title = study_texts.describe(study)["title"]
    return {"study": study, "name": _name(study), "title": title, "is_held_back": study.id in held_back}


def _name(study: Study) -> str:
    return parse_person_name(study.patient_name).shown


def _letters(offered: Sequence[str]) -> Sequence[str]:
    """The languages of letters among those that the clinic offers; all, where there is none."""
    return [code for code in LANGUAGES if code in offered] or LANGUAGES


def _about_mail() -> dict[str, Any]:
    rules = services().rules.now()
    return {
        "mail_on": services().sharing.is_mail_on,
        "password_in_link": rules.password_in_link,
        "languages": [(code, i18n.own_name(code)) for code in _letters(rules.languages)],
        "language": request.form.get("language") or services().site.facts().letters_language,
        "open_archives": services().archives.open_ones(),
    }


def _mail_page(
    paper: Paper, address: str, *, failed: Mailing | None = None, is_fresh: bool = False
) -> Response:
    """The form for a mail; after a failure with the reason, and what was typed."""
    body = render_template(
        "staff/share_mail.html",
        staff=access.staff(),
        ref=paper.grant.ref,
        label=paper.grant.label,
        address=address,
        problem=share_texts.mailing(failed) if failed else "",
        is_about_address=failed in (Mailing.BAD_ADDRESS, Mailing.REFUSED),
        is_fresh=is_fresh,
        **_about_mail(),
    )
    return make_response(body, share_texts.status(failed) if failed else 200)


def _once(paper: Paper, mailing: Mailing | None) -> Response:
    """Code and password in the answer to the form, where nothing is sealed for a second look."""
    body = render_template(
        "staff/share_done.html",
        staff=access.staff(),
        ref=paper.grant.ref,
        label=paper.grant.label,
        code=paper.code.grouped,
        password=paper.password.grouped,
        link=services().sharing.link(paper),
        expires_at=paper.grant.expires_at,
        mailed=mailing is Mailing.SENT,
        problem=share_texts.mailing(mailing) if mailing not in (None, Mailing.SENT) else "",
        open_archives=services().archives.open_ones(),
    )
    return make_response(body)
