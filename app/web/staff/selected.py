"""What is done to several studies of the list at once. Extending and ending codes first say whose, on an own page.

The way back goes to the list as it was: its address travels along, and only its known parts are used.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.staff import Act
from app.services.rules import Rules
from app.services.selection import MOST
from app.web import access, sealed
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_selected", __name__, url_prefix="/staff/studies")

UNTIL_REVOKED = "revoked"


@blueprint.post("/share")
@allow(Who.STAFF, Act.SHARE, changes=True)
def share() -> ResponseReturnValue:
    """Changes nothing yet: a form that names the studies in its address needs no more than these."""
    ids = _ids()
    return redirect(url_for("staff_share.form", study=ids), 303) if ids else _back()


@blueprint.get("/extend")
@allow(Who.STAFF, Act.GRANTS, changes=True)
def ask_to_extend() -> ResponseReturnValue:
    return _ask("extend", services().rules.now())


@blueprint.post("/extend")
@allow(Who.STAFF, Act.GRANTS, changes=True)
def extend() -> ResponseReturnValue:
    """From the list: to the page that asks. From that page: do it."""
    if "agreed" not in request.form:
        return _to_ask("staff_selected.ask_to_extend")
    now, rules, wanted = services().clock(), services().rules.now(), request.form.get("until", "")
    if wanted not in _choices(rules):
        return _ask("extend", rules, problem=_("Choose how much longer."))
    until = None if wanted == UNTIL_REVOKED else now + timedelta(days=int(wanted))
    count = services().selection.extend(_ids(), until, at=now, actor=access.actor())
    return _back(done="extended", count=count)


@blueprint.get("/revoke")
@allow(Who.STAFF, Act.GRANTS, changes=True)
def ask_to_revoke() -> ResponseReturnValue:
    return _ask("revoke", services().rules.now())


@blueprint.post("/revoke")
@allow(Who.STAFF, Act.GRANTS, changes=True)
def revoke() -> ResponseReturnValue:
    """As ``extend``."""
    if "agreed" not in request.form:
        return _to_ask("staff_selected.ask_to_revoke")
    count = services().selection.revoke(_ids(), at=services().clock(), actor=access.actor())
    return _back(done="revoked", count=count)


def _ids() -> list[int]:
    texts = request.values.getlist("study")[:MOST]
    return [int(text) for text in texts if text.isascii() and text.isdigit()]


def _choices(rules: Rules) -> list[str]:
    return [str(days) for days in rules.share_days] + ([UNTIL_REVOKED] if rules.share_until_revoked else [])


def _to_ask(endpoint: str) -> ResponseReturnValue:
    back = {f"back_{name}": value for name, value in _parameters().items()}
    ids = _ids()
    return redirect(url_for(endpoint, study=ids, **back), 303) if ids else _back()


def _ask(act: str, rules: Rules, problem: str = "") -> ResponseReturnValue:
    page = render_template(
        "staff/worklist_ask.html",
        staff=access.staff(),
        act=act,
        chosen=services().selection.look(_ids(), at=services().clock()),
        choices=_choices(rules),
        problem=problem,
        back=_parameters(),
        now=services().clock(),
        open_archives=services().archives.open_ones(),
    )
    return page, 422 if problem else 200


def _parameters() -> dict[str, Any]:
    """Of the list that this is done from: what the forms carry along."""
    given = {
        name: request.values.get(f"back_{name}", "") for name in ("q", "state", "modality", "day", "before")
    }
    if not (given["before"].isascii() and given["before"].isdigit()):
        given["before"] = ""
    if not sealed.unseal(given["q"]):
        given["q"] = ""
    return {name: value[:500] for name, value in given.items() if value}


def _back(**said: Any) -> ResponseReturnValue:
    return redirect(url_for("staff_studies.worklist", **_parameters(), **said), 303)
