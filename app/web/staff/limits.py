"""Alarms and limits: what keeps people out at the moment, how the parts stand, and forgiving failures."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.domain.dicom import clean_text, parse_person_name
from app.domain.limits import NARROW, SITE, WIDE
from app.domain.staff import Act
from app.models import Archive
from app.services.audit import StoreUnavailable
from app.services.limits import NetworkState
from app.web import access, audit_texts
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_limits", __name__, url_prefix="/staff/limits")

MOST_NETWORKS = 50
LATE = 3  # reconciliations that may be missed before the follower counts as stuck


@blueprint.get("")
@allow(Who.STAFF, Act.AUDIT)
def show() -> ResponseReturnValue:
    return render_template(
        "staff/limits.html",
        staff=access.staff(),
        done=request.args.get("done", ""),
        open_archives=services().archives.open_ones(),
        **_state(),
    )


@blueprint.get("/now")
@allow(Who.STAFF, Act.AUDIT, is_poll=True)
def now() -> ResponseReturnValue:
    """What changes on the page, for its script."""
    return render_template("staff/limits_now.html", **_state())


@blueprint.post("/reset")
@allow(Who.STAFF, Act.AUDIT)
def reset() -> ResponseReturnValue:
    """Forgive the failures of one network or account, or with ``all`` of every network."""
    limits, at, by = services().limits, services().clock(), access.actor()
    if login := clean_text(request.form.get("account", "")):
        if not limits.reset_account(login, at=at, actor=by):
            abort(404)  # no button of ours names it
        return redirect(url_for("staff_limits.show", done="account"), 303)
    network = None if request.form.get("all") else request.form.get("network", "")[:64]
    try:
        limits.reset(network, at=at, actor=by)
    except ValueError:
        abort(404)
    limits.watch(at=at)
    return redirect(url_for("staff_limits.show", done="all" if network is None else "network"), 303)


def _state() -> dict[str, Any]:
    at = services().clock()
    condition = services().condition
    networks = services().limits.networks(at=at)
    site = services().limits.site(at=at)
    names = [archive.name for archive in services().settings.archives]
    last = services().audit_search.last_verification()
    try:
        trail = services().trail.state()
    except StoreUnavailable:
        trail = None
    people = services().audit_search.people()
    return {
        "told_at": at.astimezone(ZoneInfo(services().settings.time_zone)).strftime("%H:%M:%S"),
        "is_alarm": site.is_alarm,
        "alarm_since": condition.alarm_since(),
        "unknown_codes": site.unknown_codes,
        "alarm_above": SITE.alarm_failures,
        "networks": [_network(one) for one in networks[:MOST_NETWORKS]],
        "more_networks": max(0, len(networks) - MOST_NETWORKS),
        "grants": [
            {
                "ref": held.ref,
                "label": held.label,
                "studies": [(one.id, parse_person_name(one.patient_name).shown) for one in held.studies],
                "failures": held.failures,
                "failures_in_life": held.failures_in_life,
                "is_locked": held.is_locked,
                "wait": _wait(held.wait),
            }
            for held in condition.grants(at=at)
        ],
        "accounts": [
            {"login": one.login, "name": one.name, "failures": one.failures, "wait": _wait(one.wait)}
            for one in condition.accounts(at=at)
        ],
        "follows": condition.follows(at=at),
        "archives": [_archive(name, known, at) for name, known in condition.archives(names).items()],
        "undelivered": [
            {
                "study_id": one.study_id,
                "name": parse_person_name(one.patient_name).shown,
                "problem": one.problem,
                "tries": one.tries,
                "due_at": one.due_at,
            }
            for one in condition.undelivered()
        ],
        "trail": trail,
        "verified": {
            "at": last.at,
            "by": audit_texts.actor(last.actor, people),
            "is_whole": last.details.get("outcome") == "whole",
        }
        if last
        else None,
    }


def _network(state: NetworkState) -> dict[str, Any]:
    # Wide ones are the /24 of IPv4 and the /48 of IPv6 (domain.limits.networks_of).
    is_wide = state.network.endswith(("/24", "/48"))
    limit = WIDE if is_wide else NARROW
    return {
        "name": state.network,
        "is_wide": is_wide,
        "failures": state.failures,
        "minutes": int(limit.window.total_seconds() // 60),
        "wait": _wait(state.wait),
    }


def _archive(name: str, known: Archive | None, at: datetime) -> dict[str, Any]:
    """``is_late``: what came in since the last walk through the archive may be missing."""
    every = services().settings.reconcile_every
    walked = known.reconciled_at if known else None
    return {
        "name": name,
        "gate": known.gate_state if known else "unknown",
        "gate_at": known.gate_checked_at if known else None,
        "walked_at": walked,
        "told_at": known.nudged_at if known else None,
        "changes": f"{known.change_cursor:,}" if known else "0",
        "is_late": walked is None or at - walked > LATE * every,
    }


def _wait(wait: timedelta) -> str:
    """How long, in words; empty for no wait."""
    seconds = math.ceil(wait.total_seconds())
    if seconds <= 0:
        return ""
    if seconds < 90:
        return _("%(count)s s", count=seconds)
    return _("%(count)s min", count=math.ceil(seconds / 60))
