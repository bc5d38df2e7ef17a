"""People with an account."""

from __future__ import annotations

import click

from app.cli.context import ACTOR, main, open_services
from app.domain.staff import PEOPLE, Role
from app.services.staff import LoginTaken


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
    help="May be repeated.",
)
@click.password_option(help="Asked for when not given; better so.")
def staff_add(login: str, name: str, roles: tuple[str, ...], password: str) -> None:
    """Add an account."""
    with open_services() as services:
        try:
            services.staff.add(
                login=login,
                name=name,
                roles=[Role(role) for role in roles],
                password=password,
                at=services.clock(),
                actor=ACTOR,
            )
        except (LoginTaken, ValueError) as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"Added {login} ({', '.join(roles)}).")
