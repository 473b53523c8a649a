"""Contact sheets: layout, and a golden picture of each plane that the whole way from voxels to JPEG must reproduce."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from braingranary.imaging import jpeg
from braingranary.imaging.contact_sheet import contact_sheet, to_png
from braingranary.imaging.intensity import to_grey
from braingranary.imaging.planes import PlaneStack, acquired_stack, reformatted_stacks, square_pixels
from braingranary.imaging.volume import Volume
from tests.unit.normalization import phantom

SHAPE, SPACING_MM = (40, 64, 64), (4.0, 2.75, 2.75)
# Looked at when they were made: upright, nose up or to the left, the patient's right on the left, no banding.
GOLDEN = {
    "axial": "d06845073ce3bfadb62ae7b438fe6ba9594a2eeda9946ae57221248e1e8ad3cd",
    "coronal": "fb2b6ca00dd2d222ad7962d9f67f7358b2af248681e36897f7bce26e63fff823",
    "sagittal": "16fa05bd5ddf8a956e76079f9d97c7cb0506289d23c334df18c64fb8f67e7da5",
}


def whole_numbers_head() -> Volume:
    """A head made with integers alone, so that no rounding of any processor can touch the hash."""
    affine = phantom.grid_affine(phantom.AXIAL, SHAPE, SPACING_MM)
    index = np.indices(SHAPE, dtype=np.int64)
    s = (2 * index[0] - SHAPE[0] + 1) * 200
    a = -(2 * index[1] - SHAPE[1] + 1) * 137
    r = -(2 * index[2] - SHAPE[2] + 1) * 137

    def ball(centre: tuple[int, int, int], radius: int) -> NDArray[np.bool_]:
        squares = (r - 100 * centre[0]) ** 2 + (a - 100 * centre[1]) ** 2 + (s - 100 * centre[2]) ** 2
        return np.asarray(squares < (100 * radius) ** 2)

    texture = (index[0] * 7 + index[1] * 3 + index[2] * 5) % 11
    voxels = np.where(ball((0, -10, 0), 68), 500 + 8 * texture, texture)
    for centre, radius, level in (((0, 66, -15), 14, 900), ((35, 45, 5), 9, 1000), ((15, 0, 40), 10, 250)):
        voxels = np.where(ball(centre, radius), level, voxels)
    return Volume(voxels=voxels.astype(np.uint16), affine=affine)


def shown(stack: PlaneStack) -> NDArray[np.uint8]:
    square = square_pixels(stack)
    return contact_sheet(np.stack([jpeg.decode(jpeg.encode(image)) for image in square.slices]))


@pytest.mark.parametrize("plane", GOLDEN)
def test_contact_sheet_of_each_plane_is_golden(plane: str) -> None:
    volume = whole_numbers_head()
    grey, _ = to_grey(volume)
    stacks = [acquired_stack(grey, volume.affine), *reformatted_stacks(grey, volume.affine, slices=50)]
    sheet = next(shown(stack) for stack in stacks if stack.plane == plane)
    assert hashlib.sha256(sheet.tobytes()).hexdigest() == GOLDEN[plane]


def test_contact_sheet_has_first_slice_upper_left_and_keeps_the_shape_of_heads() -> None:
    slices = np.stack([np.full((20, 40), level, np.uint8) for level in (50, 100, 150, 200, 250)])
    sheet = contact_sheet(slices, tile_pixels=60, pixel_aspect=1.5)
    assert sheet.shape == (120, 180)
    assert sheet[30, 30] == 50
    assert sheet[30, 90] == 100
    assert sheet[90, 30] == 200
    assert sheet[90, 150] == 0
    assert (sheet[:60, 30] > 0).sum() == 45


def test_contact_sheet_of_many_slices_shows_first_and_last() -> None:
    slices = np.stack([np.full((8, 8), level, np.uint8) for level in range(1, 201)])
    sheet = contact_sheet(slices, tiles_max=9, tile_pixels=16)
    assert sheet.shape == (48, 48)
    assert (sheet[0, 0], sheet[-1, -1]) == (1, 200)


def test_to_png_gives_the_pixels_back() -> None:
    picture = np.arange(600, dtype=np.uint8).reshape(20, 30)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(to_png(picture)))), picture)
