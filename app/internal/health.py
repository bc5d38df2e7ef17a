"""Health for monitoring: whether the database answers, and how each archive's gate and follower stand."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.internal.access import services
from app.services.audit import StoreUnavailable

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> ResponseReturnValue:
    """200 while the database answers and no gate was found open, 503 otherwise. Names no person, no study."""
    rows = services().archives.all()
    archives = {
        row.name: {
            "gate": row.gate_state,
            "gate-checked-at": row.gate_checked_at.isoformat() if row.gate_checked_at else None,
            "reconciled-at": row.reconciled_at.isoformat() if row.reconciled_at else None,
        }
        for row in rows
    }
    now = services().clock()
    services().limits.watch(at=now)  # an attack that just stopped has nobody else to notice
    site = services().limits.site(at=now)
    # An attack from outside is no reason to take us out of service: it leaves status and code alone.
    attack = {"alarm": site.is_alarm, "unknown-codes-in-5-min": site.unknown_codes}
    # Nor is a trail that somebody changed: but monitoring is where it has to be heard of.
    audit = {"alarm": not _is_trail_sound()}
    is_well = all(row.gate_state != "open" for row in rows)
    status = "ok" if is_well else "alarm"
    return {"status": status, "archives": archives, "attack": attack, "audit": audit}, 200 if is_well else 503


def _is_trail_sound() -> bool:
    """What can be seen at its ends, without reading its rows (``studykey audit verify`` does)."""
    try:
        return services().trail.state().is_sound
    except StoreUnavailable:  # it has lost its ends
        return False
