"""Orthanc Explorer 2 of an archive, in one click, for whoever may see images there.

What they may do in it is what the gate is told of their token (services.profiles): their roles' acts, but running the
archive. The token stands in the address that a browser is sent to, so the way is POST only and on record first, and an
archive whose gate isn't working gets none. Refuses archives that aren't set up for it, as if they didn't exist.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, g, redirect, request
from flask.typing import ResponseReturnValue

from app.domain import viewers
from app.domain.events import Event
from app.domain.staff import LOOKING, ORTHANC, Act
from app.domain.study import GateState
from app.models import Study
from app.services.worklist import LARGEST_ID
from app.web import access, errors
from app.web.access import Who, allow
from app.web.context import archive_of, caller_address, services
from app.web.i18n import _

blueprint = Blueprint("staff_explorer", __name__, url_prefix="/staff/explorer")


@blueprint.post("/<archive>")
@allow(Who.STAFF, Act.VIEW)
def open_(archive: str) -> ResponseReturnValue:
    if archive not in _offered():
        return abort(404)
    study = _study_or_404(archive)
    state = services().archives.gate_state(archive, at=services().clock())
    if state is GateState.OPEN:
        why = _(
            "Its gate isn't working: it would give studies to everybody. Nothing is opened until it does."
        )
        return errors.page(503, _("Orthanc Explorer can't be opened now"), why)
    if state is not GateState.GUARDED:
        why = _("The archive doesn't answer. Try again in a few minutes.")
        return errors.page(503, _("Orthanc Explorer can't be opened now"), why)
    services().audit.record(
        Event.STAFF_EXPLORED,
        at=services().clock(),
        actor=access.actor(),
        address=caller_address(),
        study_id=study.id if study else None,
        archive=archive,
    )
    form = viewers.EXPLORER_STUDY if study else viewers.EXPLORER
    uid = study.study_instance_uid if study else ""
    public_url = services().settings.archive(archive).public_url
    return redirect(public_url + form.format(token=_token(archive), uid=uid), 303)


def _token(archive: str) -> str:
    """One that may change studies only for whoever may."""
    session, at = access.staff_session(), services().clock()
    if access.acts() & ORTHANC - LOOKING:
        return services().staff_tokens.issue_for_explorer(session, archive, at=at)
    return services().staff_tokens.issue(session, at=at)


def _study_or_404(archive: str) -> Study | None:
    """The study that the form names, None where it names none."""
    if "study" not in request.form:
        return None
    study_id = request.form.get("study", 0, type=int)
    study = services().worklist.study(study_id) if 0 < study_id <= LARGEST_ID else None
    if study is None or study.deleted_at is not None or archive_of(study) != archive:
        return abort(404)
    return study


def _offered() -> list[str]:
    return [archive.name for archive in services().settings.archives if archive.explorer]


def init(app: Flask) -> None:
    app.jinja_env.globals["archive_of"] = archive_of

    @app.context_processor
    def explorers() -> dict[str, Any]:
        """The archives whose Orthanc Explorer the person is offered."""
        return {"explorers": _offered() if Act.VIEW in g.get("acts", ()) else []}
