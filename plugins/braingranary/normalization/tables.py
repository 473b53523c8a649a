"""Rows on their way to Parquet: collected by table, checked against the schema, written as the same bytes every time.

Goes in: rows as mappings of column to value, in the order of the schemas in `rows`. Comes out: Parquet files. Fails
with ValueError when a row breaks its schema: that is a defect of ours, never of the input.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from braingranary.normalization.rows import TABLES
from braingranary.storage.row_files import Row, checked_table, parquet_bytes


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
        return parquet_bytes(arrow_table(table, self._rows[table]))


def arrow_table(table: str, rows: Iterable[Row]) -> pa.Table:
    """`rows` as an Arrow table of the schema of `table`; raises ValueError for an unknown column or a null."""
    return checked_table(TABLES[table], rows, name=table)
