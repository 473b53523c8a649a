"""Real scanners' series: slice counts, spacing, plane and order, and one image in nine transfer syntaxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from braingranary.dicom.assembly.geometry import LPS_TO_RAS
from braingranary.dicom.reader import read_series
from braingranary.imaging.series import SeriesImages

# folder: slices, rows, columns, spacing (slice, row, column), dominant axis of the normal (0 = R, 1 = A, 2 = S)
SERIES = {
    "tcia_vs_seg_001": (120, 512, 512, (1.5, 0.41015625, 0.41015625), 2),
    "philips_mprage_sag": (170, 256, 256, (1.0, 1.0, 1.0), 0),
    "siemens_t1_sag_hfs": (35, 256, 256, (4.8, 1.015625, 1.015625), 0),
    "siemens_xa30_enhanced_t1": (96, 128, 128, (2.0, 2.0, 2.0), 0),
    "transfer_syntaxes": (35, 64, 64, (3.6, 3.25, 3.25), 2),
}


def read_folder(folder: Path) -> SeriesImages:
    return read_series((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))


@pytest.mark.realdata
@pytest.mark.parametrize("name", SERIES)
def test_read_series_real_scanner_gives_one_whole_volume(real_data: Path, name: str) -> None:
    slices, rows, columns, spacing, axis = SERIES[name]
    images = read_folder(real_data / "dicom" / name)
    (read,) = images.volumes
    assert images.file_rejects == ()
    assert read.volume.voxels.shape == (slices, rows, columns)
    assert read.volume.spacing_mm == pytest.approx(spacing, rel=1e-3)
    assert (read.gaps, read.uneven, read.sheared) == (0, False, False)
    step = read.volume.affine[:3, 0]
    assert int(np.argmax(np.abs(step))) == axis
    assert step[axis] > 0
    assert all(np.diff(read.positions_mm) > 0)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["tcia_vs_seg_001", "philips_mprage_sag", "siemens_t1_sag_hfs"])
def test_read_series_real_slices_lie_where_an_independent_parser_says(real_data: Path, name: str) -> None:
    folder = real_data / "dicom" / name
    (read,) = read_folder(folder).volumes
    affine = read.volume.affine
    for path in sorted(folder.iterdir())[::17]:
        dataset = dcmread(path)
        place = np.array(dataset.ImagePositionPatient, dtype=float) * LPS_TO_RAS
        index = int(
            np.argmin(
                np.linalg.norm(
                    place - (affine[:3, 3] + np.outer(range(len(read.volume.voxels)), affine[:3, 0])), axis=1
                )
            )
        )
        assert np.allclose(affine[:3, 3] + affine[:3, 0] * index, place, atol=0.01)
        assert np.array_equal(read.volume.voxels[index], dataset.pixel_array)


@pytest.mark.realdata
def test_read_series_nine_transfer_syntaxes_give_equal_pixels(real_data: Path) -> None:
    paths = sorted((real_data / "dicom" / "transfer_syntaxes").iterdir())
    found = [read_series([(path.name, path.read_bytes())]) for path in paths]
    assert len(found) == 9
    assert len({images.transfer_syntax for images in found}) == 7
    first = found[0].volumes[0].volume
    for images in found[1:]:
        volume = images.volumes[0].volume
        assert np.array_equal(volume.voxels, first.voxels)
        assert np.allclose(volume.affine, first.affine, atol=1e-4)


@pytest.mark.realdata
def test_read_series_nine_copies_in_one_series_are_dropped(real_data: Path) -> None:
    (read,) = read_folder(real_data / "dicom" / "transfer_syntaxes").volumes
    assert read.duplicates == 8 * 35
