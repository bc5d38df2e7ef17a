"""Grants and studies: who may open what, and their paper."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.context import ACTOR, main, open_services
from app.domain.grants import Kind
from app.models import Grant
from app.services.grants import AlreadyRevoked
from app.services.papers import Effect, GlyphsMissing, PrintRefused, Wish
from app.services.site import PAPER_LANGUAGES, PAPERS
from app.services.study_search import Wanted
from app.wiring import Services


@main.group()
def grant() -> None:
    """Grants: who may open what. REF is a grant's name in studykey list."""


def _grant(services: Services, ref: str) -> Grant:
    found = services.grants.by_ref(ref)
    if found is None:
        raise click.ClickException(f"There is no grant {ref}.")
    return found


@grant.command("paper")
@click.argument("ref")
def grant_paper(ref: str) -> None:
    """Show code and password, within the reprint window."""
    with open_services() as services:
        paper = services.grants.paper(_grant(services, ref), at=services.clock())
        if paper is None:
            raise click.ClickException("The reprint window is over: re-issue the grant.")
        click.echo(f"{paper.code.grouped}  {paper.password.grouped}")


@grant.command("reissue")
@click.argument("ref")
def grant_reissue(ref: str) -> None:
    """Issue a fresh code and password; the old sheet stops working."""
    with open_services() as services:
        found = _grant(services, ref)
        if found.kind == Kind.GROUP:
            raise click.ClickException("It belongs to a rule: make a new code on the rule's page.")
        try:
            paper = services.grants.reissue(found, at=services.clock(), actor=ACTOR)
        except AlreadyRevoked:
            raise click.ClickException(
                f"The grant {ref} was revoked; studykey list shows the newer one."
            ) from None
        click.echo(f"{paper.grant.ref}  {paper.code.grouped}  {paper.password.grouped}")


@grant.command("revoke")
@click.argument("ref")
def grant_revoke(ref: str) -> None:
    """End a grant for good. Open viewers stop within seconds."""
    with open_services() as services:
        services.grants.revoke(_grant(services, ref), at=services.clock(), actor=ACTOR)
    click.echo(f"Revoked {ref}.")


@grant.command("confirm")
@click.argument("ref")
def grant_confirm(ref: str) -> None:
    """Open a suspended grant again. Look whose study it is first."""
    with open_services() as services:
        services.grants.confirm(_grant(services, ref), at=services.clock(), actor=ACTOR)
    click.echo(f"Confirmed {ref}.")


@grant.command("unlock")
@click.argument("ref")
def grant_unlock(ref: str) -> None:
    """Forget the failed attempts against a grant."""
    with open_services() as services:
        services.grants.unlock(_grant(services, ref), at=services.clock(), actor=ACTOR)
    click.echo(f"Unlocked {ref}.")


@grant.command("sheet")
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write the PDF; named by the study if not given."
)
@click.option(
    "--language", type=click.Choice(PAPER_LANGUAGES), help="The patient's; the site's if not given."
)
@click.option("--paper", type=click.Choice(PAPERS), help="The site's if not given.")
@click.option("--with-password", is_flag=True, help="Print the password even where the policy asks for none.")
@click.option("--reissue", is_flag=True, help="Agree to a new code where the old one can't be printed again.")
def grant_sheet(
    study: str, out: Path | None, language: str | None, paper: str | None, with_password: bool, reissue: bool
) -> None:
    """Write the access sheet as a PDF. STUDY: its number in Studykey, or its StudyInstanceUID."""
    wish = Wish(language or "", paper or "", with_password, Effect.REISSUES if reissue else Effect.SAME)
    with open_services() as services:
        found = services.worklist.find(study)
        if found is None:
            raise click.ClickException(f"There is no study {study}.")
        try:
            document = services.papers.sheet(found, wish, at=services.clock(), actor=ACTOR)
        except PrintRefused as refused:
            raise click.ClickException(_REFUSED[refused.effect]) from None
        except GlyphsMissing as missing:
            raise click.ClickException(
                f"The fonts of this computer lack: {' '.join(missing.characters)}. Nothing was changed."
            ) from None
        out = out or Path(document.name)
        try:
            out.write_bytes(document.pdf)
        except OSError as error:
            raise click.ClickException(
                f"{out} can't be written: {error.strerror}. Nothing was changed."
            ) from None
    click.echo(f"Wrote {out}")


_REFUSED = {
    Effect.REFUSED: "The access is suspended: check whose study it is, then studykey grant confirm.",
    Effect.REISSUES: "Printing makes a new code and the old sheet stops working: agree with --reissue.",
}


@main.command("list")
@click.argument("words", nargs=-1)
def list_(words: tuple[str, ...]) -> None:
    """The newest studies with their grants. WORDS: only those that match."""
    search = " ".join(words)
    with open_services() as services:
        rows = services.worklist.page(Wanted(text=search), at=services.clock()).rows
        for row in rows:
            name = row.patient_name.shown or "(no name)"
            click.echo(f"{row.grant_ref or '(no grant)':16}  {row.study_date}  {name}  {row.description}")
        if not rows:
            click.echo("No studies." if not search else "No study matches.")
        for archive in services.archives.open_ones():
            click.secho(f"ALARM: the archive {archive} is open to everybody.", fg="red", err=True)
