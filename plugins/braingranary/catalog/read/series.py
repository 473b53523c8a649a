"""One series and what belongs to it: its fields, packs and slices; and the loaded runs.

Lists are paged by key, never by OFFSET: a page costs the same at the end of ten million rows as at their beginning.
Goes in: a connection. Comes out: frozen records, or the fields of a series by name. Nothing found is an empty answer or
None, never an error. What finds series by their fields is `catalog.search`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeAlias

from psycopg.rows import dict_row
from pydantic import Field

from braingranary.catalog.db import Connection
from braingranary.catalog.db import many as _all
from braingranary.catalog.db import one as _one
from braingranary.catalog.schema.row_keys import series_id
from braingranary.catalog.sql import statement

Labels: TypeAlias = Literal["truth", "model", "all"]


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
class Run:
    """One published run that was loaded."""

    step: Annotated[str, Field(description="ingest or normalize", examples=["normalize"])]
    run: str
    published_at: datetime
    series_count: int
    pack_count: int
    slice_count: int
    label_count: int
    reject_count: int


def series_detail(connection: Connection, uid: str) -> dict[str, Any] | None:
    """The fields of one series by name, those that only its own page shows among them, and its `packs`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        values = {"series_id": series_id(uid)}
        return cursor.execute(statement("queries/series_detail"), values, prepare=True).fetchone()


def series_exists(connection: Connection, uid: str) -> bool:
    """Whether the catalogue has the series."""
    row = connection.execute(statement("queries/series_exists"), {"series_id": series_id(uid)}).fetchone()
    return bool(row and row[0])


def packs_of_series(connection: Connection, uid: str) -> list[PackItem]:
    """The packs of one series by volume and plane."""
    return _all(connection, PackItem, "packs_of_series", {"uid": uid}, prepare=True)


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


def runs(connection: Connection, *, limit: int) -> list[Run]:
    """Loaded runs, the newest first."""
    return _all(connection, Run, "run_page", {"limit": limit})
