"""A long time series is normalized in memory that does not grow with it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.fixtures.child import run_child
from tests.fixtures.dicom_factory import SERIES_UID, Scan, classic_dataset, written

ROWS, COLUMNS, SLICES = 512, 256, 32
VOLUME_BYTES = ROWS * COLUMNS * SLICES * 2
PIXELS_MB = int(os.environ.get("GRANARY_TEST_SERIES_MB", "900"))
"""Pixels of the series; the full case: 4300."""
PEAK_MIB_MAX = 750
NORMALIZE = """
import sys
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.readers import read_staged
from braingranary.normalization.series import normalize_series
from tests.unit.normalization.phantom import receipt_of

receipt = receipt_of(sys.argv[2], b"")
with open(sys.argv[1], "rb") as file:
    made = normalize_series(read_staged(file, receipt), receipt, DEFAULT_PROFILE)
print(len(made.packs), sum(len(pack.data) for pack in made.packs) // 1_000_000)
"""


@pytest.mark.slow
def test_large_series_is_normalized_in_bounded_memory(tmp_path: Path) -> None:
    volumes = PIXELS_MB * 1_000_000 // VOLUME_BYTES
    path = tmp_path / "series.zip"
    write_time_series(path, volumes)
    child = run_child(NORMALIZE, str(path), SERIES_UID, timeout_s=3000)
    assert child.exit_status == 0, child.errors
    packs, packs_mb = map(int, child.lines[0].split())
    assert packs == volumes
    assert child.peak_rss_mib < PEAK_MIB_MAX
    print(
        f"case 4D series of {PIXELS_MB} MB: peak_rss_mib={child.peak_rss_mib:.0f} volumes={volumes} packs_mb={packs_mb}"
    )


def write_time_series(path: Path, volumes: int) -> None:
    """A zip of single images: a smooth head and noise, another noise at each time."""
    scan = Scan(slices=SLICES, rows=ROWS, columns=COLUMNS)
    noise = np.random.default_rng(0).integers(0, 60, (ROWS + volumes, COLUMNS), dtype=np.uint16)
    row, column = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    head = np.clip(1.0 - row**2 - column**2, 0, None) * 2000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for time in range(volumes):
            for index in range(SLICES):
                dataset = classic_dataset(scan, index)
                tell_time(dataset, time)
                pixels = (head * (0.5 + index / SLICES)).astype(np.uint16) + noise[time : time + ROWS]
                dataset.PixelData = pixels.tobytes()
                archive.writestr(f"{time:04d}-{index:03d}.dcm", written(dataset, scan))


def tell_time(dataset: Dataset, time: int) -> None:
    dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.{time + 1}"
    dataset.TemporalPositionIdentifier = time + 1
    dataset.AcquisitionNumber = time + 1
    dataset.InstanceNumber = time * SLICES + dataset.InstanceNumber
