"""Reading the catalogue: typed questions and typed answers; the SQL itself stands in sql/queries/.

Lists are paged by key, never by OFFSET: a page costs the same at the end of ten million rows as at their beginning, and
a row that is loaded meanwhile shifts nothing. Goes in: a connection and filters. Comes out: frozen records. Nothing
found is an empty answer or None, never an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from braingranary.catalog.ask import Connection
from braingranary.catalog.ask import many as _all
from braingranary.catalog.ask import one as _one
from braingranary.catalog.sql import statement
from braingranary.records import Json

STREAM_ROWS = 5_000  # rows fetched at a time by a streamed answer


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """What a list of series is narrowed to; None narrows nothing."""

    uid: str | None = None
    collection: str | None = None
    plane: str | None = None
    """The acquired plane."""
    sequence: str | None = None
    manufacturer: str | None = None
    species: str | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesItem:
    """One series as lists show it; spacings in millimetres."""

    series_id: int
    series_uid: str
    study_uid: str
    archive: str
    collection: str
    subject: str
    species: str
    sex: str | None
    age_years: float | None
    series_date: date | None
    series_description: str | None
    modality: str
    sequence: str | None
    plane: str
    obliquity_deg: float
    manufacturer: str | None
    manufacturer_model: str | None
    field_strength_tesla: float | None
    rows: int
    columns: int
    slice_count: int
    row_spacing_mm: float
    column_spacing_mm: float
    slice_spacing_mm: float
    license_name: str | None
    license_url: str | None
    citation_url: str | None
    source_url: str | None
    cover_pack_id: int | None
    """Pack and number of the slice that stands for the series: the middle one of its acquired plane."""
    cover_index: int | None


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
    protocol_name: str | None
    study_description: str | None
    echo_time_ms: float | None
    repetition_time_ms: float | None
    inversion_time_ms: float | None
    flip_angle_deg: float | None
    slice_gaps: int
    slice_duplicates: int
    volume_count: int
    window_low: float
    window_high: float
    tumor: bool | None
    """What the label of the whole series says, by the same precedence as the named queries."""


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
    series_count: int
    subject_count: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """Counts of one value of one filter; `total` has the empty value, and so has what is unknown."""

    facet: str
    value: str
    series_count: int
    subject_count: int
    slice_count: int


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


def series_page(connection: Connection, wanted: SeriesFilter, *, after: int = -1, limit: int) -> list[SeriesItem]:
    """At most `limit` series that match, in the order of `series_id`, all greater than `after`."""
    return _all(connection, SeriesItem, "series_page", {**asdict(wanted), "after": after, "limit": limit})


def recent_series(connection: Connection, *, limit: int) -> list[SeriesItem]:
    """The series published last."""
    return _all(connection, SeriesItem, "recent_series", {"limit": limit})


def packs_of_series(connection: Connection, uid: str) -> list[PackItem]:
    """The packs of one series by volume and plane."""
    return _all(connection, PackItem, "packs_of_series", {"uid": uid})


def extra_of_series(connection: Connection, uid: str) -> SeriesExtra | None:
    """The rest of what is known of one series."""
    return _one(connection, SeriesExtra, "extra_of_series", {"uid": uid})


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
    return _one(connection, SliceLocation, "slice_location", {"pack_id": pack_id, "slice_index": slice_index})


def image_page(connection: Connection, *, after: tuple[int, int] = (-1, -1), limit: int) -> list[ImageItem]:
    """At most `limit` slices of the whole catalogue after (pack, index)."""
    return _all(connection, ImageItem, "image_page", {"pack_id": after[0], "slice_index": after[1], "limit": limit})


def named_queries(connection: Connection) -> list[NamedQuery]:
    """The predefined queries in the order they are shown."""
    return _all(connection, NamedQuery, "named_queries", {})


def named_query_slices(connection: Connection, name: str) -> Iterator[NamedSlice]:
    """Every slice that a named query answers, by pack and number, streamed; needs a transaction around it."""
    with connection.cursor(name="named_query_slices", row_factory=class_row(NamedSlice)) as cursor:
        cursor.itersize = STREAM_ROWS
        yield from cursor.execute(statement("queries/named_query_slices"), {"name": name})


def facets(connection: Connection) -> list[Facet]:
    """All counts, by filter and then the most frequent first."""
    return _all(connection, Facet, "facets", {})


def runs(connection: Connection, *, limit: int) -> list[RunItem]:
    """Loaded runs, the newest first."""
    return _all(connection, RunItem, "run_page", {"limit": limit})
