"""the index behind the search of studies (models.study_search says what it is)

Rows that were there before have no words yet: the follower makes them (services.search_words).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# Our words are folded and split already: whatever is no space belongs to a word. No positions, no sizes: a word occurs
# or it doesn't. Beginnings of up to six letters have lists of their own: at a million studies they take a common name
# from 16 ms to 10 and an accession number from 26 to 7, at the same size.
_TABLE = """
CREATE VIRTUAL TABLE study_search USING fts5(
    search_words, content='study', content_rowid='id', detail=none, columnsize=0, prefix='2 3 4 5 6',
    tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'")
"""
_ADD = "INSERT INTO study_search (rowid, search_words) VALUES (new.id, new.search_words)"
_REMOVE = """
INSERT INTO study_search (study_search, rowid, search_words) VALUES ('delete', old.id, old.search_words)
"""
_TRIGGERS = {
    "study_search_added": f"AFTER INSERT ON study BEGIN {_ADD}; END",
    "study_search_removed": f"AFTER DELETE ON study BEGIN {_REMOVE}; END",
    "study_search_changed": f"AFTER UPDATE OF id, search_words ON study BEGIN {_REMOVE}; {_ADD}; END",
}
# Without fastupdate no search pays for what others added.
_INDEX = """
CREATE INDEX study_search ON study USING gin (array_to_tsvector(string_to_array(search_words, ' ')))
WITH (fastupdate = off)
"""


def upgrade() -> None:
    op.create_index(
        "ix_study_unsearchable",
        "study",
        ["id"],
        sqlite_where=sa.text("search_words = ''"),
        postgresql_where=sa.text("search_words = ''"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_INDEX)
        return
    op.execute(_TABLE)
    op.execute("INSERT INTO study_search (study_search) VALUES ('rebuild')")
    for name, what in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {what}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX study_search")
    else:
        for name in _TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE study_search")
    op.drop_index("ix_study_unsearchable", "study")
