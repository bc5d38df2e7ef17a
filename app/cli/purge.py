"""Throwing away what is due."""

from __future__ import annotations

from collections import Counter

import click

from app.cli.context import main, open_services


@main.command()
def purge() -> None:
    """Throw away what is due.

    That is: sealed secrets, old attempts, ended visits and sessions, old audit. The follower does so every day;
    interrupting it loses nothing.
    """
    gone: Counter[str] = Counter()
    with open_services() as services:
        for what, rows in services.purge.run(at=services.clock()):
            gone[what] += rows
            click.echo(f"\r{what}: {gone[what]}   ", nl=False, err=True)
        services.trail.keep_head()
    if gone:
        click.echo("", err=True)
    click.echo(", ".join(f"{what} {rows}" for what, rows in gone.items()) or "Nothing was due.")
