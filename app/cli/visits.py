"""Visits that go on: ended by the clinic, where somebody calls that a telephone was stolen."""

from __future__ import annotations

import click

from app.cli.context import ACTOR, main, open_services


@main.group()
def visits() -> None:
    """Visits: what proved grants have open just now."""


@visits.command("end")
@click.argument("ref")
def visits_end(ref: str) -> None:
    """End all visits of the grant REF; its sheet goes on opening. Viewers stop within the answered validity."""
    with open_services() as services:
        grant = services.grants.by_ref(ref)
        if grant is None:
            raise click.ClickException(f"There is no grant {ref}.")
        grant_id = grant.id
        services.session.rollback()  # the visits end in a transaction of their own
        ended = services.visits.end_all(grant_id, at=services.clock(), actor=ACTOR)
    click.echo(f"Ended {ended} visit{'' if ended == 1 else 's'} of {ref}.")
