"""The wire format of Orthanc Explorer 2 for mails: its texts, and sending what was made of them."""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from app.internal.access import calling_archive, services
from app.internal.bodies import json_object, text_of
from app.services.orthanc_mail import Draft, Refused

blueprint = Blueprint("emails", __name__, url_prefix="/emails")


@blueprint.get("/templates")
def templates() -> ResponseReturnValue:
    calling_archive()
    return services().orthanc_mail.templates()


@blueprint.get("/templates/<name>")
def template(name: str) -> ResponseReturnValue:
    calling_archive()
    html = services().orthanc_mail.template(name)
    if html is None:
        return {"error": "There is no such template."}, 404
    return Response(html, mimetype="text/html")


@blueprint.post("/send")
def send() -> ResponseReturnValue:
    archive = calling_archive()
    told = json_object()
    draft = Draft(
        *(
            text_of(told, name)
            for name in ("destination-email", "email-title", "email-content", "layout-template")
        )
    )
    clinic = services().site.facts().name
    services().session.rollback()  # nothing of the page's own is open while the trail is written
    try:
        details = services().orthanc_mail.send(archive, draft, at=services().clock(), clinic=clinic)
    except Refused as refused:
        return {"success": False, "details": str(refused)}, 400
    return {"success": True, "details": details}
