"""Row files: rows checked against an Arrow schema and written as Parquet, the same bytes every time.

What every step hands to the catalogue, and the one table that every step has: its rejects. Goes in: a schema, rows as
mappings of column to value. Comes out: an Arrow table or a Parquet file. Fails with ValueError when a row breaks its
schema: that is a defect of ours, never of the input.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from braingranary.records import Reject

Row: TypeAlias = Mapping[str, object]


def schema(fields: list[pa.Field[Any]]) -> pa.Schema:
    """The schema of one kind of row file: its columns in their order."""
    return pa.schema(fields)


REJECTS: Final = schema(
    [
        pa.field("archive", pa.string(), nullable=False),
        pa.field("collection", pa.string(), nullable=False),
        pa.field("series_uid", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("step", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("object_key", pa.string()),
        pa.field("fatal", pa.bool_(), nullable=False),
    ]
)


def checked_table(schema: pa.Schema, rows: Iterable[Row], *, name: str) -> pa.Table:
    """`rows` as an Arrow table; raises ValueError, naming the file, for an unknown column or a null."""
    listed = list(rows)
    known = set(schema.names)
    if any(set(row) - known for row in listed):
        raise ValueError(f"a row of {name} has a column that its schema does not know")
    data = pa.Table.from_pylist(listed, schema=schema)
    for field in schema:
        if not field.nullable and data.column(field.name).null_count:
            raise ValueError(f"{name}.{field.name} must not be null")
    return data


def parquet_bytes(data: pa.Table) -> bytes:
    """The table as one Parquet file, zstd."""
    sink = io.BytesIO()
    pq.write_table(data, sink, compression="zstd")
    return sink.getvalue()


def reject_row(reject: Reject) -> Row:
    """The row of a reject."""
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
