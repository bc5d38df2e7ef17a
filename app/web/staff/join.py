"""What a link from an administrator opens: choosing a password, or signing in once.

The link's secret stands in the fragment, so no server log or proxy sees it; here it arrives in a form. Looking at
it uses nothing up: mail scanners and previews fetch links.
"""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.services.staff_links import LinkLook, Purpose
from app.services.staff_passwords import WeakPassword
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.staff import sessions, words

blueprint = Blueprint("staff_join", __name__, url_prefix="/staff/join")


@blueprint.get("")
@allow(Who.EVERYBODY)
def form() -> ResponseReturnValue:
    return render_template("staff/join.html", step="paste")


@blueprint.post("")
@allow(Who.EVERYBODY)
def look() -> ResponseReturnValue:
    token = _token()
    found = services().staff_links.look(token, at=services().clock())
    return _page(token, found)


@blueprint.post("/use")
@allow(Who.EVERYBODY)
def use() -> ResponseReturnValue:
    token, now = _token(), services().clock()
    links = services().staff_links
    found = links.look(token, at=now)
    who = {"address": caller_address(), "browser": request.user_agent.string}
    if found is None:
        return _page(token, None)
    if found.purpose is Purpose.SIGN_IN:
        key = links.use_to_sign_in(token, **who, at=now)
    else:
        password = request.form.get("password", "")[: sessions.LONGEST_PASSWORD + 1]
        if password != request.form.get("again", ""):
            return _page(token, found, problem=_("The two passwords differ: type the same twice."))
        try:
            key = links.use_for_password(token, password, **who, at=now)
        except WeakPassword as weak:
            return _page(token, found, problem=words.weakness(weak.weakness))
    return sessions.let_in(key) if key is not None else _page(token, None)


def _token() -> str:
    """Of a whole link, what stands behind the #."""
    return request.form.get("link", "").strip().rpartition("#")[2][:500]


def _page(token: str, found: LinkLook | None, *, problem: str = "") -> ResponseReturnValue:
    if found is None:
        return make_response(render_template("staff/join.html", step="gone"), 403)
    body = render_template(
        "staff/join.html",
        step="enter" if found.purpose is Purpose.SIGN_IN else "password",
        token=token,
        person=found.person,
        may_change=found.may_change,
        problem=problem,
    )
    return make_response(body, 422 if problem else 200)
