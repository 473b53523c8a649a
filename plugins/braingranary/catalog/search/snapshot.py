"""The search snapshot: one Arrow file with a row a series, read from the view `series_snapshot` in constant memory.

It is written under another name, synced and renamed, so that a file under its own name is whole. Its name holds the
state of the catalogue that it was read in and the version of its format; its metadata hold that state and the counts
of the named queries. Goes in: a connection in no transaction, and a folder. Comes out: the file, or what it holds.
Fails as psycopg and the file system do.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
from pyarrow import ipc

from braingranary.catalog.db import Connection
from braingranary.catalog.search.columns import column_types, snapshot_schema
from braingranary.catalog.search.named_queries import NamedQuery, count_named_queries
from braingranary.catalog.sql import statement

_FORMAT: Final = "2"  # of the file beside its columns
SUFFIX: Final = ".arrow"
UNFINISHED: Final = ".building"
_BLOCK_BYTES: Final = 16 * 1024 * 1024
"""Of CSV at once, some thirty thousand series: these become one record batch."""


def catalogue_state(connection: Connection) -> str:
    """The state that the catalogue is in: another one after each load that changed anything."""
    row = connection.execute(statement("queries/catalogue_state")).fetchone()
    assert row is not None  # noqa: S101 - the table has one row
    version, changed_at = row
    return f"{version}-{changed_at.timestamp():.6f}"


@cache
def layout() -> str:
    """The version of the format: another one with each change of the columns."""
    return hashlib.sha256(f"{_FORMAT} {snapshot_schema()}".encode()).hexdigest()[:8]


def file_name(state: str) -> str:
    """Name of the snapshot of a state, in the format that this code reads."""
    return f"series-{layout()}-{hashlib.sha256(state.encode()).hexdigest()[:24]}{SUFFIX}"


def build(connection: Connection, folder: Path) -> Path:
    """Read the catalogue as it is now into a snapshot in `folder`; returns the finished file."""
    with _one_state(connection):
        state = catalogue_state(connection)
        queries = json.dumps([asdict(query) for query in count_named_queries(connection)])
        descriptor, unfinished = tempfile.mkstemp(suffix=UNFINISHED, dir=folder)
        try:
            with (
                os.fdopen(descriptor, "wb") as file,
                tempfile.NamedTemporaryFile(suffix=UNFINISHED, dir=folder) as wide,
            ):
                _write_rows(connection, wide)
                wide.flush()
                _write_narrowed(Path(wide.name), {"state": state, "queries": queries}, file)
                file.flush()
                os.fsync(file.fileno())
            finished = folder / file_name(state)
            Path(unfinished).replace(finished)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
    folder_descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_descriptor)
    finally:
        os.close(folder_descriptor)
    return finished


def open_snapshot(path: Path) -> tuple[str, pl.DataFrame, tuple[NamedQuery, ...]]:
    """State, rows and named queries of a finished snapshot; the mapped rows stay readable when the file is removed."""
    table = ipc.open_file(pa.memory_map(str(path))).read_all()
    metadata = table.schema.metadata or {}
    queries = tuple(NamedQuery(**query) for query in json.loads(metadata[b"queries"]))
    frame = pl.DataFrame({name: _mapped(table[name]) for name in table.column_names})
    return metadata[b"state"].decode(), frame, queries


def _mapped(column: Any) -> pl.Series:
    """A column over the bytes of the file.

    Of a dictionary, `from_arrow` alone would copy the codes and number all values of all columns together.
    """
    if not pa.types.is_dictionary(column.type):
        return cast(pl.Series, pl.from_arrow(column, rechunk=False))
    indices = pa.chunked_array([chunk.indices for chunk in column.chunks], column.type.index_type)
    codes = cast(pl.Series, pl.from_arrow(indices, rechunk=False))
    kind = pl.Categorical(pl.Categories.random(physical=codes.dtype))
    known = pl.Series(column.chunk(0).dictionary if column.num_chunks else [], dtype=kind)  # numbered in their order
    found = codes.cat.to(kind)
    del known  # the numbers of the values last as long as a series has them
    return found


@contextmanager
def _one_state(connection: Connection) -> Iterator[None]:
    """A transaction that sees one state, whatever is loaded meanwhile, and takes the time it needs."""
    before = connection.isolation_level
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'; SET LOCAL jit = off")
            yield
    finally:
        connection.isolation_level = before


def _write_rows(connection: Connection, file: Any) -> None:
    """Write the rows with dictionaries that grow: before each batch the file has those values that it brings."""
    schema = snapshot_schema()
    dictionaries = {field.name: pa.array([], pa.string()) for field in schema if pa.types.is_dictionary(field.type)}
    options = ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with ipc.new_file(file, schema, options=options) as writer:
        for batch in _batches(connection):
            writer.write_batch(_stored(batch, schema, dictionaries))


def _write_narrowed(wide: Path, metadata: dict[bytes | str, bytes | str], file: Any) -> None:
    """Write the rows anew, with the codes of each dictionary as narrow as the number of its values lets them be."""
    rows: Any = ipc.open_file(pa.memory_map(str(wide))).read_all()
    schema = rows.schema.with_metadata(metadata)
    for number, column in enumerate(rows.columns):
        if pa.types.is_dictionary(column.type):
            values = len(column.chunk(0).dictionary) if column.num_chunks else 0
            narrow = pa.dictionary(_code_type(values), pa.string())
            schema = schema.set(number, schema.field(number).with_type(narrow))
    with ipc.new_file(file, schema) as writer:
        for batch in rows.to_batches():
            columns = zip(batch.columns, schema.types, strict=True)
            arrays = [column if column.type == kind else _narrowed(column, kind) for column, kind in columns]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _code_type(values: int) -> Any:
    """The narrowest type for the codes of so many values; Polars leaves the highest one unused."""
    return next(kind for kind in (pa.uint8(), pa.uint16(), pa.uint32()) if values < 2**kind.bit_width)


def _narrowed(column: Any, kind: Any) -> Any:
    return pa.DictionaryArray.from_arrays(column.indices.cast(kind.index_type), column.dictionary)


def _batches(connection: Connection) -> Iterator[pa.RecordBatch]:
    """The rows of the view, parsed from the CSV that PostgreSQL sends."""
    types = column_types()
    convert = pc_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,  # PostgreSQL quotes an empty text, and leaves null bare
        null_values=[""],
        true_values=["t"],
        false_values=["f"],
    )
    with connection.cursor().copy(statement("queries/copy_snapshot")) as copy:
        reader = pc_csv.open_csv(
            io.BufferedReader(_CopyStream(copy), _BLOCK_BYTES),
            read_options=pc_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pc_csv.ParseOptions(newlines_in_values=True),
            convert_options=convert,
        )
        yield from reader


def _stored(batch: pa.RecordBatch, schema: pa.Schema, dictionaries: dict[str, Any]) -> pa.RecordBatch:
    """The batch as the file holds it; `dictionaries` grow by the values that come for the first time."""
    arrays: list[Any] = []
    for field in schema:
        column: Any = batch.column(field.name)
        if field.name in dictionaries:
            known = dictionaries[field.name]
            fresh = pc.unique(column).drop_null()
            fresh = fresh.filter(pc.invert(pc.is_in(fresh, value_set=known)))
            if len(fresh):
                known = dictionaries[field.name] = pa.concat_arrays([known, fresh])
            column = pa.DictionaryArray.from_arrays(pc.index_in(column, value_set=known), known)
        arrays.append(column if column.type == field.type else column.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _CopyStream(io.RawIOBase):
    """What a COPY sends, as a file that can only be read on."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as can be without keeping much; 0 at the end."""
        filled, wanted = 0, len(buffer)
        while filled < wanted:
            if not self._left:
                self._left = memoryview(self._copy.read())
                if not self._left:
                    break
            size = min(len(self._left), wanted - filled)
            buffer[filled : filled + size] = self._left[:size]
            self._left = self._left[size:]
            filled += size
        return filled
