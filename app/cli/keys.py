"""The keys that verifiers, seals and tokens rest on."""

from __future__ import annotations

import click

from app.adapters import keys as keys_file
from app.cli.context import main, read_settings


@main.group()
def keys() -> None:
    """The keys that verifiers, seals and tokens rest on."""


@keys.command("init")
def keys_init() -> None:
    """Make the keys file. Back it up: without it no sheet opens anything."""
    settings = read_settings()
    try:
        keys_file.write(settings.keys_file, keys_file.generate())
    except FileExistsError:
        raise click.ClickException(f"There are keys already: {settings.keys_file}") from None
    click.echo(f"Made {settings.keys_file}")
