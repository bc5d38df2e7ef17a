"""The wire format of Orthanc's Authorization plugin: ``GET|PUT /settings/roles``.

Studykey's roles are a table in the program (``domain.staff``): Orthanc Explorer shows them, and who has which is said
on the staff pages. A PUT that changes nothing is taken; any other is refused with a sentence, since a role that only
Orthanc knew would be two truths.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.domain.staff import MAY, Role
from app.internal import permission_names
from app.internal.access import calling_archive
from app.internal.bodies import json_object

blueprint = Blueprint("roles", __name__, url_prefix="/settings/roles")


def _table() -> dict[str, Any]:
    roles = {role.value: permission_names.told(MAY[role], is_unlimited=role is Role.ADMIN) for role in Role}
    return {"roles": roles, "available-labels": []}


@blueprint.get("")
def show() -> ResponseReturnValue:
    calling_archive()
    return _table()


@blueprint.put("")
def change() -> ResponseReturnValue:
    calling_archive()
    wanted = {name: value for name, value in json_object().items() if name != "server-id"}
    if wanted != _table():
        return {"error": "Roles belong to Studykey: give people their roles on its staff pages."}, 400
    return "null\n", 200, {"Content-Type": "application/json"}
