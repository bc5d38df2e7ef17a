"""Health for monitoring: whether the database answers, and how each archive's gate and follower stand."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.internal.access import services

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
    is_well = all(row.gate_state != "open" for row in rows)
    return {"status": "ok" if is_well else "alarm", "archives": archives}, 200 if is_well else 503
