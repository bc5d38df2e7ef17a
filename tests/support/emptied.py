"""A PostgreSQL database that is made as good as new between two tests, in a tenth of the time that a copy takes."""

from __future__ import annotations

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

# Names of what a test can break: tables, indexes, sequences, triggers.
_SHAPE = """
    SELECT md5(string_agg(name, ' ' ORDER BY name)) FROM (
        SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT tgname::text || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
    ) AS shape
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_COUNT_ANEW = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


class Emptied:
    """``url``: of a database that was just copied. Its rows from the migrations are kept in a schema beside."""

    def __init__(self, url: str) -> None:
        at = make_url(url)
        self._connection = psycopg.connect(
            at.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        )
        self._do("SET session_replication_role = replica")  # no foreign key asks, no trigger guards
        self._do("SET lock_timeout = '3s'")
        self._do("CREATE SCHEMA kept")
        self._tables = [sql.Identifier("public", row[0]) for row in self._rows(_TABLES)]
        self._kept = [(table, sql.Identifier("kept", table._obj[-1])) for table in self._filled()]
        for table, kept in self._kept:
            self._do(sql.SQL("CREATE TABLE {} AS TABLE {}").format(kept, table))
        self._shape = self._rows(_SHAPE)

    def empty(self) -> bool:
        """Whether it is as new again. False: its schema was changed, or a test still holds a lock."""
        if self._rows(_SHAPE) != self._shape:
            return False
        try:
            for table in self._filled():
                self._do(sql.SQL("DELETE FROM {}").format(table))
        except psycopg.errors.LockNotAvailable:
            return False
        for table, kept in self._kept:
            self._do(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(table, kept))
        self._do(_COUNT_ANEW)
        return True

    def close(self) -> None:
        self._connection.close()

    def _filled(self) -> list[sql.Identifier]:
        query = sql.SQL("SELECT ARRAY[{}]").format(
            sql.SQL(", ").join(sql.SQL("EXISTS (SELECT FROM {})").format(table) for table in self._tables)
        )
        answers = self._rows(query)[0][0]
        return [table for table, has_rows in zip(self._tables, answers, strict=True) if has_rows]

    def _rows(self, query: str | sql.Composable) -> list[tuple]:  # type: ignore[type-arg]
        return self._connection.execute(query).fetchall()  # type: ignore[arg-type]

    def _do(self, statement: str | sql.Composable) -> None:
        self._connection.execute(statement)  # type: ignore[arg-type]
