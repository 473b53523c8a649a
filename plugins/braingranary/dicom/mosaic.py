"""Siemens mosaics: one square image that holds all slices of a volume as tiles.

The count of tiles comes from element (0019,100A) or the CSA image header, the sense of the slices from the CSA
header's SliceNormalVector (nibabel reads it). The position in the header is that of the mosaic's corner; the first
tile's lies half the difference of both image sizes inwards (as nibabel's nicom.dicomwrappers documents it).
Fails with RejectedInput(GEOMETRY_INVALID).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom import tags
from braingranary.dicom.elements import Elements
from braingranary.dicom.geometry import Grid
from braingranary.dicom.pixels import PixelFormat
from braingranary.errors import Code, RejectedInput

_TILES_MAX = 1024
_SPACING_MAX_MM = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """How one mosaic is cut."""

    count: int
    side: int
    """Tiles along each edge."""
    rows: int
    columns: int
    distance_mm: float
    """Between neighbouring slices."""
    reversed: bool
    """Slices run against the cross product of row and column direction."""

    def tiles(
        self, grid: Grid, corner: tuple[float, float, float], pixels: NDArray[Any]
    ) -> list[tuple[tuple[float, float, float], NDArray[Any]]]:
        """Position (LPS millimetres) and view of each tile; `corner` is the mosaic's own position."""
        across, down = np.array(grid.row_direction), np.array(grid.column_direction)
        step = np.cross(across, down) * (-self.distance_mm if self.reversed else self.distance_mm)
        first = (
            np.array(corner)
            + across * grid.column_spacing_mm * self.columns * (self.side - 1) / 2
            + down * grid.row_spacing_mm * self.rows * (self.side - 1) / 2
        )
        cut = pixels.reshape(self.side, self.rows, self.side, self.columns)
        found = []
        for index in range(self.count):
            x, y, z = (float(value) for value in first + index * step)
            found.append(((x, y, z), cut[index // self.side, :, index % self.side, :]))
        return found


def mosaic_of(elements: Elements, form: PixelFormat) -> Mosaic | None:
    """How to cut this image, or None where it is no mosaic."""
    if "MOSAIC" not in elements.texts(tags.IMAGE_TYPE):
        return None
    count, against = _csa(elements)
    told = elements.integer(tags.SIEMENS_MOSAIC_COUNT)
    count = told if told is not None else count
    if count is None or not 1 <= count <= _TILES_MAX:
        raise RejectedInput(Code.GEOMETRY_INVALID, "mosaic without a usable count of slices")
    side = int(np.ceil(np.sqrt(count)))
    distance = elements.number(tags.SPACING_BETWEEN_SLICES) or elements.number(tags.SLICE_THICKNESS)
    if form.rows % side or form.columns % side or distance is None or not 0 < distance < _SPACING_MAX_MM:
        raise RejectedInput(Code.GEOMETRY_INVALID, "mosaic cannot be cut into its slices")
    return Mosaic(
        count=count,
        side=side,
        rows=form.rows // side,
        columns=form.columns // side,
        distance_mm=distance,
        reversed=against,
    )


def _csa(elements: Elements) -> tuple[int | None, bool]:
    """Count of slices and whether they run against the image normal, as the CSA header tells."""
    creator, raw = elements.text(tags.SIEMENS_CSA_CREATOR), elements.values.get(tags.SIEMENS_CSA_IMAGE)
    if raw is None or creator != "SIEMENS CSA HEADER":
        return None, False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces on import that its other readers are experimental
        from nibabel.nicom import csareader  # noqa: PLC0415 - slow to import and needed for mosaics alone
    try:
        header = csareader.read(raw[1])  # type: ignore[no-untyped-call]
        normal = csareader.get_slice_normal(header)  # type: ignore[no-untyped-call]
        count = csareader.get_n_mosaic(header)  # type: ignore[no-untyped-call]
        orientation = np.array(elements.numbers(tags.IMAGE_ORIENTATION_PATIENT), dtype=np.float64)
        cross = np.cross(orientation[:3], orientation[3:])
        against = normal is not None and float(np.dot(np.asarray(normal, dtype=np.float64), cross)) < 0
        return (None if count is None else int(count)), against
    except Exception:  # noqa: BLE001 - a broken private header is as good as none, whatever its parser raises
        return None, False
