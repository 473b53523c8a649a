"""Where a series came from, and its packs as files.

Goes in: a connection and a SeriesInstanceUID. Comes out: frozen records, among them object keys, which are for reading
the store with and not for telling. Nothing found is None or an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from braingranary.catalog.db import Connection, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLineage:
    """The catalogue's part of the story of one series."""

    series_uid: str
    study_uid: str
    archive: str
    collection: str
    license_name: str | None
    license_url: str | None
    citation_url: str | None
    source_url: str | None
    raw_key: str
    raw_sha256: str
    sidecar_key: str
    profile: str
    transfer_syntax: str | None
    published_at: datetime
    run: str | None
    """The newest normalize run that carried it; None where that run is not among the loaded ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFile:
    """One pack as a file."""

    volume: int
    plane: str
    acquired: Annotated[bool, Field(description="false: a reformat of the acquired plane")]
    sha256: str
    pack_bytes: int
    slice_count: int


def lineage_of_series(connection: Connection, uid: str) -> SeriesLineage | None:
    """Where one series came from, if it is catalogued."""
    return one(connection, SeriesLineage, "lineage_of_series", {"uid": uid})


def pack_files(connection: Connection, uid: str) -> list[PackFile]:
    """The packs of one series by volume and plane."""
    return many(connection, PackFile, "pack_lineage", {"uid": uid})
