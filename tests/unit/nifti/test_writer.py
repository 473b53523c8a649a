"""NIfTI on request: RAS+ axes, the same points in space, the rescale in the header, equal bytes."""

from __future__ import annotations

import gzip
from typing import Any

import nibabel
import numpy as np
import pytest

from braingranary.imaging.volume import Volume
from braingranary.nifti.writer import to_nifti
from tests.unit.normalization import phantom

nib: Any = nibabel  # its annotations are incomplete
SHAPE = (10, 24, 20)


@pytest.mark.parametrize("cosines", [phantom.AXIAL, phantom.CORONAL, phantom.SAGITTAL])
def test_to_nifti_axes_run_right_anterior_superior(cosines: tuple[tuple[float, ...], ...]) -> None:
    affine = phantom.grid_affine(cosines, SHAPE, (9.0, 8.0, 7.0))
    voxels = phantom.sampled(affine, SHAPE)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(to_nifti(Volume(voxels=voxels, affine=affine))))
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    data = np.asarray(image.dataobj)
    for index in ((0, 0, 0), (9, 23, 19), (4, 11, 3)):
        point = affine @ np.array([*index, 1.0])
        target = tuple(np.rint(np.linalg.inv(image.affine) @ point)[:3].astype(int))
        assert data[target] == voxels[index]


def test_to_nifti_rescale_stands_in_the_header() -> None:
    voxels = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    volume = Volume(voxels=voxels, affine=np.eye(4), slope=2.5, intercept=-7.0)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(to_nifti(volume)))
    assert image.get_fdata().max() == voxels.max() * 2.5 - 7
    assert image.get_data_dtype() == np.int16


def test_to_nifti_twice_is_the_same_bytes() -> None:
    volume = Volume(voxels=np.arange(60, dtype=np.int64).reshape(3, 4, 5), affine=np.eye(4))
    assert to_nifti(volume) == to_nifti(volume)
