"""Read a NIfTI: hostile bytes to one volume or a whole series, nothing believed that is not checked.

The header is held against budgets before a voxel is inflated, and a compressed file is inflated to the length that its
header asks for and no further. Extensions are stepped over unread; free text of the header is never looked at.

NIfTI does not tell how a volume was acquired unless its `dim_info` says so: then, or where one spacing is clearly the
largest, that axis counts as the slices; otherwise the one nearest to superior, which gives axial slices. Of complex
voxels the magnitude is taken. Read are .nii and .nii.gz (NIfTI-1 and -2, single file).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.series import ReadVolume, SeriesHeader, SeriesImages
from braingranary.imaging.volume import Volume
from braingranary.nifti.header import (
    DEFAULT_LIMITS,
    HEADER_BYTES,
    HEADER_BYTES_MAX,
    Layout,
    NiftiLimits,
    invalid,
    read_layout,
    version_of,
)
from braingranary.nifti.inflate import NiftiBytes
from braingranary.scratch import ScratchFile

THICK_SLICES: Final = 1.4
"""A spacing this many times the next smaller one belongs to the slices."""
SHEAR_TOLERANCE: Final = 0.02
"""In-plane drift per unit of slice distance beyond which a stack is told to be sheared (about 1.1 degrees)."""
_SUPERIOR: Final = 2


def is_nifti(data: bytes) -> bool:
    """Whether `data` (not compressed) begins as a single-file NIfTI."""
    return version_of(data) is not None


def read_nifti(data: bytes, limits: NiftiLimits = DEFAULT_LIMITS) -> Volume:
    """The first volume of a file.

    Args:
        data: bytes of a .nii or .nii.gz.
        limits: budgets of the file.

    Returns:
        Voxels (slices, rows, columns) in native byte order, slices by increasing R, A or S.

    Raises:
        RejectedInput: IMAGE_INVALID, IMAGE_TOO_LARGE or GEOMETRY_INVALID.

    """
    file = NiftiBytes(data)
    layout = _layout(file, limits)
    return _volume(_body(file, layout, 1, limits.series_bytes_max), layout, 0)


def read_nifti_series(source: bytes | BinaryIO, limits: NiftiLimits = DEFAULT_LIMITS) -> SeriesImages:
    """All volumes of a file, as a series without UIDs.

    Args:
        source: bytes of a .nii or .nii.gz, or a file of them, which is read now and may be closed afterwards.
        limits: budgets of the file.

    Raises:
        RejectedInput: IMAGE_INVALID, IMAGE_TOO_LARGE or GEOMETRY_INVALID.
        TransientFailure: DISK_FULL where a large file finds no room in the temporary folder.

    """
    file = NiftiBytes(source)
    layout = _layout(file, limits)
    if layout.volume_bytes * layout.volumes > limits.series_bytes_max:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"more than {limits.series_bytes_max} bytes of voxels")
    body = _body(file, layout, layout.volumes, limits.bytes_in_memory)
    several = layout.volumes > 1
    return SeriesImages(
        header=SeriesHeader(repetition_time_ms=layout.repetition_time_ms),
        volumes=tuple(
            _read_volume(body, layout, number, number + 1 if several else None) for number in range(layout.volumes)
        ),
    )


def _layout(file: NiftiBytes, limits: NiftiLimits) -> Layout:
    version = version_of(file.first(HEADER_BYTES_MAX))
    if version is None:
        raise invalid("no NIfTI, or one whose voxels lie in another file")
    return read_layout(file.first(HEADER_BYTES[version]), version, limits)


def _body(file: NiftiBytes, layout: Layout, volumes: int, in_memory_bytes: int) -> bytes | ScratchFile:
    """The file up to the end of its first `volumes` volumes; on disk where that is more than memory should hold."""
    end = layout.offset + layout.volume_bytes * volumes
    if end <= in_memory_bytes:
        held = file.first(end)
        _check_whole(len(held), end)
        return held
    spooled = ScratchFile()
    for piece in file.pieces(end):
        spooled.append(piece)
    _check_whole(spooled.size, end)
    return spooled


def _check_whole(size: int, end: int) -> None:
    if size < end:
        raise invalid("the file is shorter than its header says")


def _volume(body: bytes | ScratchFile, layout: Layout, number: int) -> Volume:
    start = layout.offset + layout.volume_bytes * number
    if isinstance(body, ScratchFile):
        body, start = body.read(start, layout.volume_bytes), 0
    voxels = np.frombuffer(body, layout.dtype, math.prod(layout.shape), start).reshape(layout.shape, order="F")
    order, upwards, affine = _placed(layout)
    voxels = voxels.transpose(order)
    return Volume(
        voxels=_plain_numbers(voxels if upwards else voxels[::-1], layout.dtype),
        affine=affine,
        slope=layout.slope,
        intercept=layout.intercept,
    )


def _placed(layout: Layout) -> tuple[list[int], bool, NDArray[np.float64]]:
    """Axes of the file as (slice, row, column), whether its slices run by increasing R, A or S, and the affine."""
    axis = _slice_axis(layout.affine) if layout.slice_axis is None else layout.slice_axis
    order = [axis, *(other for other in (1, 0, 2) if other != axis)]
    affine = layout.affine.copy()
    affine[:3, :3] = layout.affine[:3, order]
    upwards = float(affine[:3, 0] @ _upward_normal(affine)) >= 0
    if not upwards:
        affine[:3, 3] += affine[:3, 0] * (layout.shape[axis] - 1)
        affine[:3, 0] *= -1
    affine += 0.0  # no negative zeros: they would show in a sidecar
    return order, upwards, affine


def _plain_numbers(voxels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Integers as they are; reals and magnitudes of complex numbers in single precision, C order, native bytes."""
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype.kind == "c":
            return np.asarray(np.abs(voxels), dtype=np.float32, order="C")
        # Windowing lays real numbers on 65,536 bins: single precision tells them apart, at half the memory.
        kept = np.dtype(np.float32) if dtype.kind == "f" else dtype.newbyteorder("=")
        return voxels.astype(kept, order="C")


def _read_volume(body: bytes | ScratchFile, layout: Layout, number: int, temporal_position: int | None) -> ReadVolume:
    order, _, affine = _placed(layout)
    normal = _upward_normal(affine)
    step = affine[:3, 0]
    along = float(step @ normal)
    first = float(affine[:3, 3] @ normal)
    drift = step - along * normal
    return ReadVolume(
        source=partial(_volume, body, layout, number),
        positions_mm=tuple(first + index * along for index in range(layout.shape[order[0]])),
        sheared=bool(np.linalg.norm(drift) > SHEAR_TOLERANCE * abs(along)),
        temporal_position=temporal_position,
    )


def _upward_normal(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit normal of the slices in the sense of increasing R, A or S of its dominant axis; shape (3,)."""
    normal = np.cross(affine[:3, 1], affine[:3, 2])
    normal /= np.linalg.norm(normal)
    return np.asarray(-normal if normal[np.argmax(np.abs(normal))] < 0 else normal, dtype=np.float64)


def _slice_axis(affine: NDArray[np.float64]) -> int:
    """The axis of one clearly largest spacing, otherwise the one nearest to superior."""
    columns = affine[:3, :3]
    spacings = np.linalg.norm(columns, axis=0)
    order = np.argsort(spacings)
    if spacings[order[2]] >= THICK_SLICES * spacings[order[1]]:
        return int(order[2])
    return int(np.argmax(np.abs(columns[_SUPERIOR]) / spacings))
