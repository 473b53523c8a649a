"""Mosaics: one image that holds all slices of a volume as tiles, row by row.

Siemens tells the count of tiles in (0019,xx0A) or the CSA image header, and the sense of the slices by the CSA header's
SliceNormalVector (nibabel reads it). The position in the header is that of the mosaic's corner; the first tile's lies
half the difference of both image sizes inwards (as nibabel's nicom.dicomwrappers documents it). United Imaging (GRID,
image type VFRAME) tells the count in (0065,xx50) and the position of every tile in (0065,xx51).
A mosaic that cannot be cut raises RejectedInput(GEOMETRY_INVALID): it is never taken for one large slice.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from braingranary.dicom import private_elements as private
from braingranary.dicom import tags
from braingranary.dicom.assembly.geometry import Grid
from braingranary.dicom.elements import Elements
from braingranary.dicom.pixels import PixelFormat
from braingranary.errors import Code, RejectedInput

_TILES_MAX: Final = 1024
_SPACING_MAX_MM: Final = 100.0
_SIEMENS: Final = "MOSAIC"
_UIH: Final = "VFRAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """How one mosaic is cut."""

    count: int
    across: int
    """Tiles in a row of tiles."""
    down: int
    """Rows of tiles."""
    rows: int
    columns: int
    distance_mm: float
    """Between neighbouring slices; used where the tiles have no positions of their own."""
    reversed: bool
    """Slices run against the cross product of row and column direction."""
    own_positions: tuple[tuple[float, ...], ...] = ()
    """Of every tile, LPS millimetres, where the file tells them."""

    def positions(self, elements: Elements, grid: Grid) -> tuple[tuple[float, ...], ...]:
        """Position (LPS millimetres) of each tile; empty tuples where the file tells none."""
        if self.own_positions:
            return self.own_positions
        corner = elements.numbers(tags.IMAGE_POSITION_PATIENT)
        if len(corner) != 3:
            return ((),) * self.count
        across, down = np.array(grid.row_direction), np.array(grid.column_direction)
        step = np.cross(across, down) * (-self.distance_mm if self.reversed else self.distance_mm)
        first = (
            np.array(corner)
            + across * grid.column_spacing_mm * self.columns * (self.across - 1) / 2
            + down * grid.row_spacing_mm * self.rows * (self.down - 1) / 2
        )
        return tuple(tuple(float(value) for value in first + index * step) for index in range(self.count))

    def tiles(self, pixels: NDArray[Any]) -> list[NDArray[Any]]:
        """A view of each tile of `pixels` (rows, columns of the whole mosaic), in the order of the slices."""
        cut = pixels.reshape(self.down, self.rows, self.across, self.columns)
        return [cut[index // self.across, :, index % self.across, :] for index in range(self.count)]


def mosaic_of(elements: Elements, form: PixelFormat) -> Mosaic | None:
    """How to cut this image, or None where it is no mosaic; raises RejectedInput(GEOMETRY_INVALID)."""
    image_type = elements.texts(tags.IMAGE_TYPE)
    count_tag, slices_tag = elements.private(private.UIH_GRID_COUNT, private.UIH_GRID_SLICES)
    slices = elements.items(slices_tag)
    if _UIH in image_type or len(slices) > 1:
        return _uih_grid(form, elements.integer(count_tag), slices)
    return _siemens_mosaic(elements, form) if _SIEMENS in image_type else None


def _uih_grid(form: PixelFormat, count: int | None, slices: tuple[Elements, ...]) -> Mosaic:
    count = _checked_count(count)
    positions = tuple(item.numbers(tags.IMAGE_POSITION_PATIENT) for item in slices)
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    if form.rows % down:
        down = across
    if len(positions) != count or form.rows % down or form.columns % across:
        raise RejectedInput(Code.GEOMETRY_INVALID, "mosaic cannot be cut into its slices")
    return Mosaic(
        count=count,
        across=across,
        down=down,
        rows=form.rows // down,
        columns=form.columns // across,
        distance_mm=0.0,
        reversed=False,
        own_positions=positions,
    )


def _siemens_mosaic(elements: Elements, form: PixelFormat) -> Mosaic:
    (count_tag,) = elements.private(private.SIEMENS_MOSAIC_COUNT)
    csa_count, against = _csa(elements)
    told = elements.integer(count_tag)
    count = _checked_count(csa_count if told is None else told)
    side = int(np.ceil(np.sqrt(count)))
    distance = elements.number(tags.SPACING_BETWEEN_SLICES) or elements.number(tags.SLICE_THICKNESS)
    if form.rows % side or form.columns % side or distance is None or not 0 < distance < _SPACING_MAX_MM:
        raise RejectedInput(Code.GEOMETRY_INVALID, "mosaic cannot be cut into its slices")
    return Mosaic(
        count=count,
        across=side,
        down=side,
        rows=form.rows // side,
        columns=form.columns // side,
        distance_mm=distance,
        reversed=against,
    )


def _checked_count(count: int | None) -> int:
    if count is None or not 1 <= count <= _TILES_MAX:
        raise RejectedInput(Code.GEOMETRY_INVALID, "mosaic without a usable count of slices")
    return count


def _csa(elements: Elements) -> tuple[int | None, bool]:
    """Count of slices and whether they run against the image normal, as the CSA header tells."""
    (tag,) = elements.private(private.SIEMENS_CSA_IMAGE)
    raw = elements.values.get(tag)
    if raw is None:
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
