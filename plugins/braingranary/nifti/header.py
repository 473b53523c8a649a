"""The header of a NIfTI file, held against budgets: shape, type of voxels, rescale, units, and where the grid lies.

The rules are those of the NIfTI-1 standard and its reference library: sform before qform before the bare spacings,
quaternions a hair longer than one are scaled back, sizes of voxels that are not positive count as 1, and everything is
turned into millimetres and milliseconds.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Final

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput

nib: Any = nibabel  # its classes carry annotations too incomplete for strict checking

HEADER_BYTES: Final = {1: 348, 2: 540}
HEADER_BYTES_MAX: Final = 540
_MAGIC_1: Final = b"n+1\0"
_MAGIC_2: Final = b"n+2\0\r\n\x1a\n"
_OFFSET_MAX: Final = 1 << 20  # extensions lie before the voxels; those of converters take some kilobytes
_DETERMINANT_MIN_MM3: Final = 1e-9
_QUATERNION_REST_MIN: Final = 1e-7
"""Below this the real part of a unit quaternion is rounding, and it is a turn by 180 degrees."""
_MM_OF_UNIT: Final = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres of one unit of length by xyzt_units: unknown, metre, millimetre, micrometre."""
_MS_OF_UNIT: Final = {0: 1000.0, 8: 1000.0, 16: 1.0, 24: 0.001}
"""Milliseconds of one unit of time by xyzt_units: unknown (read as second), second, millisecond, microsecond."""
# What windowing takes a voxel: integers of at most 16 bit pass as they are, all else goes through double precision.
_SMALL_WORKING_BYTES: Final = 8
_WIDE_WORKING_BYTES: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiLimits:
    """Budgets of one file; every figure is an upper bound that is still accepted."""

    working_bytes_max: int = 512 << 20
    """What windowing one volume will take."""
    side_max: int = 2048
    """Voxels along any axis."""
    volumes_max: int = 100_000
    series_bytes_max: int = 8192 << 20
    """Voxels of all volumes together, where all are read."""
    bytes_in_memory: int = 256 << 20
    """A longer file waits in a scratch file, of which one volume is read at a time."""


DEFAULT_LIMITS: Final = NiftiLimits()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layout:
    """What a header says, checked."""

    shape: tuple[int, int, int]
    """Voxels of one volume along the first three axes of the file."""
    volumes: int
    """Product of the other axes: time points, directions, components."""
    dtype: np.dtype[Any]
    offset: int
    """Of the first voxel, from the start of the file."""
    affine: NDArray[np.float64]
    """4x4, maps (i, j, k, 1) of the file to (R, A, S, 1) in millimetres."""
    slope: float
    intercept: float
    slice_axis: int | None
    repetition_time_ms: float | None
    """Distance between volumes in time, where there are several."""

    @property
    def volume_bytes(self) -> int:
        """Bytes of one volume."""
        return math.prod(self.shape) * self.dtype.itemsize


def version_of(data: bytes | memoryview) -> int | None:
    """1 or 2 by size and magic of the header, in either byte order; None for anything else."""
    for order in ("<", ">"):
        if len(data) < HEADER_BYTES[1]:
            return None
        (size,) = struct.unpack_from(f"{order}i", data)
        if size == HEADER_BYTES[1] and bytes(data[344:348]) == _MAGIC_1:
            return 1
        if size == HEADER_BYTES[2] and bytes(data[4:12]) == _MAGIC_2 and len(data) >= HEADER_BYTES[2]:
            return 2
    return None


def read_layout(block: bytes, version: int, limits: NiftiLimits) -> Layout:
    """The layout that the header `block` tells.

    Raises:
        RejectedInput: IMAGE_INVALID, IMAGE_TOO_LARGE or GEOMETRY_INVALID.

    """
    try:
        header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(block, check=False)
        slope, intercept = header.get_slope_inter()
        told = tuple(int(side) for side in header.get_data_shape())
        shape, volumes = _checked_shape(told, limits)
        units = int(header["xyzt_units"])
        layout = Layout(
            shape=shape,
            volumes=volumes,
            dtype=header.get_data_dtype(),
            offset=int(header.get_data_offset()),
            affine=_affine(header) * np.array([[_MM_OF_UNIT.get(units & 7, 1.0)]] * 3 + [[1.0]]),
            slope=1.0 if slope is None else float(slope),
            intercept=0.0 if intercept is None else float(intercept),
            slice_axis=header.get_dim_info()[2],
            repetition_time_ms=_repetition_time_ms(header, units) if volumes > 1 else None,
        )
    except (HeaderDataError, ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise invalid(f"the header cannot be understood ({type(error).__name__})") from None
    _check_kind(layout.dtype, math.prod(layout.shape), limits)
    if not len(block) <= layout.offset <= _OFFSET_MAX:
        raise invalid("the voxels begin at an impossible place")
    if layout.slice_axis not in {None, 0, 1, 2} or not np.isfinite([layout.slope, layout.intercept]).all():
        raise invalid("the header holds impossible numbers")
    if not _spans_volume(layout.affine):
        raise RejectedInput(Code.GEOMETRY_INVALID, "the affine spans no volume")
    return layout


def invalid(message: str) -> RejectedInput:
    """The error of a file that is no readable NIfTI."""
    return RejectedInput(Code.IMAGE_INVALID, f"NIfTI: {message}")


def _checked_shape(told: tuple[int, ...], limits: NiftiLimits) -> tuple[tuple[int, int, int], int]:
    """Shape of one volume (a single slice has depth 1), and number of volumes."""
    sides = (*told, 1, 1, 1)
    if len(told) < 2 or min(sides) < 1:
        raise invalid("no volume")
    volumes = math.prod(told[3:])
    if max(sides[:3]) > limits.side_max:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"more than {limits.side_max} voxels along an axis")
    if volumes > limits.volumes_max:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"more than {limits.volumes_max} volumes")
    return (sides[0], sides[1], sides[2]), volumes


def _check_kind(dtype: np.dtype[Any], count: int, limits: NiftiLimits) -> None:
    if dtype.kind not in "iufc" or dtype.itemsize > 16:
        raise invalid("the voxels are no plain numbers")
    small = dtype.kind in "iu" and dtype.itemsize <= 2
    if count * (_SMALL_WORKING_BYTES if small else _WIDE_WORKING_BYTES) > limits.working_bytes_max:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"{count} voxels of this kind are more than can be handled")


def _affine(header: Any) -> NDArray[np.float64]:
    """The affine in the units of the file."""
    if int(header["sform_code"]) > 0:
        sform = np.asarray(header.get_sform(), dtype=np.float64)
        if _spans_volume(sform) or int(header["qform_code"]) <= 0:
            return sform
    if int(header["qform_code"]) > 0:
        return _qform(header)
    return np.diag([*_voxel_size(header), 1.0])


def _qform(header: Any) -> NDArray[np.float64]:
    b, c, d = (float(header[f"quatern_{name}"]) for name in "bcd")
    rest = 1.0 - (b * b + c * c + d * d)
    if rest < _QUATERNION_REST_MIN:
        length = math.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(rest)
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    size = _voxel_size(header)
    if float(header["pixdim"][0]) < 0:
        size[2] = -size[2]
    affine = np.eye(4)
    affine[:3, :3] = turn * size
    affine[:3, 3] = [float(header[f"qoffset_{name}"]) for name in "xyz"]
    return affine


def _voxel_size(header: Any) -> NDArray[np.float64]:
    size = np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64))
    return np.where(np.isfinite(size) & (size > 0), size, 1.0)


def _repetition_time_ms(header: Any, units: int) -> float | None:
    step = float(header["pixdim"][4]) * _MS_OF_UNIT.get(units & 56, math.nan)
    return step if 0 < step < 1e6 else None


def _spans_volume(affine: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) >= _DETERMINANT_MIN_MM3)
