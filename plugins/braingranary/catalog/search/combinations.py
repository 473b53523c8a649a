"""The different combinations of facet values in a snapshot, numbered once, so that facets are counted by number.

A million series have some ten thousand combinations. Filters by facets are evaluated on these, and only the other
filters on the rows. Goes in: the rows of a snapshot. Comes out: one row a combination, and its number for each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from braingranary.catalog.search.columns import FACETS, PLANES, VALUE_FILTERS
from braingranary.catalog.search.filters import SHOWN_PLANE

SLICES: Final = tuple(f"slices_{plane}" for plane in PLANES)
_VALUES: Final = (*(VALUE_FILTERS[facet].name for facet in FACETS if facet != SHOWN_PLANE), "model_tumor")


@dataclass(frozen=True)
class Combinations:
    """The combinations of a snapshot."""

    values: pl.DataFrame
    """One row a combination: the facet columns, `model_tumor`, `series` and `slices_<plane>` of all its rows.

    A plane's slices are above 0 for all rows of a combination or for none.
    """
    numbers: NDArray[np.int32]
    """The number of each row's combination, which is the row in `values`."""

    def count(self, frame: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
        """`values` with `series` and `slices_<plane>` of those rows of the snapshot `frame` that `mask` leaves."""
        numbers, size = self.numbers[mask.to_numpy()], len(self.values)
        counted = {
            name: np.bincount(numbers, frame[name].filter(mask).to_numpy(), minlength=size).astype(np.int64)
            for name in SLICES
        }
        return self.values.with_columns(series=np.bincount(numbers, minlength=size), **counted)

    def rows(self, mask: pl.Series) -> pl.Series:
        """A mask of combinations as one of the snapshot's rows."""
        return pl.Series(mask.to_numpy()[self.numbers])

    def by_subject(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The facet columns, `series` and `slices_<plane>` of each combination and subject of the snapshot `frame`."""
        pairs = (
            frame.select("subject_id", *SLICES, pl.Series("number", self.numbers))
            .group_by("number", "subject_id")
            .agg(pl.len().cast(pl.Int64).alias("series"), pl.col(SLICES).cast(pl.Int64).sum())
        )
        return self.values.select(_VALUES)[pairs["number"]].hstack(pairs)


def combine(frame: pl.DataFrame) -> Combinations:
    """The combinations of the rows of a snapshot."""
    shown = [(pl.col(name) > 0).alias(f"{name}_shown") for name in SLICES]
    groups = (
        frame.select(*_VALUES, *SLICES)
        .with_row_index("row")
        .group_by(*_VALUES, *shown)
        .agg("row", pl.len().cast(pl.Int64).alias("series"), pl.col(SLICES).cast(pl.Int64).sum())
    )
    numbers = np.empty(len(frame), np.int32)
    rows = groups["row"].explode(empty_as_null=False).to_numpy()
    numbers[rows] = np.repeat(np.arange(len(groups), dtype=np.int32), groups["series"].to_numpy())
    return Combinations(values=groups.select(*_VALUES, "series", *SLICES), numbers=numbers)
