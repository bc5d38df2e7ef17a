"""One's own account: what one may do, password, second factor, sessions."""

from __future__ import annotations

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.staff import PEOPLE
from app.models import Staff, StaffSession
from app.services.second_factor import NotSet
from app.services.staff_passwords import WeakPassword
from app.services.staff_sessions import locks_at
from app.web import access
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.staff import sessions, words

blueprint = Blueprint("staff_account", __name__, url_prefix="/staff/account")


@blueprint.get("/")
@allow(Who.STAFF)
def show() -> ResponseReturnValue:
    return _page()


@blueprint.post("/password")
@allow(Who.STAFF, changes=True)
def change_password() -> ResponseReturnValue:
    person, typed = access.staff(), request.form.get("password", "")[: sessions.LONGEST_PASSWORD + 1]
    if typed != request.form.get("again", ""):
        return _page(_("The two new passwords differ: type the same twice."), "password")
    try:
        services().staff.refuse_weak(person, typed)
    except WeakPassword as weak:
        return _page(words.weakness(weak.weakness), "password")
    if not _is_password(person):
        return _page(_not_the_password(), "present")
    services().staff.set_password(
        person, typed, at=services().clock(), actor=access.actor(), keep=access.staff_session().id
    )
    return _done("password")


@blueprint.post("/recovery-codes")
@allow(Who.STAFF, changes=True)
def renew_recovery_codes() -> ResponseReturnValue:
    person = access.staff()
    if not _is_password(person):
        return _page(_not_the_password(), "codes-present")
    try:
        codes = services().second_factor.renew_recovery_codes(
            person, at=services().clock(), actor=access.actor()
        )
    except NotSet:
        return abort(404)
    return render_template("staff/second_factor.html", step="codes", codes=codes, back="/staff/account/")


@blueprint.post("/second-factor/remove")
@allow(Who.STAFF, changes=True)
def remove_second_factor() -> ResponseReturnValue:
    is_right = services().staff_sessions.remove_second_factor(
        access.staff(), request.form.get("code", "")[:40], address=caller_address(), at=services().clock()
    )
    return _done("removed") if is_right else _page(sessions.wrong_code(), "code")


@blueprint.post("/sessions/<int:session_id>/end")
@allow(Who.STAFF)
def end_session(session_id: int) -> ResponseReturnValue:
    is_known = services().staff_sessions.end(
        access.staff(),
        session_id,
        at=services().clock(),
        actor=access.actor(),
        address=caller_address(),
    )
    return _done("ended") if is_known else abort(404)


@blueprint.post("/sessions/end-others")
@allow(Who.STAFF)
def end_other_sessions() -> ResponseReturnValue:
    services().staff_sessions.end_others(
        access.staff_key() or "", at=services().clock(), address=caller_address()
    )
    return _done("others")


def _is_password(person: Staff) -> bool:
    typed = request.form.get("present", "")[: sessions.LONGEST_PASSWORD]
    return services().staff_sessions.check_password(
        person, typed, address=caller_address(), at=services().clock()
    )


def _not_the_password() -> str:
    return _("That isn't your present password, or there were too many tries. Wait a little and try again.")


def _done(what: str) -> Response:
    return redirect(url_for("staff_account.show", done=what), 303)


def _page(problem: str = "", field: str = "") -> Response:
    person, factor = access.staff(), services().second_factor
    is_on = factor.is_set(person)
    body = render_template(
        "staff/account.html",
        staff=person,
        columns=PEOPLE,
        own_roles=person.role_set,
        acts=words.matrix(),
        has_password=person.password_hash is not None,
        factor={
            "is_on": is_on,
            "is_required": factor.is_required(person),
            "codes_left": factor.remaining(person) if is_on else 0,
        },
        sessions=session_rows(person, this=access.staff_session()),
        may_change=access.staff_session().may_change,
        problem=problem,
        problem_field=field,
        done=request.args.get("done", ""),
    )
    return make_response(body, 403 if problem else 200)


def session_rows(person: Staff, *, this: StaffSession | None = None) -> list[dict[str, object]]:
    """Where somebody is signed in, as a table shows it."""
    now, rules = services().clock(), services().rules.now()
    rows = []
    for one in services().staff_sessions.of(person, at=now):
        locks = locks_at(one, rules)
        rows.append(
            {
                "id": one.id,
                "browser": words.browser(one.browser),
                "address": one.address,
                "begun_at": one.begun_at,
                "seen_at": one.seen_at,
                "may_change": one.may_change,
                "is_this": this is not None and one.id == this.id,
                "is_locked": one.locked_at is not None or (locks is not None and locks <= now),
            }
        )
    return rows
