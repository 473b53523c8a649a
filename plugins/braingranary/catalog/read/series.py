"""Reading the catalogue: typed questions and typed answers; the SQL itself stands in sql/queries/.

Lists are paged by key, never by OFFSET: a page costs the same at the end of ten million rows as at their beginning, and
a row that is loaded meanwhile shifts nothing. Goes in: a connection and filters. Comes out: frozen records. Nothing
found is an empty answer or None, never an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from psycopg.rows import class_row

from braingranary.catalog.db import Connection
from braingranary.catalog.db import many as _all
from braingranary.catalog.db import one as _one
from braingranary.catalog.read.series_json import Addresses, detail_told, page_told
from braingranary.catalog.search.columns import keep
from braingranary.catalog.search.facets import Count, Facet, FacetAnswer, count, facets, facets_of, facets_told
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.catalog.search.series import (
    Position,
    SelectedSlice,
    SeriesItem,
    Sort,
    narrowed,
    parsed,
    position,
    recent_series,
    series_by_uid,
    series_of,
    series_page,
    series_places,
    series_shown,
    slices_of,
)
from braingranary.catalog.sql import statement
from braingranary.records import Json

__all__ = [
    "Addresses", "Count", "Facet", "FacetAnswer", "ImageItem", "NamedQuery", "NamedSlice", "PackItem", "Position",
    "RunItem", "SelectedSlice", "SeriesExtra", "SeriesFilter", "SeriesItem", "SliceItem", "SliceLocation", "Sort",
    "count", "detail_told", "extra_of_series", "facets", "facets_of", "facets_told", "image_page", "keep",
    "named_queries", "named_query_slices", "narrowed", "packs_of_series", "page_told", "parsed", "position",
    "recent_series", "runs", "series_by_uid", "series_of", "series_page", "series_places", "series_shown",
    "slice_location", "slices_of", "slices_of_series",
]  # fmt: skip
Labels: TypeAlias = Literal["truth", "model", "all"]
STREAM_ROWS = 5_000  # rows fetched at a time by a streamed answer


@dataclass(frozen=True, slots=True, kw_only=True)
class PackItem:
    """One pack of a series: a volume in a plane."""

    pack_id: int
    volume: int
    plane: str
    acquired: bool
    slice_count: int
    width: int
    height: int
    pixel_width_mm: float
    pixel_height_mm: float
    slice_spacing_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesExtra:
    """What only the page of one series shows."""

    extra: dict[str, Json]
    profile: str
    raw_sha256: str
    text_plane: str | None
    echo_time_ms: float | None
    repetition_time_ms: float | None
    inversion_time_ms: float | None
    flip_angle_deg: float | None
    slice_gaps: int
    slice_duplicates: int
    volume_count: int
    window_low: float
    window_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceItem:
    """One slice of a series."""

    pack_id: int
    volume: int
    plane: str
    slice_index: int
    position_mm: float
    byte_length: int
    tumor: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLocation:
    """Where the bytes of one slice are: a range of a pack."""

    object_key: str
    sha256: str
    """Of the whole pack: with the number of the slice it names the bytes."""
    pixel_width_mm: float
    pixel_height_mm: float
    byte_offset: int
    byte_length: int
    crc32: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageItem:
    """One slice as the list of all images shows it."""

    pack_id: int
    slice_index: int
    series_uid: str
    volume: int
    plane: str
    series_date: date | None
    manufacturer: str | None
    manufacturer_model: str | None
    pixel_width_mm: float
    pixel_height_mm: float
    source_url: str | None
    license_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """One of the predefined queries with its counts as of the last load."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSlice:
    """One slice that a named query answers, with what a download needs to know of it."""

    object_key: str
    collection: str
    subject: str
    series_uid: str
    volume: int
    plane: str
    slice_index: int
    byte_offset: int
    byte_length: int
    crc32: int
    label_source: str
    """reader, mask, collection or model:<version>."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunItem:
    """One run that was loaded."""

    step: str
    run: str
    published_at: datetime
    series_count: int
    pack_count: int
    slice_count: int
    label_count: int
    reject_count: int


def packs_of_series(connection: Connection, uid: str) -> list[PackItem]:
    """The packs of one series by volume and plane."""
    return _all(connection, PackItem, "packs_of_series", {"uid": uid}, prepare=True)


def extra_of_series(connection: Connection, uid: str) -> SeriesExtra | None:
    """The rest of what is known of one series."""
    return _one(connection, SeriesExtra, "extra_of_series", {"uid": uid}, prepare=True)


def slices_of_series(
    connection: Connection,
    uid: str,
    *,
    plane: str | None = None,
    after: tuple[int, str, int] = (-1, "", -1),
    limit: int,
) -> list[SliceItem]:
    """At most `limit` slices of one series after (volume, plane, index)."""
    volume, after_plane, index = after
    values = {
        "uid": uid, "plane": plane, "volume": volume, "after_plane": after_plane, "index": index, "limit": limit,
    }  # fmt: skip
    return _all(connection, SliceItem, "slices_of_series", values)


def slice_location(connection: Connection, pack_id: int, slice_index: int) -> SliceLocation | None:
    """Where one slice is, if there is such a slice."""
    values = {"pack_id": pack_id, "slice_index": slice_index}
    return _one(connection, SliceLocation, "slice_location", values, prepare=True)


def image_page(connection: Connection, *, after: tuple[int, int] = (-1, -1), limit: int) -> list[ImageItem]:
    """At most `limit` slices of the whole catalogue after (pack, index)."""
    return _all(connection, ImageItem, "image_page", {"pack_id": after[0], "slice_index": after[1], "limit": limit})


def named_queries(connection: Connection) -> list[NamedQuery]:
    """The predefined queries in the order they are shown."""
    return _all(connection, NamedQuery, "named_queries", {})


def named_query_slices(connection: Connection, name: str, labels: Labels = "truth") -> Iterator[NamedSlice]:
    """Every slice that a named query answers, by pack and number, streamed; needs a transaction around it.

    `labels` says who may answer: `truth`; `model`, where no truth speaks; `all`, both, told apart by `label_source`.
    """
    with connection.cursor(name="named_query_slices", row_factory=class_row(NamedSlice)) as cursor:
        cursor.itersize = STREAM_ROWS
        yield from cursor.execute(statement("queries/named_query_slices"), {"name": name, "labels": labels})


def runs(connection: Connection, *, limit: int) -> list[RunItem]:
    """Loaded runs, the newest first."""
    return _all(connection, RunItem, "run_page", {"limit": limit})
