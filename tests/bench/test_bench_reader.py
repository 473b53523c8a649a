"""The reader against dcm2niix: folder of DICOM to uncompressed NIfTI, on real series and on one of 5,000 images.

dcm2niix is started as one process a series, which costs it some milliseconds; ours is called in a warm process, as a
Spark task does. One thread each. That voxels and affines agree one by one is what tests/integration holds
(test_realdata_voxels); here the same number of voxels with the same sum is asserted before anything is timed.
"""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path
from typing import Any

import dcm2niix
import nibabel
import numpy as np
import pytest

from braingranary.dicom.reader import read_series
from braingranary.nifti.writer import to_image
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.series import normalize_series
from tests.bench.harness import compare
from tests.fixtures.dicom_factory import SERIES_UID, Scan, classic_dataset, written
from tests.unit.normalization import phantom

nib: Any = nibabel  # its annotations are incomplete

pytestmark = pytest.mark.bench
REAL_SERIES = (
    "dicom/philips_mprage_sag",
    "dicom/siemens_t1_sag_hfs",
    "dicom/siemens_xa30_enhanced_t1",
    "dicom/tcia_vs_seg_001",
    "dicom_more/canon_dti_instance_number_only",
    "dicom_more/ge_field_map",
    "dicom_more/ge_fmri_instance_number_only",
    "dicom_more/philips_asl_label_control",
    "dicom_more/philips_classic_dwi",
    "dicom_more/uih_grid_mosaic",
)
TIMES, SLICES, SIDE = 100, 50, 64


def files_of(folder: Path) -> phantom.Files:
    return [(str(path.relative_to(folder)), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]


def empty(folder: Path) -> Path:
    """`folder`, made if need be, without the files of the round before."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    return folder


def with_ours(folder: Path, target: Path) -> Path:
    """One file a volume."""
    empty(target)
    for number, read in enumerate(read_series(files_of(folder)).volumes):
        nib.save(to_image(read.volume), target / f"{number}.nii")
    return target


def with_dcm2niix(folder: Path, target: Path) -> Path:
    """One file of three or four axes for each kind of image that dcm2niix tells apart."""
    command = [
        dcm2niix.bin,
        "-p",
        "n",
        "-z",
        "n",
        "-b",
        "n",
        "-f",
        "v_%s_%e_%j",
        "-o",
        str(empty(target)),
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return target


def assert_same_content(one: object, other: object) -> None:
    contents = []
    for folder in (Path(str(one)), Path(str(other))):
        arrays = [nib.load(path).get_fdata() for path in folder.glob("*.nii")]
        contents.append((sum(array.size for array in arrays), sum(float(array.sum()) for array in arrays)))
    assert contents[0][0] == contents[1][0]
    assert np.isclose(contents[0][1], contents[1][1], rtol=1e-6)


@pytest.mark.realdata
def test_bench_reader_on_real_series(real_data: Path, tmp_path: Path) -> None:
    ratios = []
    for name in REAL_SERIES:
        folder = real_data / name
        result = compare(
            name=f"reader, {folder.name}",
            peer_name="dcm2niix",
            ours=lambda folder=folder: with_ours(folder, tmp_path / "ours"),  # type: ignore[misc]
            peer=lambda folder=folder: with_dcm2niix(folder, tmp_path / "peer"),  # type: ignore[misc]
            target=1.0,
            unit=f"series of {sum(path.is_file() for path in folder.rglob('*'))} files",
            equal=assert_same_content,
            note="the target is for the median over all real series",
        )
        ratios.append(result.ratio_median)
    print(f"\nbench reader, median over {len(ratios)} real series: {statistics.median(ratios):.2f}x, target 1.0x")


@pytest.fixture(scope="module")
def time_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 files: 100 times of 50 slices."""
    folder = tmp_path_factory.mktemp("time-series")
    scan = Scan(slices=SLICES, rows=SIDE, columns=SIDE)
    noise = np.random.default_rng(0).integers(0, 4000, (TIMES, SLICES, SIDE, SIDE), dtype=np.uint16)
    for time in range(TIMES):
        for index in range(SLICES):
            dataset = classic_dataset(scan, index)
            dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.{time + 1}"
            dataset.TemporalPositionIdentifier = dataset.AcquisitionNumber = time + 1
            dataset.InstanceNumber = time * SLICES + index + 1
            dataset.PixelData = noise[time, index].tobytes()
            (folder / f"{time:03d}-{index:03d}.dcm").write_bytes(written(dataset, scan))
    return folder


def test_bench_reader_of_5000_images(time_series: Path, tmp_path: Path) -> None:
    compare(
        name="reader, 5,000 images",
        peer_name="dcm2niix",
        ours=lambda: with_ours(time_series, tmp_path / "ours"),
        peer=lambda: with_dcm2niix(time_series, tmp_path / "peer"),
        target=1.0,
        unit=f"series of {TIMES} volumes",
        equal=assert_same_content,
    )


def test_bench_normalizer_of_5000_images(time_series: Path, tmp_path: Path) -> None:
    def ours() -> Path:
        receipt = phantom.receipt_of(SERIES_UID, b"zip")
        made = normalize_series(read_series(files_of(time_series)), receipt, DEFAULT_PROFILE)
        assert len(made.packs) == TIMES
        return with_ours(time_series, tmp_path / "ours") if not (tmp_path / "ours").exists() else tmp_path / "ours"

    ours()  # writes the volumes that are compared; the rounds do not
    compare(
        name="reader + normalizer + packs, 5,000 images",
        peer_name="dcm2niix",
        ours=ours,
        peer=lambda: with_dcm2niix(time_series, tmp_path / "peer"),
        target=0.5,
        unit=f"series of {TIMES} volumes",
        equal=assert_same_content,
        note="ours also windows, encodes 5,000 JPEGs and makes all rows; the peer writes the volumes alone",
    )
