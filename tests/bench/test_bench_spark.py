"""The Spark job against shipping bytes through Spark, and against the same code in a pool of two processes.

60 staged series of 128 slices of 256 x 256 at 16 bit, deflated as archives do (7 MB a zip), on a real S3. Ours sends
object keys, reads and writes S3 in the worker, and publishes. The peers:

* binaryFile + mapInPandas, as Spark's documentation has it: Spark reads the zips (from local files, which is kinder to
  it than S3), ships them to Python, which reads with pydicom, windows with np.percentile, encodes with Pillow and gives
  the packs back as bytes, which Spark writes as Parquet to local files;
* `multiprocessing.Pool(2)` over the very same batches, with the same S3: what Spark costs by itself.
The session and the pool are warm; their start is not counted on any side. The slices are twice as thick as their pixels
are wide, so that all sides make the acquired plane only. A few distinct series stand for all, under UIDs of their own.
"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pyspark.sql import SparkSession

from braingranary.imaging import intensity, jpeg
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.job import NormalizeJob
from braingranary.normalization.parts import PartResult, PublishedRun
from braingranary.normalization.plan import PendingSeries, batches
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.settings import StoreSettings
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from spark_jobs.normalize_series import BATCHES_A_CORE, run_job
from tests.bench.harness import compare
from tests.unit.normalization import phantom

pytestmark = [pytest.mark.bench, pytest.mark.spark, pytest.mark.stack]
SERIES = 60
CORES = 2
SHAPE, SPACING_MM = (128, 256, 256), (2.1, 1.0, 1.0)
PLANES = (phantom.AXIAL, phantom.CORONAL, phantom.SAGITTAL)
UNIT = f"{SERIES} series 128x256x256"
Normalize = Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]


def uid_of(number: int) -> str:
    return f"{phantom.ROOT}.{1000 + number}"


BOUNDS = (
    "warm session; peer: local files, pydicom, np.percentile, Pillow, Parquet; ours: S3 both ways. What bounds ours: "
    "of about 130 ms CPU a series 72 are the normalization itself (29 of them inflating), some 20 what a Spark job "
    "costs anyway, the rest S3 and its server, which share the two cores"
)


class Bench:
    """A warm session, a warm pool, staged series, and the same zips as local files."""

    def __init__(self, spark: SparkSession, pool: Pool, store: ObjectStore, place: StoreLocation, folder: Path) -> None:
        self.spark, self.pool, self.store, self.place, self.folder = spark, pool, store, place, folder
        self.runs = itertools.count()
        self.zips = folder / "zips"
        self.zips.mkdir()
        self.templates = [
            phantom.dicom_files(uid_of(900 + seed), cosines=plane, shape=SHAPE, spacing_mm=SPACING_MM, seed=seed)
            for seed, plane in enumerate(PLANES)
        ]
        self.edges = [edge_of_air(files) for files in self.templates]
        with ThreadPoolExecutor(CORES) as threads:
            self.series = tuple(threads.map(self.staged, range(SERIES)))

    def staged(self, number: int) -> PendingSeries:
        kind = number % len(PLANES)
        old, new = uid_of(900 + kind).encode(), uid_of(number).encode()
        data = phantom.zipped([(name, content.replace(old, new)) for name, content in self.templates[kind]])
        (self.zips / f"{uid_of(number)}.zip").write_bytes(data)
        return PendingSeries(raw_key=phantom.stage(self.store, uid_of(number), data), zip_bytes=len(data))

    def ours(self) -> PublishedRun:
        return run_job(self.spark, NormalizeJob(run=f"bench-{next(self.runs)}", store=self.place, series=self.series))

    def pooled(self) -> PublishedRun:
        run = f"bench-{next(self.runs)}"
        work = batches(self.series, batches_min=CORES * BATCHES_A_CORE, multiple_of=CORES)
        parts = self.pool.starmap(pooled, [(self.place, keys, run) for keys in work], chunksize=1)
        return publish(self.store, run, DEFAULT_PROFILE, parts)

    def shipped(self) -> Path:
        target = self.folder / "parquet"
        shutil.rmtree(target, ignore_errors=True)
        frame = self.spark.read.format("binaryFile").load(str(self.zips)).select("path", "content")
        made = frame.mapInPandas(plain_python(self.edges), "uid string, low double, high double, pack binary")
        made.write.parquet(str(target))
        return target

    def assert_same_runs(self, mine: object, theirs: object) -> None:
        assert isinstance(mine, PublishedRun)
        assert isinstance(theirs, PublishedRun)
        assert mine.rows == theirs.rows
        assert mine.rows["slices"] == SERIES * SHAPE[0]

    def assert_same_slices(self, mine: object, theirs: object) -> None:
        """Every series and slice on both sides; one series of each kind: the window to a bin, its pixels to 1 grey."""
        assert isinstance(mine, PublishedRun)
        assert isinstance(theirs, Path)
        assert mine.rows["slices"] == SERIES * SHAPE[0]
        tables = [pq.read_table(io.BytesIO(self.store.get(part.tables["series"]))) for part in mine.parts]
        ours = {row["series_uid"]: row for table in tables for row in table.to_pylist()}
        peers = {row["uid"]: row for row in pq.read_table(theirs).to_pylist()}
        assert set(ours) == set(peers) == {uid_of(number) for number in range(SERIES)}
        for number in range(SERIES):
            row, peer = ours[uid_of(number)], peers[uid_of(number)]
            assert max(abs(row["window_low"] - peer["low"]), abs(row["window_high"] - peer["high"])) <= 1
            images = unpacked(peer["pack"])
            assert len(images) == SHAPE[0]
            if number < len(PLANES):
                key = f"normalized/v1/{uid_of(number)}/000-{row['plane']}.zip"
                stored = unpacked(self.store.get(key))
                for place in range(0, SHAPE[0], 16):
                    wide = jpeg.decode(stored[place]).astype(int) - jpeg.decode(images[place])
                    assert np.abs(wide).mean() <= 1


def edge_of_air(files: phantom.Files) -> int:
    """The highest value that is still background: what np.percentile is to leave out."""
    voxels = np.stack([pydicom.dcmread(io.BytesIO(data)).pixel_array for _, data in files])
    counts = np.bincount(voxels.ravel(), minlength=intensity.CODES)
    return intensity._foreground_above(counts, int(voxels.min()), intensity.DEFAULT_RULE)


def unpacked(pack: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def pooled(place: StoreLocation, raw_keys: tuple[str, ...], run: str) -> PartResult:
    return normalize_batch(place.open(), raw_keys, DEFAULT_PROFILE, run)


def plain_python(edges: list[int]) -> Normalize:
    """The usual way: pydicom, np.percentile over the volume's foreground, Pillow, zipfile.

    The edge of the air is given to it for nothing, and so is the way in which slices are to lie.
    """

    def normalize(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for path, content in zip(frame["path"], frame["content"], strict=True):
                uid = path.rsplit("/", 1)[1].removesuffix(".zip")
                volume = plain_volume(content)
                foreground = volume[volume > edges[(int(uid.rsplit(".", 1)[1]) - 1000) % len(edges)]]
                low, high = np.percentile(foreground, [0.5, 99.5])
                scaled = (volume.astype(np.float32) - low) * (255 / (high - low)) + 0.5
                pack = plain_pack(np.clip(scaled, 0, 255).astype(np.uint8))
                yield pd.DataFrame({"uid": [uid], "low": [low], "high": [high], "pack": [pack]})

    return normalize


def plain_volume(content: bytes) -> NDArray[np.uint16]:
    """Slices by increasing right, anterior or superior; the phantoms' rows and columns lie as they are shown."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dcm")]
        files = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in names]
    normal = np.cross(files[0].ImageOrientationPatient[:3], files[0].ImageOrientationPatient[3:])
    axis = int(np.argmax(np.abs(normal)))
    sense = 1 if axis == 2 else -1  # DICOM counts towards left and posterior
    files.sort(key=lambda file: sense * float(file.ImagePositionPatient[axis]))
    return np.stack([file.pixel_array for file in files])


def plain_pack(grey: NDArray[np.uint8]) -> bytes:
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        for number, image in enumerate(grey):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=90)
            archive.writestr(f"{number:04d}.jpg", buffer.getvalue())
    return pack.getvalue()


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
    place = StoreLocation(bucket=s3_settings.bucket, endpoint_url=s3_settings.endpoint_url)
    with multiprocessing.get_context("fork").Pool(CORES) as pool:
        spark = (
            SparkSession.builder.master(f"local[{CORES}]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
        try:
            yield Bench(spark, pool, object_store, place, tmp_path)
        finally:
            spark.stop()
            shutil.rmtree(tmp_path, ignore_errors=True)


def test_bench_spark_job(bench: Bench) -> None:
    compare(
        name="Spark job",
        peer_name="multiprocessing.Pool(2)",
        ours=bench.ours,
        peer=bench.pooled,
        target=0.7,
        unit=UNIT,
        equal=bench.assert_same_runs,
        note="the same batches, the same S3; session and pool are warm",
    )
    compare(
        name="Spark job",
        peer_name="binaryFile + mapInPandas",
        ours=bench.ours,
        peer=bench.shipped,
        target=3.0,
        unit=UNIT,
        equal=bench.assert_same_slices,
        note=BOUNDS,
    )
