"""Facets and counts under any filter: sums over a few thousand cells instead of a GROUP BY over a million series.

A cell counts the series that share one value of every filter with few values (`series_cell`, refreshed by each load). A
process keeps the cells as arrays and asks before each answer, with one look-up, whether they still hold. So facets and
counts under these filters are exact and read no series. Filters of another kind (ranges, words, one subject) read
series, `BOUND` of them at most: beyond it the answer says that it is not exact.
Goes in: a connection and a filter. Comes out: frozen records. A facet's own filter does not narrow it, so that its
other values can be chosen next; where the answer is not from cells alone, every filter narrows every facet.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from braingranary.catalog.ask import Connection, many
from braingranary.catalog.filters import SeriesFilter
from braingranary.catalog.series import narrowed
from braingranary.catalog.sql import statement

BOUND: Final = 10_000
"""Series that are read for one answer at most."""
KEPT: Final = 2  # states of the cells that a process holds: the new one and the one that other threads still use
ANSWERS_KEPT: Final = 200  # of one state of the cells: the page without a filter is asked for all the time
VALUES_MAX: Final = 100
"""Values of one facet that an answer holds unless more are asked for."""
PLANES: Final = ("axial", "coronal", "sagittal")
_SHOWN: Final = "shown_plane"
_VALUED: Final = (
    "archive", "collection", "species", "plane", "sequence", "manufacturer", "model", "sex", "license",
    "field_strength", "tumor", "label_source",
)  # fmt: skip
FACETS: Final = (*_VALUED, _SHOWN)
"""Every facet, each also the name of the filter that its values are for."""


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
class Cells:
    """The cells as arrays of one length, in one order; `slices` has a column a plane."""

    version: str
    rows: dict[int, int]
    """Row of each cell by its key."""
    series: NDArray[np.int64]
    slices: NDArray[np.int64]
    shows: NDArray[np.int64]
    codes: dict[str, NDArray[np.intp]]
    values: dict[str, list[str]]
    subjects: dict[tuple[str, str], int]
    """Subjects by facet and value, without a filter."""
    answers: dict[tuple[SeriesFilter, int], FacetAnswer] = field(default_factory=dict, repr=False)
    """What was asked already: true as long as these cells are."""

    def failing(self, facet: str, value: str) -> NDArray[np.bool_]:
        """Which cells the filter `facet=value` leaves out."""
        if facet == _SHOWN:
            hidden: NDArray[np.bool_] = np.equal(self.shows >> PLANES.index(value) & 1, 0)
            return hidden
        known = self.values[facet]
        return np.not_equal(self.codes[facet], known.index(value) if value in known else -1)


_kept: dict[str, Cells] = {}
_lock = threading.Lock()


def facets(connection: Connection) -> list[Facet]:
    """All counts of the whole catalogue, by filter and then the most frequent first."""
    return many(connection, Facet, "facets", {})


def count(connection: Connection, wanted: SeriesFilter) -> Count:
    """How many series and slices a filter leaves."""
    cells = _current(connection)
    if _by_cells(wanted):
        left = _failures(cells, wanted) == 0
        return _counted(cells.series[left], cells.slices[left], wanted)
    _, series, slices = _read(connection, wanted)
    return _counted(series, slices, wanted)


def facets_of(connection: Connection, wanted: SeriesFilter, *, values_max: int = VALUES_MAX) -> FacetAnswer:
    """The counts under a filter: of everything, and of each facet's most frequent values, at most `values_max`."""
    cells = _current(connection)
    if not _by_cells(wanted):
        keys, found_series, found_slices = _read(connection, wanted)
        at = np.array([cells.rows.get(key, -1) for key in keys], np.intp)
        series, slices = np.zeros_like(cells.series), np.zeros_like(cells.slices)
        series[at[at >= 0]], slices[at[at >= 0]] = found_series[at >= 0], found_slices[at >= 0]
        return _answer(cells, wanted, series, slices, failures=np.where(series > 0, 0, -1), values_max=values_max)
    asked = (wanted, values_max)
    if asked not in cells.answers:
        answer = _answer(
            cells, wanted, cells.series, cells.slices, failures=_failures(cells, wanted), values_max=values_max
        )
        if len(cells.answers) < ANSWERS_KEPT:
            cells.answers[asked] = answer
        return answer
    return cells.answers[asked]


def _by_cells(wanted: SeriesFilter) -> bool:
    return wanted.active <= set(FACETS) and wanted.label_source != "model"


def _failures(cells: Cells, wanted: SeriesFilter) -> NDArray[np.int64]:
    """For every cell one bit a facet whose filter leaves it out."""
    failures = np.zeros(len(cells.series), np.int64)
    for number, facet in enumerate(FACETS):
        value = getattr(wanted, facet)
        if value is not None:
            failures |= cells.failing(facet, value).astype(np.int64) << number
    return failures


def _answer(
    cells: Cells,
    wanted: SeriesFilter,
    series: NDArray[np.int64],
    slices: NDArray[np.int64],
    *,
    failures: NDArray[np.int64],
    values_max: int,
) -> FacetAnswer:
    """`series` and `slices` of the cells that count, facet by facet without the facet's own bit of `failures`."""
    weights = _shown_slices(slices, wanted)
    found: list[Facet] = []
    for number, facet in enumerate(FACETS):
        left = np.flatnonzero((failures & ~(1 << number)) == 0)
        if facet == _SHOWN:
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
                subject_count=None if wanted.active else cells.subjects.get((facet, values[code])),
                slice_count=int(by_slices[code]),
            )
            for code in order
            if by_series[code]
        ]
    everything = failures == 0
    return FacetAnswer(count=_counted(series[everything], slices[everything], wanted), facets=found)


def _counted(series: NDArray[np.int64], slices: NDArray[np.int64], wanted: SeriesFilter) -> Count:
    total = int(series.sum())
    exact = _by_cells(wanted) or total <= BOUND
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


def _read(connection: Connection, wanted: SeriesFilter) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64]]:
    """Cells, series and slices of at most one series more than BOUND of those that match."""
    text, values = narrowed(connection, wanted, "queries/series_cells")
    rows = connection.execute(text, {**values, "bound": BOUND + 1}).fetchall()
    counted = np.array([row[1:] for row in rows], np.int64).reshape(-1, 4)
    return [row[0] for row in rows], counted[:, 0], counted[:, 1:]


def _current(connection: Connection) -> Cells:
    """The cells as of the last load."""
    row = connection.execute(statement("queries/search_version")).fetchone()
    version = str(row[0]) if row else ""
    with _lock:  # one thread reads them, the others wait for it
        if version not in _kept:
            while len(_kept) >= KEPT:
                _kept.pop(next(iter(_kept)))
            _kept[version] = _load(connection, version)
        return _kept[version]


def _load(connection: Connection, version: str) -> Cells:
    cursor = connection.execute(statement("queries/cells"))
    names = [column.name for column in cursor.description or ()]
    rows = cursor.fetchall()
    table: dict[str, tuple[Any, ...]] = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    codes, values = {}, {}
    for facet in _VALUED:
        distinct, inverse = np.unique(np.array(table.get(facet, ()), dtype=np.str_), return_inverse=True)
        codes[facet], values[facet] = inverse, [str(value) for value in distinct]
    return Cells(
        version=version,
        rows={key: number for number, key in enumerate(table.get("cell_id", ()))},
        series=np.array(table.get("series_count", ()), np.int64),
        slices=np.array([table.get(f"slices_{plane}", ()) for plane in PLANES], np.int64).T,
        shows=np.array(table.get("shows", ()), np.int64),
        codes=codes,
        values=values,
        subjects={(item.facet, item.value): item.subject_count or 0 for item in facets(connection)},
    )
