"""Asking the index over the words of studies: the one place where SQLite and PostgreSQL differ.

Every word that is asked for has to begin a word of the study. Words hold letters, figures and vowel signs only
(``domain.search``), so nothing in them ends a quotation.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Integer, Select, cast, column, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSQUERY

from app.models import Study

Asked = tuple[str, ...]  # spellings of one word, of which one has to occur


def _in_fts5(asked: list[Asked], before: int) -> Select[int]:
    """SQLite's FTS5 walks its lists backwards and stops when it has given enough."""
    index = table("study_search", column("rowid", Integer))
    match = " AND ".join("(" + " OR ".join(f'"{word}"*' for word in one) + ")" for one in asked)
    return (
        select(index.c.rowid.label("id"))
        .where(literal_column("study_search").op("MATCH")(match), index.c.rowid < before)
        .order_by(index.c.rowid.desc())
    )


def _in_gin(asked: list[Asked], before: int) -> Select[int]:
    """PostgreSQL's GIN gives all that match, in no order. MATERIALIZED: or the planner, hoping for an early end, walks
    the whole table."""
    match = " & ".join("(" + " | ".join(f"'{word}':*" for word in one) + ")" for one in asked)
    # Spelled as in migration 0007, without parameters: an index on an expression knows only itself.
    words: ColumnElement[str] = literal_column("array_to_tsvector(string_to_array(study.search_words, ' '))")
    hits = (
        select(Study.id)
        .where(words.op("@@")(cast(match, TSQUERY)), Study.id < before)
        .cte("hit")
        .prefix_with("MATERIALIZED")
    )
    return select(hits.c.id).order_by(hits.c.id.desc())


IN_INDEX = {"sqlite": _in_fts5, "postgresql": _in_gin}
