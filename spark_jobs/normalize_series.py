"""Spark job: staged series to slices, the same file on a laptop, a standalone cluster and EMR.

    spark-submit [--py-files braingranary.zip] spark_jobs/normalize_series.py --run-json <path or s3://bucket/key>

Only object keys travel through Spark: a row numbers one batch, a task reads, normalizes and writes it through the
object store and gives back what it did; the driver publishes the run. Goes in: `run.json` (see `normalization.job`),
and credentials from the environment (GRANARY_S3_ACCESS_KEY, GRANARY_S3_SECRET_KEY) or the instance's role. Comes out:
one line of JSON on stdout. A series that cannot be used is a reject row; only a store that fails lets the job fail,
and then it may simply be run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.job import NormalizeJob
from braingranary.normalization.parts import PartResult, PublishedRun, published_key
from braingranary.normalization.plan import batches
from braingranary.normalization.profile import Profile
from braingranary.normalization.publish import publish, read_published
from braingranary.storage.location import StoreLocation, current_location, read_at

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RESULT_SCHEMA: Final = "part string"
BATCHES_A_CORE: Final = 2  # enough that the last task does not keep the others waiting, few enough to cost nothing


def worker(
    place: StoreLocation, profile: Profile, run: str, work: Sequence[Sequence[str]]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark runs on each partition: numbers of batches in, one row of JSON a finished batch out.

    `work` are the raw keys of every batch; they travel with the function, so that the rows need no Python to be made.
    """

    def normalize(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        store = place.open()
        for batch in rows:
            for number in batch.column("id").to_numpy():
                result = normalize_batch(store, work[int(number)], profile, run)
                yield pa.RecordBatch.from_pydict({"part": [result.to_json()]})

    return normalize


def run_job(spark: SparkSession, job: NormalizeJob) -> PublishedRun:
    """Do what `job` says and publish it; a run that is published already is given back as it stands."""
    store = job.store.open()
    if store.exists(published_key(job.run)):
        return read_published(store, job.run)
    context = spark.sparkContext
    cores = context.defaultParallelism
    work = batches(job.series, batch_bytes=job.batch_bytes, batches_min=cores * BATCHES_A_CORE, multiple_of=cores)
    if not work:
        return publish(store, job.run, job.profile, [])
    # One partition a batch, in this order: Spark starts them in order, so the longest run first.
    frame = spark.range(0, len(work), 1, len(work))
    done = frame.mapInArrow(worker(job.store, job.profile, job.run, work), RESULT_SCHEMA).collect()
    return publish(store, job.run, job.profile, [PartResult.from_json(row["part"]) for row in done])


def main(argv: list[str] | None = None) -> int:
    """Run the job that argv names; returns the exit status."""
    parser = argparse.ArgumentParser(description="Normalize staged series into slice packs.")
    parser.add_argument("--run-json", required=True, help="path or s3://bucket/key of the job")
    parser.add_argument(
        "--endpoint-url", help="S3 endpoint of an s3:// run.json; default: GRANARY_S3_ENDPOINT_URL or AWS"
    )
    arguments = parser.parse_args(argv)
    job = NormalizeJob.from_json(read_at(arguments.run_json, arguments.endpoint_url))
    job = replace(job, store=current_location(arguments.run_json, arguments.endpoint_url, job.store))

    from pyspark.sql import SparkSession  # noqa: PLC0415 - a wrong run.json is told before a JVM is started

    spark = SparkSession.builder.appName(f"granary-normalize-{job.run}").getOrCreate()
    try:
        published = run_job(spark, job)
    finally:
        spark.stop()
    told = {"run": published.run, "profile": published.profile, "parts": len(published.parts), "rows": published.rows}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
