"""What a model has not looked at yet: the catalogue's part of a scoring plan.

Goes in: a connection, a registered model and what to narrow to. Comes out: series with the packs that a model looks at
(view scored_pack: all planes of the first volume), by key. Only human MR is taken: the detector was shown nothing else.
A series that could not be scored before is taken again: its packs may be mended. Fails with TransientFailure.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from psycopg.rows import class_row

from braingranary.catalog.load.transaction import Connection, mapped
from braingranary.catalog.model_registry import ModelRecord
from braingranary.catalog.sql import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscoredPack:
    """One pack that a model looks at."""

    series_id: int
    pack_id: int
    object_key: str
    sha256: str
    pack_bytes: int
    acquired: bool
    """False: a reformat, which does not speak for the series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscoredSeries:
    """One series that waits for a model."""

    series_id: int
    series_uid: str
    archive: str
    collection: str
    input_sha256: str
    """Name of exactly these packs."""
    packs: tuple[UnscoredPack, ...] = ()


def unscored(
    connection: Connection, model: ModelRecord, *, collection: str | None = None, limit: int, force: bool = False
) -> list[UnscoredSeries]:
    """At most `limit` series without a prediction by `model`, or with `force` any; packs included, by key."""
    values = {"model_id": model.model_id, "collection": collection, "limit": limit, "force": force}
    with mapped(), connection.transaction():
        # One snapshot for both questions, or a load between them could change the packs under a series.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = _rows(connection, UnscoredSeries, "queries/unscored_series", values)
        wanted = [one.series_id for one in found]
        packs = _rows(connection, UnscoredPack, "queries/packs_to_score", {"series": wanted})
    of_series = {key: tuple(group) for key, group in groupby(packs, key=lambda pack: pack.series_id)}
    return [
        UnscoredSeries(
            series_id=one.series_id,
            series_uid=one.series_uid,
            archive=one.archive,
            collection=one.collection,
            input_sha256=one.input_sha256,
            packs=of_series[one.series_id],
        )
        for one in found
    ]


def _rows(connection: Connection, kind: type[Any], name: Any, values: dict[str, Any]) -> list[Any]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement(name), values).fetchall()
