"""Contact sheets: the slices of one plane side by side in one picture, for eyes and for golden hashes.

Goes in: uint8 slices (slices, height, width). Comes out: pixels or a PNG. An even choice is made where there are more
slices than tiles.
"""

from __future__ import annotations

import io
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TILES_MAX: Final = 36
TILE_PIXELS: Final = 160


def contact_sheet(
    slices: NDArray[np.uint8], *, tiles_max: int = TILES_MAX, tile_pixels: int = TILE_PIXELS, pixel_aspect: float = 1.0
) -> NDArray[np.uint8]:
    """One picture of up to `tiles_max` slices, evenly chosen, first at the upper left; shape (height, width).

    `pixel_aspect` is pixel height over pixel width, so that heads keep their shape. Slices are fitted into squares of
    `tile_pixels`, the rest of a square is black.
    """
    count, height, width = slices.shape
    chosen = evenly(count, tiles_max)
    tiles = len(chosen)
    columns = math.ceil(math.sqrt(tiles))
    sheet = np.zeros((math.ceil(tiles / columns) * tile_pixels, columns * tile_pixels), dtype=np.uint8)
    zoom = tile_pixels / max(height * pixel_aspect, width)
    size = (max(1, round(width * zoom)), max(1, round(height * pixel_aspect * zoom)))
    for place, index in enumerate(chosen):
        tile = Image.fromarray(np.ascontiguousarray(slices[index])).resize(size, Image.Resampling.BILINEAR)
        top = (place // columns) * tile_pixels + (tile_pixels - size[1]) // 2
        left = (place % columns) * tile_pixels + (tile_pixels - size[0]) // 2
        sheet[top : top + size[1], left : left + size[0]] = np.asarray(tile)
    return sheet


def evenly(count: int, tiles_max: int) -> list[int]:
    """Numbers of at most `tiles_max` out of `count` slices, evenly chosen, first and last among them; or the middle."""
    if tiles_max == 1:
        return [count // 2]
    return [int(index) for index in np.linspace(0, count - 1, min(count, tiles_max)).round()]


def to_png(picture: NDArray[np.uint8]) -> bytes:
    """A PNG of one grey picture, shape (height, width)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
