"""The square that is cut out of a picture: around the head, with a margin, mapped back for results.

Which box holds the head is what preprocessings differ in; everything else of the geometry is here. In: (rows, columns)
float32. Out: `Frame` and squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from braingranary.detector.model.preprocessing.picture import SMALLEST_SIDE_PX, Plane32, floor_of

MARGIN_FRACTION = 0.06
"""Background kept around the head on each side, as a fraction of the longer side of its box."""
FLAT_SPAN_FRACTION = 0.04
"""A rim row or column that spans less of the picture's range is a frame or empty air, JPEG noise included."""
SMOOTHED_OF_SIDE = 128
"""Noise is smoothed over about twice this part of the side before a box is looked for."""

Box = tuple[int, int, int, int]
"""(top, left, bottom, right) in pixels, bottom and right exclusive."""
BoxFinder = Callable[[Plane32], Box | None]
"""The box of the head in a smoothed picture; None where nothing stands out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The square of the original picture that was cut out, in pixels of the original; it may reach over the border."""

    top: float
    left: float
    side: float
    height: int
    width: int
    """Shape of the original picture."""
    inner: Box
    """The picture without a flat border; nothing outside it is looked at."""

    def to_original(self, plane: Plane32) -> Plane32:
        """Map a square result (S, S) back to (height, width), bilinear; 0 outside the frame."""
        side = plane.shape[0]
        scale = side / self.side
        # PIL asks, for every output pixel, where it comes from.
        matrix = (scale, 0.0, -self.left * scale, 0.0, scale, -self.top * scale)
        image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
        back = image.transform((self.width, self.height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return np.asarray(back, dtype=np.float32)


def frame_around(values: Plane32, find: BoxFinder, margin_fraction: float = MARGIN_FRACTION) -> Frame:
    """The square around the box that `find` sees, with a margin; around the whole picture where it sees none."""
    height, width = values.shape
    inner = _without_flat_border(values)
    top, left, bottom, right = inner
    found = find(_smoothed(values[top:bottom, left:right]))
    if found is not None:
        top, left, bottom, right = top + found[0], left + found[1], top + found[2], left + found[3]
    side = max(bottom - top, right - left) * (1.0 + 2.0 * margin_fraction)
    corner_top, corner_left = (top + bottom - side) / 2.0, (left + right - side) / 2.0
    return Frame(top=corner_top, left=corner_left, side=side, height=height, width=width, inner=inner)


def cut(values: Plane32, frame: Frame, side_px: int) -> Plane32:
    """The frame's square at (side_px, side_px), antialiased; what lies outside the inner picture takes its floor."""
    top, left = int(np.floor(frame.top)), int(np.floor(frame.left))
    bottom, right = int(np.ceil(frame.top + frame.side)), int(np.ceil(frame.left + frame.side))
    first_row, first_column, last_row, last_column = frame.inner
    inner = values[first_row:last_row, first_column:last_column]
    padded = np.full((bottom - top, right - left), floor_of(inner), dtype=np.float32)
    row, column = max(top, first_row), max(left, first_column)
    seen = values[row : min(bottom, last_row), column : min(right, last_column)]
    padded[row - top : row - top + seen.shape[0], column - left : column - left + seen.shape[1]] = seen
    box = (frame.left - left, frame.top - top, frame.left - left + frame.side, frame.top - top + frame.side)
    image = Image.fromarray(padded).resize((side_px, side_px), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image, dtype=np.float32)


def _without_flat_border(values: Plane32) -> Box:
    """Inside the rim's rows and columns that hold next to one value: frames, letterboxes."""
    whole = (0, 0, values.shape[0], values.shape[1])
    tolerance = FLAT_SPAN_FRACTION * float(np.ptp(values))
    rows = np.flatnonzero(np.ptp(values, axis=1) > tolerance)
    columns = np.flatnonzero(np.ptp(values, axis=0) > tolerance)
    if not rows.size or not columns.size:
        return whole
    # A frame's own rows cross the picture's columns, so every rim row that is not flat ends the search at once.
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (top, left, bottom, right) if min(bottom - top, right - left) >= SMALLEST_SIDE_PX else whole


def _smoothed(values: Plane32) -> Plane32:
    """Box mean over about a hundredth of the picture a side: noise must not widen the box."""
    reach = max(1, min(values.shape) // SMOOTHED_OF_SIDE)
    width = 2 * reach + 1
    padded = np.pad(values / np.float32(width * width), reach, mode="edge")
    return _run_sums(_run_sums(padded, width).T, width).T


def _run_sums(values: Plane32, width: int) -> Plane32:
    """Sums of `width` (odd) neighbouring rows, (rows - width + 1, columns): runs of 1, 2, 4... rows put together."""
    rows = values.shape[0] - width + 1
    total, run, length, start = values[:rows], values, 1, 1
    while 2 * length <= width:
        run, length = run[:-length] + run[length:], 2 * length
        if width & length:
            total, start = total + run[start : start + rows], start + length
    return total
