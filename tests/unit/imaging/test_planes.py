"""Planes: which one a grid is in, and that every acquisition is shown upright and the right way round."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput
from braingranary.imaging.planes import (
    PlaneStack,
    acquired_stack,
    is_near_isotropic,
    plane_of,
    reformatted_stacks,
    square_pixels,
)
from braingranary.records import Plane
from tests.unit.normalization import phantom

SHAPE = (20, 26, 32)
SPACING_MM = (7.5, 7.0, 6.5)
# Voxel axes (slice, row, column) laid along R, A, S in every order and every sense.
ORIENTATIONS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1.0, -1.0), repeat=3)
]
NORMAL_OF = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}
MARKERS = {"right": (60.0, 0.0, 0.0), "anterior": (0.0, 70.0, 0.0), "superior": (0.0, 0.0, 60.0)}
SIDES = {  # where each marker must show up: (axis of the image, low end of it)
    Plane.AXIAL: {"right": (1, True), "anterior": (0, True)},
    Plane.CORONAL: {"right": (1, True), "superior": (0, True)},
    Plane.SAGITTAL: {"anterior": (1, True), "superior": (0, True)},
}


def affine_of(order: tuple[int, ...], signs: tuple[float, ...], turn_deg: float = 0.0) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for axis, (anatomical, sign) in enumerate(zip(order, signs, strict=True)):
        affine[anatomical, axis] = sign * SPACING_MM[axis]
    turn = np.radians(turn_deg)
    rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    affine[:3, :3] = rotation @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return affine


def marked(affine: NDArray[np.float64], place: tuple[float, float, float]) -> NDArray[np.uint8]:
    index = np.indices(SHAPE, dtype=np.float64)
    points = np.einsum("ij,j...->i...", affine[:3, :3], index) + affine[:3, 3].reshape(3, 1, 1, 1)
    distance = np.linalg.norm(points - np.array(place).reshape(3, 1, 1, 1), axis=0)
    return np.asarray(np.where(distance < 16, 255, 0), dtype=np.uint8)


def assert_shown_radiologically(stack: PlaneStack, marker: str) -> None:
    side = SIDES[stack.plane].get(marker)
    _, *centre = (coordinates.mean() for coordinates in np.nonzero(stack.slices))
    if side is None:  # along the slice axis: number grows with R, A or S
        slices = np.nonzero(stack.slices)[0].mean()
        assert slices > (stack.slices.shape[0] - 1) / 2 + 1
        return
    axis, low = side
    middle = (stack.slices.shape[1 + axis] - 1) / 2
    assert bool(centre[axis] < middle - 1) is low
    assert bool(centre[axis] > middle + 1) is not low


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
@pytest.mark.parametrize("turn_deg", [0.0, 25.0])
def test_acquired_stack_any_acquisition_is_shown_radiologically(
    order: tuple[int, ...], signs: tuple[float, ...], turn_deg: float
) -> None:
    affine = affine_of(order, signs, turn_deg)
    for marker, place in MARKERS.items():
        stack = acquired_stack(marked(affine, place), affine)
        assert NORMAL_OF[stack.plane] == order[0]
        assert_shown_radiologically(stack, marker)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_reformatted_stacks_any_acquisition_are_shown_radiologically(
    order: tuple[int, ...], signs: tuple[float, ...]
) -> None:
    affine = affine_of(order, signs)
    acquired, _ = plane_of(affine)
    for marker, place in MARKERS.items():
        stacks = reformatted_stacks(marked(affine, place), affine, slices=50)
        assert [stack.plane for stack in stacks] == [plane for plane in Plane if plane is not acquired]
        for stack in stacks:
            assert not stack.acquired
            assert_shown_radiologically(stack, marker)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
def test_stacks_affine_leads_back_to_the_same_voxels(order: tuple[int, ...], signs: tuple[float, ...]) -> None:
    affine = affine_of(order, signs, 15.0)
    voxels = np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE)
    for stack in (acquired_stack(voxels, affine), *reformatted_stacks(voxels, affine, slices=9)):
        count, height, width = stack.slices.shape
        for corner in itertools.product((0, count - 1), (0, height - 1), (0, width - 1)):
            point = stack.affine @ np.array([*corner, 1.0])
            source = np.rint(np.linalg.inv(affine) @ point)[:3].astype(int)
            assert stack.slices[corner] == voxels[tuple(source)]
        assert (np.diff(stack.positions_mm) > 0).all()


def test_acquired_stack_values_are_only_moved() -> None:
    affine = affine_of((2, 1, 0), (1.0, 1.0, 1.0))
    voxels = np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE)
    stack = acquired_stack(voxels, affine)
    assert np.shares_memory(stack.slices, voxels)
    assert np.array_equal(np.sort(stack.slices, axis=None), np.arange(voxels.size))


@pytest.mark.parametrize("turn_deg", [0.0, 10.0, 44.0])
def test_plane_of_turned_grid_tells_obliquity(turn_deg: float) -> None:
    plane, obliquity = plane_of(affine_of((2, 1, 0), (1.0, -1.0, -1.0), turn_deg))
    assert plane is Plane.AXIAL
    assert obliquity == pytest.approx(turn_deg, abs=1e-5)


def test_plane_of_past_45_degrees_is_the_other_plane() -> None:
    assert plane_of(affine_of((2, 1, 0), (1.0, -1.0, -1.0), 46.0))[0] is Plane.CORONAL


def test_plane_of_sheared_stack_is_judged_by_its_images() -> None:
    affine = affine_of((2, 1, 0), (1.0, -1.0, -1.0))
    affine[1, 0] = 2 * SPACING_MM[0]  # slices are stacked 63 degrees off their normal
    assert plane_of(affine) == (Plane.AXIAL, 0.0)


@pytest.mark.parametrize("broken", [np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_plane_of_degenerate_affine_is_rejected(broken: NDArray[np.float64]) -> None:
    with pytest.raises(RejectedInput) as caught:
        plane_of(broken)
    assert caught.value.code is Code.GEOMETRY_INVALID


def test_acquired_stack_without_slice_distance_is_rejected() -> None:
    affine = affine_of((2, 1, 0), (1.0, 1.0, 1.0))
    affine[:3, 0] = 0.0
    with np.errstate(invalid="ignore"), pytest.raises(RejectedInput) as caught:
        acquired_stack(np.zeros(SHAPE), affine)
    assert caught.value.code is Code.GEOMETRY_INVALID


def test_reformatted_stacks_keep_the_central_slices() -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    stacks = reformatted_stacks(np.zeros((60, 81, 40), np.uint8), affine, slices=50)
    coronal, sagittal = stacks
    assert coronal.slices.shape == (50, 60, 40)
    assert coronal.positions_mm[[0, -1]].tolist() == [15.0, 64.0]
    assert sagittal.slices.shape == (40, 60, 81)


def test_square_pixels_keep_the_field_of_view() -> None:
    affine = phantom.grid_affine(phantom.AXIAL, (40, 64, 64), (4.0, 2.5, 2.5))
    voxels = (phantom.sampled(affine, (40, 64, 64), noise=0.0) // 4).astype(np.uint8)
    coronal, _ = reformatted_stacks(voxels, affine, slices=50)
    square = square_pixels(coronal)
    assert coronal.slices.shape == (50, 40, 64)
    assert square.slices.shape == (50, 64, 64)
    assert square.spacing_mm == pytest.approx((2.5, 2.5, 2.5))
    edges = [
        stack.affine @ np.array([0, row, column, 1.0])
        for stack in (coronal, square)
        for row, column in ((-0.5, -0.5), (stack.slices.shape[1] - 0.5, stack.slices.shape[2] - 0.5))
    ]
    assert np.allclose(edges[0], edges[2])
    assert np.allclose(edges[1], edges[3])


def test_square_pixels_of_square_pixels_is_the_same_stack() -> None:
    stack = acquired_stack(np.zeros((4, 5, 6), np.uint8), np.diag([1.0, 1.0, 2.0, 1.0])[:, [2, 1, 0, 3]])
    assert square_pixels(stack) is stack


@pytest.mark.parametrize(("spacing_mm", "near"), [((1.0, 1.0, 2.0), True), ((1.0, 1.0, 2.01), False)])
def test_is_near_isotropic_holds_the_limit(spacing_mm: tuple[float, float, float], near: bool) -> None:
    assert is_near_isotropic(spacing_mm, 2.0) is near
