"""The named queries, and how much each answers: counted when a snapshot is built."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from braingranary.catalog.db import Connection
from braingranary.catalog.sql import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """One of the predefined queries with its counts."""

    name: str
    plane: str
    tumor: bool
    slice_count: int
    """By truth, as the next two."""
    series_count: int
    subject_count: int
    model_slice_count: int
    """What the active model would add where no truth speaks, as the next two."""
    model_series_count: int
    model_subject_count: int


def count_named_queries(connection: Connection) -> list[NamedQuery]:
    """The named queries in the order they are shown."""
    with connection.cursor(row_factory=class_row(NamedQuery)) as cursor:
        return cursor.execute(statement("queries/named_query_totals")).fetchall()
