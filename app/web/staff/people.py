"""People with an account, for administrators: inviting, roles, links, second factor, sessions, disabling."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.domain.staff import LOGIN, PEOPLE, Act, Role
from app.models import Staff
from app.services.staff import MAX_NAME, LastAdmin, LoginTaken, Unusable
from app.services.staff_links import NotForThem, Purpose
from app.web import access
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.i18n import _
from app.web.staff import words
from app.web.staff.account import session_rows

blueprint = Blueprint("staff_people", __name__, url_prefix="/staff/people")


@blueprint.get("/")
@allow(Who.STAFF, Act.PEOPLE)
def everybody() -> ResponseReturnValue:
    return _list()


@blueprint.post("/")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def invite() -> ResponseReturnValue:
    """An account without a password, and the link with which its person chooses one."""
    login, name = request.form.get("login", "").strip().lower(), request.form.get("name", "")
    roles = _roles()
    if not LOGIN.fullmatch(login):
        return _list(
            _("A login has letters a-z, digits, dots, hyphens and underscores; 64 at most."), "login"
        )
    if not name.strip() or len(name) > MAX_NAME:
        return _list(_("Give the name as reports and pages show it, 120 characters at most."), "name")
    if not roles:
        return _list(_no_role(), "role-viewer")
    try:
        person = services().staff.add(
            login=login, name=name, roles=roles, password=None, at=services().clock(), actor=access.actor()
        )
    except LoginTaken:
        return _list(_("There is an account of this login already: choose another."), "login")
    return _link(person, Purpose.INVITATION)


@blueprint.get("/<int:person_id>")
@allow(Who.STAFF, Act.PEOPLE)
def show(person_id: int) -> ResponseReturnValue:
    return _page(_person_or_404(person_id))


@blueprint.post("/<int:person_id>")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def change(person_id: int) -> ResponseReturnValue:
    person, name, roles = _person_or_404(person_id), request.form.get("name", ""), _roles()
    if not name.strip() or len(name) > MAX_NAME:
        return _page(person, _("Give the name as reports and pages show it, 120 characters at most."), "name")
    if not roles:
        return _page(person, _no_role(), "role-viewer")

    def go() -> None:
        services().staff.change(person, name=name, roles=roles, at=services().clock(), actor=access.actor())

    return _keeping_an_admin(person, go, field="role-admin") or _done(person, "changed")


@blueprint.post("/<int:person_id>/disable")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def disable(person_id: int) -> ResponseReturnValue:
    person = _person_or_404(person_id)

    def go() -> None:
        services().staff.disable(person, at=services().clock(), actor=access.actor())

    return _keeping_an_admin(person, go, field="disable") or _done(person, "disabled")


@blueprint.post("/<int:person_id>/enable")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def enable(person_id: int) -> ResponseReturnValue:
    person = _person_or_404(person_id)
    services().staff.enable(person, at=services().clock(), actor=access.actor())
    return _done(person, "enabled")


@blueprint.post("/<int:person_id>/links")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def make_link(person_id: int) -> ResponseReturnValue:
    person = _person_or_404(person_id)
    purpose = request.form.get("purpose", "")
    if purpose not in list(Purpose):
        return abort(404)
    return _link(person, Purpose(purpose), may_change=request.form.get("may_change") == "yes")


@blueprint.post("/<int:person_id>/links/<link_id>/revoke")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def revoke_link(person_id: int, link_id: str) -> ResponseReturnValue:
    person = _person_or_404(person_id)
    services().staff_links.revoke(person, link_id[:64], at=services().clock(), actor=access.actor())
    return _done(person, "revoked")


@blueprint.post("/<int:person_id>/second-factor/remove")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def remove_second_factor(person_id: int) -> ResponseReturnValue:
    person = _person_or_404(person_id)
    services().second_factor.remove(person, at=services().clock(), actor=access.actor())
    return _done(person, "factor")


@blueprint.post("/<int:person_id>/sessions/<int:session_id>/end")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def end_session(person_id: int, session_id: int) -> ResponseReturnValue:
    person = _person_or_404(person_id)
    services().staff_sessions.end(
        person, session_id, at=services().clock(), actor=access.actor(), address=caller_address()
    )
    return _done(person, "ended")


@blueprint.post("/<int:person_id>/sessions/end")
@allow(Who.STAFF, Act.PEOPLE, changes=True)
def end_all_sessions(person_id: int) -> ResponseReturnValue:
    person = _person_or_404(person_id)
    services().staff_sessions.end_all(
        person, at=services().clock(), actor=access.actor(), address=caller_address()
    )
    return _done(person, "ended")


def _link(person: Staff, purpose: Purpose, *, may_change: bool = True) -> Response:
    """The person's page with the link, which can't be shown again."""
    now = services().clock()
    try:
        token = services().staff_links.make(
            person,
            purpose,
            may_change=may_change,
            by=access.staff().login,
            at=now,
            actor=access.actor(),
        )
    except NotForThem:
        return _page(person, _("A disabled account gets no link: enable it first."), "enable")
    address = f"{services().settings.base_url.rstrip('/')}{url_for('staff_join.form')}#{token}"
    return _page(person, link={"address": address, "purpose": purpose, "may_change": may_change})


def _keeping_an_admin(person: Staff, go: Callable[[], None], *, field: str) -> Response | None:
    """The page that says why not, where nobody could change accounts and settings any more."""
    try:
        go()
    except LastAdmin:
        text = _("This is the last administrator who can sign in: make somebody else one first.")
        return _page(person, text, field)
    except Unusable:
        return abort(404)
    return None


def _no_role() -> str:
    return _("Choose at least one role.")


def _roles() -> list[Role]:
    """Those chosen; a device is no role of a person."""
    chosen = request.form.getlist("role")
    return [role for role in PEOPLE if role in chosen]


def _person_or_404(person_id: int) -> Staff:
    person = services().staff.by_id(person_id)
    if person is None or Role.DEVICE in person.role_set:
        return abort(404)
    return person


def _done(person: Staff, what: str) -> Response:
    return redirect(url_for("staff_people.show", person_id=person.id, done=what), 303)


def _list(problem: str = "", field: str = "") -> Response:
    body = render_template(
        "staff/people.html",
        staff=access.staff(),
        rows=services().staff_list.people(at=services().clock()),
        roles=words.role_choices(),
        typed={
            "login": request.form.get("login", "")[:64],
            "name": request.form.get("name", "")[:MAX_NAME],
            "roles": _roles() if request.method == "POST" else [Role.VIEWER],
        },
        problem=problem,
        problem_field=field,
    )
    return make_response(body, 422 if problem else 200)


def _page(
    person: Staff, problem: str = "", field: str = "", *, link: dict[str, object] | None = None
) -> Response:
    now = services().clock()
    sessions = session_rows(person, this=access.staff_session())
    body = render_template(
        "staff/person.html",
        staff=access.staff(),
        person=person,
        is_self=person.id == access.staff().id,
        roles=words.role_choices(),
        chosen=_roles() if problem else person.role_set,
        has_second_factor=services().second_factor.is_set(person),
        is_required=services().second_factor.is_required(person),
        sessions=sessions,
        links=services().staff_links.open_ones(person, at=now),
        link=link,
        problem=problem,
        problem_field=field,
        done=request.args.get("done", ""),
    )
    return make_response(body, 422 if problem else 200)
