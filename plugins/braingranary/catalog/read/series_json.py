"""Series as JSON text that stands ready in the catalogue: what answers them by one or by the page hands it on as it is.

Why not records: a page has two thousand values; joining what they come from, taking them out of their text, checking
and writing them down again costs many times what finding them does. Each load writes table `series_told` for the series
that it touched; the columns of view `series_told_fresh` and of `sql/queries/series_detail.sql` are the contract, which
tests hold to the schema that is published. Goes in: a connection, keys, and where the API keeps series and slices.
Comes out: JSON objects as UTF-8; nothing found is None or left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

from braingranary.catalog.db import Connection
from braingranary.catalog.read import prepared
from braingranary.catalog.read.prepared import Value
from braingranary.catalog.schema.row_keys import series_id
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
    # Put together here: one text of all of them costs PostgreSQL as much again as finding them.
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
    """Both as they stand within a JSON string."""
    return {"series_address": json.dumps(addresses.series)[1:-1], "slice_address": json.dumps(addresses.slices)[1:-1]}


@cache
def _page() -> LiteralString:
    return f"WITH kept AS (\n{statement('queries/series_kept')})\n{statement('queries/series_told')}"


@cache
def _detail() -> LiteralString:
    kept, told = statement("queries/series_kept_one"), statement("queries/series_told")
    return f"WITH kept AS (\n{kept}),\nlisted AS (\n{told})\n{statement('queries/series_detail')}"
