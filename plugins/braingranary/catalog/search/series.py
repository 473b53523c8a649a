"""Series as lists show them: narrowed by one filter, sorted by a short list of keys, paged by key in both directions.

Why not OFFSET: a page costs the same at the end of a million series as at their beginning, and a load in between shifts
nothing. Why values first and the rest after: rows with nothing to be sorted by come last whichever way the order goes,
and each half is one range of an index. Goes in: a connection, a filter, an order and where the last page ended. Comes
out: frozen records. Nothing found is an empty answer, never an error.
Fails with RejectedInput(REQUEST_INVALID) for a full-text query without words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

from psycopg.rows import class_row
from psycopg.types.numeric import Float4, Int4

from braingranary.catalog.db import Connection, one
from braingranary.catalog.schema.row_keys import series_id
from braingranary.catalog.search import cells
from braingranary.catalog.search import columns as search_columns
from braingranary.catalog.search.cells import Left
from braingranary.catalog.search.filters import SeriesFilter, parameters
from braingranary.catalog.search.places import Ended, of_columns, page
from braingranary.catalog.sql import statement, without_nulls

STREAM_ROWS: Final = 5_000  # rows fetched at a time by a streamed answer
INT4_MAX: Final = 2**31 - 1
FLOAT4_MAX: Final = 3.4e38
SortNumber = TypeVar("SortNumber", int, float)
SortValue: TypeAlias = "float | int | date | datetime | None"


class Sort(StrEnum):
    """What series may be sorted by."""

    NEWEST = "newest"
    DATE = "date"
    AGE = "age"
    FIELD_STRENGTH = "field_strength"
    SLICE_COUNT = "slice_count"
    SPACING = "spacing"
    SCORE = "score"


_KEY: Final[dict[Sort, LiteralString]] = {
    Sort.NEWEST: "published_at",
    Sort.DATE: "series_date",
    Sort.AGE: "age_years",
    Sort.FIELD_STRENGTH: "field_strength_tesla",
    Sort.SLICE_COUNT: "slice_count",
    Sort.SPACING: "spacing_mm",
    Sort.SCORE: "tumor_probability",
}
"""Columns of `series_filter.sql`, and attributes of SeriesItem, by which each sorts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ended: the value sorted by (None among those that have none) and the key that breaks ties."""

    value: SortValue
    series_id: int


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
    study_description: str | None
    protocol_name: str | None
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
    shown_slices: int
    """Slices of all packs: acquired and reformatted, of every volume."""
    row_spacing_mm: float
    column_spacing_mm: float
    slice_spacing_mm: float
    spacing_mm: float
    """The largest of the three."""
    slice_thickness_mm: float | None
    license_name: str | None
    license_url: str | None
    citation_url: str | None
    source_url: str | None
    published_at: datetime
    tumor: bool | None
    """What the label that counts says; None where nobody said."""
    label_source: str | None
    tumor_probability: float | None
    """Of the active model, which `model_version` names; None where it has not looked or declined."""
    model_version: str | None
    cover_pack_id: int | None
    """Pack and number of the slice that stands for the series: the middle one of its acquired plane."""
    cover_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedSlice:
    """One slice that a filter leaves, with what a download needs to know of it."""

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
    pack_id: int
    series_id: int
    tumor: bool | None
    label_source: str | None


def series_page(
    connection: Connection,
    wanted: SeriesFilter,
    *,
    sort: Sort = Sort.NEWEST,
    descending: bool = True,
    after: Position | None = None,
    limit: int,
) -> list[SeriesItem]:
    """At most `limit` series that match, in order, all behind `after`; those without the value sorted by come last."""
    found = series_places(connection, wanted, sort=sort, descending=descending, after=after, limit=limit)
    return series_shown(connection, [place.series_id for place in found])


def series_places(
    connection: Connection,
    wanted: SeriesFilter,
    *,
    sort: Sort = Sort.NEWEST,
    descending: bool = True,
    after: Position | None = None,
    limit: int,
) -> list[Position]:
    """The same as `series_page`, as keys with the values sorted by: where a page ends follows from its last."""
    columns = search_columns.current(connection) if sort is not Sort.SCORE and of_columns(wanted) else None
    if columns is not None:
        ended = Ended(after.value, after.series_id) if after else None
        places = page(columns, wanted, _KEY[sort], descending=descending, after=ended, limit=limit)
        return [Position(value=place.value, series_id=place.series_id) for place in places]
    found: list[Position] = []
    left = cells.left(connection, wanted)
    if left is not None and not left.series:
        return found
    if after is None or after.value is not None:
        name: LiteralString = "queries/series_descending" if descending else "queries/series_ascending"
        found = _page(connection, wanted, name, left=left, sort=sort, after=after, limit=limit)
        after = None
    # Only these columns can be null, and only the page at the border asks twice.
    if len(found) < limit and sort not in {Sort.NEWEST, Sort.SLICE_COUNT, Sort.SPACING}:
        rest = limit - len(found)
        found += _page(connection, wanted, "queries/series_unsorted", left=left, sort=sort, after=after, limit=rest)
    return found


def series_shown(connection: Connection, series_ids: Sequence[int]) -> list[SeriesItem]:
    """The series of these keys, in the same order."""
    if not series_ids:
        return []
    values = {"series_ids": list(series_ids)}
    with connection.cursor(row_factory=class_row(SeriesItem)) as cursor:
        # Prepared: the plan is the same for any keys, and making it takes longer than running it.
        rows = cursor.execute(statement("queries/series_shown"), values, prepare=True).fetchall()
    shown = {item.series_id: item for item in rows}
    return [shown[key] for key in series_ids if key in shown]


def series_by_uid(connection: Connection, uid: str) -> SeriesItem | None:
    """One series; its key follows from its UID, so that nothing is searched."""
    return one(connection, SeriesItem, "series_shown_one", {"series_id": series_id(uid)}, prepare=True)


def position(item: SeriesItem, sort: Sort) -> Position:
    """Where a page that ends with `item` ended."""
    return Position(value=getattr(item, _KEY[sort]), series_id=item.series_id)


def parsed(text: str, sort: Sort) -> SortValue:
    """The value of a position told as text (`str`, or ISO 8601 for times); raises ValueError or OverflowError."""
    if sort is Sort.NEWEST:
        told = datetime.fromisoformat(text)
        if told.tzinfo is None:
            raise ValueError(text)
        return told.astimezone(UTC)
    if sort is Sort.DATE:
        return date.fromisoformat(text)
    if sort is Sort.SLICE_COUNT:
        return _within(int(text), INT4_MAX)
    return _within(float(text), FLOAT4_MAX)


def recent_series(connection: Connection, *, limit: int) -> list[SeriesItem]:
    """The series published last."""
    return series_page(connection, SeriesFilter(), limit=limit)


def series_of(connection: Connection, wanted: SeriesFilter) -> Iterator[SeriesItem]:
    """Every series that matches, by key, streamed; needs a transaction around it."""
    text, values = narrowed(connection, wanted, "queries/series_of")
    with connection.cursor(name="series_of", row_factory=class_row(SeriesItem)) as cursor:
        cursor.itersize = STREAM_ROWS
        yield from cursor.execute(text, values)


def slices_of(connection: Connection, wanted: SeriesFilter) -> Iterator[SelectedSlice]:
    """Every slice of the series that match, by pack and number, streamed; needs a transaction around it.

    With `shown_plane` in the filter only the slices that show this plane.
    """
    text, values = narrowed(connection, wanted, "queries/slices_of")
    with connection.cursor(name="slices_of", row_factory=class_row(SelectedSlice)) as cursor:
        cursor.itersize = STREAM_ROWS
        yield from cursor.execute(text, values)


def narrowed(
    connection: Connection,
    wanted: SeriesFilter,
    name: LiteralString,
    *,
    with_scores: bool = False,
    left: Left | None = None,
) -> tuple[LiteralString, dict[str, Any]]:
    """The statement `name` with the series that match before it as the table expression `wanted`, and its values.

    `with_scores` fills the column `tumor_probability` of `wanted` although no filter asks for it. `left` are the cells
    that the filter leaves, where a caller knows them already: of few series they stand for its facets.
    """
    left = left or cells.left(connection, wanted)
    keys, shown_plane = None, wanted.shown_plane
    if left is not None and left.few:
        keys, wanted = left.keys.tolist(), cells.beside(wanted)
    values: dict[str, Any] = {
        **parameters(wanted),
        "cell_ids": keys,
        "shown_plane": shown_plane,  # which statements of slices look at too
        "series_id": series_id(wanted.uid) if wanted.uid is not None else None,
        **_collections(connection, wanted),
        **_labels(wanted),
        "model_id": None,
        "series_threshold": None,
    }
    if with_scores or values["verdict"] is not None or wanted.active & {"score_min", "score_max"}:
        active = connection.execute(statement("queries/active_model")).fetchone()
        values["model_id"], values["series_threshold"] = active or (None, None)
    chosen = without_nulls(statement("queries/series_filter"), values)
    return f"WITH wanted AS (\n{chosen})\n{statement(name)}", values


def _within(value: SortNumber, largest: float) -> SortNumber:
    if not abs(value) <= largest:  # so that not a number is told too
        raise ValueError(value)
    return value


def _page(
    connection: Connection,
    wanted: SeriesFilter,
    name: LiteralString,
    *,
    left: Left | None,
    sort: Sort,
    after: Position | None,
    limit: int,
) -> list[Position]:
    ended = {
        "after_id": after.series_id if after else None,
        "after_value": _typed(after.value, sort) if after else None,
        "limit": limit,
    }
    values: dict[str, Any]
    if left is not None and left.few and sort is not Sort.SCORE and cells.of_cells_alone(wanted):
        text: LiteralString = f"WITH wanted AS (\n{statement('queries/series_in_cells')})\n{statement(name)}"
        values, one_plan = {"cell_ids": left.keys.tolist()}, True
    else:
        text, values = narrowed(connection, wanted, name, with_scores=sort is Sort.SCORE, left=left)
        # Of other filters some are on every series and some on ten, and no one plan is right for both.
        one_plan = not wanted.active and sort is not Sort.SCORE
    values |= ended
    text = without_nulls(text, values).replace("sort_key", _KEY[sort])
    if one_plan:  # which is right for any place in the list, but has to know how long a page is
        text = text.replace("%(limit)s", f"{limit:d}")
    rows = connection.execute(text, values, prepare=one_plan).fetchall()
    return [Position(value=value, series_id=key) for key, value in rows]


def _typed(value: SortValue, sort: Sort) -> object:
    """The value as the column's own type: a real that comes back as double would equal no real."""
    if isinstance(value, (date, datetime)) or value is None:
        return value
    return Int4(int(value)) if sort is Sort.SLICE_COUNT else Float4(value)


def _collections(connection: Connection, wanted: SeriesFilter) -> dict[str, Any]:
    """Keys of the collections asked for: one as an equality, which an index that sorts behind it can serve."""
    if wanted.collection is None and wanted.archive is None:
        return {"collection_id": None, "collection_ids": None}
    rows = connection.execute(
        statement("queries/collections_named"), {"collection": wanted.collection, "archive": wanted.archive}
    ).fetchall()
    keys = [row[0] for row in rows]
    return {"collection_id": keys[0] if len(keys) == 1 else None, "collection_ids": keys if len(keys) != 1 else None}


def _labels(wanted: SeriesFilter) -> dict[str, Any]:
    if wanted.label_source == "model":
        return {"truth_source": "unknown", "truth_tumor": None, "verdict": wanted.tumor or "any"}
    return {"truth_source": wanted.label_source, "truth_tumor": wanted.tumor, "verdict": None}
