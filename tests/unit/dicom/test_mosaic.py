"""Mosaics of United Imaging: as many tiles as it says, each where it says; and none that is taken for one slice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from tests.fixtures.dicom_factory import Scan, classic_dataset, classic_series, written

SCAN = Scan(slices=11, rows=8, columns=6)
ACROSS, DOWN = 4, 3


def grid_file(
    *, count: int | None = 11, positions: int = 11, columns: int = ACROSS, block: int = 0, syntax: str = "explicit"
) -> bytes:
    """A GRID of `SCAN`, four tiles across and three down, its private block behind `block` others."""
    image = np.zeros((DOWN * SCAN.rows, columns * SCAN.columns), dtype=SCAN.dtype)
    for index in range(SCAN.slices):
        top, left = index // ACROSS * SCAN.rows, index % ACROSS * SCAN.columns
        image[top : top + SCAN.rows, left : left + SCAN.columns] = SCAN.pixels(index)
    dataset = classic_dataset(SCAN, 0)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    dataset.Manufacturer = "UIH"
    del dataset.ImagePositionPatient
    dataset.Rows, dataset.Columns = image.shape
    dataset.PixelData = image.tobytes()
    for number in range(block):
        dataset.private_block(0x0065, f"SOMEBODY ELSE {number}", create=True)
    private = dataset.private_block(0x0065, "Image Private Header", create=True)
    if count is not None:
        private.add_new(0x50, "DS", str(count))
    private.add_new(0x51, "SQ", Items([_placed(index) for index in range(positions)]))
    return written(dataset, replace(SCAN, syntax=syntax))


def _placed(index: int) -> Dataset:
    item = Dataset()
    item.ImagePositionPatient = SCAN.position(index)
    return item


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("block", [0, 3])
def test_read_series_grid_equals_its_slices(block: int, syntax: str) -> None:
    (grid,) = read_series([("grid.dcm", grid_file(block=block, syntax=syntax))]).volumes
    (single,) = read_series(classic_series(SCAN)).volumes
    assert np.array_equal(grid.volume.voxels, single.volume.voxels)
    assert np.allclose(grid.volume.affine, single.volume.affine)


@pytest.mark.parametrize(
    "wrong", [{"count": None}, {"count": 0}, {"count": 5000}, {"positions": 10}, {"columns": 5}]
)  # fmt: skip
def test_read_series_grid_that_cannot_be_cut_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput) as caught:
        read_series([("grid.dcm", grid_file(**wrong))])
    assert caught.value.code is Code.GEOMETRY_INVALID
