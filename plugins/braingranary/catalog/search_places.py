"""Places of series in the columns: which rows a filter leaves, and the page of them that comes next in an order.

Why two steps: most pages are full after a short stretch of the order, whose rows alone are looked at; where filters go
along with the order the stretch has no end, and then all rows are looked at once, in the order of their keys, which
costs a few milliseconds whatever is asked. Nothing is asked of PostgreSQL here.
Goes in: columns, a filter of facets, ranges and words, an order, where the last page ended. Comes out: rows, or keys.
Fails with RejectedInput(REQUEST_INVALID) for a full-text query without words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from braingranary.catalog import search_columns, search_words
from braingranary.catalog.cells import FACETS
from braingranary.catalog.filters import SeriesFilter
from braingranary.catalog.search_columns import Columns, Rows

STRETCH_ROWS: Final = 16_384
"""Of an order that are looked at before all rows are."""
_AT_LEAST: Final = {
    "field_strength_min": "field_strength_tesla", "spacing_min": "spacing_mm", "thickness_min": "slice_thickness_mm",
    "age_min": "age_years", "date_from": "series_date",
}  # fmt: skip
_AT_MOST: Final = {
    "field_strength_max": "field_strength_tesla", "spacing_max": "spacing_mm", "thickness_max": "slice_thickness_mm",
    "age_max": "age_years", "date_to": "series_date",
}  # fmt: skip
_NARROWED: Final = {*FACETS, *_AT_LEAST, *_AT_MOST, "q"}
Chosen: TypeAlias = "Rows | slice"
Matching: TypeAlias = Callable[[Chosen], NDArray[np.bool_]]


class Ended(NamedTuple):
    """Where a page ended: the value sorted by (None among those that have none) and the key that breaks ties."""

    value: Any
    series_id: int


def of_columns(wanted: SeriesFilter) -> bool:
    """Whether the columns tell what the filter leaves."""
    return wanted.active <= _NARROWED and wanted.label_source != "model"


def matching(columns: Columns, wanted: SeriesFilter) -> Matching | None:
    """What tells of some rows which of them the filter leaves; None where it leaves none."""
    tests: list[Matching] = []
    # `take` is twice as quick as an index of small integers.
    if wanted.active & set(FACETS):
        chosen_cells = columns.cells.failures(wanted) == 0
        if not chosen_cells.any():
            return None
        tests.append(lambda rows: chosen_cells.take(columns.cell_of[rows]))
    for limits, compare in ((_AT_LEAST, np.greater_equal), (_AT_MOST, np.less_equal)):
        for name, column in limits.items():
            limit = getattr(wanted, name)
            if limit is not None:
                tests.append(_limited(columns.values[column], search_columns.stored(limit, column), compare))
    if wanted.q is not None:
        chosen_texts = search_words.holding(columns.words, wanted.q)
        if not chosen_texts.any():
            return None
        tests.append(lambda rows: chosen_texts.take(columns.text_of[rows]))

    def all_of(rows: Chosen) -> NDArray[np.bool_]:
        found = np.ones(len(columns.series_ids[rows]), np.bool_)
        for test in tests:
            found &= test(rows)
        return found

    return all_of


def page(
    columns: Columns, wanted: SeriesFilter, column: str, *, descending: bool, after: Ended | None, limit: int
) -> list[Ended]:
    """At most `limit` places in the order of a column, behind `after`; those without a value come last, by key."""
    order, valued = columns.orders[column], columns.valued[column]
    matches = matching(columns, wanted)
    if matches is None:
        return []
    found = np.empty(0, np.int32)
    if after is None or after.value is not None:
        found = _first(_values_behind(columns, column, descending, after), matches, limit)
        after = None
    values = columns.values[column]
    places = [Ended(search_columns.told(values[row], column), int(columns.series_ids[row])) for row in found]
    if len(places) < limit:
        bare = order[valued:]
        if after is not None:
            bare = bare[np.searchsorted(bare, columns.row_after(after.series_id)) :]
        rest = _first(bare, matches, limit - len(places))
        places += [Ended(None, int(columns.series_ids[row])) for row in rest]
    return places


def counted_by_cell(columns: Columns, wanted: SeriesFilter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and slices that a filter leaves, in the order of the cells; slices have a column a plane."""
    matches = matching(columns, wanted)
    rows = np.flatnonzero(matches(slice(None))) if matches is not None else np.empty(0, np.intp)
    cell_of, size = columns.cell_of[rows], len(columns.cells.keys)
    slices = [np.bincount(cell_of, columns.slices[rows, at], size) for at in range(columns.slices.shape[1])]
    return np.bincount(cell_of, minlength=size), np.stack(slices, axis=1).astype(np.int64)


def _values_behind(columns: Columns, column: str, descending: bool, after: Ended | None) -> Rows:
    """The rows with a value, in order, behind the place where a page ended."""
    order, values, keys = columns.orders[column][: columns.valued[column]], columns.values[column], columns.series_ids
    if after is None:
        return order[::-1] if descending else order
    place = search_columns.stored(after.value, column), after.series_id

    def placed(row: Any) -> tuple[Any, int]:
        return values[row], int(keys[row])

    # bisect takes whatever has a length and items.
    if descending:
        return order[: bisect_left(order, place, key=placed)][::-1]
    return order[bisect_right(order, place, key=placed) :]


def _first(rows: Rows, matches: Matching, limit: int) -> Rows:
    """The first `limit` of the rows that match."""
    stretch = rows[:STRETCH_ROWS]
    found = stretch[matches(stretch)][:limit]
    if len(found) == limit or len(rows) <= STRETCH_ROWS:
        return found
    rest = rows[STRETCH_ROWS:]
    return np.concatenate([found, rest[matches(slice(None)).take(rest)][: limit - len(found)]])


def _limited(values: NDArray[Any], limit: Any, compare: Callable[[Any, Any], NDArray[np.bool_]]) -> Matching:
    if values.dtype.kind == "f":
        return lambda rows: compare(values[rows], limit)  # what is not a number is neither more nor less
    return lambda rows: compare(values[rows], limit) & search_columns.known(values[rows])
