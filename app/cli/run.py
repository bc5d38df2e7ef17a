"""Running it: ``serve``, ``follow``, ``demo``, and the database's schema."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from app import supervisor
from app.cli.context import main, open_services, read_settings
from app.config import ROOT, SettingsError
from app.schema import migrate


@main.command()
def serve() -> None:
    """Run everything: both doors and the follower."""
    settings = read_settings()
    try:
        migrate(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    with supervisor.Supervisor(supervisor.parts(settings), os.environ) as running:
        click.echo(f"Public door: http://{settings.public_host}:{settings.public_port}/", err=True)
        click.echo(f"Internal door: http://{settings.internal_host}:{settings.internal_port}/", err=True)
        if (name := supervisor.run(running)) is not None:
            raise click.ClickException(f"The {name} ended; everything was stopped.")


@main.command()
def follow() -> None:
    """Run the follower alone (a second one waits for the first)."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_services() as services:
        services.follower().run(stop)


@main.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=ROOT / "instance" / "demo",
    help="Where it keeps everything; instance/demo unless given. Deleted, the demo begins anew.",
)
@click.option("--without-gate", is_flag=True, help="Show what happens when Orthanc's gate didn't load.")
def demo(folder: Path, without_gate: bool) -> None:
    """Run everything beside a real Orthanc with synthetic studies."""
    from app.demo import run

    run.main(folder=folder.resolve(), with_gate=not without_gate)


@main.group()
def database() -> None:
    """The database's schema."""


@database.command("upgrade")
def database_upgrade() -> None:
    """Bring it to today's schema, as serve does at every start."""
    try:
        migrate(read_settings())
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    click.echo("The database has today's schema.")
