"""Anatomical planes: which one a grid was acquired in, and slices of any turned the way radiologists look at them.

Display convention (radiological): axial has anterior up and the patient's right on the viewer's left; coronal has
superior up, same left; sagittal has superior up and anterior on the left. Slices follow increasing R, A or S.
Goes in: voxels (slices, rows, columns) and their RAS+ affine. Comes out: the same voxels, only transposed and flipped,
with their affine. Fails with RejectedInput(GEOMETRY_INVALID) on an affine that spans no volume.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane

_RIGHT, _ANTERIOR, _SUPERIOR = 0, 1, 2
_PLANE_OF_NORMAL: Final = {_RIGHT: Plane.SAGITTAL, _ANTERIOR: Plane.CORONAL, _SUPERIOR: Plane.AXIAL}

# For each plane the anatomical axis and the sense in which slices, rows (downwards) and columns (rightwards) run.
_DISPLAY: Final = {
    Plane.AXIAL: ((_SUPERIOR, 1), (_ANTERIOR, -1), (_RIGHT, -1)),
    Plane.CORONAL: ((_ANTERIOR, 1), (_SUPERIOR, -1), (_RIGHT, -1)),
    Plane.SAGITTAL: ((_RIGHT, 1), (_SUPERIOR, -1), (_ANTERIOR, -1)),
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlaneStack:
    """All slices of one plane as they are shown."""

    plane: Plane
    acquired: bool
    """False: a reformat across the acquired slices."""
    slices: NDArray[Any]
    """Shape (slices, height, width), a view unless resampled; row 0 is the top, column 0 the viewer's left."""
    affine: NDArray[np.float64]
    """4x4, maps (slice, row, column, 1) of `slices` to (R, A, S, 1) in millimetres."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between slices, pixel height and pixel width, in millimetres."""
        distance, height, width = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return distance, height, width

    @property
    def positions_mm(self) -> NDArray[np.float64]:
        """Centre of every slice along the plane's own axis (R, A or S), in millimetres, increasing; shape (slices,)."""
        count, height, width = self.slices.shape
        axis = _DISPLAY[self.plane][0][0]
        first = self.affine[axis] @ np.array([0.0, (height - 1) / 2, (width - 1) / 2, 1.0])
        return np.asarray(first + np.arange(count) * self.affine[axis, 0], dtype=np.float64)


def plane_of(affine: NDArray[np.float64]) -> tuple[Plane, float]:
    """The plane of a grid's slices and how far their normal leans from it, in degrees (0 to 54.7).

    `affine` maps (slice, row, column) to RAS+ millimetres. The normal is the cross product of the row and column axes,
    so a stack that is sheared (gantry tilt) is judged by its images, not by the way they are stacked. Where two axes
    are equally near, the later of R, A, S wins. Raises RejectedInput(GEOMETRY_INVALID).
    """
    normal = np.cross(affine[:3, 1], affine[:3, 2])
    length = float(np.linalg.norm(normal))
    if not np.isfinite(affine).all() or length == 0:
        raise RejectedInput(Code.GEOMETRY_INVALID, "the affine spans no plane")
    cosines = np.abs(normal) / length
    axis = max(range(3), key=lambda candidate: (round(float(cosines[candidate]), 9), candidate))
    return _PLANE_OF_NORMAL[axis], float(np.degrees(np.arccos(min(1.0, float(cosines[axis])))))


def acquired_stack(voxels: NDArray[Any], affine: NDArray[np.float64]) -> PlaneStack:
    """The acquired slices, all of them, flipped and transposed for display; voxel values are untouched.

    `voxels` has shape (slices, rows, columns); the result holds a view of it. Raises RejectedInput(GEOMETRY_INVALID).
    """
    plane, _ = plane_of(affine)
    return _oriented(voxels, affine, plane, _axes(affine), acquired=True)


def reformatted_stacks(voxels: NDArray[Any], affine: NDArray[np.float64], *, slices: int) -> tuple[PlaneStack, ...]:
    """The two planes that were not acquired, cut along the grid's own axes: up to `slices` central ones each.

    Pixels are as long as the grid has them (see `square_pixels`). Planes come in the order axial,
    coronal, sagittal. Raises RejectedInput(GEOMETRY_INVALID).
    """
    acquired, _ = plane_of(affine)
    axes = _axes(affine)
    stacks = []
    for plane in Plane:
        if plane is not acquired:
            slab, placed = _central(voxels, affine, axes[_DISPLAY[plane][0][0]], slices)
            stacks.append(_oriented(slab, placed, plane, axes, acquired=False))
    return tuple(stacks)


def is_near_isotropic(spacing_mm: tuple[float, float, float], limit: float) -> bool:
    """Whether the largest spacing is at most `limit` times the smallest."""
    return max(spacing_mm) <= limit * min(spacing_mm)


def square_pixels(stack: PlaneStack) -> PlaneStack:
    """`stack` with pixels as high as they are wide: the longer side is resampled (bicubic) to the shorter one.

    Needs uint8 slices. The field of view stays the same to half a pixel. A stack whose pixels are square already is
    given back as it is.
    """
    count, height, width = stack.slices.shape
    _, pixel_height, pixel_width = stack.spacing_mm
    target = min(pixel_height, pixel_width)
    size = (max(1, round(width * pixel_width / target)), max(1, round(height * pixel_height / target)))
    if size == (width, height):
        return stack
    resized = np.empty((count, size[1], size[0]), dtype=np.uint8)
    for index in range(count):
        image = Image.fromarray(np.ascontiguousarray(stack.slices[index]))
        resized[index] = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    # Edges stay where they were, so pixel centres move: new = (old + 1/2) * zoom - 1/2.
    zoom = np.array([1.0, size[1] / height, size[0] / width])
    affine = stack.affine.copy()
    affine[:3, :3] = stack.affine[:3, :3] / zoom
    affine[:3, 3] = stack.affine[:3, 3] + stack.affine[:3, :3] @ ((1 / zoom - 1) / 2)
    return replace(stack, slices=resized, affine=affine)


def _axes(affine: NDArray[np.float64]) -> dict[int, int]:
    """Which voxel axis (0 slice, 1 row, 2 column) runs along R, A and S: the slice axis first, then the best fit."""
    plane, _ = plane_of(affine)
    normal = _DISPLAY[plane][0][0]
    columns = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(columns).all():
        raise RejectedInput(Code.GEOMETRY_INVALID, "the affine spans no volume")
    first, second = (axis for axis in range(3) if axis != normal)
    straight = columns[first, 1] + columns[second, 2]
    crossed = columns[first, 2] + columns[second, 1]
    return {normal: 0, first: 1, second: 2} if straight >= crossed else {normal: 0, first: 2, second: 1}


def _oriented(
    voxels: NDArray[Any], affine: NDArray[np.float64], plane: Plane, axes: dict[int, int], *, acquired: bool
) -> PlaneStack:
    order = [axes[anatomical] for anatomical, _ in _DISPLAY[plane]]
    view = voxels.transpose(order)
    matrix = affine.copy()
    matrix[:3, :3] = affine[:3, order]
    flips = [slice(None)] * 3
    for axis, (anatomical, sense) in enumerate(_DISPLAY[plane]):
        if matrix[anatomical, axis] * sense < 0:
            flips[axis] = slice(None, None, -1)
            matrix[:3, 3] += matrix[:3, axis] * (view.shape[axis] - 1)
            matrix[:3, axis] *= -1
    return PlaneStack(plane=plane, acquired=acquired, slices=view[tuple(flips)], affine=matrix)


def _central(
    voxels: NDArray[Any], affine: NDArray[np.float64], axis: int, slices: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The `slices` central layers of `voxels` along `axis`, in memory of their own, and the affine of that slab.

    Single layers across the acquired slices lie far apart in memory; in a slab of its own they share cache lines, which
    makes taking them out some times faster.
    """
    count = voxels.shape[axis]
    start = max(0, (count - slices) // 2)
    chosen = [slice(None)] * 3
    chosen[axis] = slice(start, start + min(count, slices))
    placed = affine.copy()
    placed[:3, 3] += affine[:3, axis] * start
    return np.ascontiguousarray(voxels[tuple(chosen)]), placed
