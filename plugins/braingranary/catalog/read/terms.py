"""Which collections ask for accepted terms of use before anybody sees their pixels.

Goes in: a connection and what is to be shown. Comes out: the restricted collections among it, with the terms in force;
nothing where all is open, which costs one indexed question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from braingranary.catalog.db import Connection, many


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """One collection and terms that it needs; a collection that needs several comes several times."""

    collection_id: int
    archive: str
    collection: str
    terms: str
    """Name of the terms."""
    version: str
    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms in force."""

    name: str
    version: str
    title: str
    url: str


def restrictions(connection: Connection) -> list[Restriction]:
    """All restricted collections of the catalogue."""
    return many(connection, Restriction, "terms_all", {})


def restrictions_of(
    connection: Connection,
    *,
    pack_id: int | None = None,
    series_uid: str | None = None,
    collection_ids: Sequence[int] = (),
) -> list[Restriction]:
    """The restricted collections among those of a pack, a series and `collection_ids`."""
    values = {"pack_id": pack_id, "series_uid": series_uid, "collection_ids": list(collection_ids)}
    return many(connection, Restriction, "terms_needed", values)


def terms_in_force(connection: Connection) -> list[Terms]:
    """Terms that can be accepted, by name."""
    return many(connection, Terms, "terms_in_force", {})
