"""From frames to volumes: the voxels of every volume in one array, with its place in the patient and its traits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom.assembly.geometry import stack_slices
from braingranary.dicom.assembly.grouping import common_grid, volume_groups
from braingranary.dicom.frames import Frame
from braingranary.dicom.pixels import clean_into
from braingranary.imaging.series import ReadVolume
from braingranary.imaging.volume import Volume


def build_volumes(frames: Sequence[Frame]) -> tuple[list[ReadVolume], list[Frame]]:
    """Volumes of `frames`, which share orientation, matrix and spacing, and the frames of unfinished volumes.

    The order of the volumes depends on traits and times alone. Raises RejectedInput(SLICES_CONFLICT).
    """
    groups, left_out = volume_groups(frames)
    return [_volume(group.frames, group.copies, group.repetition) for group in groups], left_out


def _volume(frames: Sequence[Frame], copies: int, repetition: int) -> ReadVolume:
    stack = stack_slices(common_grid(frames), np.array([frame.position for frame in frames]))
    ordered = [frames[index] for index in stack.order]
    traits = ordered[0].traits
    temporal = traits.temporal_position
    return ReadVolume(
        source=partial(_put_together, ordered, stack.affine),
        positions_mm=stack.positions_mm,
        gaps=stack.gaps,
        uneven=stack.uneven,
        duplicates=copies,
        sheared=stack.sheared,
        image_kind=traits.image_kind,
        echo_time_ms=traits.echo_time_ms,
        inversion_time_ms=traits.inversion_time_ms,
        b_value=traits.b_value,
        b_direction=traits.b_direction,
        temporal_position=temporal if temporal is not None else repetition + 1 if repetition else None,
    )


def _put_together(frames: Sequence[Frame], affine: NDArray[np.float64]) -> Volume:
    voxels, slope, intercept = _voxels(frames)
    return Volume(voxels=voxels, affine=affine, slope=slope, intercept=intercept, inverted=frames[0].form.inverted)


def _voxels(frames: Sequence[Frame]) -> tuple[NDArray[np.generic], float, float]:
    """Voxels (slices, rows, columns) with the rescale that still applies to them."""
    first = frames[0]
    shape = (len(frames), first.grid.rows, first.grid.columns)
    alike = all(f.slope == first.slope and f.intercept == first.intercept for f in frames)
    dtypes = {frame.form.dtype for frame in frames}
    if alike and len(dtypes) == 1:
        voxels: NDArray[np.generic] = np.empty(shape, dtype=first.form.dtype)
        for target, frame in zip(voxels, frames, strict=True):
            clean_into(target, frame.pixels, frame.form)
        return voxels, first.slope, first.intercept
    scaled = np.empty(shape, dtype=np.float32)
    for target, frame in zip(scaled, frames, strict=True):
        stored = np.empty(frame.pixels.shape, dtype=frame.form.dtype)
        clean_into(stored, frame.pixels, frame.form)
        np.multiply(stored, np.float32(frame.slope), out=target, casting="unsafe")
        np.add(target, np.float32(frame.intercept), out=target)
    return scaled, 1.0, 0.0
