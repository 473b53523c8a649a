"""The scanner: slices of a head on any grid, with partial volume, coil shading and Rician noise.

In: a `Head`, a `Grid` (where the slices lie), a contrast and a subject's traits. Out: stored values, uint16, shape
(slices, rows, columns). Every random number comes from a seed, and curves are polynomials: additions, products and
roots round alike on every processor where powers and exponentials do not, so that two builds give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from braingranary.devstack.sample_head.contrast import Contrast
from braingranary.devstack.sample_head.head import Head
from braingranary.records import Plane

LPS_FROM_RAS: Final = np.diag([-1.0, -1.0, 1.0])
THICK_SLICE_MM: Final = 3.0
"""From this thickness on a slice is a mean over its depth (partial volume)."""
FRAME_LPS: Final[dict[Plane, tuple[tuple[float, float, float], tuple[float, float, float]]]] = {
    Plane.AXIAL: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    Plane.CORONAL: ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    Plane.SAGITTAL: ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}
"""Directions of growing column and row index of a scan of each plane, as scanners send them, DICOM's LPS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where the slices of a series lie."""

    plane: Plane
    rows: int
    columns: int
    slices: int
    pixel_mm: float
    spacing_mm: float
    thickness_mm: float
    centre_ras_mm: tuple[float, float, float] = (0.0, -16.0, 4.0)
    tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Turns about the R, A and S axes, in that order."""
    reverse: bool = False
    """True: slices run against the normal (row direction x column direction)."""

    def directions_lps(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Unit vectors of growing column, row and slice index, DICOM's LPS."""
        along_columns, along_rows = (np.array(vector) for vector in FRAME_LPS[self.plane])
        turn = LPS_FROM_RAS @ _rotation(self.tilt_deg) @ LPS_FROM_RAS
        along_columns, along_rows = turn @ along_columns, turn @ along_rows
        normal = np.cross(along_columns, along_rows)
        return along_columns, along_rows, -normal if self.reverse else normal

    def position_lps(self, index: int) -> NDArray[np.float64]:
        """ImagePositionPatient of slice `index`: centre of its first pixel, millimetres, LPS."""
        along_columns, along_rows, step = self.directions_lps()
        centre = LPS_FROM_RAS @ np.array(self.centre_ras_mm)
        corner = along_columns * (self.columns - 1) / 2 + along_rows * (self.rows - 1) / 2
        along = (index - (self.slices - 1) / 2) * self.spacing_mm
        return np.asarray(centre - corner * self.pixel_mm + step * along)

    def affine_ras(self) -> NDArray[np.float64]:
        """4x4 from (slice, row, column, 1) to RAS+ millimetres."""
        along_columns, along_rows, step = self.directions_lps()
        affine = np.eye(4)
        affine[:3, 0] = LPS_FROM_RAS @ step * self.spacing_mm
        affine[:3, 1] = LPS_FROM_RAS @ along_rows * self.pixel_mm
        affine[:3, 2] = LPS_FROM_RAS @ along_columns * self.pixel_mm
        affine[:3, 3] = LPS_FROM_RAS @ self.position_lps(0)
        return affine


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What makes one subject's pictures differ from another's."""

    seed: int
    size: tuple[float, float, float]
    """Head size over the template's, along R, A and S."""
    pose_deg: tuple[float, float, float]
    curve: float
    """Bend of the tone curve: above 0 lifts the mid-tones."""
    shading: tuple[float, float, float]
    """Growth of the coil's sensitivity along R, A and S, a decimetre."""
    noise: float
    """Standard deviation in each channel, in units of the signal."""


def scan(head: Head, grid: Grid, contrast: Contrast, traits: Traits, *, full_scale: float) -> NDArray[np.uint16]:
    """Stored values of every slice; a signal of 1000 is stored as `full_scale`."""
    signal = _sample(head.intensities(contrast), head, grid, traits, thick=grid.thickness_mm >= THICK_SLICE_MM)
    top = np.float32(1000.0)
    signal *= 1 + np.float32(traits.curve) * (1 - signal / top)
    signal *= _shading(grid, traits)
    rng = np.random.default_rng([traits.seed, grid.slices, grid.rows, list(Plane).index(grid.plane)])
    real = signal + np.float32(traits.noise) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(traits.noise) * rng.standard_normal(signal.shape, dtype=np.float32)
    magnitude = np.sqrt(real * real + imaginary * imaginary) * np.float32(full_scale / 1000.0)
    return np.asarray(np.minimum(np.round(magnitude), 65535), dtype=np.uint16)


def scan_mask(head: Head, grid: Grid, traits: Traits) -> NDArray[np.bool_]:
    """The tumour on the series' own grid, shape (slices, rows, columns); all False where the head has none."""
    if head.lesion is None:
        return np.zeros((grid.slices, grid.rows, grid.columns), dtype=np.bool_)
    tumour = head.lesion.tumour(head.brain.shape)
    return _sample(tumour, head, grid, traits, thick=False) >= 0.5


def _sample(volume: NDArray[np.float32], head: Head, grid: Grid, traits: Traits, *, thick: bool) -> NDArray[np.float32]:
    subject = np.eye(4)
    subject[:3, :3] = _rotation(traits.pose_deg) @ np.diag(traits.size)
    to_voxel = np.linalg.inv(head.affine) @ np.linalg.inv(subject) @ grid.affine_ras()
    if thick:
        # Partial volume: the mean over the slice's depth, along the grid axis nearest to its normal, voxels of 1 mm.
        axis = int(np.argmax(np.abs(to_voxel[:3, 0])))
        volume = ndimage.uniform_filter1d(volume, 2 * int(grid.thickness_mm / 2) + 1, axis=axis, mode="constant")
    shape = (grid.slices, grid.rows, grid.columns)
    cut = np.empty(shape, dtype=np.float32)
    ndimage.affine_transform(
        volume, to_voxel[:3, :3], offset=to_voxel[:3, 3], output_shape=shape, output=cut, order=1, mode="constant"
    )
    return cut


def _shading(grid: Grid, traits: Traits) -> NDArray[np.float32]:
    affine = (grid.affine_ras()[:3] / 100.0).astype(np.float32)
    slices = np.arange(grid.slices, dtype=np.float32)[:, None, None]
    rows = np.arange(grid.rows, dtype=np.float32)[:, None]
    columns = np.arange(grid.columns, dtype=np.float32)
    gain = np.ones((grid.slices, grid.rows, grid.columns), dtype=np.float32)
    for axis, slope in enumerate(traits.shading):
        position = affine[axis, 0] * slices + affine[axis, 1] * rows + affine[axis, 2] * columns + affine[axis, 3]
        gain += np.float32(slope) * position - np.float32(0.05) * position * position
    return np.maximum(gain, np.float32(0.4))


def _rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """Rotation matrix of turns about the first, second and third axis, in that order."""
    turned = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        turned = step @ turned
    return turned
