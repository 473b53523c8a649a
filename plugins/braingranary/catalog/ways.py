"""Which way a page of series is found: gathered by cells, walked in the index of one facet, or left to the planner.

Why not always the planner: it takes filters for independent of each other and of the sort. Where a scanner was sold in
some years, or where one collection has no field strength, it walks a million rows for a page of fifty. The cells know
how many series a filter leaves, so that few are gathered and many are walked for, in an index of the rarest value, and
no further than STEPS; a walk that ends there is given up for gathering, however many these are.
Goes in: a filter, what the cells know of it, an order. Comes out: a statement with its values. Nothing is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, LiteralString

from braingranary.catalog.cells import Left, of_cells_alone
from braingranary.catalog.filters import SeriesFilter
from braingranary.catalog.sql import statement, without_nulls

STEPS: Final = 10_000
"""Rows of one walk: as dear as to gather twice as many series."""
_WALKED: Final[dict[str, LiteralString]] = {
    "collection": "collection_id",
    "manufacturer": "manufacturer",
    "model": "model",
    "sequence": "sequence",
    "sex": "sex",
    "license": "license",
    "field_strength": "field_strength",
    "tumor": "tumor",
}
"""Columns by facet that have an index together with each sort."""
_WALKS: Final[dict[str, tuple[LiteralString, LiteralString]]] = {
    "queries/series_ascending": ("queries/series_walk_ascending", "queries/series_walked_ascending"),
    "queries/series_descending": ("queries/series_walk_descending", "queries/series_walked_descending"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A statement that is planned once for all values, and its values.

    Rows begin with the key and what is sorted by; of a walk follows whether it matches, and whether the walk ended.
    """

    text: LiteralString
    values: dict[str, Any]
    walked: bool = False


def ways(
    wanted: SeriesFilter, left: Left, *, name: LiteralString, sort_key: LiteralString, values: dict[str, Any]
) -> list[Way]:
    """Ways to the page that the statement `name` tells, to be tried in turn; none where the planner finds its own.

    `values` say where the last page ended and how many series a page has.
    """
    if not of_cells_alone(wanted):
        return []
    values = {**values, "cell_ids": left.keys.tolist()}
    last = Way(text=_planned_once("queries/series_in_cells", name, values, sort_key), values=values)
    if left.few:
        return [last]
    facet = _rarest(wanted, left, sort_key)
    # One filter has one index, which the planner finds; and so it does where there is none to choose.
    if facet is None or len(wanted.active) == 1 or name not in _WALKS:
        return []
    value = left.collection_id if facet == "collection" else getattr(wanted, facet)
    stepped = {**values, "facet_value": value, "steps": STEPS}
    text = _planned_once(*_WALKS[name], stepped, sort_key).replace("facet_key", _WALKED[facet])
    return [Way(text=text, values=stepped, walked=True), last]


def _rarest(wanted: SeriesFilter, left: Left, sort_key: LiteralString) -> str | None:
    """The facet whose value the fewest series have, of those that can be walked."""
    active = [facet for facet in _WALKED if getattr(wanted, facet) is not None]
    if left.collection_id is None and "collection" in active:
        active.remove("collection")
    if sort_key == "field_strength_tesla" and "field_strength" in active:
        return "field_strength"  # the class of what is sorted by: where that is unknown the walk is over at once
    return min(active, key=lambda facet: left.of_facet[facet], default=None)


def _planned_once(
    wanted: LiteralString, name: LiteralString, values: dict[str, Any], sort_key: LiteralString
) -> LiteralString:
    """The statement `name` of `wanted`, with columns named and what the plan has to know: how long, how far."""
    text = without_nulls(f"WITH wanted AS (\n{statement(wanted)})\n{statement(name)}", values)
    told = text.replace("%(limit)s", f"{values['limit']:d}").replace("%(steps)s", f"{STEPS:d}")
    return told.replace("sort_key", sort_key)
