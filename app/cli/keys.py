"""The keys that verifiers, seals and tokens rest on: made, listed, replaced, taken out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.adapters import keys as keys_file
from app.cli.context import ACTOR, main, open_services, read_settings
from app.services.keys import NotRetired
from app.wiring import Services, utc_now


@main.group()
def keys() -> None:
    """The keys that verifiers, seals and tokens rest on."""


@keys.command("init")
def keys_init() -> None:
    """Make the keys file. Back it up: without it no sheet opens anything."""
    settings = read_settings()
    try:
        keys_file.write(settings.keys_file, keys_file.generate(at=utc_now()))
    except FileExistsError:
        raise click.ClickException(f"There are keys already: {settings.keys_file}") from None
    click.echo(f"Made {settings.keys_file}")


@keys.command("list")
def keys_list() -> None:
    """Show every key's name, age, and what needs it; never its secret."""
    with _services() as services:
        for found in services.keys.every(at=services.clock()):
            made = f"{found.key.made_at:%Y-%m-%d %H:%M} UTC" if found.key.made_at else "unknown"
            needs = ", ".join(f"{count:,} {what}" for what, count in found.needs.items())
            state = "newest" if found.is_newest else "reads  "
            click.echo(f"{found.key.kid:16}  {state}  made {made:20}  needed by: {needs or 'nothing'}")


@keys.command("rotate")
@click.argument("purpose", type=click.Choice([*keys_file.PURPOSES, "all"]), default="all")
def keys_rotate(purpose: str) -> None:
    """Make a new key for PURPOSE (all, if none is named).

    The older ones go on reading: no grant and no visit ends, and running processes use the new key from their next
    request on.
    """
    purposes = keys_file.PURPOSES if purpose == "all" else (purpose,)
    with _services() as services:
        for key in services.keys.rotate(purposes, at=services.clock(), actor=ACTOR):
            click.echo(f"New: {key.kid}")
    click.echo(
        "Make a backup now: what the new keys protect needs them. Copies of Studykey on other machines"
    )
    click.echo("need the same keys file at once.")


@keys.command("retire")
@click.argument("kid")
def keys_retire(kid: str) -> None:
    """Take the key KID out for good, once no row needs it."""
    with _services() as services:
        services.keys.retire(kid, at=services.clock(), actor=ACTOR)
    click.echo(f"Retired {kid}.")


@contextmanager
def _services() -> Iterator[Services]:
    """The services; what is refused becomes the command's last sentence."""
    with open_services() as services:
        try:
            yield services
        except (NotRetired, keys_file.KeysMissing, keys_file.KeysUnwritable) as refusal:
            raise click.ClickException(str(refusal)) from None
