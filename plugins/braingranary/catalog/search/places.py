"""Places of series in the columns: which rows a filter leaves, and the page of them that comes next in an order.

An order is looked at stretch by stretch, each longer than the one before: most pages are full after the first, and
where filters go along with the order all of it costs a few milliseconds. Nothing is asked of PostgreSQL here.
Goes in: columns, a filter of facets, ranges and words, an order, where the last page ended. Comes out: keys, or counts.
Fails with RejectedInput(REQUEST_INVALID) for a full-text query without words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from braingranary.catalog.search import columns as search_columns
from braingranary.catalog.search import words as search_words
from braingranary.catalog.search.cells import FACETS
from braingranary.catalog.search.columns import Columns, Rows
from braingranary.catalog.search.filters import SeriesFilter

STRETCH_ROWS: Final = 8_192
"""Of an order that are looked at first."""
_GROWTH: Final = 8
_ALL: Final = slice(None)
_AT_LEAST: Final = {
    "field_strength_min": "field_strength_tesla", "spacing_min": "spacing_mm", "thickness_min": "slice_thickness_mm",
    "age_min": "age_years", "date_from": "series_date",
}  # fmt: skip
_AT_MOST: Final = {
    "field_strength_max": "field_strength_tesla", "spacing_max": "spacing_mm", "thickness_max": "slice_thickness_mm",
    "age_max": "age_years", "date_to": "series_date",
}  # fmt: skip
_NARROWED: Final = {*FACETS, *_AT_LEAST, *_AT_MOST, "q"}


class Ended(NamedTuple):
    """Where a page ended: the value sorted by (None among those that have none) and the key that breaks ties."""

    value: Any
    series_id: int


def of_columns(wanted: SeriesFilter) -> bool:
    """Whether the columns tell what the filter leaves."""
    return wanted.active <= _NARROWED and wanted.label_source != "model"


def page(
    columns: Columns, wanted: SeriesFilter, column: str, *, descending: bool, after: Ended | None, limit: int
) -> list[Ended]:
    """At most `limit` places in the order of a column, behind `after`; those without a value come last, by key."""
    matching, valued, size = _Matching(columns, wanted), columns.valued[column], len(columns.series_ids)
    if matching.nothing:
        return []
    found = np.empty(0, np.int32)
    if after is None or after.value is not None:
        begin, end = _behind(columns, column, descending, after)
        found = matching.first(column, begin, end, descending, limit)
        after = None
    values = columns.values[column]
    keys, numbers = columns.series_ids[found].tolist(), values[found]
    same = {number: search_columns.told(number, column) for number in dict.fromkeys(numbers)}  # many came with one load
    places = [Ended(same[number], key) for number, key in zip(numbers, keys, strict=True)]
    if len(places) < limit and valued < size:
        begin = valued
        if after is not None:
            begin += int(np.searchsorted(columns.orders[column][valued:], columns.row_after(after.series_id)))
        rest = matching.first(column, begin, size, False, limit - len(places))
        places += [Ended(None, int(columns.series_ids[row])) for row in rest]
    return places


def counted_by_cell(columns: Columns, wanted: SeriesFilter) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and slices that a filter leaves, in the order of the cells; slices have a column a plane."""
    matching, size = _Matching(columns, wanted), len(columns.cells.keys)
    rows = np.empty(0, np.intp) if matching.nothing else np.flatnonzero(matching.everywhere())
    cell_of = columns.cell_of[rows]
    slices = [np.bincount(cell_of, columns.slices[rows, at], size) for at in range(columns.slices.shape[1])]
    return np.bincount(cell_of, minlength=size), np.stack(slices, axis=1).astype(np.int64)


class _Matching:
    """What tells which rows a filter leaves; facets by cells, the rest by tests of rows."""

    def __init__(self, columns: Columns, wanted: SeriesFilter) -> None:
        self._columns = columns
        self._cells = columns.cells.failures(wanted) == 0 if wanted.active & set(FACETS) else None
        self._tests: list[Callable[[Rows | slice], NDArray[np.bool_]]] = []
        for limits, compare in ((_AT_LEAST, np.greater_equal), (_AT_MOST, np.less_equal)):
            for name, column in limits.items():
                limit = getattr(wanted, name)
                if limit is not None:
                    limit = search_columns.stored(limit, column)
                    self._tests.append(_limited(columns.values[column], limit, compare))
        self.nothing = self._cells is not None and not self._cells.any()
        """Whether it is known already that no row is left."""
        if wanted.q is not None:
            texts = search_words.holding(columns.words, wanted.q)
            self.nothing |= not texts.any()
            self._tests.append(lambda rows: texts.take(columns.text_of[rows]))
        self._tested: NDArray[np.bool_] | None = None

    def first(self, column: str, begin: int, end: int, backwards: bool, limit: int) -> Rows:
        """The first `limit` of the rows that match in a part of an order."""
        found: list[Rows] = []
        missing = limit
        for low, high in _stretches(begin, end, backwards):
            rows = self._columns.orders[column][low:high][self._stretch(column, low, high)]
            found.append(rows[::-1][:missing] if backwards else rows[:missing])
            missing -= len(found[-1])
            if not missing:
                break
        return np.concatenate([np.empty(0, np.int32), *found])

    def everywhere(self) -> NDArray[np.bool_]:
        """Of all rows, in the order of their keys."""
        tested = self._all_tested()
        return tested if self._cells is None else tested & self._cells.take(self._columns.cell_of)

    def _stretch(self, column: str, low: int, high: int) -> NDArray[np.bool_]:
        # `take` is twice as quick as an index of small integers.
        found = np.ones(high - low, np.bool_)
        if self._cells is not None:
            found = self._cells.take(self._columns.cell_in[column][low:high])
        if self._tests:
            rows = self._columns.orders[column][low:high]
            if len(rows) > STRETCH_ROWS:  # looking row by row at the columns costs more than looking at all of them
                return found & self._all_tested().take(rows)
            for test in self._tests:
                found &= test(rows)
        return found

    def _all_tested(self) -> NDArray[np.bool_]:
        if self._tested is None:
            self._tested = np.ones(len(self._columns.series_ids), np.bool_)
            for test in self._tests:
                self._tested &= test(_ALL)
        return self._tested


def _stretches(begin: int, end: int, backwards: bool) -> Iterator[tuple[int, int]]:
    size = STRETCH_ROWS
    while begin < end:
        if backwards:
            low = max(begin, end - size)
            yield low, end
            end = low
        else:
            high = min(end, begin + size)
            yield begin, high
            begin = high
        size *= _GROWTH


def _behind(columns: Columns, column: str, descending: bool, after: Ended | None) -> tuple[int, int]:
    """The part of the order, of the rows with a value, that lies behind the place where a page ended."""
    order, values, keys = columns.orders[column][: columns.valued[column]], columns.values[column], columns.series_ids
    if after is None:
        return 0, len(order)
    place = search_columns.stored(after.value, column), after.series_id

    def placed(row: Any) -> tuple[Any, int]:
        return values[row], int(keys[row])

    # bisect takes whatever has a length and items.
    if descending:
        return 0, bisect_left(order, place, key=placed)
    return bisect_right(order, place, key=placed), len(order)


def _limited(
    values: NDArray[Any], limit: Any, compare: Callable[[Any, Any], NDArray[np.bool_]]
) -> Callable[[Rows | slice], NDArray[np.bool_]]:
    if values.dtype.kind == "f":
        return lambda rows: compare(values[rows], limit)  # what is not a number is neither more nor less
    return lambda rows: compare(values[rows], limit) & search_columns.known(values[rows])
