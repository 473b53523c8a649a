"""Filling the staging tables of one load from row files, in a stream: no step holds more than one batch of rows.

A staging table has the columns of its table of the catalogue and some of the row file besides. Its own columns decide
what is taken: one that the file lacks (it was written before the column came) is null, and one that only the file has
is left for a later schema. Files that lack what keys are made of, or hold what their columns cannot take, end in
RejectedInput(CATALOG_CHECK_FAILED).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import sql

from braingranary.catalog.load.arrow_copy import BINARY_HEADER, BINARY_TRAILER, binary_bytes, csv_bytes, fit_json
from braingranary.catalog.load.published import PublishedRun
from braingranary.catalog.schema.row_keys import Column, column_ids
from braingranary.errors import Code, RejectedInput
from braingranary.storage.row_files import REJECTS, reject_row
from braingranary.storage.store import ObjectStore

Connection: TypeAlias = psycopg.Connection[Any]
BATCH_ROWS: Final = 65_536
REJECT_TEXT_CHARACTERS_MAX: Final = 2_000  # a hostile series UID has no length limit of its own
FIXED_WIDTH_TYPES: Final[dict[int, Any]] = {20: pa.int64(), 23: pa.int32(), 700: pa.float32()}
"""Arrow's types of PostgreSQL's bigint, integer and real, by their numbers in its catalogue of types."""


class Columns(dict[str, Column]):
    """One batch of rows: columns of equal length by name."""

    def __missing__(self, name: str) -> Column:
        raise RejectedInput(Code.CATALOG_CHECK_FAILED, f"a row file lacks the column {name}")

    def with_columns(self, **added: Column) -> Columns:
        """The same rows with more columns, or others of the same name."""
        return Columns({**self, **added})

    def repeated(self, value: str | int) -> Column:
        """A column of `value`, once a row."""
        scalar: Any = pa.scalar(value)
        column: Column = pa.repeat(scalar, self.rows)
        return column

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.values())))


def stage_rows(connection: Connection, store: ObjectStore, run: PublishedRun) -> dict[str, int]:
    """Stage everything of `run` but its slices; returns rows by table."""
    return {
        "series": copy_csv(connection, "stage_series", _series(store, run)),
        "packs": copy_csv(connection, "stage_pack", _packs(store, run)),
        "labels": copy_csv(connection, "stage_label", _labels(store, run)),
        "rejects": stage_rejects(connection, store, run),
    }


def stage_slices(
    connection: Connection, store: ObjectStore, run: PublishedRun, changed: Mapping[int, Column]
) -> tuple[int, int]:
    """Stage the slices of the packs in `changed` (pack keys by part); returns rows carried and rows staged."""
    carried = 0

    def wanted() -> Iterator[Columns]:
        nonlocal carried
        for part, batch in batches(store, run, "slices"):
            carried += batch.rows
            if part in changed:
                packs = _pack_ids(batch)
                chosen = pc.is_in(packs, changed[part])
                rows = batch.with_columns(pack_id=packs)
                yield Columns({name: column.filter(chosen) for name, column in rows.items()})

    staged = copy_binary(connection, "stage_slice", wanted())
    return carried, staged


def stage_rejects(connection: Connection, store: ObjectStore, run: PublishedRun) -> int:
    """Stage the rejects of `run`: those of its row files and those that it lists itself; returns how many."""

    def rows() -> Iterator[Columns]:
        yield from (batch for _, batch in batches(store, run, "rejects"))
        if run.rejects:
            yield _columns(pa.RecordBatch.from_pylist([reject_row(one) for one in run.rejects], schema=REJECTS))

    return copy_csv(connection, "stage_reject", (_with_reject_key(run, batch) for batch in rows()))


def batches(store: ObjectStore, run: PublishedRun, table: LiteralString) -> Iterator[tuple[int, Columns]]:
    """Batches of one table over all parts, each with the number of its part."""
    for number, part in enumerate(run.parts):
        if table not in part.tables:
            raise RejectedInput(Code.CATALOG_CHECK_FAILED, f"part {part.part} has no file of {table}")
        with store.open(part.tables[table]) as file:
            try:
                for batch in pq.ParquetFile(file).iter_batches(batch_size=BATCH_ROWS):
                    yield number, _columns(batch)
            except pa.ArrowInvalid as error:
                raise RejectedInput(
                    Code.CATALOG_CHECK_FAILED, f"{table} of part {part.part} is not a readable row file"
                ) from error


def copy_csv(connection: Connection, table: LiteralString, rows: Iterable[Columns]) -> int:
    """COPY `rows` into `table` as text; a column that a batch lacks is null. Returns how many rows."""
    count = 0
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(sql.Identifier(table))
    names = column_types(connection, table)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows:
            count += batch.rows
            unknown = pa.nulls(batch.rows, pa.string())
            copy.write(csv_bytes(pa.record_batch([batch.get(name, unknown) for name in names], names=list(names))))
    return count


def copy_binary(connection: Connection, table: LiteralString, rows: Iterable[Columns]) -> int:
    """COPY `rows` into `table`, whose columns have a fixed width and know no null. Returns how many rows."""
    count = 0
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
    types = column_types(connection, table)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(BINARY_HEADER)
        for batch in rows:
            columns = [batch[name].cast(FIXED_WIDTH_TYPES[number]) for name, number in types.items()]
            if any(column.null_count for column in columns):
                raise RejectedInput(Code.CATALOG_CHECK_FAILED, f"a null among the rows for {table}")
            count += batch.rows
            copy.write(binary_bytes(pa.record_batch(columns, names=list(types))))
        copy.write(BINARY_TRAILER)
    return count


def column_types(connection: Connection, table: LiteralString) -> dict[str, int]:
    """Names of a table's columns in their order, each with the number of its type."""
    found = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table)))
    return {column.name: column.type_code for column in found.description or ()}


def _columns(batch: pa.RecordBatch) -> Columns:
    return Columns(zip(batch.schema.names, batch.columns, strict=True))


def _series(store: ObjectStore, run: PublishedRun) -> Iterator[Columns]:
    for part, batch in batches(store, run, "series"):
        yield batch.with_columns(
            part=batch.repeated(part),
            series_id=column_ids("series", batch["series_uid"]),
            study_id=column_ids("study", batch["study_uid"]),
            subject_id=column_ids("subject", batch["subject"]),
            collection_id=column_ids("collection", batch["archive"], batch["collection"]),
            extra=fit_json(batch["extra"]),
            published_at=batch.repeated(run.published_at.isoformat()),
        )


def _packs(store: ObjectStore, run: PublishedRun) -> Iterator[Columns]:
    for part, batch in batches(store, run, "packs"):
        yield batch.with_columns(
            part=batch.repeated(part), pack_id=_pack_ids(batch), series_id=column_ids("series", batch["series_uid"])
        )


def _labels(store: ObjectStore, run: PublishedRun) -> Iterator[Columns]:
    for _, batch in batches(store, run, "labels"):
        yield batch.with_columns(
            pack_id=_pack_ids(batch),
            series_id=column_ids("series", batch["series_uid"]),
            published_at=batch.repeated(run.published_at.isoformat()),
        )


def _with_reject_key(run: PublishedRun, batch: Columns) -> Columns:
    names = ("archive", "collection", "series_uid", "code", "step", "object_key")
    empty: Any = pa.scalar("")
    identity: list[Column] = [pc.fill_null(batch[name].cast(pa.string()), empty) for name in names]
    short = {
        name: pc.utf8_slice_codeunits(column, 0, REJECT_TEXT_CHARACTERS_MAX)
        for name, column in batch.items()
        if pa.types.is_string(column.type)
    }
    return batch.with_columns(
        **short,
        reject_id=column_ids("reject", *identity),
        published_at=batch.repeated(run.published_at.isoformat()),
    )


def _pack_ids(batch: Columns) -> Column:
    return column_ids("pack", batch["series_uid"], batch["volume"], batch["plane"])
