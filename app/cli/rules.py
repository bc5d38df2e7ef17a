"""Rules for DICOM tags: seeing and ending them. They are made on the staff pages, where they are looked at first."""

from __future__ import annotations

import json

import click

from app.cli.context import ACTOR, main, open_services
from app.services.rule_list import MOST_COUNTED


@main.group()
def rule() -> None:
    """Rules that open studies to those whom a DICOM tag names."""


@rule.command("list")
@click.option("--ended", is_flag=True, help="Those that have ended, instead.")
def rule_list(ended: bool) -> None:
    """The rules, newest first, with their grants."""
    with open_services() as services:
        before = None
        while True:
            page = services.rule_list.page(ended=ended, before=before, at=services.clock())
            for row in page.rows:
                one = row.rule
                count = f"more than {MOST_COUNTED}" if row.count > MOST_COUNTED else str(row.count)
                left = "" if row.progress is None else f"; matching, {row.progress} %"
                values = ", ".join(json.loads(one.wanted))
                click.echo(
                    f"{one.id}\t{row.grant_ref}\t{one.name}\t{one.tag}: {values}\t{count} studies; {row.standing}{left}"
                )
            if before is None and not page.rows:
                click.echo("No rules.")
            before = page.next_before
            if before is None:
                return


@rule.command("end")
@click.argument("number", type=int)
def rule_end(number: int) -> None:
    """End rule NUMBER: it opens nothing any more, to nobody."""
    with open_services() as services:
        found = services.tag_rules.by_id(number)
        if found is None:
            raise click.ClickException(f"There is no rule {number}.")
        name = found.name
        services.tag_rules.end(found, at=services.clock(), actor=ACTOR)
    click.echo(f"Ended rule {number} ({name}).")
