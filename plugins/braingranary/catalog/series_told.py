"""Series as JSON text, written by PostgreSQL: what answers them one by one or by the page hands the text on as it is.

Why not records: a page has two thousand values, and taking them out of their text, checking and writing them down again
costs several times what finding them does. The columns of `sql/queries/series_told.sql` and `series_detail.sql` are the
contract; tests hold them to the schema that is published. Goes in: a connection, keys, and where the API keeps series
and slices. Comes out: JSON objects as UTF-8; nothing found is None or left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

from braingranary.catalog import prepared
from braingranary.catalog.ask import Connection
from braingranary.catalog.identity import series_id
from braingranary.catalog.prepared import Value
from braingranary.catalog.sql import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What stands in front of the UID of a series and of the id of a slice in their addresses."""

    series: str
    slices: str


def page_told(connection: Connection, series_ids: Sequence[int], addresses: Addresses) -> bytes:
    """The series of these keys as lists tell them, in the same order, with commas between them."""
    if not series_ids:
        return b""
    asked = prepared.rows(connection, _page(), {"series_ids": list(series_ids), **_places(addresses)})
    # Put together here: one text of all of them costs PostgreSQL as much again as a fifth of the page.
    told = {key: text or b"" for key, text in asked}
    return b",".join([told[key] for key in (b"%d" % series for series in series_ids) if key in told])


def detail_told(connection: Connection, uid: str, addresses: Addresses) -> bytes | None:
    """Everything that is known of one series."""
    found = prepared.rows(connection, _detail(), {"series_id": series_id(uid), **_places(addresses)})
    if not found:
        return None
    listed, rest = found[0]
    return b"%b,%b" % ((listed or b"")[:-1], (rest or b"")[1:])  # two objects as one


def _places(addresses: Addresses) -> dict[str, Value]:
    return {"series_address": addresses.series, "slice_address": addresses.slices}


@cache
def _page() -> LiteralString:
    return f"WITH shown AS (\n{statement('queries/series_shown')})\n{statement('queries/series_told')}"


@cache
def _detail() -> LiteralString:
    shown, told = statement("queries/series_shown_one"), statement("queries/series_told")
    return f"WITH shown AS (\n{shown}),\nlisted AS (\n{told})\n{statement('queries/series_detail')}"
