"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.web import access
from app.web.access import Who, allow
from app.web.context import caller_address, services

blueprint = Blueprint("staff_sessions", __name__, url_prefix="/staff")


@blueprint.get("/sign-in")
@allow(Who.EVERYBODY)
def sign_in_form() -> ResponseReturnValue:
    return render_template("staff/sign_in.html", login="", refused=False)


@blueprint.post("/sign-in")
@allow(Who.EVERYBODY)
def sign_in() -> ResponseReturnValue:
    login = request.form.get("login", "")[:64]
    key = services().staff.sign_in(
        login, request.form.get("password", "")[:256], address=caller_address(), at=services().clock()
    )
    if key is None:
        return make_response(render_template("staff/sign_in.html", login=login, refused=True), 403)
    response = redirect(url_for("staff_studies.worklist"), 303)
    access.set_key(response, "staff", key)
    return response


@blueprint.post("/sign-out")
@allow(Who.STAFF)
def sign_out() -> ResponseReturnValue:
    services().staff.sign_out(access.staff_key() or "", address=caller_address(), at=services().clock())
    response = redirect(url_for("staff_sessions.sign_in_form"), 303)
    access.drop_key(response, "staff")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
