"""The wire format of Orthanc's Authorization plugin: ``PUT /tokens/{type}`` and ``POST /tokens/decode``, and the names
that they had before (``/shares``).

A token that is no good decodes to the plugin's own words, never to an error. What can't be made is a 400 with a
sentence: Orthanc Explorer then shows no link.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.domain.share_links import NOT_SERVED, LinkType, read_moment
from app.internal.access import calling_archive, services
from app.internal.bodies import is_from, json_object, text_of, token_of
from app.services.authorization import Gone
from app.services.share_tokens import Refused, Resource

blueprint = Blueprint("share_tokens", __name__)


@blueprint.put("/tokens/<type_name>")
def make(type_name: str) -> ResponseReturnValue:
    return _make(calling_archive(), type_name, json_object())


@blueprint.put("/shares")
def make_share() -> ResponseReturnValue:
    """The older name: one study, its ids beside the type."""
    body = json_object()
    resource = {key: body.get(key) for key in ("dicom-uid", "orthanc-id")} | {"level": "study"}
    older = {"resources": [resource], "expiration-date": body.get("expiration_date"), **body}
    return _make(calling_archive(), text_of(body, "type"), older)


def _make(archive: str, type_name: str, body: dict[str, Any]) -> ResponseReturnValue:
    if not is_from(services().settings.archive(archive), body):
        return _refused("This server isn't the one whose password it brought.")
    if type_name not in list(LinkType):
        return _refused(NOT_SERVED.get(type_name, "Studykey doesn't know links of this type."))
    try:
        link = services().share_tokens.make(
            archive,
            LinkType(type_name),
            _resources(body.get("resources")),
            seconds=body.get("validity-duration"),
            expires_at=read_moment(body.get("expiration-date")),
            label=text_of(body, "id"),
            at=services().clock(),
        )
    except Refused as refused:
        return _refused(str(refused))
    except (ValueError, OverflowError):  # a date that is none
        return _refused("The expiration date can't be read: write it like 2026-12-31T12:00:00Z.")
    return {"request": body, "token": link.token, "url": link.url}


@blueprint.post("/tokens/decode")
def decode() -> ResponseReturnValue:
    archive = calling_archive()
    token = token_of(json_object())
    found = services().share_tokens.decode(archive, token, at=services().clock())
    if isinstance(found, Gone):
        return {"token-type": None, "error-code": found.value, "redirect-url": None, "resources": []}
    return {
        "token-type": found.type,
        "error-code": None,
        "redirect-url": found.url,
        # A decision, not a description: Orthanc lets the token search these without asking again.
        "resources": [
            {
                "dicom-uid": study.study_instance_uid,
                "orthanc-id": study.orthanc_id,
                "url": None,
                "level": "study",
            }
            for study in found.studies
        ],
    }


def _resources(given: object) -> list[Resource]:
    """Raises Refused for what is no study."""
    if not isinstance(given, list):
        raise Refused("A link needs at least one study.")
    found = []
    for one in given:
        if not isinstance(one, dict) or text_of(one, "level").lower() != "study":
            raise Refused("Studykey opens studies: share the study, not a patient, series or image.")
        found.append(Resource(text_of(one, "orthanc-id"), text_of(one, "dicom-uid")))
    return found


def _refused(why: str) -> ResponseReturnValue:
    return {"error": why}, 400
