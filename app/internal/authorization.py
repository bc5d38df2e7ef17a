"""The wire format of Orthanc's Authorization plugin: ``POST /tokens/validate``.

Whatever arrives is answered with "granted" or "not granted", never with an error: a refusal can be kept for
its validity, an error can't. Unknown fields are ignored.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from app.domain.permissions import Permission
from app.internal.access import calling_archive, services
from app.internal.bodies import is_from, object_in, text_of, token_of
from app.services.authorization import Question
from app.wiring import Services

blueprint = Blueprint("authorization", __name__)


@blueprint.post("/tokens/validate")
@blueprint.post("/shares/validate")  # the older names
@blueprint.post("/auth/validate")
def validate() -> ResponseReturnValue:
    """What ``internal.validate`` leaves to Flask."""
    archive = calling_archive()
    return Response(answer_to(request.get_data(), archive, services()), mimetype="application/json")


def answer_to(body: bytes, archive: str, known: Services) -> bytes:
    """The answer to a question, both as JSON. Raises StoreUnavailable."""
    told = object_in(body)
    question = _question(told, archive if is_from(known.settings.archive(archive), told) else "")
    answer = known.authorization.answer(question, at=known.clock())
    # The plugin takes a JSON boolean and a whole number of seconds, nothing else.
    granted = b"true" if answer.is_granted else b"false"
    return b'{"granted":%s,"validity":%d}' % (granted, int(answer.validity.total_seconds()))


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
