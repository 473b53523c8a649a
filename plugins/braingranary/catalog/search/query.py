"""What a filter leaves of a snapshot: how much, by which values, in which order, page by page.

Pages go by the value sorted by and the key behind it, so that a page costs the same anywhere in the list and goes on
in a newer snapshot where it ended in an older one. Rows of a snapshot stand in the order of their keys, so that among
equal values the place of a row decides. Goes in: the rows of a snapshot and a filter. Comes out: numbers of rows,
counts and rows. Nothing found is an empty answer, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Final, TypeAlias

import polars as pl

from braingranary.catalog.schema.series_fields import SqlType
from braingranary.catalog.search.columns import FACETS, PLANES, SHOWN, SORTS, VALUE_FILTERS
from braingranary.catalog.search.combinations import Combinations
from braingranary.catalog.search.filters import SHOWN_PLANE, UNKNOWN, SeriesFilter, conditions, literal, tumor_of, words
from braingranary.catalog.search.texts import Texts

VALUES_MAX: Final = 100
"""Values of one facet that an answer holds unless more are asked for."""
SortValue: TypeAlias = "float | int | date | datetime | None"
Row: TypeAlias = dict[str, Any]
"""The fields of one series that lists show, by name, with its cover."""
ROW_COLUMNS: Final = (*SHOWN, "series_id", "cover_pack_id", "cover_index")
_EXPORTED_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ended: the value sorted by (None among those that have none) and the key that breaks ties."""

    value: SortValue
    series_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How much a filter leaves."""

    series: int
    slices: int
    """Slices of all planes, or of the planes that the filter asks to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How many series have one value of one filter; the name of the facet is that of the parameter."""

    facet: str
    value: str
    """`unknown` stands for null."""
    series_count: int
    subject_count: int | None
    """None under a filter."""
    slice_count: int


class Selection:
    """The rows of a snapshot that a filter leaves."""

    def __init__(self, frame: pl.DataFrame, combinations: Combinations, texts: Texts, wanted: SeriesFilter) -> None:
        """Raises RejectedInput(REQUEST_INVALID) for a full-text query without words or with too many."""
        self._frame = frame
        self._combinations = combinations
        self._wanted = wanted
        made = conditions(wanted)
        self._facet_conditions = {name: condition for name, condition in made.items() if name in FACETS}
        self._row_conditions = [condition for name, condition in made.items() if name not in FACETS]
        if wanted.q is not None:
            self._row_conditions += [texts.containing(word) for word in words(wanted.q)]

    @property
    def narrows(self) -> bool:
        """Whether there is any filter."""
        return bool(self._facet_conditions or self._row_conditions)

    @cached_property
    def mask(self) -> pl.Series:
        """Which rows match."""
        asked = list(self._facet_conditions.values())
        if not asked:
            return self._row_mask
        combinations = self._combinations.values.select(pl.all_horizontal(asked)).to_series()
        rows = self._combinations.rows(combinations)
        return rows & self._row_mask if self._row_conditions else rows

    @property
    def series_ids(self) -> list[int]:
        """Keys of the series that match, in ascending order."""
        found: list[int] = self._frame["series_id"].filter(self.mask).to_list()
        return found

    def count(self) -> Count:
        """How many series and slices match."""
        found = self._counted.filter(*self._facet_conditions.values())
        return Count(series=int(found["series"].sum()), slices=int(found["slices"].sum()))

    def facets(self, *, values_max: int = VALUES_MAX) -> list[Facet]:
        """Counts of each facet's most frequent values; a facet's own filter does not narrow it."""
        matching = self._counted.filter(*self._facet_conditions.values())
        parts = dict.fromkeys(FACETS, matching)
        for facet in self._facet_conditions:
            asked = [condition for name, condition in self._facet_conditions.items() if name != facet]
            parts[facet] = self._counted.filter(*asked)
        counts = facet_counts(parts, tumor=tumor_of(self._wanted))
        return [item for facet in FACETS for item in counts[facet][:values_max]]

    def page(
        self, sort: str, *, descending: bool = True, after: Position | None = None, limit: int
    ) -> list[tuple[int, Position]]:
        """At most `limit` rows that match behind `after`, in order, each with its position.

        Rows without the value sorted by come last, by key, whichever way the order goes.
        """
        field = SORTS[sort]
        keys = self._frame[field.name]
        rows, values = self.mask.arg_true(), keys.filter(self.mask)
        last = self._place(after.series_id, descending=descending and after.value is not None) if after else None
        picked: list[int] = []
        if after is None or after.value is not None:
            bare = values.is_null()
            valued, ordered = (rows.filter(~bare), values.drop_nulls()) if values.null_count() else (rows, values)
            if after is not None:
                beyond = _beyond(valued, ordered, literal(field, after.value), last or 0, descending=descending)
                valued, ordered = valued.filter(beyond), ordered.filter(beyond)
            picked = _first(valued, ordered, descending=descending, limit=limit)
            last = None
        if len(picked) < limit and values.null_count():
            rest = rows.filter(values.is_null())
            picked += (rest if last is None else rest.filter(rest >= last)).head(limit - len(picked)).to_list()
        found = self._frame.select(field.name, "series_id")[picked].rows()
        return [(row, Position(value=value, series_id=key)) for row, (value, key) in zip(picked, found, strict=True)]

    def ordered(self, sort: str, *, descending: bool = True) -> pl.Series:
        """Numbers of all rows that match, in order."""
        keys = pl.DataFrame({"value": self._frame[SORTS[sort].name].filter(self.mask), "row": self.mask.arg_true()})
        valued = keys.filter(pl.col("value").is_not_null()).sort("value", "row", descending=descending)
        return pl.concat([valued["row"], keys.filter(pl.col("value").is_null())["row"]])

    def rows(self, numbers: Iterable[int]) -> list[Row]:
        """What lists show of the rows with these numbers."""
        return self._frame.select(ROW_COLUMNS)[list(numbers)].to_dicts()

    def batches(self, order: pl.Series) -> Iterator[pl.DataFrame]:
        """What lists show of the rows with these numbers, some thousand at a time; one without rows where none are."""
        shown = self._frame.select(ROW_COLUMNS)
        for start in range(0, max(len(order), 1), _EXPORTED_ROWS):
            yield shown[order.slice(start, _EXPORTED_ROWS)]

    @cached_property
    def _row_mask(self) -> pl.Series:
        """Which rows the filters leave that are no facets."""
        if not self._row_conditions:
            return self._frame.select(pl.repeat(value=True, n=pl.len(), dtype=pl.Boolean).alias("mask")).to_series()
        return self._frame.select(pl.all_horizontal(self._row_conditions).alias("mask")).to_series()

    @cached_property
    def _counted(self) -> pl.DataFrame:
        """The combinations of facet values with the counts of rows that the other filters leave."""
        counted = self._combinations.values
        if self._row_conditions:
            counted = self._combinations.count(self._frame, self._row_mask).filter(pl.col("series") > 0)
        planes = self._wanted.asked(SHOWN_PLANE) or PLANES
        return counted.with_columns(slices=pl.sum_horizontal([f"slices_{plane}" for plane in planes]))

    def _place(self, series_id: int, *, descending: bool) -> int:
        """Number of the first row behind a key, or, in descending order, of the first that is not before it."""
        keys = self._frame["series_id"]
        return int(keys.search_sorted(series_id, side="left" if descending else "right"))


def facet_counts(
    parts: dict[str, pl.DataFrame], *, tumor: pl.Expr | None = None, subjects: bool = False
) -> dict[str, list[Facet]]:
    """Counts of facets, of each the most frequent value first and equals in the order of the alphabet.

    Args:
        parts: What is counted, by the name of the facet: the columns of Combinations.values and `slices`; `subject_id`
            too where `subjects` are counted.
        tumor: Stands for the column of that name.
        subjects: Whether to count subjects.
    """
    columns = {facet: pl.col(VALUE_FILTERS[facet].name) for facet in parts}
    columns["tumor"] = pl.col("tumor") if tumor is None else tumor
    groups = [_groups(part.lazy(), facet, columns[facet], subjects=subjects) for facet, part in parts.items()]
    # All at once and as they stand: to plan each would take longer than to count it.
    counted = pl.collect_all(groups, optimizations=pl.QueryOptFlags.none())
    found = {}
    for facet, frame in zip(parts, counted, strict=True):
        told = [(value or UNKNOWN, series, slices, *(rest or (None,))) for value, series, slices, *rest in frame.rows()]
        told.sort(key=lambda item: (-item[1], item[0]))
        found[facet] = [
            Facet(facet=facet, value=value, series_count=series, slice_count=slices, subject_count=subject_count)
            for value, series, slices, subject_count in told
            if series
        ]
    return found


def _groups(part: pl.LazyFrame, facet: str, column: pl.Expr, *, subjects: bool) -> pl.LazyFrame:
    """Value, series, slices and subjects of one facet; a series counts for every plane that it shows."""
    people = [pl.col("subject_id").n_unique()] if subjects else []
    if facet != SHOWN_PLANE:
        value = column.cast(pl.String) if facet == "tumor" else column
        return part.group_by(value.alias("value")).agg(pl.col("series", "slices").sum(), *people)
    return pl.concat(
        part.filter(pl.col(f"slices_{plane}") > 0).select(
            pl.lit(plane).alias("value"),
            pl.col("series").sum(),
            pl.col(f"slices_{plane}").sum().alias("slices"),
            *people,
        )
        for plane in PLANES
    )


def parse_sort_value(text: str, sort: str) -> SortValue:
    """The value of a position as text tells it; raises ValueError or OverflowError."""
    kind = SORTS[sort].type
    if kind is SqlType.TIMESTAMP:
        told = datetime.fromisoformat(text)
        if told.tzinfo is None:
            raise ValueError(text)
        return told.astimezone(UTC)
    if kind is SqlType.DATE:
        return date.fromisoformat(text)
    number = int(text) if kind is SqlType.INTEGER else float(text)
    if not abs(number) <= (2**31 - 1 if kind is SqlType.INTEGER else 3.4e38):  # so that not a number is refused too
        raise ValueError(text)
    return number


def _beyond(rows: pl.Series, values: pl.Series, value: pl.Expr, place: int, *, descending: bool) -> pl.Series:
    """Which of the rows come behind the one with this value at this place."""
    frame = pl.DataFrame({"value": values, "row": rows})
    column = pl.col("value")
    further = column < value if descending else column > value
    behind = pl.col("row") < place if descending else pl.col("row") >= place
    return frame.select((further | ((column == value) & behind)).alias("beyond")).to_series()


def _first(rows: pl.Series, values: pl.Series, *, descending: bool, limit: int) -> list[int]:
    """Numbers of the first rows in the order of their values, equals by their place."""
    if not len(values):
        return []
    bound = values.top_k(limit).min() if descending else values.bottom_k(limit).max()
    ahead = pl.DataFrame({"value": values, "row": rows}).filter(
        pl.col("value") > bound if descending else pl.col("value") < bound
    )
    found: list[int] = ahead.sort("value", "row", descending=descending)["row"].to_list()
    ties = rows.filter(values == bound)
    rest = limit - len(found)
    return found + (ties.tail(rest).reverse() if descending else ties.head(rest)).to_list()
