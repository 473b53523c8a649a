"""Folder of DICOM to volume and slices: our reader and normalizer against dicom2nifti and dcm2niix.

Every side starts from the same folder of classic DICOM files. The peers end with an uncompressed NIfTI file. We end

* with such a file too ("reader"),
* with the acquired slices oriented, windowed to 8 bits and written to one file ("reader + normalizer"),
* with everything that leaves a Spark task: 260 JPEGs in the packs of three planes, sidecar, rows ("... + packs").

dcm2niix is a C++ program, started as one process a series, which costs it some milliseconds; ours is called in a warm
process, as a Spark task does. One thread each.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import dcm2niix
import dicom2nifti
import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.dicom.reader import read_series
from braingranary.imaging.intensity import to_grey
from braingranary.imaging.planes import acquired_stack
from braingranary.nifti.writer import to_image
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.series import normalize_series
from tests.bench.harness import compare
from tests.unit.normalization import phantom

nib: Any = nibabel  # its annotations are incomplete

pytestmark = pytest.mark.bench
UID = f"{phantom.ROOT}.1"
UNIT = "series 160x256x256"
COSINES = phantom.SAGITTAL


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("series")
    for name, data in phantom.dicom_files(UID, cosines=COSINES, shape=(160, 256, 256), spacing_mm=(1.1, 1.0, 1.0)):
        (place / name).write_bytes(data)
    return place


def files_of(folder: Path) -> phantom.Files:
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def ours_grey(folder: Path, target: Path) -> NDArray[Any]:
    """The acquired slices as people see them, 8 bits, in one file."""
    volume = read_series(files_of(folder)).volumes[0].volume
    grey, _window = to_grey(volume, DEFAULT_PROFILE.window_rule)
    slices: NDArray[np.uint8] = np.ascontiguousarray(acquired_stack(grey, volume.affine).slices)
    slices.tofile(target)
    return slices


def ours_packs(folder: Path) -> NDArray[Any]:
    """All packs, sidecar and rows; the voxels are read once more for the comparison, untimed (see `equal`)."""
    made = normalize_series(read_series(files_of(folder)), phantom.receipt_of(UID, b"zip"), DEFAULT_PROFILE)
    assert len(made.packs) == 3
    return np.empty(0)


def ours_nifti(folder: Path, target: Path) -> Path:
    nib.save(to_image(read_series(files_of(folder)).volumes[0].volume), target)
    return target


def with_dicom2nifti(folder: Path, target: Path) -> Path:
    dicom2nifti.dicom_series_to_nifti(str(folder), str(target), reorient_nifti=True)
    return target


def with_dcm2niix(folder: Path, target: Path) -> Path:
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-w", "1", "-f", target.stem, "-o", str(target.parent), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def assert_same_voxels(one: Path, other: Path) -> None:
    images = [nib.as_closest_canonical(nib.load(path)) for path in (one, other)]
    assert np.allclose(images[0].affine, images[1].affine, atol=1e-3)
    assert np.array_equal(np.asarray(images[0].dataobj), np.asarray(images[1].dataobj))


PEERS = [("dicom2nifti", with_dicom2nifti, 2.5), ("dcm2niix", with_dcm2niix, 0.6)]


@pytest.mark.parametrize(("peer_name", "peer", "target"), PEERS)
def test_bench_reader_and_normalizer(folder: Path, tmp_path: Path, peer_name: str, peer: Any, target: float) -> None:
    compare(
        name="reader + normalizer",
        peer_name=peer_name,
        ours=lambda: ours_grey(folder, tmp_path / "ours.raw"),
        peer=lambda: peer(folder, tmp_path / "peer.nii"),
        target=target,
        unit=UNIT,
        equal=lambda _, theirs: assert_same_voxels(ours_nifti(folder, tmp_path / "ours.nii"), Path(str(theirs))),
        note="ours also windows and orients the slices; the peer writes the volume alone",
    )


@pytest.mark.parametrize(("peer_name", "peer", "target"), PEERS)
def test_bench_reader_to_packs(folder: Path, tmp_path: Path, peer_name: str, peer: Any, target: float) -> None:
    compare(
        name="reader + normalizer + packs",
        peer_name=peer_name,
        ours=lambda: ours_packs(folder),
        peer=lambda: peer(folder, tmp_path / "peer.nii"),
        target=target,
        unit=UNIT,
        equal=lambda _, theirs: assert_same_voxels(ours_nifti(folder, tmp_path / "ours.nii"), Path(str(theirs))),
        note="ours also windows, encodes 260 JPEGs in three packs and makes all rows; the peer writes the volume alone",
    )


@pytest.mark.parametrize(("peer_name", "peer", "target"), PEERS)
def test_bench_reader_alone(folder: Path, tmp_path: Path, peer_name: str, peer: Any, target: float) -> None:
    compare(
        name="reader",
        peer_name=peer_name,
        ours=lambda: ours_nifti(folder, tmp_path / "ours.nii"),
        peer=lambda: peer(folder, tmp_path / "peer.nii"),
        target=target,
        unit=UNIT,
        equal=lambda mine, theirs: assert_same_voxels(Path(str(mine)), Path(str(theirs))),
        note="like for like: folder of DICOM to an uncompressed NIfTI file",
    )
