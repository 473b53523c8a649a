"""Grids, order along the normal, gaps, shear and the affine, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.dicom.assembly.geometry import Grid, checked_grid, stack_slices, upward_normal
from braingranary.errors import Code, RejectedInput

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def grid(
    orientation: tuple[float, ...] = AXIAL,
    spacing: tuple[float, ...] = (2.0, 0.5),
    *,
    distance: float | None = None,
    thickness: float | None = None,
) -> Grid:
    return checked_grid(orientation, spacing, rows=4, columns=5, thickness=thickness, distance=distance)


def at_heights(*heights: float) -> NDArray[np.float64]:
    return np.array([(-10.0, -20.0, height) for height in heights])


def test_stack_slices_axial_affine_maps_indices_to_ras() -> None:
    stack = stack_slices(grid(), at_heights(3.0, 0.0, 6.0))
    assert stack.order == (1, 0, 2)
    assert stack.positions_mm == (0.0, 3.0, 6.0)
    # slice 2, row 3, column 4: x = -10 + 4 * 0.5, y = -20 + 3 * 2 in LPS
    assert np.allclose(stack.affine @ [2, 3, 4, 1], [8.0, 14.0, 6.0, 1.0])


@pytest.mark.parametrize(
    ("orientation", "axis"), [(AXIAL, 2), (CORONAL, 1), (SAGITTAL, 0), ((-1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 2)]
)
def test_upward_normal_points_to_right_anterior_or_superior(orientation: tuple[float, ...], axis: int) -> None:
    assert np.allclose(upward_normal(grid(orientation)), np.eye(3)[axis])


def test_stack_slices_oblique_keeps_unit_spacing_along_the_normal() -> None:
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    tilted = grid((1.0, 0.0, 0.0, 0.0, c, s))
    normal = np.array([0.0, -s, c])
    stack = stack_slices(tilted, np.array([normal * 2.5 * index for index in range(4)]))
    assert np.allclose(np.diff(stack.positions_mm), 2.5)
    assert np.allclose(stack.affine[:3, 0], normal * 2.5 * [-1, -1, 1])
    assert not stack.sheared


def test_stack_slices_missing_slices_are_counted_and_spacing_kept() -> None:
    stack = stack_slices(grid(), at_heights(0, 3, 6, 12, 21, 24))
    assert (stack.gaps, stack.uneven) == (3, False)
    assert stack.affine[2, 0] == pytest.approx(3.0)


def test_stack_slices_half_missing_still_finds_the_spacing() -> None:
    assert stack_slices(grid(), at_heights(0, 6, 12, 18, 21, 27, 33)).gaps == 5


def test_stack_slices_uneven_distances_are_told() -> None:
    stack = stack_slices(grid(), at_heights(0, 3, 6, 10.2, 13.2))
    assert stack.uneven
    assert stack.affine[2, 0] == pytest.approx(13.2 / 4)


def test_stack_slices_jitter_within_tolerance_is_even() -> None:
    stack = stack_slices(grid(), at_heights(0, 3.001, 5.998, 9.0))
    assert (stack.gaps, stack.uneven) == (0, False)


def test_stack_slices_gantry_tilt_is_told_and_in_the_affine() -> None:
    places = np.array([(0.0, index * 0.5, index * 3.0) for index in range(5)])
    stack = stack_slices(grid(), places)
    assert stack.sheared
    assert np.allclose(stack.affine[:3, 0], [0.0, -0.5, 3.0])


@pytest.mark.parametrize(
    ("distance", "thickness", "step"), [(4.0, 3.0, 4.0), (None, 3.0, 3.0), (None, None, 1.0), (0.0, -1.0, 1.0)]
)
def test_stack_slices_single_slice_takes_spacing_from_the_header(
    distance: float | None, thickness: float | None, step: float
) -> None:
    stack = stack_slices(grid(distance=distance, thickness=thickness), at_heights(5.0))
    assert stack.affine[2, 0] == step


@pytest.mark.parametrize(
    ("orientation", "spacing", "code"),
    [
        ((), (1.0, 1.0), Code.GEOMETRY_MISSING),
        (AXIAL, (1.0,), Code.GEOMETRY_MISSING),
        (AXIAL, (0.0, 1.0), Code.GEOMETRY_INVALID),
        (AXIAL, (-1.0, 1.0), Code.GEOMETRY_INVALID),
        (AXIAL, (math.nan, 1.0), Code.GEOMETRY_INVALID),
        (AXIAL, (math.inf, 1.0), Code.GEOMETRY_INVALID),
        ((math.nan, *AXIAL[1:]), (1.0, 1.0), Code.GEOMETRY_INVALID),
        ((0.0,) * 6, (1.0, 1.0), Code.GEOMETRY_INVALID),
        ((2.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 1.0), Code.GEOMETRY_INVALID),
        ((1.0, 0.0, 0.0, 0.7071, 0.7071, 0.0), (1.0, 1.0), Code.GEOMETRY_INVALID),
    ],
)
def test_checked_grid_bad_geometry_is_rejected(
    orientation: tuple[float, ...], spacing: tuple[float, ...], code: Code
) -> None:
    with pytest.raises(RejectedInput) as caught:
        grid(orientation, spacing)
    assert caught.value.code is code


def test_checked_grid_rounded_cosines_are_made_unit_vectors() -> None:
    found = grid((0.999, 0.03, 0.0, -0.03, 0.999, 0.0))
    assert math.hypot(*found.row_direction) == pytest.approx(1.0)
