"""Filling the staging tables of one load from row files, in a stream: no step holds more than one batch of rows.

Goes in: a connection inside the load's transaction, the object store and a published run. Comes out: the number of rows
staged a table. Fails with RejectedInput(CATALOG_CHECK_FAILED) when a file lacks a column or holds another type, and
with what the object store raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from braingranary.catalog.load import columns
from braingranary.catalog.load.arrow_copy import BINARY_HEADER, BINARY_TRAILER, binary_bytes, csv_bytes, fit_json
from braingranary.catalog.load.published import PublishedRun
from braingranary.catalog.schema.row_keys import Column, column_ids
from braingranary.catalog.sql import statement
from braingranary.errors import Code, RejectedInput
from braingranary.records import Reject
from braingranary.storage.store import ObjectStore

Connection: TypeAlias = psycopg.Connection[Any]
BATCH_ROWS: Final = 65_536
REJECT_TEXT_CHARACTERS_MAX: Final = 2_000  # a hostile series UID has no length limit of its own
_SLICE_TYPES: Final = (pa.int64(), pa.int64(), pa.int64(), pa.int32(), pa.int32(), pa.int32(), pa.float32())


def stage_rows(connection: Connection, store: ObjectStore, published: PublishedRun) -> dict[str, int]:
    """Stage everything but the slices; returns rows by table."""
    plans: tuple[tuple[str, Sequence[str], Callable[[int, pa.RecordBatch], list[Column]]], ...] = (
        ("series", columns.SERIES, _series),
        ("packs", columns.PACKS, _packs),
        ("labels", columns.LABELS, _labels),
        ("rejects", columns.REJECTS, reject_columns),
    )
    counts: dict[str, int] = {}
    for table, wanted, shape in plans:
        with connection.cursor() as cursor, cursor.copy(statement(f"load/copy_{table}")) as copy:
            counts[table] = 0
            for part, batch in batches(store, published, table, wanted):
                counts[table] += batch.num_rows
                copy.write(csv_bytes(unnamed(shape(part, batch))))
            if table == "rejects" and published.rejects:
                counts[table] += len(published.rejects)
                copy.write(csv_bytes(unnamed(reject_columns(-1, _reject_batch(published.rejects)))))
    return counts


def stage_slices(
    connection: Connection, store: ObjectStore, published: PublishedRun, changed: dict[int, Column]
) -> tuple[int, int]:
    """Stage the slices of the packs in `changed` (pack keys by part); returns rows carried and rows staged."""
    carried = staged = 0
    with connection.cursor() as cursor, cursor.copy(statement("load/copy_slices")) as copy:
        copy.write(BINARY_HEADER)
        for part, batch in batches(store, published, "slices", columns.SLICES):
            carried += batch.num_rows
            if part not in changed:
                continue
            packs = column_ids("pack", batch["series_uid"], batch["volume"], batch["plane"])
            rest = [batch[name] for name in ("byte_offset", "crc32", "slice_index", "byte_length", "position_mm")]
            arrays = [packs, *rest[:2], repeated(part, batch), *rest[2:]]
            rows = unnamed([array.cast(kind) for array, kind in zip(arrays, _SLICE_TYPES, strict=True)])
            wanted = rows.filter(pc.is_in(packs, changed[part]))
            staged += wanted.num_rows
            if wanted.num_rows:
                copy.write(binary_bytes(wanted))
        copy.write(BINARY_TRAILER)
    return carried, staged


def batches(
    store: ObjectStore, published: PublishedRun, table: LiteralString, wanted: Sequence[str]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of one table over all parts, with the number of the part and exactly the wanted columns."""
    for number, part in enumerate(published.parts):
        if table not in part.tables:
            raise RejectedInput(Code.CATALOG_CHECK_FAILED, f"part {part.part} has no file of {table}")
        with store.open(part.tables[table]) as file:
            try:
                rows = pq.ParquetFile(file)
                missing = set(wanted) - set(rows.schema_arrow.names)
                if missing:
                    raise RejectedInput(
                        Code.CATALOG_CHECK_FAILED, f"{table} of part {part.part} lacks {', '.join(sorted(missing))}"
                    )
                for batch in rows.iter_batches(batch_size=BATCH_ROWS, columns=list(wanted)):
                    yield number, batch.select(list(wanted))
            except pa.ArrowInvalid as error:
                raise RejectedInput(
                    Code.CATALOG_CHECK_FAILED, f"{table} of part {part.part} is not a readable row file"
                ) from error


def _series(part: int, batch: pa.RecordBatch) -> list[Column]:
    ids = [
        column_ids("series", batch["series_uid"]),
        column_ids("study", batch["study_uid"]),
        column_ids("subject", batch["subject"]),
        column_ids("collection", batch["archive"], batch["collection"]),
    ]
    return [repeated(part, batch), *ids, *batch.columns[:-1], fit_json(batch["extra"])]


def _packs(part: int, batch: pa.RecordBatch) -> list[Column]:
    packs = column_ids("pack", batch["series_uid"], batch["volume"], batch["plane"])
    return [repeated(part, batch), packs, column_ids("series", batch["series_uid"]), *batch.columns]


def _labels(part: int, batch: pa.RecordBatch) -> list[Column]:
    packs = column_ids("pack", batch["series_uid"], batch["volume"], batch["plane"])
    return [repeated(part, batch), column_ids("series", batch["series_uid"]), packs, *batch.columns]


def reject_columns(part: int, batch: pa.RecordBatch) -> list[Column]:
    """Rows of rejects in the order of `stage_reject`, with their key, hostile texts cut short."""
    names = ("archive", "collection", "series_uid", "code", "step")
    empty: Any = pa.scalar("")
    identity: list[Column] = [pc.fill_null(batch[name].cast(pa.string()), empty) for name in (*names, "object_key")]
    short = [
        pc.utf8_slice_codeunits(column, 0, REJECT_TEXT_CHARACTERS_MAX) if pa.types.is_string(column.type) else column
        for column in batch.columns
    ]
    return [repeated(part, batch), column_ids("reject", *identity), *short]


def _reject_batch(rejects: Sequence[Reject]) -> pa.RecordBatch:
    kinds = [pa.bool_() if name == "fatal" else pa.string() for name in columns.REJECTS]
    values = [[getattr(reject, name) for reject in rejects] for name in columns.REJECTS]
    return pa.record_batch(
        [pa.array(column, kind) for column, kind in zip(values, kinds, strict=True)], names=list(columns.REJECTS)
    )


def repeated(part: int, batch: pa.RecordBatch) -> Column:
    """The number of the part, once a row."""
    return pa.repeat(pa.scalar(part, pa.int32()), batch.num_rows)


def unnamed(arrays: Sequence[Column]) -> pa.RecordBatch:
    """A batch of columns in the order of a COPY, which knows no names."""
    return pa.record_batch(list(arrays), names=[str(number) for number in range(len(arrays))])
