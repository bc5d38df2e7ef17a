"""The audit trail for auditors: is it whole, where does it end, what does it say."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

import click

from app.cli.context import ACTOR, main, open_services
from app.domain.audit_chain import Head
from app.domain.events import Event
from app.services.audit import StoreUnavailable
from app.services.audit_export import Style, lines
from app.services.audit_search import Wish


@main.group()
def audit() -> None:
    """The audit trail: who did what to which study, when."""


@audit.command("head")
def audit_head() -> None:
    """Print the head: number and MAC of the newest row. Keep it elsewhere; verify takes it back."""
    with open_services() as services:
        try:
            click.echo(str(services.trail.head()))
        except StoreUnavailable as error:
            raise click.ClickException(f"{error}.") from None


@audit.command("verify")
@click.option("--head", "heads", multiple=True, help="A head that was printed before; may be repeated.")
def audit_verify(heads: tuple[str, ...]) -> None:
    """Check that no row was changed, taken out, put in or cut off. Exit status 1 when one was.

    The head in the instance folder, kept there by the follower, is checked besides those given.
    """
    with open_services() as services:
        try:
            outside = [Head.parse(text) for text in heads]
            kept = services.trail.kept_head()
        except (OSError, ValueError) as error:
            raise click.ClickException(f"A head can't be read: {error}.") from None
        try:
            with click.progressbar(length=services.trail.size(), label="Checking", file=sys.stderr) as bar:
                result = services.trail.verify([*outside, *([kept] if kept else [])], progress=bar.update)
        except StoreUnavailable as error:
            raise click.ClickException(f"{error}.") from None
    if result.unchained:
        click.echo(f"{result.unchained} rows of before there was a chain are not protected.")
    if result.findings:
        for finding in result.findings:
            click.echo(f"Row {finding.row_id}: {finding.why}.")
        raise click.ClickException(f"The audit trail is broken, first at row {result.findings[0].row_id}.")
    against = " It holds the head kept outside." if outside or kept else " No head was kept outside."
    click.echo(f"{result.checked} rows are whole.{against} Head: {result.head}")


@audit.command("export")
@click.option("--format", "style", type=click.Choice([style.value for style in Style]), default="jsonl")
@click.option("--since", type=click.DateTime(), help="From then on (the clinic's time).")
@click.option("--until", type=click.DateTime(), help="Before then.")
@click.option("--grant", "ref", help="Of this grant only.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A new file, mode 0600; else standard output."
)
def audit_export(
    style: str, since: datetime | None, until: datetime | None, ref: str | None, output: Path | None
) -> None:
    """Write rows out, oldest first. That they were is a row of the trail too.

    The last line says how many there were: a file without it is not complete.
    """
    with open_services() as services:
        grant = services.grants.by_ref(ref) if ref else None
        if ref and grant is None:
            raise click.ClickException(f"There is no grant {ref}.")
        zone = ZoneInfo(services.settings.time_zone)
        since, until = (moment.replace(tzinfo=zone) if moment else None for moment in (since, until))
        services.session.rollback()
        with _opened(output) as file:
            try:
                services.audit.record(
                    Event.AUDIT_EXPORTED,
                    at=services.clock(),
                    actor=ACTOR,
                    grant_id=grant.id if grant else None,
                    since=since.isoformat() if since else None,
                    until=until.isoformat() if until else None,
                )
            except StoreUnavailable as error:
                raise click.ClickException(f"{error}; nothing was written out.") from None
            wish = Wish(since=since, until=until, grant_ids=(grant.id,) if grant else None)
            rows = -2 if style == Style.CSV else -1  # the lines that are no rows
            for line in lines(services.audit_search.entries(wish), Style(style)):
                file.write(line)
                rows += 1
    click.echo(f"{rows} rows.", err=True)


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path} can't be made: {error.strerror}.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file
