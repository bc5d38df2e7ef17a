"""Signing in with one or two factors, locking, unlocking and signing out."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.adapters import qr
from app.models import Staff
from app.services.second_factor import AlreadySet
from app.services.staff_sessions import Locked, NeedsSecondFactor
from app.web import access
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _

blueprint = Blueprint("staff_sessions", __name__, url_prefix="/staff")

LONGEST_PASSWORD = 256


@blueprint.get("/sign-in")
@allow(Who.EVERYBODY)
def sign_in_form() -> ResponseReturnValue:
    return render_template("staff/sign_in.html", login="", refused=False, back=_back())


@blueprint.post("/sign-in")
@allow(Who.EVERYBODY)
def sign_in() -> ResponseReturnValue:
    login = request.form.get("login", "")[:64]
    key = services().staff_sessions.sign_in(
        login,
        request.form.get("password", "")[:LONGEST_PASSWORD],
        address=caller_address(),
        browser=request.user_agent.string,
        at=services().clock(),
    )
    if key is None:
        body = render_template("staff/sign_in.html", login=login, refused=True, back=_back())
        return make_response(body, 403)
    return let_in(key)


def let_in(key: str) -> Response:
    """To the page asked for, as the owner of a new session. Where a second factor is missing still, that page asks
    for it. The session that this browser had before is over."""
    if before := access.staff_key():
        services().staff_sessions.sign_out(before, address=caller_address(), at=services().clock())
    response = access.onward(request.form.get("back"))
    access.set_key(response, "staff", key)
    return response


@blueprint.get("/second-factor")
@allow(Who.STAFF, half=True)
def second_factor_form() -> ResponseReturnValue:
    half = _half()
    if half is None:
        return access.onward(request.args.get("back"))
    if half.must_enrol:
        return access.elsewhere("staff_sessions.set_up_second_factor_form", _back())
    step = "recovery" if request.args.get("way") == "recovery" else "ask"
    return render_template("staff/second_factor.html", step=step, wrong=False, back=_back())


@blueprint.post("/second-factor")
@allow(Who.STAFF, half=True)
def second_factor() -> ResponseReturnValue:
    half = _half()
    if half is None or half.must_enrol:
        return access.onward(request.form.get("back"))
    is_right = services().staff_sessions.prove_second_factor(
        access.staff_key() or "",
        request.form.get("code", "")[:40],
        address=caller_address(),
        at=services().clock(),
    )
    if is_right:
        return access.onward(request.form.get("back"))
    step = "recovery" if request.form.get("way") == "recovery" else "ask"
    body = render_template("staff/second_factor.html", step=step, wrong=True, back=_back())
    return make_response(body, 403)


@blueprint.get("/second-factor/set-up")
@allow(Who.STAFF, half=True, changes=True)
def set_up_second_factor_form() -> ResponseReturnValue:
    person = _enrolling()
    if person is None:
        return _not_enrolling()
    return _set_up_page(person)


@blueprint.post("/second-factor/set-up")
@allow(Who.STAFF, half=True, changes=True)
def set_up_second_factor() -> ResponseReturnValue:
    """Nothing is stored until the app has shown a right code, so the secret waits in the form of its owner."""
    person = _enrolling()
    if person is None:
        return _not_enrolling()
    secret, typed = request.form.get("setting_up", "")[:64], request.form.get("code", "")[:40]
    now, address = services().clock(), caller_address()
    if _half() is not None:
        key = access.staff_key() or ""
        codes = services().staff_sessions.enrol(key, secret, typed, address=address, at=now)
    else:
        password = request.form.get("present", "")[:LONGEST_PASSWORD]
        if not services().staff_sessions.check_password(person, password, address=address, at=now):
            problem = _("That isn't your password, or there were too many tries.")
            return make_response(_set_up_page(person, secret=secret, problem=problem, field="present"), 403)
        try:
            codes = services().second_factor.confirm(
                person, secret, typed, at=now, actor=access.actor(), address=address
            )
        except AlreadySet:  # in another tab, meanwhile
            return _not_enrolling()
    if codes is None:
        return make_response(_set_up_page(person, secret=secret, problem=wrong_code(), field="code"), 403)
    return render_template("staff/second_factor.html", step="codes", codes=codes, back=_back())


def wrong_code() -> str:
    return _("That code isn't right, or not any more. Wait for the next one and try again.")


def _half() -> NeedsSecondFactor | None:
    half: NeedsSecondFactor | None = g.get("half")
    return half


def _enrolling() -> Staff | None:
    """Who may set up a second factor now: never somebody who has one and hasn't shown it."""
    half = _half()
    if half is not None:
        return half.person if half.must_enrol else None
    person = access.staff()
    return None if services().second_factor.is_set(person) or person.password_hash is None else person


def _not_enrolling() -> ResponseReturnValue:
    where = "staff_account.show" if _half() is None else "staff_sessions.second_factor_form"
    return redirect(url_for(where), 303)


def _set_up_page(person: Staff, *, secret: str = "", problem: str = "", field: str = "") -> str:
    enrolment = services().second_factor.begin(person, secret)
    try:
        drawn = qr.svg(enrolment.uri, title=_("QR code for the authenticator app")).svg
    except qr.TooLongForQr:  # a clinic of a very long name: the key can still be typed
        drawn = ""
    return render_template(
        "staff/second_factor.html",
        step="set_up",
        qr=drawn,
        setting_up=enrolment.secret,
        secret=" ".join(re.findall(".{1,4}", enrolment.secret)),
        is_half=_half() is not None,
        problem=problem,
        problem_field=field,
        back=_back(),
    )


@blueprint.get("/locked")
@allow(Who.STAFF, while_locked=True)
def locked() -> ResponseReturnValue:
    found: Locked | None = g.get("locked")
    if found is None:
        return access.onward(request.args.get("back"))
    return _locked_page(found, refused=False)


@blueprint.post("/lock")
@allow(Who.STAFF, while_locked=True)
def lock() -> ResponseReturnValue:
    services().staff_sessions.lock(access.staff_key() or "", address=caller_address(), at=services().clock())
    if "in_place" in request.form:
        return "", 204
    came_from = urlsplit(request.headers.get("Referer", ""))
    asked = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    return access.elsewhere("staff_sessions.locked", asked)


@blueprint.post("/unlock")
@allow(Who.STAFF, while_locked=True)
def unlock() -> ResponseReturnValue:
    """The password always counts, also where another tab has unlocked meanwhile: it may not be the same person
    who sits before this one."""
    is_right = services().staff_sessions.unlock(
        access.staff_key() or "",
        request.form.get("password", "")[:LONGEST_PASSWORD],
        address=caller_address(),
        at=services().clock(),
    )
    if "in_place" in request.form:
        return "", 204 if is_right else 403
    found: Locked | None = g.get("locked")
    if is_right or found is None:
        return access.onward(request.form.get("back"))
    return make_response(_locked_page(found, refused=True), 403)


def _locked_page(found: Locked, *, refused: bool) -> str:
    return render_template(
        "staff/locked.html",
        person=found.person,
        can_unlock=found.can_unlock,
        refused=refused,
        back=_back(),
    )


@blueprint.post("/stay")
@allow(Who.STAFF)
def stay() -> ResponseReturnValue:
    """Somebody is at work on a page that asks for nothing: this keeps the session from locking."""
    services().staff_sessions.stay(access.staff_key(), at=services().clock())
    return "", 204


@blueprint.post("/sign-out")
@allow(Who.STAFF, while_locked=True, half=True)
def sign_out() -> ResponseReturnValue:
    key = access.staff_key() or ""
    services().staff_sessions.sign_out(key, address=caller_address(), at=services().clock())
    response = redirect(url_for("staff_sessions.sign_in_form"), 303)
    access.drop_key(response, "staff")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def _back() -> str:
    return access.way_back((request.form if request.method == "POST" else request.args).get("back"))
