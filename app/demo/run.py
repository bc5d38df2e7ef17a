"""``studykey demo``: the whole thing on one machine. A real Orthanc with gate and OHIF, both doors, the
follower, synthetic studies; then codes on the screen. Ctrl-C ends all of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import click
import requests
from flask import Flask
from sqlalchemy import select

from app import create_internal_app
from app.adapters.orthanc import ArchiveUnreachable
from app.config import Settings
from app.demo import ohif, studies
from app.demo.orthanc_server import GateSettings, OrthancDidNotStart, OrthancServer
from app.demo.place import Place
from app.demo.telling import Telling
from app.domain.dicom import parse_person_name
from app.domain.staff import Role
from app.models import Study
from app.schema import migrate
from app.services.grants import Paper
from app.services.staff import LoginTaken
from app.supervisor import Supervisor, end_on_signals, parts
from app.wiring import EXTENSION, Services

PATIENCE_SECONDS = 120


class DemoFailed(click.ClickException):
    """The demo can't go on; the message is a sentence."""


def main(*, folder: Path, with_gate: bool = True) -> None:
    """Run the demo until Ctrl-C. Raises DemoFailed."""
    end_on_signals()
    try:
        with Telling() as telling:
            _run(folder, telling, with_gate=with_gate)
    except (OrthancDidNotStart, ohif.ViewerUnavailable) as error:
        raise DemoFailed(str(error)) from None
    except KeyboardInterrupt:
        click.echo("The demo has ended; its data stays for the next start.")


def _run(folder: Path, telling: Telling, *, with_gate: bool) -> None:
    place = Place.at(folder)
    environ = place.environ()
    os.environ.clear()
    os.environ.update(environ)
    settings = Settings.from_env()
    viewer = ohif.prepare(ohif.FOLDER, progress=telling.say)
    gate = GateSettings(
        url=place.internal_url,
        username=settings.archives[0].gate_username,
        password=place.secrets["gate"],
        users={settings.archives[0].username: place.secrets["service"]},
        ohif_folder=viewer,
    )
    orthanc = OrthancServer(
        folder / "orthanc", http_port=place.ports["orthanc"], gate=gate if with_gate else None
    )
    telling.say("Starting Orthanc…")
    with (folder / "studykey.log").open("ab") as log, orthanc:
        telling.say("Preparing the database…")
        migrate(settings)
        telling.say("Starting Studykey…")
        with Supervisor(parts(settings), os.environ, log=log.fileno()) as running:
            try:
                _show(settings, place, running, telling)
                _watch(place, running, orthanc)
            except KeyboardInterrupt:
                telling.hush()
                telling.say("\nEnding the demo…")
                raise


def _show(settings: Settings, place: Place, running: Supervisor, telling: Telling) -> None:
    """Bring the demo's studies in and print what a visitor needs to try them."""
    _wait(f"{place.portal}/", running)
    _wait(f"{place.internal_url}/health", running)
    app = create_internal_app(settings)
    with _services(app) as services:
        _add_staff(services, place)
        _wait_until_followed(services, running)
        wanted = studies.demo_studies(today=date.today())  # noqa: DTZ011  (study dates are local)
        telling.hush()
        _send_missing(services, place, wanted)
    telling.say("Waiting for the studies to become stable…")
    _show_papers(app, place, [study.study_instance_uid for study in wanted], running, telling)


@contextmanager
def _services(app: Flask) -> Iterator[Services]:
    with app.app_context():
        services: Services = app.extensions[EXTENSION]
        yield services
        services.session.commit()


def _wait(address: str, running: Supervisor) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (name := running.ended()) is not None:
            raise DemoFailed(f"Studykey's {name} ended. See studykey.log in the demo's folder.")
        try:
            requests.get(address, timeout=2)
            return
        except requests.RequestException:
            time.sleep(0.1)
    raise DemoFailed("Studykey doesn't answer. See studykey.log in the demo's folder.")


def _add_staff(services: Services, place: Place) -> None:
    with suppress(LoginTaken):
        services.staff.add(
            login="demo",
            name="Dr. Demo",
            roles=[Role.ADMIN],
            password=place.secrets["staff"],
            at=services.clock(),
            actor="studykey",
        )
    services.session.commit()


def _wait_until_followed(services: Services, running: Supervisor) -> None:
    """Until the follower has registered the archive: what comes before is backlog and gets no grants."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not services.archives.is_registered("main"):
        if running.ended() or time.monotonic() > deadline:
            raise DemoFailed("The follower doesn't reach Orthanc. See studykey.log in the demo's folder.")
        time.sleep(0.1)


def _send_missing(services: Services, place: Place, wanted: list[studies.SyntheticStudy]) -> None:
    orthanc = services.orthancs["main"]
    try:
        missing = [study for study in wanted if not orthanc.studies_with_uid(study.study_instance_uid)]
    except ArchiveUnreachable as error:
        raise DemoFailed(f"Orthanc can't be asked: {error.why}.") from None
    user = services.settings.archive("main").username
    for number, study in enumerate(missing, start=1):
        label = f"Sending {number} of {len(missing)}: {study.label}"
        length = studies.count(study)
        with click.progressbar(
            studies.files(study), length=length, label=label, width=0, show_eta=False
        ) as bar:
            studies.send(
                place.orthanc_url, bar, auth=(user, place.secrets["service"]), progress=lambda _: None
            )


def _show_papers(app: Flask, place: Place, uids: list[str], running: Supervisor, telling: Telling) -> None:
    """Print code and password of each study, once Orthanc has called it stable and it has a grant."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and not running.ended():
        with _services(app) as services:
            found = [paper for uid in uids if (paper := _paper(services, uid)) is not None]
            if len(found) == len(uids):
                telling.hush()
                _print(place, found)
                return
        time.sleep(0.2)
    raise DemoFailed("Some studies got no code. See studykey.log in the demo's folder.")


def _paper(services: Services, uid: str) -> tuple[Study, Paper] | None:
    """None while the study has no grant. After the reprint window (a demo of some weeks) it is re-issued."""
    study = services.session.scalars(select(Study).where(Study.study_instance_uid == uid)).first()
    grant = services.grants.current(study) if study is not None else None
    if study is None or grant is None:
        return None
    now = services.clock()
    paper = services.grants.paper(grant, at=now) or services.grants.reissue(grant, at=now, actor="studykey")
    return study, paper


def _print(place: Place, papers: list[tuple[Study, Paper]]) -> None:
    click.secho(f"\nPortal   {place.portal}/", bold=True)
    click.echo(f"Staff    {place.portal}/staff/   demo   {place.secrets['staff']}")
    click.echo(f"Orthanc  {place.orthanc_url}/studykey-sign-in   studykey   {place.secrets['service']}\n")
    for study, paper in papers:
        born = study.birth_date.isoformat() if study.birth_date else "none: use the password"
        click.secho(f"  {paper.code.grouped}", bold=True, nl=False)
        click.echo(f"   password {paper.password.grouped}   birth date {born}")
        name = parse_person_name(study.patient_name).shown
        click.echo(f"    {study.description}, {study.instance_count} images, {name}")
        click.echo(f"    {place.portal}/#{paper.code.symbols}\n")
    click.echo("Ctrl-C ends the demo; the next start has the same studies and codes.")


def _watch(place: Place, running: Supervisor, orthanc: OrthancServer) -> None:
    """Until Ctrl-C: say when something ends, and raise the alarm when the gate is open."""
    was_open = False
    while True:
        if (name := running.ended()) is not None:
            raise DemoFailed(f"Studykey's {name} ended. See studykey.log in the demo's folder.")
        if not orthanc.is_running:
            raise DemoFailed("Orthanc ended. See orthanc/orthanc.log in the demo's folder.")
        try:
            archives = requests.get(f"{place.internal_url}/health", timeout=2).json()["archives"]
        except (requests.RequestException, ValueError, KeyError):
            archives = {}
        is_open = any(archive["gate"] == "open" for archive in archives.values())
        if is_open and not was_open:
            click.secho(
                "ALARM: Orthanc gives studies to everybody (its gate didn't load)."
                " Studykey issues no viewer tokens for it.",
                fg="red",
                bold=True,
            )
        elif was_open and archives and not is_open:
            click.secho("The gate is closed again; viewer tokens are issued.", fg="green")
        was_open = is_open if archives else was_open
        time.sleep(1)
