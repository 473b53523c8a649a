"""The scoring job on a local Spark and a real object store: the numbers of one process, and only pinned weights."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from braingranary.detector.contracts.score_run import ModelPin, PackToScore, ScoredRun, ScoreJob, SeriesToScore
from braingranary.detector.inference.score import Scorer
from braingranary.detector.model.weights import unpack
from braingranary.imaging import jpeg
from braingranary.imaging.slicepack import write_pack
from braingranary.records import Plane
from braingranary.settings import StoreSettings
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from spark_jobs.score_series import run_job
from tests.fixtures import score_set

pytestmark = [pytest.mark.spark, pytest.mark.stack]
SERIES, SLICES = 6, 3
AGREEMENT = 1e-4


@pytest.fixture
def spark(s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SparkSession]:
    assert s3_settings.access_key is not None
    assert s3_settings.secret_key is not None
    monkeypatch.setenv("GRANARY_S3_ACCESS_KEY", s3_settings.access_key)
    monkeypatch.setenv("GRANARY_S3_SECRET_KEY", s3_settings.secret_key.get_secret_value())
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    yield session
    session.stop()


def job_of(store: ObjectStore, settings: StoreSettings, run: str) -> ScoreJob:
    data, sha256 = score_set.weights()
    model = ModelPin(version="tiny-1", sha256=sha256, weights_key=keys.weights("tiny-1", sha256))
    store.put(model.weights_key, data)
    series = []
    for number in range(SERIES):
        made = write_pack(jpeg.encode(picture) for picture in score_set.pictures(number, Plane.AXIAL, SLICES)).data
        key = keys.slice_pack("test-1", f"1.2.{number}", 0, Plane.AXIAL)
        store.put(key, made)
        sha = hashlib.sha256(made).hexdigest()
        pack = PackToScore(pack_id=number, object_key=key, sha256=sha, pack_bytes=len(made), acquired=True)
        series.append(
            SeriesToScore(
                series_id=number,
                series_uid=f"1.2.{number}",
                archive="tcia",
                collection="Set",
                input_sha256=sha,
                packs=(pack,),
            )
        )
    return ScoreJob(run=run, store=StoreLocation.of(settings), model=model, series=tuple(series))


def slices(store: ObjectStore, published: ScoredRun) -> dict[tuple[int, int], tuple[float, float]]:
    """(logit, probability) by (pack, slice)."""
    found = {}
    for part in published.parts:
        for row in pq.read_table(io.BytesIO(store.get(part.tables["slices"]))).to_pylist():
            found[row["pack_id"], row["slice_index"]] = (row["tumor_logit"], row["tumor_probability"])
    return found


def test_spark_agrees_with_one_process_and_publishes_once(
    spark: SparkSession, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    job = job_of(object_store, s3_settings, "first")

    published = run_job(spark, job)

    assert published.rows == {"series": SERIES, "slices": SERIES * SLICES, "rejects": 0}
    assert len(published.parts) == 4  # two batches a core
    scorer = Scorer(unpack(object_store.get(job.model.weights_key), job.model.sha256))
    found = slices(object_store, published)
    differences = []
    for number in range(SERIES):
        pictures = score_set.pictures(number, Plane.AXIAL, SLICES)
        for index, answer in enumerate(scorer.score([jpeg.decode(jpeg.encode(picture)) for picture in pictures])):
            logit, probability = found[number, index]
            differences += [abs(answer.tumor_logit - logit), abs(answer.tumor_probability - probability)]
    print(f"case 30 spark agreement: max_difference={max(differences):.1e}")
    assert len(differences) == 2 * SERIES * SLICES
    assert max(differences) <= AGREEMENT

    before = {info.key: info.etag for info in object_store.list("")}
    assert run_job(spark, job) == published
    assert {info.key: info.etag for info in object_store.list("")} == before

    # Weights that are not the pinned ones: no run is published, and no row of them stands.
    swapped, _ = score_set.weights(seed=9)
    _, sha256 = score_set.weights(seed=8)
    pin = replace(job.model, sha256=sha256, weights_key=keys.weights("tiny-1", sha256))
    object_store.put(pin.weights_key, swapped)
    with pytest.raises(PySparkException, match="model_invalid"):
        run_job(spark, replace(job, run="second", model=pin))
    assert [info.key for info in object_store.list("runs/score/second/")] == []
