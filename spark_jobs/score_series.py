"""Spark job: slice packs to tumour predictions, the same file on a laptop, a standalone cluster and EMR.

    spark-submit [--py-files braingranary.zip] spark_jobs/score_series.py --run-json <path or s3://bucket/key>

Only numbers of batches travel through Spark: a task reads its packs from the object store, scores them with the model
that its process loaded once, writes its rows back and tells what it did; the driver publishes the run. Goes in:
`run.json` (see `detector.contracts.score_run`), which pins the weights by hash, and credentials from the environment
(GRANARY_S3_ACCESS_KEY, GRANARY_S3_SECRET_KEY) or the instance's role; never the database. Comes out: one line of JSON
on stdout. A pack that cannot be used is a reject row; weights that are not the pinned ones, or a store that fails, let
the job fail, and then it may simply be run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from braingranary.detector.contracts.score_run import (
    STEP,
    ScoredPart,
    ScoredRun,
    ScoreJob,
    SeriesToScore,
    publish,
    read_published,
)
from braingranary.storage import keys
from braingranary.storage.bin_packing import spread
from braingranary.storage.location import current_location, read_at

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RESULT_SCHEMA: Final = "part string"
BATCHES_A_CORE: Final = 2  # enough that the last task does not keep the others waiting, few enough to cost nothing


def worker(
    job: ScoreJob, work: Sequence[Sequence[SeriesToScore]]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark runs on each partition: numbers of batches in, one row of JSON a finished batch out."""
    place, model, run = job.store, job.model, job.run  # not the job: its list of series travels as `work` already

    def score(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from braingranary.detector.inference.batch import open_scorer, score_batch  # noqa: PLC0415 - torch, for workers alone

        store, scorer = place.open(), open_scorer(place, model)
        for batch in rows:
            for number in batch.column("id").to_numpy():
                result = score_batch(store, work[int(number)], model, run, scorer)
                yield pa.RecordBatch.from_pydict({"part": [result.to_json()]})

    return score


def run_job(spark: SparkSession, job: ScoreJob) -> ScoredRun:
    """Do what `job` says and publish it; a run that is published already is given back as it stands."""
    store = job.store.open()
    if store.exists(keys.published(STEP, job.run)):
        return read_published(store, job.run)
    context = spark.sparkContext
    cores = context.defaultParallelism
    work = spread(
        job.series,
        weight=lambda one: one.bytes,
        name=lambda one: one.series_uid,
        batch_bytes=job.batch_bytes,
        batches_min=cores * BATCHES_A_CORE,
        multiple_of=cores,
    )
    if not work:
        return publish(store, job, [])
    # One partition a batch, in this order: Spark starts them in order, so the longest run first.
    frame = spark.range(0, len(work), 1, len(work))
    done = frame.mapInArrow(worker(job, work), RESULT_SCHEMA).collect()
    return publish(store, job, [ScoredPart.from_json(row["part"]) for row in done])


def main(argv: list[str] | None = None) -> int:
    """Run the job that argv names; returns the exit status."""
    parser = argparse.ArgumentParser(description="Score catalogued slice packs with the tumour detector.")
    parser.add_argument("--run-json", required=True, help="path or s3://bucket/key of the job")
    parser.add_argument(
        "--endpoint-url", help="S3 endpoint of an s3:// run.json; default: GRANARY_S3_ENDPOINT_URL or AWS"
    )
    arguments = parser.parse_args(argv)
    job = ScoreJob.from_json(read_at(arguments.run_json, arguments.endpoint_url))
    job = replace(job, store=current_location(arguments.run_json, arguments.endpoint_url, job.store))

    from pyspark.sql import SparkSession  # noqa: PLC0415 - a wrong run.json is told before a JVM is started

    spark = SparkSession.builder.appName(f"granary-score-{job.run}").getOrCreate()
    try:
        published = run_job(spark, job)
    finally:
        spark.stop()
    summary = {
        "run": published.run,
        "model": published.model_version,
        "parts": len(published.parts),
        "rows": published.rows,
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
