"""Read a NIfTI that somebody hands in: hostile bytes to one volume, nothing believed that is not checked.

The header is held against budgets before a voxel is inflated, and a compressed file is inflated to the length that its
header asks for and no further. Extensions are stepped over unread. Of a time series the first volume is taken.

NIfTI does not tell how a volume was acquired unless its `dim_info` says so: then, or where one spacing is clearly the
largest, that axis counts as the slices; otherwise the one nearest to superior, which gives axial slices.
In: bytes of .nii or .nii.gz (NIfTI-1 or -2, single file). Out: a `Volume`. Fails with RejectedInput: IMAGE_INVALID,
IMAGE_TOO_LARGE, GEOMETRY_INVALID.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

import nibabel
import numpy as np
from isal import isal_zlib
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.volume import Volume

nib: Any = nibabel  # its classes carry annotations too incomplete for strict checking

THICK_SLICES: Final = 1.4
"""A spacing this many times the next smaller one belongs to the slices."""
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS  # as zlib asks for a gzip
_HEADER_BYTES: Final = {1: 348, 2: 540}
_HEADER_BYTES_MAX: Final = 540
_MAGIC_1: Final = b"n+1\0"
_MAGIC_2: Final = b"n+2\0\r\n\x1a\n"
_SUPERIOR: Final = 2
_OFFSET_MAX: Final = 1 << 20  # extensions lie before the voxels; those of converters take some kilobytes
_DETERMINANT_MIN_MM3: Final = 1e-9
# What windowing takes a voxel: integers of at most 16 bit pass as they are, all else goes through double precision.
_SMALL_WORKING_BYTES: Final = 8
_WIDE_WORKING_BYTES: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiLimits:
    """Budgets of one file; every figure is an upper bound that is still accepted."""

    working_bytes_max: int = 512 << 20
    """What windowing the volume will take."""
    side_max: int = 2048
    """Voxels along any axis."""


DEFAULT_LIMITS: Final = NiftiLimits()


def is_nifti(data: bytes) -> bool:
    """Whether `data` (not compressed) begins as a single-file NIfTI."""
    return _version(data) is not None


def is_gzip(data: bytes) -> bool:
    """Whether `data` begins as a gzip."""
    return data.startswith(_GZIP)


def read_nifti(data: bytes, limits: NiftiLimits = DEFAULT_LIMITS) -> Volume:
    """The (first) volume, voxels (slices, rows, columns) in native byte order; raises RejectedInput."""
    file = _File(data)
    version = _version(file.first(_HEADER_BYTES_MAX))
    if version is None:
        raise _invalid("no NIfTI, or one whose voxels lie in another file")
    layout = _layout(bytes(file.first(_HEADER_BYTES[version])), version, limits)
    count = math.prod(layout.shape)
    end = layout.offset + count * layout.dtype.itemsize
    body = file.first(end)
    if len(body) < end:
        raise _invalid("the file is shorter than its header says")
    voxels = np.frombuffer(body, layout.dtype, count, layout.offset).reshape(layout.shape, order="F")
    axis = _slice_axis(layout.affine) if layout.slice_axis is None else layout.slice_axis
    order = [axis, *(other for other in (1, 0, 2) if other != axis)]
    placed = layout.affine.copy()
    placed[:3, :3] = layout.affine[:3, order]
    # Windowing lays real numbers on 65,536 bins: single precision tells them apart, at half the memory.
    kept = np.dtype(np.float32) if layout.dtype.kind == "f" else layout.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):
        ordered = voxels.transpose(order).astype(kept, order="C")
    return Volume(
        voxels=ordered,
        affine=placed,
        slope=layout.slope,
        intercept=layout.intercept,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Layout:
    """What a header says, checked."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    affine: NDArray[np.float64]
    slope: float
    intercept: float
    slice_axis: int | None


def _layout(block: bytes, version: int, limits: NiftiLimits) -> _Layout:
    try:
        header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(block)
        slope, intercept = header.get_slope_inter()
        layout = _Layout(
            shape=_checked_shape(header.get_data_shape(), limits),
            dtype=header.get_data_dtype(),
            offset=int(header.get_data_offset()),
            affine=np.asarray(header.get_best_affine(), dtype=np.float64),
            slope=1.0 if slope is None else float(slope),
            intercept=0.0 if intercept is None else float(intercept),
            slice_axis=header.get_dim_info()[2],
        )
    except (HeaderDataError, ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise _invalid(f"the header cannot be understood ({type(error).__name__})") from None
    _check_kind(layout.dtype, math.prod(layout.shape), limits)
    if not len(block) <= layout.offset <= _OFFSET_MAX:
        raise _invalid("the voxels begin at an impossible place")
    if layout.slice_axis not in {None, 0, 1, 2} or not np.isfinite([layout.slope, layout.intercept]).all():
        raise _invalid("the header holds impossible numbers")
    axes = layout.affine[:3, :3]
    if not np.isfinite(layout.affine).all() or abs(np.linalg.det(axes)) < _DETERMINANT_MIN_MM3:
        raise RejectedInput(Code.GEOMETRY_INVALID, "the affine spans no volume")
    return layout


def _checked_shape(told: tuple[int, ...], limits: NiftiLimits) -> tuple[int, int, int]:
    """The first volume's shape; a single slice has depth 1."""
    sides = (*(int(side) for side in told), 1, 1, 1)
    if len(told) < 2 or min(sides) < 1:
        raise _invalid("no volume")
    if max(sides[:3]) > limits.side_max:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"more than {limits.side_max} voxels along an axis")
    return sides[0], sides[1], sides[2]


def _check_kind(dtype: np.dtype[Any], count: int, limits: NiftiLimits) -> None:
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise _invalid("the voxels are no plain numbers")
    small = dtype.kind in "iu" and dtype.itemsize <= 2
    if count * (_SMALL_WORKING_BYTES if small else _WIDE_WORKING_BYTES) > limits.working_bytes_max:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"{count} voxels of this kind are more than can be handled")


def _slice_axis(affine: NDArray[np.float64]) -> int:
    """The axis of one clearly largest spacing, otherwise the one nearest to superior."""
    columns = affine[:3, :3]
    spacings = np.linalg.norm(columns, axis=0)
    order = np.argsort(spacings)
    if spacings[order[2]] >= THICK_SLICES * spacings[order[1]]:
        return int(order[2])
    return int(np.argmax(np.abs(columns[_SUPERIOR]) / spacings))


class _File:
    """The bytes as the format means them: inflated where they came in a gzip, and only as far as asked."""

    def __init__(self, data: bytes) -> None:
        self._data, self._gzipped = data, is_gzip(data)

    def first(self, length: int) -> bytes | memoryview:
        """The first `length` bytes, fewer where the file ends before."""
        if not self._gzipped:
            return memoryview(self._data)[:length]
        try:
            return bytes(isal_zlib.decompressobj(_GZIP_WINDOW).decompress(self._data, length))
        except Exception:  # noqa: BLE001 - its own error class is not told by its types
            raise _invalid("the gzip is broken") from None


def _version(data: bytes | memoryview) -> int | None:
    """1 or 2 by size and magic of the header, in either byte order; None for anything else."""
    for order in ("<", ">"):
        if len(data) < _HEADER_BYTES[1]:
            return None
        (size,) = struct.unpack_from(f"{order}i", data)
        if size == _HEADER_BYTES[1] and bytes(data[344:348]) == _MAGIC_1:
            return 1
        if size == _HEADER_BYTES[2] and bytes(data[4:12]) == _MAGIC_2 and len(data) >= _HEADER_BYTES[2]:
            return 2
    return None


def _invalid(message: str) -> RejectedInput:
    return RejectedInput(Code.IMAGE_INVALID, f"NIfTI: {message}")
