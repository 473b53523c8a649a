"""Series as JSON text, written by PostgreSQL: what answers them one by one or by the page hands the text on as it is.

Why not records: a page has two thousand values, and taking them out of their text, checking and writing them down again
costs several times what finding them does. The columns of `sql/queries/series_told.sql` and `series_detail.sql` are the
contract; tests hold them to the schema that is published. Goes in: a connection, keys, and where the API keeps series
and slices. Comes out: JSON objects as text; nothing found is None or left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

from braingranary.catalog.ask import Connection
from braingranary.catalog.identity import series_id
from braingranary.catalog.sql import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What stands in front of the UID of a series and of the id of a slice in their addresses."""

    series: str
    slices: str


def page_told(connection: Connection, series_ids: Sequence[int], addresses: Addresses) -> list[str]:
    """The series of these keys as lists tell them, in the same order."""
    if not series_ids:
        return []
    values = {
        "series_ids": list(series_ids),
        "series_address": addresses.series,
        "slice_address": addresses.slices,
    }
    # Prepared, as the plan is the same for any keys, and making it takes longer than running it.
    told: dict[int, str] = dict(connection.execute(_page(), values, prepare=True).fetchall())
    return [told[key] for key in series_ids if key in told]


def detail_told(connection: Connection, uid: str, addresses: Addresses) -> str | None:
    """Everything that is known of one series."""
    values = {"series_id": series_id(uid), "series_address": addresses.series, "slice_address": addresses.slices}
    found = connection.execute(_detail(), values, prepare=True).fetchone()
    if found is None:
        return None
    listed, rest = found
    return f"{listed[:-1]},{rest[1:]}"  # two objects as one


@cache
def _page() -> LiteralString:
    return f"WITH shown AS (\n{statement('queries/series_shown')})\n{statement('queries/series_told')}"


@cache
def _detail() -> LiteralString:
    shown, told = statement("queries/series_shown_one"), statement("queries/series_told")
    return f"WITH shown AS (\n{shown}),\nlisted AS (\n{told})\n{statement('queries/series_detail')}"
