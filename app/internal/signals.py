"""What the gate has to tell: a study is stable; a UID is not one study."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from app.domain import dicom
from app.internal.access import calling_archive, services

blueprint = Blueprint("signals", __name__, url_prefix="/signals")


@blueprint.post("/stable-study")
def stable_study() -> ResponseReturnValue:
    """A nudge: the follower looks at the log of changes now. What the body says is not relied on."""
    services().archives.nudge(calling_archive(), at=services().clock())
    return "", 204


@blueprint.post("/ambiguous-study")
def ambiguous_study() -> ResponseReturnValue:
    """More than one study of this archive carries the UID: hold its grants back."""
    name = calling_archive()
    body = request.get_json(silent=True)
    uid = body.get("study-instance-uid") if isinstance(body, dict) else None
    if isinstance(uid, str) and dicom.is_uid(uid):
        services().ingestion.ambiguous(name, uid, at=services().clock())
    return "", 204
