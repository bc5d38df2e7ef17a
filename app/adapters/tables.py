"""A database's rows as JSON values, out of one database and into another, of the same kind or not.

SQLite and PostgreSQL give and take the same values: moments in UTC as ISO 8601, bytes as base64. Owns no
schema: the rows go into tables that the migrations have made.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, MetaData, Table

BATCH = 500
Row = list[Any]


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database of one moment, whatever others write meanwhile."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # sqlite3 begins no transaction for SELECTs; in WAL mode a reader keeps nobody from writing.
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()
    else:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with engine.connect().execution_options(**options) as connection:
            yield connection


def count(connection: Connection, table: Table) -> int:
    found: int = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return found


def rows(connection: Connection, table: Table) -> Iterator[Row]:
    """All rows in the order of their keys, a batch at a time."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    for row in connection.execute(query, execution_options={"yield_per": BATCH}):
        yield [_out(value) for value in row]


def reflected(connection: Connection, names: Sequence[str]) -> dict[str, Table]:
    """The named tables as the database has them. Raises InvalidRequestError for one that is missing."""
    metadata = MetaData()
    metadata.reflect(connection, only=list(names))
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.JSON):
                column.type = sa.JSON(none_as_null=True)
    return {name: metadata.tables[name] for name in names}


def empty(connection: Connection, tables: Sequence[Table]) -> None:
    """Take out what the migrations put in; ``tables`` in the order in which rows go in."""
    for table in reversed(tables):
        connection.execute(sa.delete(table))


def insert(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    values: Iterator[Row],
    told: Callable[[int], None],
) -> None:
    """Write rows; ``told`` hears how many so far. Raises KeyError for a column that the table hasn't."""
    readers = [_reader(table.columns[name], connection.dialect.name) for name in columns]
    done = 0
    while batch := list(islice(values, BATCH)):
        connection.execute(
            sa.insert(table),
            [
                {name: read(value) for name, read, value in zip(columns, readers, row, strict=True)}
                for row in batch
            ],
        )
        done += len(batch)
        told(done)


def renumber(connection: Connection, tables: Sequence[Table]) -> None:
    """PostgreSQL numbers on from what was inserted; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    quoted = connection.dialect.identifier_preparer.quote
    for table in tables:
        for column in table.primary_key.columns:
            sequence = connection.scalar(
                sa.select(sa.func.pg_get_serial_sequence(quoted(table.name), column.name))
            )
            if sequence is not None:
                highest = sa.select(sa.func.max(column)).scalar_subquery()
                has_rows = highest.is_not(None)
                connection.execute(
                    sa.select(sa.func.setval(sequence, sa.func.coalesce(highest, 1), has_rows))
                )


def check(connection: Connection) -> None:
    """SQLite's own look at what was written. Raises sqlalchemy.exc.DatabaseError."""
    if connection.dialect.name == "sqlite":
        problems = [*connection.exec_driver_sql("PRAGMA foreign_key_check")]
        verdict = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
        if problems or verdict != "ok":
            raise sa.exc.IntegrityError("the restored database is not sound", None, ValueError(verdict))


def _out(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _reader(column: sa.Column[Any], dialect: str) -> Callable[[Any], Any]:
    """How a value comes back for this column."""
    if isinstance(column.type, sa.DateTime):
        # SQLite has no time zones: UTC without saying so (models.base.UtcDateTime).
        zone = None if dialect == "sqlite" else UTC
        return lambda value: None if value is None else datetime.fromisoformat(value).replace(tzinfo=zone)
    if isinstance(column.type, sa.Date):
        return lambda value: None if value is None else date.fromisoformat(value)
    if isinstance(column.type, sa.LargeBinary):
        return lambda value: None if value is None else base64.b64decode(value)
    return lambda value: value
