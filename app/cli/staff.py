"""People with an account: the very first admin is made here, and nobody is ever shut out for good."""

from __future__ import annotations

from datetime import datetime

import click

from app.cli.context import ACTOR, main, open_services
from app.domain.staff import PEOPLE, Role
from app.models import Staff
from app.services.staff import LastAdmin, LoginTaken
from app.services.staff_links import LIVES, NotForThem, Purpose
from app.wiring import Services

BY = ACTOR.partition(":")[2]


@main.group()
def staff() -> None:
    """People with an account."""


@staff.command("add")
@click.argument("login")
@click.option("--name", default="", help="As reports are signed.")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in PEOPLE]),
    multiple=True,
    default=[Role.VIEWER.value],
    help="May be repeated; viewer unless given.",
)
@click.option("--password", help="Asked for when not given; better so.")
@click.option("--no-password", is_flag=True, help="Print a link on which the person chooses one.")
def staff_add(login: str, name: str, roles: tuple[str, ...], password: str | None, no_password: bool) -> None:
    """Add an account; the first admin is made so."""
    if password is None and not no_password:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with open_services() as services:
        try:
            person = services.staff.add(
                login=login,
                name=name,
                roles=[Role(role) for role in roles],
                password=None if no_password else password,
                at=services.clock(),
                actor=ACTOR,
            )
        except (LoginTaken, ValueError) as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"Added {person.login} ({person.roles}).")
        if no_password:
            _print_link(services, person, Purpose.INVITATION)


@staff.command("list")
def staff_list() -> None:
    """All accounts, people and devices."""
    with open_services() as services:
        people = list(services.staff.all())
        if not people:
            click.echo("Nobody yet: studykey staff add LOGIN --role admin")
        for person in people:
            facts = [person.roles]
            if person.password_hash is None and Role.DEVICE not in person.role_set:
                facts.append("no password")
            if person.totp_sealed is not None:
                facts.append("second factor")
            if person.disabled_at is not None:
                facts.append(f"disabled since {_moment(person.disabled_at)}")
            click.echo(f"{person.login}\t{person.name}\t{'; '.join(facts)}")


@staff.command("roles")
@click.argument("login")
@click.argument("roles", nargs=-1, required=True, type=click.Choice([role.value for role in PEOPLE]))
def staff_roles(login: str, roles: tuple[str, ...]) -> None:
    """Give LOGIN these ROLES and no others."""
    with open_services() as services:
        try:
            person = services.staff.change(
                _person(services, login),
                roles=[Role(role) for role in roles],
                at=services.clock(),
                actor=ACTOR,
            )
        except LastAdmin:
            raise _last_admin(login) from None
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{person.login} is now {person.roles}.")


@staff.command("disable")
@click.argument("login")
def staff_disable(login: str) -> None:
    """Shut LOGIN out; what goes on ends at once."""
    with open_services() as services:
        try:
            services.staff.disable(_person(services, login), at=services.clock(), actor=ACTOR)
        except LastAdmin:
            raise _last_admin(login) from None
    click.echo(f"{login} can't sign in any more.")


@staff.command("enable")
@click.argument("login")
def staff_enable(login: str) -> None:
    """Let LOGIN in again, with the same password."""
    with open_services() as services:
        services.staff.enable(_person(services, login), at=services.clock(), actor=ACTOR)
    click.echo(f"{login} can sign in again.")


@staff.command("invite")
@click.argument("login")
def staff_invite(login: str) -> None:
    """Print a link to choose a (new) password."""
    with open_services() as services:
        person = _person(services, login)
        is_new = person.password_hash is None
        _print_link(services, person, Purpose.INVITATION if is_new else Purpose.PASSWORD)


@staff.command("link")
@click.argument("login")
@click.option("--look-only", is_flag=True, help="Whoever signs in with it can change nothing.")
def staff_link(login: str, look_only: bool) -> None:
    """Print a link that signs LOGIN in once."""
    with open_services() as services:
        _print_link(services, _person(services, login), Purpose.SIGN_IN, may_change=not look_only)


@staff.command("reset-second-factor")
@click.argument("login")
def staff_reset_second_factor(login: str) -> None:
    """For somebody who lost app and recovery codes. Be sure that it is them."""
    with open_services() as services:
        services.second_factor.remove(_person(services, login), at=services.clock(), actor=ACTOR)
    click.echo(f"{login} has no second factor any more.")


@staff.command("sessions")
@click.argument("login")
def staff_sessions(login: str) -> None:
    """Where LOGIN is signed in."""
    with open_services() as services:
        sessions = list(services.staff_sessions.of(_person(services, login), at=services.clock()))
        if not sessions:
            click.echo(f"{login} is signed in nowhere.")
        for one in sessions:
            since, seen = _moment(one.begun_at), _moment(one.seen_at)
            click.echo(f"{one.id}\tsince {since}, seen {seen}\t{one.address}\t{one.browser}")


@staff.command("end-sessions")
@click.argument("login")
def staff_end_sessions(login: str) -> None:
    """Sign LOGIN out everywhere."""
    with open_services() as services:
        person = _person(services, login)
        ended = services.staff_sessions.end_all(person, at=services.clock(), actor=ACTOR)
    click.echo(f"Ended {ended} session{'' if ended == 1 else 's'} of {login}.")


def _print_link(services: Services, person: Staff, purpose: Purpose, *, may_change: bool = True) -> None:
    try:
        token = services.staff_links.make(
            person, purpose, may_change=may_change, by=BY, at=services.clock(), actor=ACTOR
        )
    except NotForThem:
        raise click.ClickException(f"{person.login} is disabled, or a device: no link is made.") from None
    life = LIVES[purpose]
    long = f"{life.days} days" if life.days > 1 else f"{life.total_seconds() / 3600:.0f} hours"
    click.echo(f"Works once, for {long}. Whoever has it is {person.login}:")
    click.echo(f"{services.settings.base_url}/staff/join#{token}")


def _person(services: Services, login: str) -> Staff:
    person = services.staff.by_login(login)
    if person is None:
        raise click.ClickException(f"There is no account {login}.")
    return person


def _last_admin(login: str) -> click.ClickException:
    return click.ClickException(f"{login} is the last admin who can sign in: make another one first.")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
