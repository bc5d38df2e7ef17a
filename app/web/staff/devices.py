"""Devices, for administrators: machines and scripts that store into the archives and can read nothing."""

from __future__ import annotations

import secrets

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.staff import LOGIN, Act, Role
from app.models import Staff
from app.services.staff import MAX_NAME, LoginTaken
from app.web import access
from app.web.access import Who, allow
from app.web.context import services
from app.web.i18n import _

blueprint = Blueprint("staff_devices", __name__, url_prefix="/staff/devices")

# Nobody types it: 144 random bits.
PASSWORD_BYTES = 18


@blueprint.get("/")
@allow(Who.STAFF, Act.PEOPLE)
def devices() -> ResponseReturnValue:
    return _page()


@blueprint.post("/")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def add() -> ResponseReturnValue:
    login, name = request.form.get("login", "").strip().lower(), request.form.get("name", "")
    if not name.strip() or len(name) > MAX_NAME:
        return _page(_("Give the device a name, 120 characters at most."), "name")
    if not LOGIN.fullmatch(login):
        return _page(
            _("A login has letters a-z, digits, dots, hyphens and underscores; 64 at most."), "login"
        )
    try:
        device = services().staff.add(
            login=login,
            name=name,
            roles=[Role.DEVICE],
            password=None,
            at=services().clock(),
            actor=access.actor(),
        )
    except LoginTaken:
        return _page(_("There is an account of this login already: choose another."), "login")
    return _done("added", device)


@blueprint.post("/<int:device_id>/tokens")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def make_token(device_id: int) -> ResponseReturnValue:
    """Shown once, in the answer: it can't be read again."""
    device = _device_or_404(device_id)
    if device.disabled_at is not None:
        return abort(404)
    token = services().staff_tokens.make(device, at=services().clock(), actor=access.actor())
    return _page(once={"device": device, "kind": "token", "text": token})


@blueprint.post("/<int:device_id>/tokens/<token_id>/revoke")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def revoke_token(device_id: int, token_id: str) -> ResponseReturnValue:
    device = _device_or_404(device_id)
    services().staff_tokens.revoke(device, token_id[:64], at=services().clock(), actor=access.actor())
    return _done("revoked", device)


@blueprint.post("/<int:device_id>/password")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def make_password(device_id: int) -> ResponseReturnValue:
    """For Basic authentication; the one before stops working. Shown once, in the answer."""
    device = _device_or_404(device_id)
    if device.disabled_at is not None:
        return abort(404)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    services().staff.set_password(device, password, at=services().clock(), actor=access.actor())
    return _page(once={"device": device, "kind": "password", "text": password})


@blueprint.post("/<int:device_id>/disable")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def disable(device_id: int) -> ResponseReturnValue:
    device = _device_or_404(device_id)
    services().staff.disable(device, at=services().clock(), actor=access.actor())
    return _done("disabled", device)


@blueprint.post("/<int:device_id>/enable")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def enable(device_id: int) -> ResponseReturnValue:
    device = _device_or_404(device_id)
    services().staff.enable(device, at=services().clock(), actor=access.actor())
    return _done("enabled", device)


def _device_or_404(device_id: int) -> Staff:
    device = services().staff.by_id(device_id)
    if device is None or Role.DEVICE not in device.role_set:
        return abort(404)
    return device


def _done(what: str, device: Staff) -> Response:
    return redirect(url_for("staff_devices.devices", done=what, _anchor=f"device-{device.id}"), 303)


def _page(problem: str = "", field: str = "", *, once: dict[str, object] | None = None) -> Response:
    tokens = services().staff_tokens
    body = render_template(
        "staff/devices.html",
        staff=access.staff(),
        rows=[(device, tokens.of(device)) for device in services().staff_list.devices()],
        archive_url=services().settings.archives[0].public_url.rstrip("/"),
        typed={"login": request.form.get("login", "")[:64], "name": request.form.get("name", "")[:MAX_NAME]},
        once=once,
        problem=problem,
        problem_field=field,
        done=request.args.get("done", ""),
    )
    return make_response(body, 422 if problem else 200)
