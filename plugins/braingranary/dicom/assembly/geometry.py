"""Where images lie in the patient: grids, positions along the normal, gaps, shear, and the affine in RAS+.

DICOM gives positions and directions in LPS (left, posterior, superior); everything that leaves this module is RAS+
(right, anterior, superior): x and y change sign. Formulas after DICOM PS3.3 section C.7.6.2.1.1. Every tolerance is a
constant below. Fails with RejectedInput(GEOMETRY_MISSING or GEOMETRY_INVALID).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput

COSINE_TOLERANCE: Final = 0.01
"""Direction cosines may differ from unit length, and their product from zero, by this (they come with few digits)."""
SAME_POSITION_MM: Final = 0.01
"""Slices closer than this along the normal are at one place; the thinnest MR slices are ten times as far apart."""
GAP_TOLERANCE: Final = 0.1
"""A distance counts as k spacings where it differs from k by at most this share of one spacing."""
SHEAR_TOLERANCE: Final = 0.02
"""In-plane drift per unit of slice distance beyond which a stack is told to be sheared (about 1.1 degrees)."""
SPACING_MAX_MM: Final = 100.0
SMALL_STEP_SHARE: Final = 0.4
"""Distances below this share of the median are odd ones, not the spacing of the stack."""

LPS_TO_RAS: Final = np.array([-1.0, -1.0, 1.0])

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The grid of one image without its place: frames of one volume share it."""

    row_direction: Vector
    """Along a row, to the next column; LPS, unit length."""
    column_direction: Vector
    """Down a column, to the next row; LPS, unit length."""
    row_spacing_mm: float
    """Between neighbouring rows."""
    column_spacing_mm: float
    """Between neighbouring columns."""
    rows: int
    columns: int
    thickness_mm: float | None
    distance_mm: float | None
    """Between slices, as the header claims; used for single slices only."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stack:
    """How slices at given positions form a volume."""

    order: tuple[int, ...]
    """Indices of the input by increasing R, A or S."""
    positions_mm: tuple[float, ...]
    """Along the normal, in that order."""
    affine: NDArray[np.float64]
    gaps: int
    uneven: bool
    sheared: bool


def checked_grid(
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
    *,
    rows: int,
    columns: int,
    thickness: float | None,
    distance: float | None,
) -> Grid:
    """A grid from Image Orientation (Patient) and Pixel Spacing; raises RejectedInput."""
    if len(orientation) != 6 or len(spacing) != 2:
        raise RejectedInput(Code.GEOMETRY_MISSING, "no image orientation or pixel spacing")
    return _grid(orientation, spacing, rows=rows, columns=columns, thickness=thickness, distance=distance)


@lru_cache(maxsize=256)
def _grid(
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
    *,
    rows: int,
    columns: int,
    thickness: float | None,
    distance: float | None,
) -> Grid:
    # files of a series share these values, so the checks are paid once
    across, down = orientation[:3], orientation[3:]
    long_across, long_down = math.hypot(*across), math.hypot(*down)
    cross = sum(a * b for a, b in zip(across, down, strict=True))
    if not (
        abs(long_across - 1) <= COSINE_TOLERANCE
        and abs(long_down - 1) <= COSINE_TOLERANCE
        and abs(cross) <= COSINE_TOLERANCE
    ):
        raise RejectedInput(Code.GEOMETRY_INVALID, "direction cosines are not perpendicular unit vectors")
    if not all(0 < value <= SPACING_MAX_MM for value in spacing):
        raise RejectedInput(Code.GEOMETRY_INVALID, "pixel spacing out of bounds")
    return Grid(
        row_direction=(across[0] / long_across, across[1] / long_across, across[2] / long_across),
        column_direction=(down[0] / long_down, down[1] / long_down, down[2] / long_down),
        row_spacing_mm=spacing[0],
        column_spacing_mm=spacing[1],
        rows=rows,
        columns=columns,
        thickness_mm=_plausible(thickness),
        distance_mm=_plausible(distance),
    )


def _plausible(length_mm: float | None) -> float | None:
    return length_mm if length_mm is not None and 0 < length_mm <= SPACING_MAX_MM else None


def upward_normal(grid: Grid) -> NDArray[np.float64]:
    """Unit normal of the image in RAS+, in the sense of increasing R, A or S of its dominant axis; shape (3,)."""
    normal = np.cross(np.array(grid.row_direction), np.array(grid.column_direction)) * LPS_TO_RAS
    normal /= np.linalg.norm(normal)
    dominant = int(np.argmax(np.abs(normal)))
    return np.asarray(-normal if normal[dominant] < 0 else normal, dtype=np.float64)


def along_normal(grid: Grid, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance along the upward normal, in millimetres, of `positions` (LPS, shape (n, 3)); shape (n,)."""
    along: NDArray[np.float64] = np.asarray((positions * LPS_TO_RAS) @ upward_normal(grid), dtype=np.float64)
    return along


def stack_slices(grid: Grid, positions: NDArray[np.float64]) -> Stack:
    """Order slices at distinct `positions` (LPS millimetres, shape (n, 3)) and find affine, gaps and shear."""
    normal = upward_normal(grid)
    places = positions * LPS_TO_RAS
    along = places @ normal
    order = np.argsort(along, kind="stable")
    along, places = along[order], places[order]
    gaps, uneven, sheared = 0, False, False
    if len(along) == 1:
        step = normal * (grid.distance_mm or grid.thickness_mm or 1.0)
    else:
        step, gaps, uneven = _step(along, places)
        drift = step - (step @ normal) * normal
        sheared = bool(np.linalg.norm(drift) > SHEAR_TOLERANCE * abs(float(step @ normal)))
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = np.array(grid.column_direction) * LPS_TO_RAS * grid.row_spacing_mm
    affine[:3, 2] = np.array(grid.row_direction) * LPS_TO_RAS * grid.column_spacing_mm
    affine[:3, 3] = places[0]
    affine += 0.0  # no negative zeros: they would show in a sidecar
    return Stack(
        order=tuple(int(index) for index in order),
        positions_mm=tuple(float(value) for value in along),
        affine=affine,
        gaps=gaps,
        uneven=uneven,
        sheared=sheared,
    )


def _step(along: NDArray[np.float64], places: NDArray[np.float64]) -> tuple[NDArray[np.float64], int, bool]:
    """Vector from one slice to the next (RAS+), count of missing slices, and whether distances stay uneven."""
    distances = np.diff(along)
    usual = distances[distances >= SMALL_STEP_SHARE * float(np.median(distances))]
    nominal = float(np.median(usual[usual <= float(usual.min()) * (1 + GAP_TOLERANCE)]))
    counts = np.maximum(np.rint(distances / nominal), 1.0)
    uneven = bool(np.any(np.abs(distances - counts * nominal) > GAP_TOLERANCE * nominal))
    gaps = int(np.sum(counts - 1))
    span = places[-1] - places[0]
    # with missing slices the stack holds fewer images than places: the step stays that of true neighbours
    step = span / (len(along) - 1) if uneven else span / float(np.sum(counts))
    return step, gaps, uneven
