"""What patients see of the clinic, and its rules."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.context import ACTOR, main, open_services
from app.services import rules
from app.services.site import TEXTS, Unusable


@main.group()
def site() -> None:
    """The clinic as patients see it, and its rules."""


@site.command("show")
def site_show() -> None:
    """Show what set can change."""
    with open_services() as services:
        facts = services.site.facts()
        for name in TEXTS:
            click.echo(f"{name:9} {getattr(facts, name)!r}")
        click.echo(f"logo      {'yes' if facts.logo else 'none'}")


@site.command("set")
@click.argument("name")
@click.argument("value")
def site_set(name: str, value: str) -> None:
    """Set name, address, phone, colour, language, paper or logo.

    For the logo, VALUE is an image file or none. In an address, \\n begins a new line.
    """
    with open_services() as services:
        try:
            if name == "logo" and value == "none":
                services.site.remove_logo(at=services.clock(), actor=ACTOR)
            elif name == "logo":
                services.site.set_logo(Path(value).read_bytes(), at=services.clock(), actor=ACTOR)
            else:
                text = value.replace("\\n", "\n")
                services.site.set(name, text, at=services.clock(), actor=ACTOR)
        except (Unusable, OSError) as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"Set {name}.")


@site.command("rules")
def site_rules() -> None:
    """Show the rules: sharing, signing in, codes, release."""
    with open_services() as services:
        now = services.rules.now()
        for name in rules.NAMES:
            value, default = getattr(now, name), getattr(rules.Rules, name)
            note = "" if value == default else f"  (default: {rules.write(default) or 'none'})"
            click.echo(f"{name:20} {rules.write(value) or 'none'}{note}")


@site.command("rule")
@click.argument("name", type=click.Choice(rules.NAMES), metavar="NAME")
@click.argument("value")
def site_rule(name: str, value: str) -> None:
    """Set a rule, by its NAME in studykey site rules.

    VALUE is yes or no, a number, or a list with commas ("" for an empty one).
    """
    with open_services() as services:
        try:
            services.rules.set({name: value}, at=services.clock(), actor=ACTOR)
        except Unusable as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"Set {name}.")
