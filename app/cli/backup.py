"""Backup and restore: database and keys together, under a passphrase."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from app import schema
from app.adapters.keys import KeysMissing
from app.adapters.sealed_file import Unreadable, WeakPassphrase
from app.cli.context import ACTOR, main, open_services, read_settings
from app.services import backup as backups
from app.services.audit import StoreUnavailable
from app.services.backup import Contents, NotBackedUp
from app.services.restore import NotRestored, Restore, Schema
from app.wiring import utc_now

FILE = click.Path(dir_okay=False, path_type=Path)
from_file = click.option(
    "--passphrase-file", type=FILE, help="Read the passphrase from a file's first line; else it is asked for."
)


@main.command()
@click.argument("file", type=FILE)
@from_file
def backup(file: Path, passphrase_file: Path | None) -> None:
    """Back up database and keys into FILE, encrypted.

    Studykey may go on running. Whoever has the file and its passphrase has everything; without the passphrase it is
    worth nothing.
    """
    passphrase = _passphrase(passphrase_file, confirm=True)
    with open_services() as services:
        try:
            contents = services.backup.make(
                file, passphrase, at=services.clock(), actor=ACTOR, progress=_progress, newest=_newest()
            )
        except StoreUnavailable as error:
            raise click.ClickException(f"Nothing was backed up: {error}.") from None
        except (NotBackedUp, WeakPassphrase, KeysMissing, Unreadable, OSError) as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database can't be read ({type(error).__name__}).") from None
    click.echo(f"Made {file}, {file.stat().st_size:,} bytes, and read it back: {_summary(contents)}.")


@main.command()
@click.argument("file", type=FILE)
@from_file
@click.option("--check", is_flag=True, help="Only read FILE to its end and say what it holds.")
@click.option("--force", is_flag=True, help="Rename an installation that is there, then restore.")
def restore(file: Path, passphrase_file: Path | None, check: bool, force: bool) -> None:
    """Restore FILE into an empty place.

    That is where the settings name database and keys file.
    """
    settings = read_settings()
    passphrase = _passphrase(passphrase_file, confirm=False)
    try:
        if check:
            contents = backups.check(file, passphrase, progress=_progress)
            click.echo(f"{file} is whole: {_summary(contents)}.")
            return
        tools = Schema(schema.migrate, schema.unmake, schema.revisions())
        contents = Restore(settings, tools, move_aside=force).run(
            file, passphrase, at=utc_now(), progress=_progress
        )
    except (NotRestored, Unreadable) as error:
        raise click.ClickException(str(error)) from None
    with open_services() as services:
        services.backup.note_restored(contents, at=services.clock(), actor=ACTOR)
    click.echo(f"Restored {_summary(contents)}. Visits and sign-ins of that time were ended.")
    click.echo("What was revoked or issued since then is not in it: see docs/operating.md.")


def _newest() -> str:
    return schema.revisions()[0]


def _summary(contents: Contents) -> str:
    rows = contents.rows
    return (
        f"{rows.get('access_grant', 0):,} grants, {rows.get('study', 0):,} studies,"
        f" {sum(rows.values()):,} rows in all, of {contents.made_at:%Y-%m-%d %H:%M} UTC"
    )


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    """Never an argument: those stand in the list of processes."""
    if file is None:
        typed: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        return typed
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeError):
        raise click.ClickException(f"The passphrase can't be read from {file}.") from None
    return lines[0].strip() if lines else ""


def _progress(what: str, done: int, total: int) -> None:
    """One line a table; on a terminal the line counts."""
    if not total:
        return
    if sys.stderr.isatty():
        click.echo(f"\r{what}: {done:,} of {total:,} ", nl=done == total, err=True)
    elif done == total:
        click.echo(f"{what}: {total:,}", err=True)
