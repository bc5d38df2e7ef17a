"""Staying in a visit, for visit.js: how long it goes on, "I'm still here", and the page for when it is over."""

from __future__ import annotations

from typing import Any

from flask import g, jsonify, redirect
from flask.typing import ResponseReturnValue

from app.services.visits import Ending, Left, LiveVisit
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.patient import blueprint, studies


@blueprint.get("/visit")
@allow(Who.EVERYBODY)
def left() -> ResponseReturnValue:
    """How many seconds the visit goes on. Asking is no use of it; 403 says that there is none."""
    found = services().visits.left(access.visit_key(), at=services().clock())
    return (jsonify({}), 403) if isinstance(found, Ending) else jsonify(seconds(found))


@blueprint.post("/visit/stay")
@allow(Who.VISITOR)
def stay() -> ResponseReturnValue:
    """Somebody pressed "I'm still here": that is use, as any page is."""
    return left()


@blueprint.get("/closed")
@allow(Who.EVERYBODY)
def closed() -> ResponseReturnValue:
    """Where a page goes whose visit is over: says why it ended. During a visit, to its first page."""
    now, key = services().clock(), access.visit_key()
    found = services().visits.left(key, at=now)
    if isinstance(found, Ending):
        return access.closed(found)
    live = services().visits.find(key, at=now)
    return access.closed(live) if isinstance(live, Ending) else redirect(studies.first_page(live), 303)


def seconds(left: Left) -> dict[str, int]:
    """Whole seconds for a script, rather too few."""
    return {"idle": int(left.idle.total_seconds()), "limit": int(left.limit.total_seconds())}


@blueprint.app_context_processor
def visit() -> dict[str, Any]:
    """``visit_left`` on the pages of a visit: what visit.js needs."""
    live: LiveVisit | None = g.get("visit")
    return {"visit_left": seconds(live.left)} if live is not None and live.left is not None else {}
