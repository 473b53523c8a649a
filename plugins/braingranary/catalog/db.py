"""Asking PostgreSQL one of the questions under sql/queries/: rows come back as frozen records.

Goes in: a connection, the record's class, whose fields are the columns, the name of the file and its parameters. Comes
out: all rows, or the first. Fails as psycopg does; whoever lends the connection turns that into our errors.
"""

from __future__ import annotations

from typing import Any, LiteralString, TypeAlias, TypeVar

import psycopg
from psycopg.rows import class_row

from braingranary.catalog.sql import statement

Connection: TypeAlias = psycopg.Connection[Any]
Row = TypeVar("Row")


def many(
    connection: Connection, kind: type[Row], name: LiteralString, values: dict[str, Any], *, prepare: bool | None = None
) -> list[Row]:
    """Every row that the question `name` answers; `prepare` one whose plan is the same for any values."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement(f"queries/{name}"), values, prepare=prepare).fetchall()


def one(
    connection: Connection, kind: type[Row], name: LiteralString, values: dict[str, Any], *, prepare: bool | None = None
) -> Row | None:
    """The first row that the question `name` answers; None where there is none."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement(f"queries/{name}"), values, prepare=prepare).fetchone()
