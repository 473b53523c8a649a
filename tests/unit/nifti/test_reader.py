"""NIfTI as the format means it: series of volumes, units, orientation, kinds of numbers, gzip of several members."""

from __future__ import annotations

import gzip
import io
import struct
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.nifti.header import NiftiLimits
from braingranary.nifti.reader import read_nifti, read_nifti_series

nib: Any = nibabel  # its annotations are incomplete
AFFINE = np.array([[0.0, 0.0, -5.0, 30.0], [2.0, 0.0, 0.0, -40.0], [0.0, 2.5, 0.0, -20.0], [0.0, 0.0, 0.0, 1.0]])
"""Sagittal slices that run from right to left, 5 mm apart."""


def numbered(shape: tuple[int, ...] = (7, 6, 5)) -> NDArray[np.int16]:
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def image(data: NDArray[Any], affine: NDArray[np.float64] = AFFINE, kind: Any = None) -> Any:
    made = (kind or nib.Nifti1Image)(data, affine)
    made.set_sform(affine, 1)
    made.set_qform(affine, 1)
    return made


def test_read_nifti_series_of_one_volume_tells_places_and_no_uids() -> None:
    images = read_nifti_series(image(numbered()).to_bytes())
    (read,) = images.volumes
    assert (images.series_uid, images.study_uid, images.transfer_syntax) == (None, None, None)
    assert read.positions_mm == pytest.approx((10.0, 15.0, 20.0, 25.0, 30.0))
    assert read.volume.spacing_mm == pytest.approx((5.0, 2.5, 2.0))
    assert read.temporal_position is None
    # voxel (i, j, k) of the file stands at the same point of the patient
    point = AFFINE @ np.array([3.0, 2.0, 1.0, 1.0])
    place = np.rint(np.linalg.solve(read.volume.affine, point)[:3]).astype(int)
    assert read.volume.voxels[tuple(place)] == numbered()[3, 2, 1]


@pytest.mark.parametrize("shape", [(7, 6, 5, 4), (7, 6, 5, 1, 4), (7, 6, 5, 2, 2)])
def test_read_nifti_series_of_four_and_five_axes_gives_every_volume(shape: tuple[int, ...]) -> None:
    data = numbered(shape)
    made = image(data)
    made.header["pixdim"][4] = 1.5
    made.header.set_xyzt_units("mm", "sec")
    images = read_nifti_series(made.to_bytes())
    assert [read.temporal_position for read in images.volumes] == [1, 2, 3, 4]
    assert images.header.repetition_time_ms == pytest.approx(1500.0)
    flat = data.reshape((7, 6, 5, 4), order="F")
    for number, read in enumerate(images.volumes):
        assert np.array_equal(read.volume.voxels, flat[..., number].transpose(2, 1, 0)[::-1])


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1.0), ("meter", 1e-3), ("micron", 1e3), ("unknown", 1.0)])
def test_read_nifti_spacing_comes_out_in_millimetres(unit: str, scale: float) -> None:
    made = image(numbered(), np.diag([scale, scale, scale, 1.0]) @ AFFINE)
    made.header.set_xyzt_units(unit)
    found = read_nifti(made.to_bytes())
    assert found.spacing_mm == pytest.approx((5.0, 2.5, 2.0), rel=1e-5)
    assert found.affine[:3, 3] == pytest.approx([10.0, -40.0, -20.0], rel=1e-5)


def test_read_nifti_quaternion_a_hair_over_one_is_a_half_turn() -> None:
    data = bytearray(image(numbered()).to_bytes())
    struct.pack_into("<2h3f", data, 252, 1, 0, 1.0002, 0.0, 0.0)  # qform_code, sform_code, quatern_b, _c, _d
    found = read_nifti(bytes(data))
    assert found.affine[:3, :3] == pytest.approx(np.array([[0, 0, 2], [0, -2.5, 0], [5, 0, 0]]), abs=1e-5)


def test_read_nifti_empty_sform_leaves_the_word_to_the_qform() -> None:
    data = bytearray(image(numbered()).to_bytes())
    told = read_nifti(bytes(data)).affine
    data[280:328] = bytes(48)  # srow_x, srow_y, srow_z
    assert np.allclose(read_nifti(bytes(data)).affine, told, atol=1e-4)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_read_nifti_every_kind_of_number_in_either_order(kind: Any, dtype: str, order: str) -> None:
    data = numbered((4, 3, 5)).astype(f"{order}{dtype}")
    if dtype[0] == "c":
        data = data * (0.6 + 0.8j)
    header = (nib.Nifti1Header if kind is nib.Nifti1Image else nib.Nifti2Header)(endianness=order)
    header.set_data_dtype(data.dtype)
    made = kind(data, AFFINE, header)
    found = read_nifti(made.to_bytes())
    assert found.voxels.dtype.isnative
    assert np.allclose(found.voxels, np.abs(data.astype(data.dtype.newbyteorder("="))).transpose(2, 1, 0)[::-1])


def test_read_nifti_gzip_members_and_what_follows_them() -> None:
    raw = image(np.random.default_rng(1).integers(0, 999, (40, 40, 30)).astype(np.int16)).to_bytes()
    expected = read_nifti(raw).voxels
    members = [gzip.compress(raw[at : at + 30_000]) for at in range(0, len(raw), 30_000)]
    assert len(members) > 3
    for data in (
        b"".join(members),
        gzip.compress(raw) + b"\0" * 512,
        gzip.compress(raw) + b"\x1f\x8b no gzip at all",
        b"".join([members[0], gzip.compress(b""), *members[1:], b"tail"]),
    ):
        assert np.array_equal(read_nifti(data).voxels, expected)
    with pytest.raises(RejectedInput) as caught:
        read_nifti(b"".join(members[:2]))
    assert caught.value.code is Code.IMAGE_INVALID


@pytest.mark.parametrize("compress", [False, True])
def test_read_nifti_series_from_a_scratch_file_is_the_same(compress: bool) -> None:
    data = image(numbered((7, 6, 5, 4))).to_bytes()
    expected = [read.volume.voxels for read in read_nifti_series(data).volumes]
    file = io.BytesIO(gzip.compress(data) if compress else data)
    found = read_nifti_series(file, NiftiLimits(bytes_in_memory=1000))
    file.close()
    assert len(found.volumes) == 4
    for read, voxels in zip(found.volumes, expected, strict=True):
        assert np.array_equal(read.volume.voxels, voxels)


def test_read_nifti_series_larger_than_its_budget_is_refused() -> None:
    data = image(numbered((7, 6, 5, 4))).to_bytes()
    for limits in (NiftiLimits(series_bytes_max=7 * 6 * 5 * 2 * 4 - 1), NiftiLimits(volumes_max=3)):
        with pytest.raises(RejectedInput) as caught:
            read_nifti_series(data, limits)
        assert caught.value.code is Code.IMAGE_TOO_LARGE
