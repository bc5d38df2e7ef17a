"""The limits of networks and of the whole site: what they hold now, and forgiving them."""

from __future__ import annotations

import math

import click

from app.cli.context import ACTOR, main, open_services
from app.domain.limits import SITE


@main.group()
def limits() -> None:
    """Networks and the whole site: who has to wait. A grant's own tries: studykey grant unlock."""


@limits.command("show")
def limits_show() -> None:
    """Which networks failed lately, and how long each has to wait."""
    with open_services() as services:
        now = services.clock()
        site = services.limits.site(at=now)
        alarm = "ALARM" if site.is_alarm else "no alarm"
        click.echo(f"Unknown codes in 5 minutes: {site.unknown_codes} ({alarm}; above {SITE.alarm_failures})")
        for state in services.limits.networks(at=now):
            seconds = math.ceil(state.wait.total_seconds())
            click.echo(
                f"{state.network:24} {state.failures:4} failures  {f'waits {seconds} s' if seconds else ''}"
            )


@limits.command("reset")
@click.argument("network", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every network, and the alarm.")
def limits_reset(network: str | None, is_all: bool) -> None:
    """Forgive the failures of NETWORK: an address, or a network as `limits show` prints it."""
    if (network is None) is not is_all:
        raise click.UsageError("Name a network, or give --all.")
    with open_services() as services:
        try:
            count = services.limits.reset(network, at=services.clock(), actor=ACTOR)
        except ValueError:
            raise click.ClickException(f"{network} is no address and no network.") from None
    click.echo(f"Forgiven: {count} failures.")
