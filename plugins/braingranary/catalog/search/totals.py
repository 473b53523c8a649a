"""What the whole of a snapshot holds: facets with their subjects, and collections.

Counted once a snapshot, before it answers. Goes in: the rows of a snapshot. Comes out: frozen records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from braingranary.catalog.search.columns import FACETS
from braingranary.catalog.search.combinations import SLICES, Combinations
from braingranary.catalog.search.query import Facet, facet_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionLicense:
    """A licence that series of a collection may be passed on under."""

    name: str | None
    url: str | None
    series_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection with what it holds."""

    collection_id: int
    archive: str
    name: str
    subject_count: int
    study_count: int
    series_count: int
    slice_count: int
    species: list[str]
    licenses: list[CollectionLicense]
    """The most frequent first."""
    citation_urls: list[str]
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over all series."""

    series_count: int
    subject_count: int
    slice_count: int
    facets: list[Facet]
    """Of each facet all values."""
    collections: list[Collection]
    """By name."""

    def facet(self, name: str) -> list[Facet]:
        """The values of one facet, the most frequent first."""
        return [item for item in self.facets if item.facet == name]


def count_totals(frame: pl.DataFrame, combinations: Combinations) -> Totals:
    """The totals of the rows of a snapshot and their combinations of facet values."""
    counted = combinations.by_subject(frame).with_columns(slices=pl.sum_horizontal(SLICES))
    counts = facet_counts(dict.fromkeys(FACETS, counted), subjects=True)
    return Totals(
        series_count=len(frame),
        subject_count=frame["subject_id"].n_unique(),
        slice_count=int(frame["shown_slices"].sum()),
        facets=[item for facet in FACETS for item in counts[facet]],
        collections=_collections(frame),
    )


def _collections(frame: pl.DataFrame) -> list[Collection]:
    counted = frame.group_by("collection_id").agg(
        pl.col("archive").first(),
        pl.col("collection").first().alias("name"),
        pl.col("subject_id").n_unique().alias("subject_count"),
        pl.col("study_id").n_unique().alias("study_count"),
        pl.len().alias("series_count"),
        pl.col("shown_slices").sum().alias("slice_count"),
        pl.col("species").unique(),
        pl.col("citation_url").unique().drop_nulls().alias("citation_urls"),
        pl.col("published_at").max(),
    )
    licenses: dict[int, list[CollectionLicense]] = {}
    names = ("collection_id", "license_name", "license_url")
    known = frame.select(names).filter(pl.any_horizontal(pl.col(names[1:]).is_not_null()))
    for key, name, url, series in known.group_by(names).len().rows():
        licenses.setdefault(key, []).append(CollectionLicense(name=name, url=url, series_count=series))
    found = []
    for row in counted.to_dicts():
        under = licenses.get(row["collection_id"], [])
        under.sort(key=lambda item: (-item.series_count, item.name or "", item.url or ""))
        lists: dict[str, Any] = {name: sorted(row[name]) for name in ("species", "citation_urls")}
        found.append(Collection(**{**row, **lists}, licenses=under))
    return sorted(found, key=lambda item: (item.name, item.collection_id))
