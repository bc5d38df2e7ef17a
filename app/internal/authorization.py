"""The wire format of Orthanc's Authorization plugin: ``POST /tokens/validate``.

Whatever arrives is answered with "granted" or "not granted", never with an error: a refusal can be kept for
its validity, an error can't. Unknown fields are ignored.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.domain.permissions import Permission
from app.internal.access import calling_archive, services
from app.internal.bodies import json_object, text_of, token_of
from app.services.authorization import Question

blueprint = Blueprint("authorization", __name__)


@blueprint.post("/tokens/validate")
def validate() -> ResponseReturnValue:
    archive = calling_archive()
    answer = services().authorization.answer(_question(json_object(), archive), at=services().clock())
    # The plugin takes a JSON boolean and a whole number of seconds, nothing else.
    return {"granted": answer.is_granted, "validity": int(answer.validity.total_seconds())}


def _question(body: dict[str, Any], archive: str) -> Question:
    # "permission" is our gate's own addition: the plugin knows no difference and means viewing.
    wanted = text_of(body, "permission")
    return Question(
        archive=archive,
        method=text_of(body, "method").lower(),
        level=text_of(body, "level").lower(),
        token=token_of(body),
        orthanc_id=text_of(body, "orthanc-id") or None,
        study_instance_uid=text_of(body, "dicom-uid") or None,
        permission=Permission.DOWNLOAD if wanted == "download" else Permission.VIEW,
    )
