"""Cells: how many series share one value of every filter with few values, as arrays that a process keeps.

Some ten thousand cells stand for a million series (`series_cell`, refreshed by each load), so that a process knows how
many series a filter leaves before it asks for any: facets and counts are sums over cells, and which series a filter
leaves is told by their cells. Whether the kept cells still hold is asked before each use, with one look-up.
Goes in: a connection and a filter. Comes out: frozen records.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from braingranary.catalog.db import Connection
from braingranary.catalog.read import prepared
from braingranary.catalog.search.filters import UNKNOWN, SeriesFilter
from braingranary.catalog.sql import statement

KEPT: Final = 2  # states of the cells that a process holds: the new one and the one that other threads still use
PLANES: Final = ("axial", "coronal", "sagittal")
SHOWN: Final = "shown_plane"
_VALUED: Final = (
    "archive", "collection", "species", "plane", "sequence", "manufacturer", "model", "sex", "license",
    "field_strength", "tumor", "label_source",
)  # fmt: skip
FACETS: Final = (*_VALUED, SHOWN)
"""Every facet, each also the name of the filter that its values are for."""
GATHERED_MAX: Final = 20_000
"""Series up to which PostgreSQL had better gather all that a filter leaves than walk along a sort until a page is full:
gathering takes some 5 ms at most, and the more series match, the shorter is the walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells as arrays of one length, in one order; `slices` has a column a plane."""

    version: str
    keys: NDArray[np.int64]
    """In ascending order."""
    series: NDArray[np.int64]
    slices: NDArray[np.int64]
    shown: NDArray[np.bool_]
    """Which planes the series of a cell show, a column a plane."""
    codes: dict[str, NDArray[np.intp]]
    values: dict[str, list[str]]
    """By facet, in the order of the alphabet."""
    begun: dict[str, list[str]]
    """The same as JSON records of counts, up to the count of series."""

    def failing(self, facet: str, value: str) -> NDArray[np.bool_]:
        """Which cells the filter `facet=value` leaves out."""
        if facet == SHOWN:
            hidden: NDArray[np.bool_] = ~self.shown[:, PLANES.index(value)]
            return hidden
        known = self.values[facet]
        return np.not_equal(self.codes[facet], known.index(value) if value in known else -1)

    def failures(self, wanted: SeriesFilter) -> NDArray[np.int64]:
        """For every cell one bit a facet whose filter leaves it out."""
        failures = np.zeros(len(self.series), np.int64)
        for number, facet in enumerate(FACETS):
            value = getattr(wanted, facet)
            if value is not None:
                failures |= self.failing(facet, value).astype(np.int64) << number
        return failures


class Left(NamedTuple):
    """What the facets of a filter leave, whatever else it narrows by."""

    keys: NDArray[np.int64]
    """Of the cells."""
    series: int
    """That they count."""

    @property
    def few(self) -> bool:
        """Whether the series are gathered by their cells."""
        return self.series <= GATHERED_MAX


_kept: dict[str, Cells] = {}
_lock = threading.Lock()


def of_cells_alone(wanted: SeriesFilter) -> bool:
    """Whether cells alone tell what the filter leaves."""
    return wanted.active <= set(FACETS) and wanted.label_source != "model"


def left(connection: Connection, wanted: SeriesFilter) -> Left | None:
    """The cells that the facets of a filter leave; None where it narrows by no facet."""
    if wanted.label_source == "model":  # asked where no truth speaks
        wanted = replace(wanted, label_source=UNKNOWN, tumor=None)
    if not wanted.active & set(FACETS):
        return None
    cells = current(connection)
    chosen = cells.failures(wanted) == 0
    return Left(keys=cells.keys[chosen], series=int(cells.series[chosen].sum()))


def beside(wanted: SeriesFilter) -> SeriesFilter:
    """What narrows beside the cells that `left` tells: the filter without its facets, but with the word of a model."""
    model = {"label_source", "tumor"} if wanted.label_source == "model" else set()
    names = wanted.active - (set(FACETS) - model)
    return SeriesFilter(**{name: getattr(wanted, name) for name in names})


def version(connection: Connection) -> str:
    """Which state the catalogue's search is in."""
    found = prepared.rows(connection, statement("queries/search_version"), {})
    return (found[0][0] or b"").decode() if found else ""


def current(connection: Connection) -> Cells:
    """The cells as of the last load."""
    asked = version(connection)
    with _lock:  # one thread reads them, the others wait for it
        if asked not in _kept:
            while len(_kept) >= KEPT:
                _kept.pop(next(iter(_kept)))
            _kept[asked] = _load(connection, asked)
        return _kept[asked]


def _load(connection: Connection, asked: str) -> Cells:
    cursor = connection.execute(statement("queries/cells"))
    names = [column.name for column in cursor.description or ()]
    rows = cursor.fetchall()
    table: dict[str, tuple[Any, ...]] = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    codes, values = {}, {}
    for facet in _VALUED:
        distinct, inverse = np.unique(np.array(table.get(facet, ()), dtype=np.str_), return_inverse=True)
        codes[facet], values[facet] = inverse, [str(value) for value in distinct]
    values[SHOWN] = list(PLANES)
    return Cells(
        version=asked,
        keys=np.array(table.get("cell_id", ()), np.int64),
        series=np.array(table.get("series_count", ()), np.int64),
        slices=np.array([table.get(f"slices_{plane}", ()) for plane in PLANES], np.int64).T,
        shown=np.array([table.get(f"shows_{plane}", ()) for plane in PLANES], np.bool_).T,
        codes=codes,
        values=values,
        begun={facet: [_begun(facet, value) for value in known] for facet, known in values.items()},
    )


def _begun(facet: str, value: str) -> str:
    return f'{{"facet":"{facet}","value":{json.dumps(value, ensure_ascii=False)},"series_count":'
