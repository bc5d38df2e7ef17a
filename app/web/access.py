"""Who may enter: every view declares it with ``@allow``, and one hook enforces it before the view runs.

For people with an account the way leads from signed out over the second factor to signed in, and a page left alone
locks; whoever is not where a view wants them is sent there, and comes back to the page they asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from app.domain.staff import Act
from app.models import Staff, StaffSession
from app.services.staff_sessions import Locked, NeedsSecondFactor, SignedIn, locks_at
from app.services.visits import Ending, LiveVisit
from app.web.context import services

HOME = "/staff/"
View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


class Who(StrEnum):
    EVERYBODY = "everybody"
    VISITOR = "visitor"  # the holder of a live visit
    STAFF = "staff"  # somebody signed in


@dataclass(frozen=True)
class Manner:
    """How somebody with an account may come, beyond the acts it takes."""

    is_poll: bool = False  # a script asks by itself: no sign of somebody being there
    while_locked: bool = False
    half: bool = False  # with the second factor still missing
    changes: bool = False  # not in a session that may only look


def allow(
    who: Who,
    *acts: Act,
    is_poll: bool = False,
    while_locked: bool = False,
    half: bool = False,
    changes: bool = False,
) -> Callable[[View], View]:
    """Declare who may enter a view, and for staff what it takes (all of ``acts``). A view that declares
    nothing lets nobody in. A poll gets a status instead of a page to sign in on."""

    def mark(view: View) -> View:
        view.allowed = (who, *acts)  # type: ignore[attr-defined]
        view.manner = Manner(is_poll, while_locked, half, changes)  # type: ignore[attr-defined]
        return view

    return mark


def allowed(endpoint: str) -> tuple[Who, *tuple[Act, ...]] | None:
    view = current_app.view_functions[endpoint]
    if endpoint == "static":
        return (Who.EVERYBODY,)
    return getattr(view, "allowed", None)


def manner(endpoint: str) -> Manner:
    found: Manner = getattr(current_app.view_functions[endpoint], "manner", Manner())
    return found


def enforce() -> ResponseReturnValue | None:
    """Before each request: let in whom the view allows, and nobody else."""
    if request.endpoint is None:
        _enter_frame()
        return None  # 404 or 405 follow
    who, *needed = allowed(request.endpoint) or (None,)
    if who is Who.EVERYBODY:
        return None
    if who is Who.VISITOR:
        # The study that a page is of: a group's code opens it only where its rule does at this moment.
        asked = (request.view_args or {}).get("study_id")
        found = services().visits.find(visit_key(), study_id=asked, at=services().clock())
        if isinstance(found, LiveVisit):
            g.visit = found
            return None
        return closed(found)
    if who is Who.STAFF:
        return _enforce_staff(frozenset(needed), manner(request.endpoint))
    return abort(404)


def _enforce_staff(needed: frozenset[Act], how: Manner) -> Response | None:
    found = services().staff_sessions.find(staff_key(), at=services().clock(), touches=not how.is_poll)
    match found:
        case SignedIn():
            g.staff, g.staff_session, g.acts = found.person, found.session, found.acts
            if request.path == HOME and Act.SEE not in found.acts:
                return redirect(url_for("staff_mine.first"), 303)  # whoever has no list of all studies
            if not found.acts.issuperset(needed) or (how.changes and not found.session.may_change):
                return abort(404)  # forbidden and missing look alike
        case Locked() if how.while_locked:
            g.locked = found
        case Locked():
            return _elsewhere("locked", "staff_sessions.locked", how)
        case NeedsSecondFactor() if how.half:
            g.half = found
        case NeedsSecondFactor():
            return _elsewhere("second-factor", "staff_sessions.second_factor_form", how)
        case None:
            return _elsewhere("signed-out", "staff_sessions.sign_in_form", how)
    return None


def _enter_frame() -> None:
    """Where there is no page: the error's page has the frame that it has where somebody may not enter, or the
    difference would tell them apart."""
    if request.path.startswith(HOME):
        found = services().staff_sessions.find(staff_key(), at=services().clock(), touches=False)
        if isinstance(found, SignedIn):
            g.staff, g.staff_session, g.acts = found.person, found.session, found.acts


def _elsewhere(why: str, endpoint: str, how: Manner) -> Response:
    """To the page that comes first, and from there back to what was asked for. A script that asks in the background
    is told in a word: it has no use for a page."""
    if how.is_poll or "in_place" in request.form:
        return Response(why, 401, mimetype="text/plain")
    asked = iri_to_uri(request.full_path.rstrip("?")) if request.method == "GET" else ""
    return elsewhere(endpoint, asked)


def elsewhere(endpoint: str, asked: str) -> Response:
    """A redirect to a page on the way, which knows the way back; to the list of studies it leads anyway."""
    back = way_back(asked)
    return redirect(url_for(endpoint, back=None if back.rstrip("/") in ("", HOME.rstrip("/")) else back), 303)


LONGEST_WAY_BACK = 500


def way_back(path: str | None) -> str:
    """``path`` if it is the address of a staff page of ours, to be shown after signing in; else "".

    Nothing else gets through: no other host or scheme, no other door, nothing that isn't a page (RFC 9700 section
    4.11 on open redirectors).
    """
    path = (path or "").removeprefix(request.script_root)
    if len(path) > LONGEST_WAY_BACK or not path.startswith("/staff"):
        return ""
    if not (path.isascii() and path.isprintable()) or "\\" in path or " " in path:
        return ""
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or parts.fragment:
        return ""
    try:
        endpoint, _values = current_app.url_map.bind("").match(parts.path, "GET")
    except (HTTPException, RequestRedirect):
        return ""
    how = manner(endpoint)
    if (allowed(endpoint) or (None,))[0] is not Who.STAFF or how.is_poll or how.while_locked or how.half:
        return ""
    return path


def onward(path: str | None) -> Response:
    """A redirect to the page asked for before signing in or unlocking, or to the list of studies."""
    return redirect(request.script_root + (way_back(path) or HOME), 303)


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


def staff_session() -> StaffSession:
    """The session of who is signed in."""
    session: StaffSession = g.staff_session
    return session


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

    @app.context_processor
    def lock() -> dict[str, Any]:
        """What staff-lock.js needs: after how many seconds a page left alone covers itself, how many are left by the
        server's reckoning, and whether a password opens it again."""
        if "staff" not in g:
            return {}
        rules, now = services().rules.now(), services().clock()
        locks = locks_at(g.staff_session, rules)
        seconds = rules.lock_minutes * 60
        left = max(0, int((locks - now).total_seconds())) if locks else seconds
        return {"lock": {"seconds": seconds, "left": left, "can_unlock": g.staff.password_hash is not None}}
