"""Columns: what every series is filtered and sorted by, as arrays that a process keeps beside the cells.

Why in the process: a page of fifty out of a million is found by looking at some rows of an order, and where filters go
along with each other at all of them; that is a million bytes here and a million rows there. About a hundred bytes a
series, read in one snapshot, some thousand rows at a time. Who keeps them calls `keep` now and then (the front door
does, in a thread of its own). Who answers calls `current`, which tells them only where they are of the state that the
catalogue is in; else PostgreSQL is to be asked.
Goes in: a connection. Comes out: a frozen record of arrays. Fails as psycopg does.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from braingranary.catalog.db import Connection
from braingranary.catalog.search import cells as kept_cells
from braingranary.catalog.search import words as search_words
from braingranary.catalog.search.cells import PLANES, Cells
from braingranary.catalog.search.words import Words
from braingranary.catalog.sql import statement

Rows: TypeAlias = NDArray[np.int32]
SORTED: Final = ("published_at", "series_date", "age_years", "field_strength_tesla", "slice_count", "spacing_mm")
"""Columns that have an order."""
_READ_SERIES: Final = 32_768  # at once: a tenth of a second for PostgreSQL, 8 MB for us
_ARRAY_HEADER_BYTES: Final = 20  # dimensions, flags, type, length, first index
_LAST_ID_BEFORE_ALL: Final = -(2**63)
_TYPES: Final = {
    "series_id": "i8", "cell_id": "i8", "published_at": "i8", "series_date": "i4", "age_years": "f4",
    "field_strength_tesla": "f4", "slice_count": "i4", "spacing_mm": "f4", "slice_thickness_mm": "f4",
    "slices_axial": "i4", "slices_coronal": "i4", "slices_sagittal": "i4",
}  # fmt: skip
_UNDATED: Final = np.iinfo(np.int32).min
_EPOCH_DAY: Final = date(2000, 1, 1)  # PostgreSQL counts days, and microseconds in UTC, from here
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Arrays of one length; a row is a place in them, and rows stand in the order of their keys."""

    cells: Cells
    """Of the same state."""
    series_ids: NDArray[np.int64]
    cell_of: NDArray[np.unsignedinteger[Any]]
    """Which of the cells counts the series."""
    text_of: NDArray[np.int32]
    """Which of the different texts describes the series."""
    words: Words
    """Of these texts."""
    values: dict[str, NDArray[Any]]
    """By column, as PostgreSQL counts: days and microseconds from 2000; not a number or the least where unknown."""
    slices: NDArray[np.int32]
    """A column a plane."""
    orders: dict[str, Rows]
    """By column, rows by value and then by key, those without a value at the end."""
    cell_in: dict[str, NDArray[np.unsignedinteger[Any]]]
    """By column, the cells of the rows in that order."""
    valued: dict[str, int]
    """By column, how many rows have a value."""

    def row_after(self, series_id: int) -> int:
        """The first row whose key is larger."""
        return int(np.searchsorted(self.series_ids, series_id, side="right"))


class _Keeper:
    """The columns that this process keeps."""

    def __init__(self) -> None:
        self.columns: Columns | None = None
        self.reading = threading.Lock()


_keeper: Final = _Keeper()


def current(connection: Connection) -> Columns | None:
    """The columns as of the last load, where this process keeps them."""
    kept = _keeper.columns
    return kept if kept is not None and kept.cells.version == kept_cells.version(connection) else None


def keep(connection: Connection) -> int | None:
    """Read the columns where those kept are not of the current state: of how many series, or None where they are.

    The connection must be in no transaction.
    """
    with _keeper.reading:
        if current(connection) is not None:
            return None
        before = connection.isolation_level
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # one state, whatever is loaded meanwhile
        try:
            with connection.transaction():
                _keeper.columns = columns = _read(connection, kept_cells.current(connection))
            pa.default_memory_pool().release_unused()  # which it would else keep for a next time: half as much again
        finally:
            connection.isolation_level = before
    return len(columns.series_ids)


def forget() -> None:
    """Keep no columns."""
    _keeper.columns = None


def stored(value: float | date | None, column: str) -> Any:
    """A value as the column holds it."""
    if isinstance(value, datetime):
        return np.int64((value - _EPOCH) // timedelta(microseconds=1))
    if isinstance(value, date):
        return np.int32((value - _EPOCH_DAY).days)
    return np.dtype(_TYPES[column]).type(value)


def told(value: Any, column: str) -> float | date:
    """The value of a column as the driver would tell it."""
    if column == "published_at":
        return _EPOCH + timedelta(microseconds=int(value))
    if column == "series_date":
        return _EPOCH_DAY + timedelta(days=int(value))
    return int(value) if column == "slice_count" else float(str(value))  # the shortest text of a real, as the server's


def known(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the values of a column are there."""
    there: NDArray[np.bool_] = ~np.isnan(values) if values.dtype.kind == "f" else values != _UNDATED
    return there


def _read(connection: Connection, cells: Cells) -> Columns:
    columns, texts = _parts(connection, int(cells.series.sum()))
    values = {name: columns[name] for name in (*SORTED, "slice_thickness_mm")}
    orders, valued = {}, {}
    for name in SORTED:
        there = known(values[name])
        rows = np.flatnonzero(there).astype(np.int32)
        ordered = rows[np.argsort(values[name][rows], kind="stable")]
        orders[name] = np.concatenate([ordered, np.flatnonzero(~there).astype(np.int32)])
        valued[name] = len(rows)
    cell_of = np.searchsorted(cells.keys, columns["cell_id"]).astype(np.min_scalar_type(max(len(cells.keys), 1)))
    return Columns(
        cells=cells,
        series_ids=columns["series_id"],
        cell_of=cell_of,
        text_of=texts.indices.to_numpy(),
        words=search_words.of_texts(texts.dictionary),
        values=values,
        slices=np.stack([columns[f"slices_{plane}"] for plane in PLANES], axis=1),
        orders=orders,
        cell_in={name: cell_of[order] for name, order in orders.items()},
        valued=valued,
    )


def _parts(connection: Connection, series: int) -> tuple[dict[str, NDArray[Any]], Any]:
    """All columns as arrays, and all words as an Arrow array that holds each different text once."""
    columns: dict[str, NDArray[Any]] = {name: np.empty(series, kind) for name, kind in _TYPES.items()}
    texts = [pa.array([], pa.string()).dictionary_encode()]
    after, start = _LAST_ID_BEFORE_ALL, 0
    while start < series:
        asked = {"after": after, "rows": _READ_SERIES}
        row = connection.execute(statement("queries/search_columns"), asked, binary=True).fetchone()
        assert row is not None  # noqa: S101 - it counts
        count, *arrays, words = row
        for (name, kind), sent in zip(_TYPES.items(), arrays, strict=True):
            columns[name][start : start + count] = _unpacked(sent, kind)
        texts.append(pc.split_pattern(pa.array([words]), "\n").flatten().dictionary_encode())
        start += count
        after = int(columns["series_id"][start - 1])
    return columns, pa.chunked_array(texts).unify_dictionaries().combine_chunks()


def _unpacked(sent: bytes, kind: str) -> NDArray[Any]:
    """The values of an array in PostgreSQL's binary form, none of them null."""
    each = np.dtype([("length", ">i4"), ("value", f">{kind}")])
    return np.frombuffer(sent, each, offset=_ARRAY_HEADER_BYTES)["value"]
