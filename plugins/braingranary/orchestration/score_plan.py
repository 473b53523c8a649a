"""A scoring plan: what the catalogue misses of one model's word, put into the job that Spark is given.

Goes in: a connection, the store's place, the model and what to narrow to. Comes out: a `ScoreJob`, which tells the job
all it needs, so that Spark never talks to the database. Fails as the catalogue does.
"""

from __future__ import annotations

from typing import Final

from braingranary.catalog.load.transaction import Connection
from braingranary.catalog.model_registry import ModelRecord
from braingranary.catalog.read.unscored import UnscoredSeries, unscored
from braingranary.detector.contracts.score_run import ModelPin, PackToScore, ScoreJob, SeriesToScore
from braingranary.storage.location import StoreLocation

SERIES_MAX: Final = 20_000
"""Series a run takes at most: its run.json stays below 20 MB, and a night's work can be lost once, not a week's."""


def score_job(
    connection: Connection,
    place: StoreLocation,
    run: str,
    model: ModelRecord,
    *,
    collection: str | None = None,
    limit: int = SERIES_MAX,
    force: bool = False,
) -> ScoreJob:
    """The job of run `run`: at most `limit` series without a prediction by `model`, or any with `force`."""
    found = unscored(connection, model, collection=collection, limit=limit, force=force)
    return ScoreJob(
        run=run,
        store=place,
        model=ModelPin(version=model.version, sha256=model.sha256, weights_key=model.weights_key),
        series=tuple(_to_score(one) for one in found),
    )


def _to_score(one: UnscoredSeries) -> SeriesToScore:
    packs = tuple(
        PackToScore(
            pack_id=pack.pack_id,
            object_key=pack.object_key,
            sha256=pack.sha256,
            pack_bytes=pack.pack_bytes,
            acquired=pack.acquired,
        )
        for pack in one.packs
    )
    return SeriesToScore(
        series_id=one.series_id,
        series_uid=one.series_uid,
        archive=one.archive,
        collection=one.collection,
        input_sha256=one.input_sha256,
        packs=packs,
    )
