"""The wire format of Orthanc's Authorization plugin: ``POST /tokens/validate``.

Whatever arrives is answered with "granted" or "not granted", never with an error: a refusal can be kept for
its validity, an error can't. Unknown fields are ignored.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from app.domain.permissions import Permission
from app.internal.access import calling_archive, services
from app.services.authorization import Question

blueprint = Blueprint("authorization", __name__)
# In place of a value that is no text: equal to nothing, so that it isn't taken for absent.
NO_TEXT = "\0"


@blueprint.post("/tokens/validate")
def validate() -> ResponseReturnValue:
    archive = calling_archive()
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested a thousand times over
        body = None
    answer = services().authorization.answer(
        _question(body if isinstance(body, dict) else {}, archive), at=services().clock()
    )
    # The plugin takes a JSON boolean and a whole number of seconds, nothing else.
    return {"granted": answer.is_granted, "validity": int(answer.validity.total_seconds())}


def _question(body: dict[str, Any], archive: str) -> Question:
    def text(name: str) -> str:
        value = body.get(name)
        return value if isinstance(value, str) else "" if value is None else NO_TEXT

    # "permission" is our gate's own addition: the plugin knows no difference and means viewing.
    wanted = text("permission")
    return Question(
        archive=archive,
        method=text("method").lower(),
        level=text("level").lower(),
        token=text("token-value").removeprefix("Bearer ").strip(),
        orthanc_id=text("orthanc-id") or None,
        study_instance_uid=text("dicom-uid") or None,
        permission=Permission.DOWNLOAD if wanted == "download" else Permission.VIEW,
    )
