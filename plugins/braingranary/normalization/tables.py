"""Rows on their way to Parquet: collected by table, checked against the schema, written as the same bytes every time.

Goes in: rows as mappings of column to value, in the order of the schemas in `rows`. Comes out: Parquet files. Fails
with ValueError when a row breaks its schema: that is a defect of ours, never of the input.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from braingranary.normalization.rows import TABLES
from braingranary.records import Reject

Row: TypeAlias = Mapping[str, object]


class RowSet:
    """Rows of all tables, in the order in which they were added."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {name: [] for name in TABLES}

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Append `rows` to `table`."""
        self._rows[table].extend(rows)

    def add_all(self, other: RowSet) -> None:
        """Append all rows of `other`."""
        for table, rows in other._rows.items():
            self._rows[table].extend(rows)

    def rows(self, table: str) -> tuple[Row, ...]:
        """The rows of one table."""
        return tuple(self._rows[table])

    def counts(self) -> dict[str, int]:
        """Number of rows by table."""
        return {name: len(rows) for name, rows in self._rows.items()}

    def parquet(self, table: str) -> bytes:
        """The Parquet file of one table, with all columns of its schema, zstd; raises ValueError on a broken row."""
        data = arrow_table(table, self._rows[table])
        sink = io.BytesIO()
        pq.write_table(data, sink, compression="zstd")
        return sink.getvalue()


def arrow_table(table: str, rows: Iterable[Row]) -> pa.Table:
    """`rows` as an Arrow table of the schema of `table`; raises ValueError for an unknown column or a null."""
    schema = TABLES[table]
    listed = list(rows)
    known = set(schema.names)
    if any(set(row) - known for row in listed):
        raise ValueError(f"a row of {table} has a column that its schema does not know")
    data = pa.Table.from_pylist(listed, schema=schema)
    for field in schema:
        if not field.nullable and data.column(field.name).null_count:
            raise ValueError(f"{table}.{field.name} must not be null")
    return data


def reject_row(reject: Reject) -> Row:
    """The row of table `rejects` for one reject."""
    return {
        "archive": reject.archive,
        "collection": reject.collection,
        "series_uid": reject.series_uid,
        "code": str(reject.code),
        "step": reject.step,
        "detail": reject.detail,
        "object_key": reject.object_key,
        "fatal": reject.fatal,
    }
