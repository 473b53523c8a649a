"""Facets and counts under any filter: sums over a few thousand cells instead of a GROUP BY over a million series.

A cell counts the series that share one value of every filter with few values (`catalog/cells.py`), so facets and counts
under these filters are exact and read no series. Filters of another kind (ranges, words, one subject) read series,
`BOUND` of them at most: beyond it the answer says that it is not exact.
Goes in: a connection and a filter. Comes out: frozen records. A facet's own filter does not narrow it, so that its
other values can be chosen next; where the answer is not from cells alone, every filter narrows every facet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from braingranary.catalog import cells as kept
from braingranary.catalog.ask import Connection, many
from braingranary.catalog.cells import FACETS, PLANES, SHOWN, Cells
from braingranary.catalog.filters import SeriesFilter
from braingranary.catalog.series import narrowed

BOUND: Final = 10_000
"""Series that are read for one answer at most."""
ANSWERS_KEPT: Final = 200  # of one state of the cells: the page without a filter is asked for all the time
VALUES_MAX: Final = 100
"""Values of one facet that an answer holds unless more are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """Counts of one value of one filter; `unknown` stands for null, and `total` has the empty value."""

    facet: str
    value: str
    series_count: int
    subject_count: int | None
    """None under a filter: subjects stand in several cells, and their sum would count them twice."""
    slice_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How much a filter leaves."""

    series: int
    slices: int | None
    """Slices of all planes, or of the plane that the filter asks to be shown; None where not exact."""
    exact: bool
    """False: there are more than `series`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetAnswer:
    """Counts of all facets under one filter."""

    count: Count
    facets: list[Facet]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What was answered from one state of the cells: true as long as they are."""

    subjects: dict[tuple[str, str], int]
    """Subjects by facet and value, without a filter."""
    answers: dict[tuple[SeriesFilter, int], FacetAnswer] = field(default_factory=dict)


_told: dict[str, _Told] = {}


def facets(connection: Connection) -> list[Facet]:
    """All counts of the whole catalogue, by filter and then the most frequent first."""
    return many(connection, Facet, "facets", {})


def count(connection: Connection, wanted: SeriesFilter) -> Count:
    """How many series and slices a filter leaves."""
    if kept.of_cells_alone(wanted):
        cells = kept.current(connection)
        left = cells.failures(wanted) == 0
        return _counted(cells.series[left], cells.slices[left], wanted)
    _, series, slices = _read(connection, wanted)
    return _counted(series, slices, wanted)


def facets_of(connection: Connection, wanted: SeriesFilter, *, values_max: int = VALUES_MAX) -> FacetAnswer:
    """The counts under a filter: of everything, and of each facet's most frequent values, at most `values_max`."""
    cells = kept.current(connection)
    told = _told_of(connection, cells)
    if not kept.of_cells_alone(wanted):
        series, slices = _spread(cells, *_read(connection, wanted))
        found = np.where(series > 0, 0, -1)
        return _answer(cells, wanted, series, slices, failures=found, subjects=told.subjects, values_max=values_max)
    asked = (wanted, values_max)
    if asked not in told.answers:
        answer = _answer(
            cells, wanted, cells.series, cells.slices, failures=cells.failures(wanted), subjects=told.subjects,
            values_max=values_max,
        )  # fmt: skip
        if len(told.answers) < ANSWERS_KEPT:
            told.answers[asked] = answer
        return answer
    return told.answers[asked]


def forget() -> None:
    """Forget what was answered, so that the next answers are counted anew; for measurements."""
    _told.clear()


def _told_of(connection: Connection, cells: Cells) -> _Told:
    """What was told of these cells; of two threads that begin at once one is forgotten, which costs a look-up."""
    if cells.version not in _told:
        while len(_told) >= kept.KEPT:
            _told.pop(next(iter(_told)), None)
        subjects = {(item.facet, item.value): item.subject_count or 0 for item in facets(connection)}
        _told[cells.version] = _Told(subjects=subjects)
    return _told[cells.version]


def _spread(
    cells: Cells, keys: NDArray[np.int64], found_series: NDArray[np.int64], found_slices: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and slices in the order of the cells, of which `keys` were found to count anything."""
    series, slices = np.zeros_like(cells.series), np.zeros_like(cells.slices)
    # A cell that a load has just made is not among those kept; the next question knows it.
    known = np.isin(keys, cells.keys)
    at = np.searchsorted(cells.keys, keys[known])
    series[at], slices[at] = found_series[known], found_slices[known]
    return series, slices


def _answer(
    cells: Cells,
    wanted: SeriesFilter,
    series: NDArray[np.int64],
    slices: NDArray[np.int64],
    *,
    failures: NDArray[np.int64],
    subjects: dict[tuple[str, str], int],
    values_max: int,
) -> FacetAnswer:
    """`series` and `slices` of the cells that count, facet by facet without the facet's own bit of `failures`."""
    weights = _shown_slices(slices, wanted)
    found: list[Facet] = []
    for number, facet in enumerate(FACETS):
        left = np.flatnonzero((failures & ~(1 << number)) == 0)
        if facet == SHOWN:
            shown = cells.shows[left, None] >> np.arange(len(PLANES)) & 1
            values, by_series, by_slices = list(PLANES), series[left] @ shown, slices[left].sum(axis=0)
        else:
            codes, values = cells.codes[facet][left], cells.values[facet]
            by_series = np.bincount(codes, weights=series[left], minlength=len(values)).astype(np.int64)
            by_slices = np.bincount(codes, weights=weights[left], minlength=len(values)).astype(np.int64)
        # Values are in the order of the alphabet, and the sort keeps that among equals.
        order = np.argsort(-by_series, kind="stable")[:values_max]
        found += [
            Facet(
                facet=facet,
                value=values[code],
                series_count=int(by_series[code]),
                subject_count=None if wanted.active else subjects.get((facet, values[code])),
                slice_count=int(by_slices[code]),
            )
            for code in order
            if by_series[code]
        ]
    everything = failures == 0
    return FacetAnswer(count=_counted(series[everything], slices[everything], wanted), facets=found)


def _counted(series: NDArray[np.int64], slices: NDArray[np.int64], wanted: SeriesFilter) -> Count:
    total = int(series.sum())
    exact = kept.of_cells_alone(wanted) or total <= BOUND
    return Count(
        series=total if exact else BOUND,
        slices=int(_shown_slices(slices, wanted).sum()) if exact else None,
        exact=exact,
    )


def _shown_slices(slices: NDArray[np.int64], wanted: SeriesFilter) -> NDArray[np.int64]:
    if wanted.shown_plane is None:
        return slices[:, 0] + slices[:, 1] + slices[:, 2]
    chosen: NDArray[np.int64] = slices[:, PLANES.index(wanted.shown_plane)]
    return chosen


def _read(
    connection: Connection, wanted: SeriesFilter
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cells, series and slices of at most one series more than BOUND of those that match."""
    text, values = narrowed(connection, wanted, "queries/series_cells", left=kept.left(connection, wanted))
    rows = connection.execute(text, {**values, "bound": BOUND + 1}).fetchall()
    counted = np.array(rows, np.int64).reshape(-1, 5)
    return counted[:, 0], counted[:, 1], counted[:, 2:]
