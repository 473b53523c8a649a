"""Facets and counts under any filter: sums over a few thousand cells instead of a GROUP BY over a million series.

A cell counts the series that share one value of every filter with few values (`catalog/cells.py`), so facets and counts
under these filters are exact and read no series. Ranges and words are counted in the columns where a process keeps them
(`catalog/search_columns.py`), exactly too. What is left (one subject, scores, and all of these where no columns are)
reads series, `BOUND` of them at most: beyond it the answer says that it is not exact.
Goes in: a connection and a filter. Comes out: frozen records. A facet's own filter does not narrow it, so that its
other values can be chosen next; where the answer is not from cells alone, every filter narrows every facet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from braingranary.catalog.db import Connection, many
from braingranary.catalog.search import cells as kept
from braingranary.catalog.search import columns as search_columns
from braingranary.catalog.search.cells import FACETS, PLANES, SHOWN, Cells
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.catalog.search.places import counted_by_cell, of_columns
from braingranary.catalog.search.series import narrowed

BOUND: Final = 10_000
"""Series that PostgreSQL reads for one answer at most."""
VALUES_MAX: Final = 100
"""Values of one facet that an answer holds unless more are asked for."""
_SUBJECTS_KEPT: Final = 2  # states of the catalogue, as of the cells


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


class _Tally(NamedTuple):
    """Counts of one facet by the code of its values, of which `order` are told, the most frequent first."""

    facet: str
    order: NDArray[np.intp]
    series: NDArray[np.int64]
    slices: NDArray[np.int64]


class _Found(NamedTuple):
    """What a filter leaves of each cell, and whether that is all."""

    cells: Cells
    series: NDArray[np.int64]
    slices: NDArray[np.int64]
    failures: NDArray[np.int64]
    exact: bool


_subjects: dict[str, dict[tuple[str, str], int]] = {}


def facets(connection: Connection) -> list[Facet]:
    """All counts of the whole catalogue, by filter and then the most frequent first."""
    return many(connection, Facet, "facets", {})


def count(connection: Connection, wanted: SeriesFilter) -> Count:
    """How many series and slices a filter leaves."""
    return _counted(_found(connection, wanted), wanted)


def facets_of(connection: Connection, wanted: SeriesFilter, *, values_max: int = VALUES_MAX) -> FacetAnswer:
    """The counts under a filter: of everything, and of each facet's most frequent values, at most `values_max`."""
    found = _found(connection, wanted)
    subjects = None if wanted.active else _subjects_of(connection, found.cells)
    told = [
        Facet(
            facet=tally.facet,
            value=value,
            series_count=series,
            subject_count=None if subjects is None else subjects.get((tally.facet, value)),
            slice_count=slices,
        )
        for tally in _tallies(found, wanted, values_max)
        for value, series, slices in _told(found.cells.values[tally.facet], tally)
    ]
    return FacetAnswer(count=_counted(found, wanted), facets=told)


def facets_told(connection: Connection, wanted: SeriesFilter, *, values_max: int = VALUES_MAX) -> str:
    """The same as JSON text: some hundred records made, checked and written cost more than the counting."""
    if not wanted.active:  # the one answer with subjects
        answer = facets_of(connection, wanted, values_max=values_max)
        return json.dumps(asdict(answer), ensure_ascii=False, separators=(",", ":"))
    found = _found(connection, wanted)
    told = ",".join(
        f'{begun}{series},"subject_count":null,"slice_count":{slices}}}'
        for tally in _tallies(found, wanted, values_max)
        for begun, series, slices in _told(found.cells.begun[tally.facet], tally)
    )
    counted = json.dumps(asdict(_counted(found, wanted)), separators=(",", ":"))
    return f'{{"count":{counted},"facets":[{told}]}}'


def _told(texts: Sequence[str], tally: _Tally) -> Iterator[tuple[str, int, int]]:
    """Text, series and slices of the values that are told."""
    order = tally.order.tolist()  # Python's own numbers, all at once
    return zip([texts[code] for code in order], tally.series[order].tolist(), tally.slices[order].tolist(), strict=True)


def _subjects_of(connection: Connection, cells: Cells) -> dict[tuple[str, str], int]:
    """Subjects by facet and value; of two threads that begin at once one reads in vain."""
    known = _subjects.get(cells.version)
    if known is None:
        known = {(item.facet, item.value): item.subject_count or 0 for item in facets(connection)}
        while len(_subjects) >= _SUBJECTS_KEPT:
            _subjects.pop(next(iter(_subjects)), None)
        _subjects[cells.version] = known
    return known


def _found(connection: Connection, wanted: SeriesFilter) -> _Found:
    if kept.of_cells_alone(wanted):
        cells = kept.current(connection)
        return _Found(cells, cells.series, cells.slices, cells.failures(wanted), exact=True)
    columns = search_columns.current(connection) if of_columns(wanted) else None
    if columns is not None:
        cells, exact = columns.cells, True
        series, slices = counted_by_cell(columns, wanted)
    else:
        cells = kept.current(connection)
        series, slices = _spread(cells, *_read(connection, wanted))
        exact = bool(series.sum() <= BOUND)
    # Every filter narrows every facet.
    return _Found(cells, series, slices, np.where(series > 0, 0, -1), exact)


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


def _tallies(found: _Found, wanted: SeriesFilter, values_max: int) -> Iterator[_Tally]:
    """Counts facet by facet, each of the cells that no other filter than its own leaves out."""
    cells = found.cells
    everywhere = _Part(found, np.flatnonzero(found.failures == 0), wanted)
    for number, facet in enumerate(FACETS):
        part = everywhere
        if getattr(wanted, facet) is not None:
            part = _Part(found, np.flatnonzero((found.failures & ~(1 << number)) == 0), wanted)
        if facet == SHOWN:
            series = np.array([part.series[shown.take(part.at)].sum() for shown in cells.shown.T])
            slices = np.array([of_plane.take(part.at).sum() for of_plane in found.slices.T])
        else:
            codes, size = cells.codes[facet].take(part.at), len(cells.values[facet])
            series, slices = np.bincount(codes, part.series, size), np.bincount(codes, part.slices, size)
        # Values are in the order of the alphabet, and the sort keeps that among equals.
        order = np.argsort(-series, kind="stable")[:values_max]
        yield _Tally(facet, order[series[order] > 0], series.astype(np.int64), slices.astype(np.int64))


class _Part:
    """The cells `at` some places with what they count."""

    def __init__(self, found: _Found, at: NDArray[np.intp], wanted: SeriesFilter) -> None:
        self.at = at
        self.series = found.series.take(at).astype(np.float64)  # as what sums them wants it: exact below 2**53
        self.slices = _shown_slices(found.slices, wanted).take(at).astype(np.float64)


def _counted(found: _Found, wanted: SeriesFilter) -> Count:
    left = found.failures == 0
    return Count(
        series=int(found.series[left].sum()) if found.exact else BOUND,
        slices=int(_shown_slices(found.slices[left], wanted).sum()) if found.exact else None,
        exact=found.exact,
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
