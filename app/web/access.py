"""Who may enter: every view declares it with ``@allow``, and one hook enforces it before the view runs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from flask import Flask, abort, current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.staff import Act, acts_of
from app.models import Staff
from app.services.visits import Ending, LiveVisit
from app.web.context import services

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


class Who(StrEnum):
    EVERYBODY = "everybody"
    VISITOR = "visitor"  # the holder of a live visit
    STAFF = "staff"  # somebody signed in


def allow(who: Who, act: Act | None = None) -> Callable[[View], View]:
    """Declare who may enter a view, and for staff what it takes. A view that declares nothing lets
    nobody in."""

    def mark(view: View) -> View:
        view.allowed = (who, act)  # type: ignore[attr-defined]
        return view

    return mark


def allowed(endpoint: str) -> tuple[Who, Act | None] | None:
    view = current_app.view_functions[endpoint]
    if endpoint == "static":
        return Who.EVERYBODY, None
    return getattr(view, "allowed", None)


def enforce() -> ResponseReturnValue | None:
    """Before each request: let in whom the view allows, and nobody else."""
    if request.endpoint is None:
        return None  # 404 or 405 follow
    who, act = allowed(request.endpoint) or (None, None)
    if who is Who.EVERYBODY:
        return None
    if who is Who.VISITOR:
        found = services().visits.find(visit_key(), at=services().clock())
        if isinstance(found, LiveVisit):
            g.visit = found
            return None
        return closed(found)
    if who is Who.STAFF:
        person = services().staff.find(staff_key(), at=services().clock())
        if person is None:
            return redirect(url_for("staff_sessions.sign_in_form"), 303)
        acts = acts_of(person.role_set)
        if act is not None and act not in acts:
            return abort(404)  # forbidden and missing look alike
        g.staff, g.acts = person, acts
        return None
    return abort(404)


def closed(why: Ending) -> Response:
    """The page for a visit that is over, or never was; 403 so that scripts notice."""
    return make_response(render_template("patient/closed.html", reason=_REASONS[why]), 403)


_REASONS = {
    Ending.NONE: "none",
    Ending.SIGNED_OUT: "none",
    Ending.IDLE: "idle",
    Ending.LIMIT: "limit",
    Ending.CLOSED: "ended",
}


def visit() -> LiveVisit:
    """The live visit, in a view that allows visitors."""
    live: LiveVisit = g.visit
    return live


def staff() -> Staff:
    """Who is signed in, in a view that allows staff."""
    person: Staff = g.staff
    return person


def acts() -> frozenset[Act]:
    """What the person who is signed in may do, in a view that allows staff."""
    allowed: frozenset[Act] = g.acts
    return allowed


def actor() -> str:
    """Who is signed in, as the audit trail names them."""
    return f"staff:{staff().login}"


def visit_key() -> str | None:
    return request.cookies.get(_cookie("visit"))


def staff_key() -> str | None:
    return request.cookies.get(_cookie("staff"))


def set_key(response: Response, name: str, key: str) -> None:
    """A cookie for this browser session: ``__Host-`` on https, HttpOnly, SameSite=Lax (Strict would lose
    the visit on the way back from the viewer)."""
    response.set_cookie(
        _cookie(name), key, secure=services().settings.is_https, httponly=True, samesite="Lax", path="/"
    )


def drop_key(response: Response, name: str) -> None:
    response.delete_cookie(
        _cookie(name), secure=services().settings.is_https, httponly=True, samesite="Lax", path="/"
    )


def _cookie(name: str) -> str:
    prefix = "__Host-" if services().settings.is_https else ""
    return f"{prefix}studykey_{name}"


def init(app: Flask) -> None:
    app.before_request(enforce)
