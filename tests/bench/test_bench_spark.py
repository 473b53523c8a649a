"""The Spark job against shipping bytes through Spark, and against the same code in a pool of two processes.

64 staged series on a real S3. Ours sends object keys, reads and writes S3 in the worker, and publishes. The peers:

* binaryFile + mapInPandas, as Spark's documentation has it: Spark reads the zips (from local files, which is kinder to
  it than S3), ships them to Python, which reads with pydicom, windows with np.percentile, encodes with Pillow and gives
  the packs back as bytes, which Spark writes as Parquet;
* the same with our normalizer in place of pydicom, numpy and Pillow: what shipping bytes costs by itself;
* `multiprocessing.Pool(2)` over the very same batches: what Spark costs by itself.
The session is warm on all sides; its start is not counted.
"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.job import NormalizeJob, StorePlace
from braingranary.normalization.parts import PartResult, PublishedRun
from braingranary.normalization.plan import PendingSeries, batches
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.normalization.series import normalize_series
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from spark_jobs.normalize_series import BATCHES_A_CORE, run_job
from tests.bench.harness import compare
from tests.unit.normalization import phantom

pytestmark = [pytest.mark.bench, pytest.mark.spark, pytest.mark.stack]
SERIES = 64
CORES = 2
SHAPE, SPACING_MM = (32, 160, 160), (5.0, 1.3, 1.3)
UNIT = f"{SERIES} series 32x160x160"
Bytes = dict[str, int]


class Bench:
    """A warm session, staged series, and the same zips as local files."""

    def __init__(self, spark: SparkSession, store: ObjectStore, place: StorePlace, folder: Path) -> None:
        self.spark, self.store, self.place, self.folder = spark, store, place, folder
        self.runs = itertools.count()
        self.zips = folder / "zips"
        self.zips.mkdir()
        series = []
        for number in range(SERIES):
            uid = f"{phantom.ROOT}.{number + 1}"
            plane = (phantom.AXIAL, phantom.CORONAL, phantom.SAGITTAL)[number % 3]
            data = phantom.zipped(
                phantom.dicom_files(uid, cosines=plane, shape=SHAPE, spacing_mm=SPACING_MM, seed=number)
            )
            series.append(PendingSeries(raw_key=phantom.stage(store, uid, data), zip_bytes=len(data)))
            (self.zips / f"{uid}.zip").write_bytes(data)
        self.series = tuple(series)

    def ours(self) -> Bytes:
        job = NormalizeJob(run=f"bench-{next(self.runs)}", store=self.place, series=self.series)
        return self.packs(run_job(self.spark, job))

    def pool(self) -> Bytes:
        run = f"bench-{next(self.runs)}"
        work = batches(self.series, batches_min=CORES * BATCHES_A_CORE)
        with multiprocessing.get_context("fork").Pool(CORES) as pool:
            parts = pool.starmap(pooled, [(self.place, keys, run) for keys in work], chunksize=1)
        return self.packs(publish(self.store, run, DEFAULT_PROFILE, parts))

    def packs(self, published: PublishedRun) -> Bytes:
        assert published.rows["series"] == SERIES
        return {"slices": published.rows["slices"]}

    def shipped(self, normalize: Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]) -> Bytes:
        target = self.folder / "parquet"
        shutil.rmtree(target, ignore_errors=True)
        frame = self.spark.read.format("binaryFile").load(str(self.zips)).select("path", "content")
        made = frame.mapInPandas(normalize, "uid string, slices int, pack binary")
        made.write.parquet(str(target))
        return {"slices": sum(row["slices"] for row in self.spark.read.parquet(str(target)).select("slices").collect())}


def pooled(place: StorePlace, raw_keys: tuple[str, ...], run: str) -> PartResult:
    return normalize_batch(ObjectStore.from_settings(place.settings()), raw_keys, DEFAULT_PROFILE, run)


def plain_python(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The usual way: pydicom, np.percentile over the volume's foreground, Pillow, zipfile."""
    for frame in frames:
        for path, content in zip(frame["path"], frame["content"], strict=True):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = [name for name in archive.namelist() if name.endswith(".dcm")]
                files = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in names]
            normal = np.cross(files[0].ImageOrientationPatient[:3], files[0].ImageOrientationPatient[3:])
            positions = [float(np.dot(normal, file.ImagePositionPatient)) for file in files]
            files = [files[place] for place in np.argsort(positions)]
            volume = np.stack([file.pixel_array for file in files]).astype(np.float32)
            low, high = np.percentile(volume[volume > volume.mean() / 4], [0.5, 99.5])
            grey = np.clip((volume - low) / (high - low) * 255, 0, 255).astype(np.uint8)
            pack = io.BytesIO()
            with zipfile.ZipFile(pack, "w") as archive:
                for number, image in enumerate(grey):
                    buffer = io.BytesIO()
                    Image.fromarray(image).save(buffer, "JPEG", quality=90)
                    archive.writestr(f"{number:04d}.jpg", buffer.getvalue())
            yield pd.DataFrame({"uid": [path], "slices": [len(files)], "pack": [pack.getvalue()]})


def our_normalizer(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Bytes through Spark, our code in the worker."""
    for frame in frames:
        for path, content in zip(frame["path"], frame["content"], strict=True):
            uid = path.rsplit("/", 1)[1].removesuffix(".zip")
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                files = [(name, archive.read(name)) for name in archive.namelist() if name.endswith(".dcm")]
            made = normalize_series(files, phantom.receipt_of(uid, content), DEFAULT_PROFILE)
            packs = [pack.data for pack in made.packs]
            yield pd.DataFrame({"uid": [uid], "slices": [made.rows.counts()["slices"]], "pack": [b"".join(packs)]})


@pytest.fixture
def bench(
    s3_settings: StoreSettings, object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    assert s3_settings.access_key is not None
    assert s3_settings.secret_key is not None
    monkeypatch.setenv("GRANARY_S3_ACCESS_KEY", s3_settings.access_key)
    monkeypatch.setenv("GRANARY_S3_SECRET_KEY", s3_settings.secret_key.get_secret_value())
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    place = StorePlace(bucket=s3_settings.bucket, endpoint_url=s3_settings.endpoint_url)
    spark = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    yield Bench(spark, object_store, place, tmp_path)
    spark.stop()


def assert_all_slices(mine: object, theirs: object) -> None:
    assert mine == theirs == {"slices": SERIES * SHAPE[0]}


def test_bench_spark_job(bench: Bench) -> None:
    compare(
        name="Spark job",
        peer_name="binaryFile + mapInPandas",
        ours=bench.ours,
        peer=lambda: bench.shipped(plain_python),
        target=3.0,
        unit=UNIT,
        equal=assert_all_slices,
        note="peer: pydicom, np.percentile, Pillow in the worker, zips from local files, packs written as Parquet",
    )
    compare(
        name="Spark job",
        peer_name="binaryFile + mapInPandas with our normalizer",
        ours=bench.ours,
        peer=lambda: bench.shipped(our_normalizer),
        target=1.0,
        unit=UNIT,
        equal=assert_all_slices,
        note="what shipping bytes costs by itself; the peer reads and writes local files, ours S3",
    )
    compare(
        name="Spark job",
        peer_name="multiprocessing.Pool(2)",
        ours=bench.ours,
        peer=bench.pool,
        target=0.7,
        unit=UNIT,
        equal=assert_all_slices,
        note="the same batches, the same S3",
    )
