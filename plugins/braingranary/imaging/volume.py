"""A volume: voxels on a regular grid and where that grid lies in the patient.

The affine is RAS+ in millimetres, as in NIfTI: it maps voxel indices of `voxels` to patient right-to-left,
posterior-to-anterior and inferior-to-superior coordinates. DICOM's LPS is turned into RAS+ once, by
`dicom.assembly.geometry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Volume:
    """Stored values with their modality rescale, on a grid in RAS+ space."""

    voxels: NDArray[Any]
    """Stored values, shape (slices, rows, columns), an integer or floating dtype as decoded: no rescale applied."""
    affine: NDArray[np.float64]
    """4x4, maps (slice, row, column, 1) to (R, A, S, 1) in millimetres."""
    slope: float = 1.0
    """Rescale slope, one a volume; a series whose slices differ in rescale is read as float32 with slope 1."""
    intercept: float = 0.0
    inverted: bool = False
    """MONOCHROME1: low values are shown bright."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slice, row, column), in millimetres."""
        a, b, c = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return a, b, c
