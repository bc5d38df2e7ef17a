"""Migrations: from nothing up, back down, and the same as the models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade

from app.config import Settings
from app.models import Base, db
from app.models.study_search import is_described
from tests.support.databases import Databases


@pytest.fixture
def settings(base_settings: Settings, databases: Databases) -> Iterator[Settings]:
    """A database that no other test gets to see."""
    with databases.fresh() as url:
        yield base_settings.with_(database_url=url)


def _tables() -> set[str]:
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_the_migrated_schema_is_the_models(internal_app: Flask) -> None:
    with internal_app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": is_described}
        )

        assert compare_metadata(context, Base.metadata) == []


def test_every_migration_goes_down_and_up_again(internal_app: Flask) -> None:
    with internal_app.app_context():
        before = _tables()
        db.engine.dispose()

        downgrade(revision="base")
        assert _tables() == set()
        upgrade()

        assert _tables() == before
