"""What patients see of the clinic."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.context import ACTOR, main, open_services
from app.services.site import Unusable


@main.group()
def site() -> None:
    """What patients see of the clinic: name, address, phone, colour, language, paper, logo."""


@site.command("show")
def site_show() -> None:
    """Show the settings."""
    with open_services() as services:
        facts = services.site.facts()
        for name in ("name", "address", "phone", "colour", "language", "paper"):
            click.echo(f"{name:9} {getattr(facts, name)!r}")
        click.echo(f"logo      {'yes' if facts.logo else 'none'}")


@site.command("set")
@click.argument("name")
@click.argument("value")
def site_set(name: str, value: str) -> None:
    """Set NAME to VALUE; for the logo, VALUE is an image file. In an address, \\n begins a new line."""
    with open_services() as services:
        try:
            if name == "logo":
                services.site.set_logo(Path(value).read_bytes(), at=services.clock(), actor=ACTOR)
            else:
                text = value.replace("\\n", "\n")
                services.site.set(name, text, at=services.clock(), actor=ACTOR)
        except (Unusable, OSError) as error:
            raise click.ClickException(str(error)) from None
