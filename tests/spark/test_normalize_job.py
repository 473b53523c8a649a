"""The Spark job end to end on a real object store: good, poisonous and hostile series side by side."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from braingranary.normalization.job import NormalizeJob, write_run_json
from braingranary.normalization.parts import PublishedRun
from braingranary.normalization.plan import PendingSeries
from braingranary.normalization.publish import read_published
from braingranary.settings import StoreSettings
from braingranary.storage.location import StoreLocation, current_location
from braingranary.storage.store import ObjectStore
from spark_jobs.normalize_series import main, run_job
from tests.unit.normalization import phantom

pytestmark = [pytest.mark.spark, pytest.mark.stack]
JOB = Path(__file__).resolve().parents[2] / "spark_jobs" / "normalize_series.py"
GOOD = {
    f"{phantom.ROOT}.1": phantom.AXIAL,
    f"{phantom.ROOT}.2": phantom.CORONAL,
    f"{phantom.ROOT}.3": phantom.SAGITTAL,
}


@pytest.fixture
def environment(s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3_settings.access_key is not None
    assert s3_settings.secret_key is not None
    monkeypatch.setenv("GRANARY_S3_ACCESS_KEY", s3_settings.access_key)
    monkeypatch.setenv("GRANARY_S3_SECRET_KEY", s3_settings.secret_key.get_secret_value())
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)


@pytest.fixture
def spark(environment: None) -> Iterator[SparkSession]:
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.python.worker.reuse", "true")
        .getOrCreate()
    )
    yield session
    session.stop()


def staged(store: ObjectStore) -> list[PendingSeries]:
    """Three good series, a truncated one, garbage, a zip slip, a zip that is none, and one whose bytes changed."""
    zips = {uid: phantom.zipped(phantom.dicom_files(uid, cosines=plane)) for uid, plane in GOOD.items()}
    first = phantom.dicom_files(f"{phantom.ROOT}.4")
    zips[f"{phantom.ROOT}.4"] = phantom.zipped([(name, data[: len(data) // 2]) for name, data in first])
    zips[f"{phantom.ROOT}.5"] = phantom.zipped([("a.dcm", os.urandom(4096))])
    zips[f"{phantom.ROOT}.6"] = phantom.zipped([("../../evil.dcm", first[0][1])])
    zips[f"{phantom.ROOT}.7"] = b"<html>busy</html>"
    raw_keys = [phantom.stage(store, uid, data) for uid, data in zips.items()]
    spoilt = phantom.stage(store, f"{phantom.ROOT}.8", phantom.zipped(first))
    store.put(spoilt, b"other bytes")
    return [PendingSeries(raw_key=key, zip_bytes=1000) for key in [*raw_keys, spoilt]]


def job_of(store: ObjectStore, settings: StoreSettings, run: str, series: list[PendingSeries]) -> NormalizeJob:
    place = StoreLocation(bucket=store.bucket, endpoint_url=settings.endpoint_url, region=settings.region)
    return NormalizeJob(run=run, store=place, series=tuple(series))


def table(store: ObjectStore, published: PublishedRun, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for part in published.parts:
        rows.extend(pq.read_table(io.BytesIO(store.get(part.tables[name]))).to_pylist())
    return rows


def test_job_good_and_hostile_series_are_normalized_or_rejected_with_codes(
    spark: SparkSession, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    job = job_of(object_store, s3_settings, "first", staged(object_store))

    published = run_job(spark, job)

    series = {row["series_uid"]: row for row in table(object_store, published, "series")}
    planes = {uid: str(row["plane"]) for uid, row in series.items()}
    assert planes == dict(zip(GOOD, ("axial", "coronal", "sagittal"), strict=True))
    rejects = {str(row["series_uid"]): row["code"] for row in table(object_store, published, "rejects")}
    assert set(rejects) == {f"{phantom.ROOT}.{n}" for n in (4, 5, 6, 7, 8)}
    assert rejects[f"{phantom.ROOT}.6"] == "zip_unsafe_name"
    assert rejects[f"{phantom.ROOT}.7"] == "zip_invalid"
    assert rejects[f"{phantom.ROOT}.8"] == "checksum_mismatch"
    assert "internal" not in rejects.values()
    notes = [info.key for info in object_store.list("quarantine/")]
    assert len(notes) == len(rejects)


def test_job_run_twice_and_under_another_name_leaves_the_same_objects(
    spark: SparkSession, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    series = staged(object_store)
    run_job(spark, job_of(object_store, s3_settings, "first", series))
    whole, packs = phantom.listing(object_store, ""), phantom.listing(object_store, "normalized/")

    again = run_job(spark, job_of(object_store, s3_settings, "first", series))

    assert phantom.listing(object_store, "") == whole
    assert again == read_published(object_store, "first")
    run_job(spark, job_of(object_store, s3_settings, "second", series))
    assert phantom.listing(object_store, "normalized/") == packs


@pytest.mark.usefixtures("spark")
def test_job_whose_store_has_moved_since_it_was_planned_finds_it_where_its_run_json_is(
    object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    data = phantom.zipped(phantom.dicom_files(f"{phantom.ROOT}.1"))
    series = [PendingSeries(raw_key=phantom.stage(object_store, f"{phantom.ROOT}.1", data), zip_bytes=len(data))]
    job = job_of(object_store, s3_settings, "moved", series)
    planned = replace(job, store=replace(job.store, endpoint_url="http://127.0.0.1:1"))
    key = write_run_json(object_store, planned)
    assert s3_settings.endpoint_url is not None

    run_json = f"s3://{object_store.bucket}/{key}"
    assert main(["--run-json", run_json, "--endpoint-url", s3_settings.endpoint_url]) == 0

    assert read_published(object_store, "moved").rows["series"] == 1
    assert current_location("run.json", None, planned.store) == planned.store
