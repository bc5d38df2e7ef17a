"""The index over ``study.search_words``, which no model can describe.

Migration 0007 makes it, ``services.study_index`` asks it. On SQLite: the FTS5 table ``study_search`` with its shadow
tables, kept by triggers of ``study`` (a migration that makes ``study`` anew has to make them anew). On PostgreSQL: a
GIN index on an expression.
"""

from __future__ import annotations

from typing import Any

NAME = "study_search"


def is_described(_thing: Any, name: str | None, kind: str, _is_reflected: bool, _compared: Any) -> bool:
    """For Alembic's ``include_object``: whether the models say how a thing of this name should look."""
    return not (kind in ("table", "index") and (name or "").startswith(NAME))
