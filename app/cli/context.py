"""What commands share: the root, the settings, the services of one command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import OperationalError, ProgrammingError

from app import create_internal_app, logs
from app.config import Settings, SettingsError
from app.models import db
from app.wiring import EXTENSION, Services

# Who did it, in the audit trail.
ACTOR = "staff:command-line"


@click.group()
def main() -> None:
    """Studykey: a patient portal beside an Orthanc DICOM server."""
    os.umask(0o077)  # databases, keys and backups are nobody else's to read
    logs.configure()


def read_settings() -> Settings:
    """Raises ClickException with the sentence of SettingsError."""
    try:
        return Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def open_services() -> Iterator[Services]:
    """The services of one command; what it changed is committed when it ends well.

    Raises ClickException where settings, keys or database can't be used.
    """
    try:
        app = create_internal_app(read_settings())
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    with app.app_context():
        services: Services = app.extensions[EXTENSION]
        try:
            yield services
            services.session.commit()
        except (OperationalError, ProgrammingError) as error:
            why = (str(error.orig).splitlines() or [type(error.orig).__name__])[0]
            raise click.ClickException(
                f"The database can't be used: {why}. A new one has to be prepared first: studykey database upgrade."
            ) from None
        finally:
            services.renderer.close()
            db.session.remove()
            db.engine.dispose()
