"""How migrations run: on the app's own engine, in batches where SQLite needs it, one transaction each."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy.types import TypeEngine

from app.models import Base
from app.models.base import UtcDateTime
from app.models.study_search import is_described


def _render(kind: str, thing: TypeEngine[Any], _context: Any) -> str | bool:
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"  # a migration doesn't import the models it outlives
    return False


engine = current_app.extensions["migrate"].db.engine
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=_render,
        include_object=is_described,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
