"""What a search finds as CSV or Parquet: whole, in order, some thousand rows at a time.

The columns are the fields that lists show, in their order and of their types, and the addresses of each series.
Goes in: batches of rows. Comes out: the bytes of one file, piece by piece.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from braingranary.catalog.search.columns import SHOWN

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.f+00:00"


def csv_bytes(batches: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """A CSV file as in RFC 4180 with names in its first line; null is nothing, times are ISO 8601 in UTC."""
    header = True
    for batch in batches:
        text = io.BytesIO()
        batch.write_csv(text, include_header=header, datetime_format=_TIME_FORMAT, line_terminator="\r\n")
        header = False
        yield text.getvalue()


def parquet_bytes(batches: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """A Parquet file, a row group a batch."""
    sink = _Sink()
    writer: pq.ParquetWriter | None = None
    for batch in batches:
        table = _plain(batch.to_arrow())
        writer = writer or pq.ParquetWriter(pa.PythonFile(sink, mode="w"), table.schema)
        writer.write_table(table)
        yield sink.taken()
    if writer is not None:
        writer.close()
        yield sink.taken()


def _plain(table: pa.Table) -> pa.Table:
    """The table with texts as plain strings, whatever Polars holds them as."""
    texts = {pa.large_string(), pa.string_view()}
    fields = [
        field.with_type(pa.string()) if field.type in texts or pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def with_addresses(batches: Iterable[pl.DataFrame], *, series: str, slices: str) -> Iterator[pl.DataFrame]:
    """The fields that lists show and the addresses of each series; they begin with `series` and `slices`."""
    address = pl.concat_str(pl.lit(series), "series_uid")
    cover = pl.concat_str(pl.lit(slices), "cover_pack_id", pl.lit("-"), "cover_index", pl.lit(".jpg"))  # null of null
    for batch in batches:
        yield batch.select(
            *SHOWN,
            address.alias("url"),
            pl.concat_str(address, pl.lit("/slices")).alias("slices_url"),
            cover.alias("thumbnail_url"),
        )


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
