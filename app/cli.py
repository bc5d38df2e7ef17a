"""The command line: ``studykey serve`` and what operators do by hand."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app import create_internal_app, logs, supervisor
from app.adapters import keys as keys_file
from app.config import ROOT, Settings, SettingsError
from app.domain.staff import Role
from app.models import Grant
from app.schema import migrate
from app.services.grants import AlreadyRevoked
from app.services.papers import Effect, GlyphsMissing, PrintRefused, Wish
from app.services.site import LANGUAGES, PAPERS, Unusable
from app.services.staff import LoginTaken
from app.wiring import EXTENSION, Services

ACTOR = "staff:command-line"


@click.group()
def main() -> None:
    """Studykey: a patient portal beside an Orthanc DICOM server."""
    logs.configure()


def _settings() -> Settings:
    try:
        return Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _services() -> Iterator[Services]:
    """The services of one command; what it changed is committed when it ends well."""
    try:
        app = create_internal_app(_settings())
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    with app.app_context():
        services: Services = app.extensions[EXTENSION]
        yield services
        services.session.commit()


@main.command()
def serve() -> None:
    """Run everything: both doors and the follower."""
    settings = _settings()
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
    with _services() as services:
        services.follower().run(stop)


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "instance" / "demo")
@click.option("--without-gate", is_flag=True, help="Show what happens when Orthanc's gate didn't load.")
def demo(folder: Path, without_gate: bool) -> None:
    """Run everything beside a real Orthanc with synthetic studies."""
    from app.demo import run

    run.main(folder=folder.resolve(), with_gate=not without_gate)


@main.group()
def database() -> None:
    """The database."""


@database.command("upgrade")
def database_upgrade() -> None:
    """Bring the database to the newest schema (serve does so at every start)."""
    try:
        migrate(_settings())
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


@main.group()
def keys() -> None:
    """The keys that verifiers, seals and tokens rest on."""


@keys.command("init")
def keys_init() -> None:
    """Make the keys file. Back it up: without it no sheet opens anything."""
    settings = _settings()
    try:
        keys_file.write(settings.keys_file, keys_file.generate())
    except FileExistsError:
        raise click.ClickException(f"There are keys already: {settings.keys_file}") from None
    click.echo(f"Made {settings.keys_file}")


@main.group()
def staff() -> None:
    """People with an account."""


@staff.command("add")
@click.argument("login")
@click.option("--name", default="", help="As reports are signed.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.VIEWER.value)
@click.password_option(help="Asked for when not given; better so.")
def staff_add(login: str, name: str, role: str, password: str) -> None:
    """Add an account."""
    with _services() as services:
        try:
            services.staff.add(
                login=login, name=name, role=Role(role), password=password, at=services.clock(), actor=ACTOR
            )
        except (LoginTaken, ValueError) as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"Added {login} ({role}).")


@main.group()
def grant() -> None:
    """Grants: who may open what."""


def _grant(services: Services, ref: str) -> Grant:
    found = services.grants.by_ref(ref)
    if found is None:
        raise click.ClickException(f"There is no grant {ref}.")
    return found


@grant.command("paper")
@click.argument("ref")
def grant_paper(ref: str) -> None:
    """Show code and password while they are sealed for reprints."""
    with _services() as services:
        paper = services.grants.paper(_grant(services, ref), at=services.clock())
        if paper is None:
            raise click.ClickException("The reprint window is over: re-issue the grant.")
        click.echo(f"{paper.code.grouped}  {paper.password.grouped}")


@grant.command("reissue")
@click.argument("ref")
def grant_reissue(ref: str) -> None:
    """Issue a fresh code and password; the old sheet stops working."""
    with _services() as services:
        try:
            paper = services.grants.reissue(_grant(services, ref), at=services.clock(), actor=ACTOR)
        except AlreadyRevoked:
            raise click.ClickException(
                f"The grant {ref} was revoked; studykey list shows the newer one."
            ) from None
        click.echo(f"{paper.grant.ref}  {paper.code.grouped}  {paper.password.grouped}")


@grant.command("revoke")
@click.argument("ref")
def grant_revoke(ref: str) -> None:
    """End a grant for good; open viewers stop within the answered validity."""
    with _services() as services:
        services.grants.revoke(_grant(services, ref), at=services.clock(), actor=ACTOR)
    click.echo(f"Revoked {ref}.")


@grant.command("confirm")
@click.argument("ref")
def grant_confirm(ref: str) -> None:
    """Open a suspended grant again, after looking at whose study it is."""
    with _services() as services:
        services.grants.confirm(_grant(services, ref), at=services.clock(), actor=ACTOR)
    click.echo(f"Confirmed {ref}.")


@grant.command("unlock")
@click.argument("ref")
def grant_unlock(ref: str) -> None:
    """Forget the failed attempts against a grant."""
    with _services() as services:
        services.grants.unlock(_grant(services, ref), at=services.clock(), actor=ACTOR)
    click.echo(f"Unlocked {ref}.")


@grant.command("sheet")
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write the PDF; named by the study if not given."
)
@click.option("--language", type=click.Choice(LANGUAGES), help="The patient's; the site's if not given.")
@click.option("--paper", type=click.Choice(PAPERS), help="The site's if not given.")
@click.option("--with-password", is_flag=True, help="Print the password even where the policy asks for none.")
@click.option("--reissue", is_flag=True, help="Agree to a new code where the old one can't be printed again.")
def grant_sheet(
    study: str, out: Path | None, language: str | None, paper: str | None, with_password: bool, reissue: bool
) -> None:
    """Print the access sheet of STUDY (its number in Studykey, or its StudyInstanceUID)."""
    wish = Wish(language or "", paper or "", with_password, Effect.REISSUES if reissue else Effect.SAME)
    with _services() as services:
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
        out.write_bytes(document.pdf)
    click.echo(f"Wrote {out}")


_REFUSED = {
    Effect.REFUSED: "The access is suspended: check whose study it is, then studykey grant confirm.",
    Effect.REISSUES: "Printing makes a new code and the old sheet stops working: agree with --reissue.",
}


@main.group()
def site() -> None:
    """What patients see of the clinic: name, address, phone, colour, language, paper, logo."""


@site.command("show")
def site_show() -> None:
    """Show the settings."""
    with _services() as services:
        facts = services.site.facts()
        for name in ("name", "address", "phone", "colour", "language", "paper"):
            click.echo(f"{name:9} {getattr(facts, name)!r}")
        click.echo(f"logo      {'yes' if facts.logo else 'none'}")


@site.command("set")
@click.argument("name")
@click.argument("value")
def site_set(name: str, value: str) -> None:
    """Set NAME to VALUE; for the logo, VALUE is an image file. In an address, \\n begins a new line."""
    with _services() as services:
        try:
            if name == "logo":
                services.site.set_logo(Path(value).read_bytes(), at=services.clock(), actor=ACTOR)
            else:
                text = value.replace("\\n", "\n")
                services.site.set(name, text, at=services.clock(), actor=ACTOR)
        except (Unusable, OSError) as error:
            raise click.ClickException(str(error)) from None


@main.command("list")
@click.argument("search", default="")
def list_(search: str) -> None:
    """The newest stable studies, or those that match SEARCH, with their grants."""
    with _services() as services:
        for row in services.worklist.page(search=search).rows:
            name = row.patient_name.shown or "(no name)"
            click.echo(f"{row.grant_ref or '(no grant)':16}  {row.study_date}  {name}  {row.description}")
        for archive in services.archives.open_ones():
            click.secho(f"ALARM: the archive {archive} is open to everybody.", fg="red", err=True)


if __name__ == "__main__":
    main()
