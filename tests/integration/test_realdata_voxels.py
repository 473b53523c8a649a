"""Real scans, voxel by voxel, against dcm2niix with nibabel's canonical orientation: two readers that share no code.

Every series of real scans is read by `dicom.reader`, turned for display by `imaging.planes`, and compared slice by
slice, before any windowing, with what dcm2niix makes of the same files. Each test prints its smallest correlation.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.dicom.reader import read_series
from braingranary.imaging.planes import acquired_stack
from braingranary.imaging.series import SeriesImages
from braingranary.imaging.volume import Volume
from braingranary.records import Plane

pytestmark = pytest.mark.realdata

LEAST_CORRELATION = 0.999
AFFINE_TOLERANCE_MM = 0.01
"""NIfTI holds the affine in single precision, and dcm2niix adds up slice positions of few digits: 2e-4 mm seen."""
VOXEL_TOLERANCE_UNITS = 0.5
"""Half a stored unit, after the rescale that both apply."""
CONVERSION_SECONDS = 500
SERIES = ("tcia_vs_seg_001", "philips_mprage_sag", "siemens_t1_sag_hfs", "siemens_xa30_enhanced_t1")
SERIES_OF_MANY = (
    "canon_dti_instance_number_only",
    "ge_field_map",
    "ge_fmri_instance_number_only",
    "philips_asl_label_control",
    "philips_classic_dwi",
    "uih_grid_mosaic",
)
TRANSFER_SYNTAX_FILES = tuple(f"{number}.dcm" for number in range(1, 10))

# Display of each plane out of a canonical volume (R, A, S): which axes are slice, row and column; rows and columns run
# against their axis (superior or anterior at the top, patient's right or anterior at the viewer's left).
DISPLAY_AXES = {Plane.AXIAL: (2, 1, 0), Plane.CORONAL: (1, 2, 0), Plane.SAGITTAL: (0, 2, 1)}


def _members(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    return ((path.name, path.read_bytes()) for path in paths)


def _read(paths: list[Path]) -> SeriesImages:
    return read_series(_members(paths))


def _converted(paths: list[Path], work: Path) -> list[nibabel.Nifti1Image]:
    """The files that dcm2niix makes of `paths`, in nibabel's closest canonical orientation."""
    source, target = work / "in", work / "out"
    source.mkdir()
    target.mkdir()
    for path in paths:
        (source / path.name).symlink_to(path)
    # -p n: the standard rescale of DICOM, not Philips' own of floating point
    options = ["-b", "n", "-p", "n", "-z", "n", "-o", str(target), "-f", "volume_%s_%e_%j"]
    command = [str(dcm2niix.bin), *options, str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=CONVERSION_SECONDS)
    made = sorted(target.glob("*.nii"))
    assert made, f"dcm2niix made nothing: {done.stdout[-500:]}"
    return [_canonical(nibabel.Nifti1Image.from_filename(path)) for path in made]


def _peer(paths: list[Path], work: Path) -> nibabel.Nifti1Image:
    """The one volume that dcm2niix makes of `paths`."""
    (image,) = _converted(paths, work)
    return image


def _peer_volumes(paths: list[Path], work: Path) -> list[tuple[NDArray[np.float64], NDArray[np.float32]]]:
    """Affine and voxels (R, A, S) of every volume that dcm2niix makes of `paths`."""
    volumes = []
    for image in _converted(paths, work):
        voxels = np.asarray(image.dataobj, dtype=np.float32)
        voxels = voxels.reshape((*voxels.shape[:3], -1))
        affine = np.asarray(image.affine, dtype=np.float64)
        volumes += [(affine, voxels[..., number]) for number in range(voxels.shape[3])]
    return volumes


def _canonical(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
    turned = nibabel.as_closest_canonical(image)  # type: ignore[no-untyped-call]
    assert isinstance(turned, nibabel.Nifti1Image)
    return turned


def _peer_slices(peer: nibabel.Nifti1Image, plane: Plane) -> NDArray[np.float64]:
    volume = np.asarray(peer.get_fdata(), dtype=np.float64)
    if volume.ndim == 4:
        volume = volume[..., 0]
    return np.asarray(volume.transpose(DISPLAY_AXES[plane])[:, ::-1, ::-1])


def _canonical_voxels(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Affine and voxels (R, A, S) after rescale."""
    rescaled = np.asarray(volume.voxels, dtype=np.float32) * volume.slope + volume.intercept
    image = _canonical(nibabel.Nifti1Image(rescaled, volume.affine))  # type: ignore[no-untyped-call]
    return np.asarray(image.affine, dtype=np.float64), np.asarray(image.dataobj, dtype=np.float32)


def _canonical_affine(volume: Volume) -> NDArray[np.float64]:
    blank = np.zeros(volume.voxels.shape, dtype=np.uint8)
    image = nibabel.Nifti1Image(blank, volume.affine)  # type: ignore[no-untyped-call]
    return np.asarray(_canonical(image).affine, dtype=np.float64)


def _correlation(ours: NDArray[np.float64], peers: NDArray[np.float64]) -> float:
    """Pearson's r; 1 where both are constant (a slice of nothing but zeros), 0 where only one is."""
    deviations = float(ours.std()), float(peers.std())
    if min(deviations) == 0:
        return float(max(deviations) == 0)
    return float(np.corrcoef(ours.ravel(), peers.ravel())[0, 1])


def _least_correlation(volume: Volume, peer: nibabel.Nifti1Image) -> float:
    stack = acquired_stack(volume.voxels, volume.affine)
    theirs = _peer_slices(peer, stack.plane)
    ours = stack.slices.astype(np.float64) * volume.slope + volume.intercept
    assert ours.shape == theirs.shape
    return min(_correlation(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", SERIES)
def test_voxels_of_a_real_series_agree_with_dcm2niix_slice_by_slice(name: str, real_data: Path, tmp_path: Path) -> None:
    paths = sorted((real_data / "dicom" / name).iterdir())
    images = _read(paths)
    assert len(images.volumes) == 1
    volume = images.volumes[0].volume
    peer = _peer(paths, tmp_path)
    least = _least_correlation(volume, peer)
    off_mm = float(np.abs(_canonical_affine(volume) - peer.affine).max())
    print(f"realdata {name}: min_correlation={least:.6f} affine_off_mm={off_mm:.2e}")
    assert least >= LEAST_CORRELATION
    assert off_mm < AFFINE_TOLERANCE_MM


@pytest.mark.parametrize("name", SERIES)
def test_correlation_falls_where_a_side_is_swapped_or_slices_run_backwards(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    """The yardstick itself: a head is nearly symmetric, so it must be shown that the comparison would notice."""
    paths = sorted((real_data / "dicom" / name).iterdir())
    volume = _read(paths).volumes[0].volume
    peer = _peer(paths, tmp_path)
    stack = acquired_stack(volume.voxels, volume.affine)
    theirs = _peer_slices(peer, stack.plane)
    for wrong in (stack.slices[:, :, ::-1], stack.slices[:, ::-1, :], stack.slices[::-1]):
        ours = wrong.astype(np.float64)
        least = min(_correlation(one, other) for one, other in zip(ours, theirs, strict=True))
        assert least < LEAST_CORRELATION


@pytest.mark.parametrize(
    "name", [*(f"dicom/{name}" for name in SERIES), *(f"dicom_more/{name}" for name in SERIES_OF_MANY)]
)
def test_every_volume_of_a_real_series_agrees_with_dcm2niix(name: str, real_data: Path, tmp_path: Path) -> None:
    """Number of volumes, affine, and each voxel after rescale, whatever order the volumes come in."""
    paths = sorted((real_data / name).iterdir())
    peers = _peer_volumes(paths, tmp_path)
    images = _read(paths)
    assert len(images.volumes) == len(peers)
    off_mm = off_units = 0.0
    for read in images.volumes:
        affine, voxels = _canonical_voxels(read.volume)
        differences = [
            float(np.abs(voxels - theirs).max()) if theirs.shape == voxels.shape else np.inf for _, theirs in peers
        ]
        nearest = int(np.argmin(differences))
        peer_affine, _ = peers.pop(nearest)
        off_units = max(off_units, differences[nearest] / abs(read.volume.slope))
        off_mm = max(off_mm, float(np.abs(affine - peer_affine).max()))
    print(f"realdata {name}: volumes={len(images.volumes)} affine_off_mm={off_mm:.2e} voxels_off={off_units:.3f}")
    assert off_mm < AFFINE_TOLERANCE_MM
    assert off_units < VOXEL_TOLERANCE_UNITS


@pytest.mark.parametrize("name", TRANSFER_SYNTAX_FILES)
def test_voxels_of_each_transfer_syntax_agree_with_dcm2niix(name: str, real_data: Path, tmp_path: Path) -> None:
    path = real_data / "dicom" / "transfer_syntaxes" / name
    images = _read([path])
    volume = images.volumes[0].volume
    peer = _peer([path], tmp_path)
    least = _least_correlation(volume, peer)
    off_mm = float(np.abs(_canonical_affine(volume) - peer.affine).max())
    print(f"realdata transfer_syntaxes/{name}: min_correlation={least:.6f} affine_off_mm={off_mm:.2e}")
    assert least >= LEAST_CORRELATION
    assert off_mm < AFFINE_TOLERANCE_MM


def test_schwannoma_on_the_patients_left_shows_on_the_viewers_right(real_data: Path, tmp_path: Path) -> None:
    """Side by a landmark: dcm2niix puts the bright tumour at negative R, so it stands in the image's right half."""
    paths = sorted((real_data / "dicom" / "tcia_vs_seg_001").iterdir())
    peer = _peer(paths, tmp_path)
    tumour, mirrored = (_mean_around(peer, np.array([side * 19.0, 10.0, -44.0])) for side in (-1, 1))
    assert tumour > 1.5 * mirrored
    volume = _read(paths).volumes[0].volume
    stack = acquired_stack(volume.voxels, volume.affine)
    place = np.linalg.solve(stack.affine, np.array([-19.0, 10.0, -44.0, 1.0]))
    index, row, column = (round(float(value)) for value in place[:3])
    assert column > stack.slices.shape[2] / 2
    around = stack.slices[index, row - 10 : row + 11, column - 10 : column + 11]
    print(f"realdata tcia_vs_seg_001: tumour_mean={around.mean():.0f} mirrored_mean={mirrored:.0f}")
    assert around.mean() > 1.5 * mirrored


def _mean_around(image: nibabel.Nifti1Image, place_ras_mm: NDArray[np.float64]) -> float:
    index = np.rint(np.linalg.solve(image.affine, np.append(place_ras_mm, 1.0))[:3]).astype(int)
    x, y, z = (int(value) for value in index)
    return float(np.asarray(image.get_fdata())[x - 10 : x + 11, y - 10 : y + 11, z - 2 : z + 3].mean())


def test_nine_transfer_syntaxes_give_equal_voxels_and_geometry(real_data: Path) -> None:
    folder = real_data / "dicom" / "transfer_syntaxes"
    read = {name: _read([folder / name]) for name in TRANSFER_SYNTAX_FILES}
    assert len({images.transfer_syntax for images in read.values()}) == 7
    first = read["1.dcm"].volumes[0].volume
    for images in read.values():
        volume = images.volumes[0].volume
        assert np.array_equal(volume.voxels, first.voxels)
        assert np.array_equal(volume.affine, first.affine)
        assert (volume.slope, volume.intercept) == (first.slope, first.intercept)
    print(f"realdata transfer_syntaxes: files_with_equal_voxels={len(read)}")
