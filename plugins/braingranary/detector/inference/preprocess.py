"""From any 2-D image to what the network sees: the one path of training, Spark and HTTP.

A web user's picture has any size, window and border; a catalogue's slice has the profile's. Both are cropped to what is
not background, padded to a square, resized to `INPUT_SIDE_PX` and given a common tone. In: a 2-D array of any integer
or floating dtype, finite, bright where the picture is bright. Out: `Prepared`, float32 in 0..`TONE_CEILING`, and the
`Frame` that maps results back onto the original. Fails with RejectedInput: not 2-D, too small, too large, not finite or
beyond 1e30.

The two halves are public because training inserts its augmentation between them: `frame_of` with `cut` (geometry) and
`normalize` (intensity). Nothing else may turn pixels into network input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from braingranary.errors import Code, RejectedInput

INPUT_SIDE_PX = 128
MARGIN_FRACTION = 0.06
"""Background kept around the foreground on each side, as a fraction of its longer side."""
SMALLEST_SIDE_PX = 16
PIXEL_BUDGET_PX = 40_000_000
"""A float32 copy of the largest accepted picture takes 160 MB: below a worker's memory limit."""
LARGEST_MAGNITUDE = 1e30
"""The sum of all pixels of the largest accepted picture stays a float32."""
FOREGROUND_OF_MEAN = 0.5
"""Foreground is brighter than this part of the mean above the floor: stands noise floors and very bright fat alike."""
FLOOR_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.0
OCCUPIED_FRACTION = 0.02
"""A row or column belongs to the foreground box from this fraction of foreground pixels on: specks and ticks do not."""
OCCUPIED_OF_FULLEST = 0.15
"""... and to the box around what is bright from this part of its fullest row or column on: ghosts do not."""
CORE_SIDE = 0.8
"""A box around what is bright counts from here down, as a part of the side of the foreground's box."""
DIM = 0.4
DIM_IN_CROWD = 0.6
DIM_PERCENTILE = 98.0
"""What lies around it is air if so much of it is darker than this part of the bright median: the scalp or the brain
around a lesion is not."""
CROWDED_FRACTION = 0.82
"""Foreground that fills more of the picture than an ellipse does (0.785) is mostly noise, and may be brighter."""
LITTLE = 0.04
"""What lies around it is writing or specks if it is less than this part of all foreground, however bright."""
OTSU_SAMPLE = 20_000
OTSU_LEVELS = 256
TONE_MEDIAN = 0.4
"""The foreground's median is brought here by a gamma, so that window, gamma and fat brightness weigh less."""
TONE_GAMMA_RANGE = (0.4, 2.0)
TONE_CEILING = 1.3
BLANK_SPAN = 1e-6
COLOUR_CHROMA = 40
"""A pixel whose channels differ by more than this is coloured; JPEG alone makes about 10 in a grey picture."""
COLOURED_FRACTION = 0.1
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow converts to grey."""
FLAT_SPAN_FRACTION = 0.04
"""A rim row or column that spans less of the picture's range is a frame or empty air, JPEG noise included."""

Mask = NDArray[np.bool_]
Shares = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)
Picture = NDArray[Any]
Plane32 = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""(top, left, bottom, right) in pixels."""
Span = tuple[int, int]
"""The first row or column, and the first behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The square of the original picture that was cut out, in pixels of the original; it may reach over the border."""

    top: float
    left: float
    side: float
    height: int
    width: int
    """Shape of the original picture."""
    inner: tuple[int, int, int, int]
    """(top, left, bottom, right) of the picture without a flat border; nothing outside it is looked at."""

    def to_original(self, plane: Plane32) -> Plane32:
        """Map a square result (S, S) back to (height, width), bilinear; 0 outside the frame."""
        side = plane.shape[0]
        scale = side / self.side
        # PIL asks, for every output pixel, where it comes from.
        matrix = (scale, 0.0, -self.left * scale, 0.0, scale, -self.top * scale)
        image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
        back = image.transform((self.width, self.height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return np.asarray(back, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prepared:
    """One picture as the network sees it, and where it came from."""

    plane: Plane32
    """(INPUT_SIDE_PX, INPUT_SIDE_PX), 0..TONE_CEILING."""
    frame: Frame
    blank: bool
    """Nothing to see: one value everywhere. Such a picture is declined without asking the network."""


def prepare(picture: Picture) -> Prepared:
    """The whole path: check, frame, cut, normalize."""
    values = checked(picture)
    frame = frame_of(values)
    square = cut(values, frame, INPUT_SIDE_PX)
    return Prepared(plane=normalize(square), frame=frame, blank=is_blank(square))


def checked(picture: Picture) -> Plane32:
    """The picture as float32; RejectedInput where it is no usable 2-D picture."""
    if picture.ndim != 2 or picture.dtype.kind not in "biuf":
        raise RejectedInput(Code.IMAGE_INVALID, "a picture is a 2-D array of numbers")
    if min(picture.shape) < SMALLEST_SIDE_PX:
        raise RejectedInput(Code.IMAGE_INVALID, f"a picture needs at least {SMALLEST_SIDE_PX} pixels a side")
    if picture.size > PIXEL_BUDGET_PX:
        raise RejectedInput(Code.IMAGE_TOO_LARGE, f"a picture may have {PIXEL_BUDGET_PX} pixels at most")
    values = picture.astype(np.float32)
    if not (values.min() >= -LARGEST_MAGNITUDE and values.max() <= LARGEST_MAGNITUDE):  # false for NaN
        raise RejectedInput(Code.IMAGE_INVALID, f"a picture may not hold NaN or numbers beyond {LARGEST_MAGNITUDE:g}")
    return values


def grey_of(colours: NDArray[np.uint8]) -> Picture:
    """(rows, columns, 3 or 4) uint8 to a grey picture; MR is never coloured, so a coloured picture is declined at once.

    A few coloured pixels (a ruler, a label) are let through.
    """
    if colours.ndim != 3 or colours.shape[2] not in {3, 4}:
        raise RejectedInput(Code.IMAGE_INVALID, "a colour picture has three or four channels")
    rgb = colours[..., :3]
    chroma = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    if (chroma > COLOUR_CHROMA).mean() > COLOURED_FRACTION:
        raise RejectedInput(Code.NOT_BRAIN_MR, "a coloured picture is no MR slice")
    return np.asarray(rgb.astype(np.float32) @ np.array(LUMA, dtype=np.float32))


def frame_of(values: Plane32, margin_fraction: float = MARGIN_FRACTION) -> Frame:
    """The square around the foreground, with its margin; the whole picture where no foreground stands out."""
    height, width = values.shape
    inner = _without_flat_border(values)
    top, left, bottom, right = inner
    found = _box_of_head(_smoothed(values[top:bottom, left:right]))
    if found is not None:
        top, left, bottom, right = top + found[0], left + found[1], top + found[2], left + found[3]
    side = max(bottom - top, right - left) * (1.0 + 2.0 * margin_fraction)
    corner_top, corner_left = (top + bottom - side) / 2.0, (left + right - side) / 2.0
    return Frame(top=corner_top, left=corner_left, side=side, height=height, width=width, inner=inner)


def cut(values: Plane32, frame: Frame, side_px: int) -> Plane32:
    """The frame's square at `side_px`, antialiased; what lies outside the inner picture takes that picture's floor."""
    top, left = int(np.floor(frame.top)), int(np.floor(frame.left))
    bottom, right = int(np.ceil(frame.top + frame.side)), int(np.ceil(frame.left + frame.side))
    first_row, first_column, last_row, last_column = frame.inner
    inner = values[first_row:last_row, first_column:last_column]
    padded = np.full((bottom - top, right - left), _floor(inner), dtype=np.float32)
    row, column = max(top, first_row), max(left, first_column)
    seen = values[row : min(bottom, last_row), column : min(right, last_column)]
    padded[row - top : row - top + seen.shape[0], column - left : column - left + seen.shape[1]] = seen
    box = (frame.left - left, frame.top - top, frame.left - left + frame.side, frame.top - top + frame.side)
    image = Image.fromarray(padded).resize((side_px, side_px), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image, dtype=np.float32)


def normalize(square: Plane32) -> Plane32:
    """Common tone: foreground percentiles to 0..1, its median to `TONE_MEDIAN` by a bounded gamma, soft ceiling.

    Any square of numbers to float32 0..TONE_CEILING of the same shape; a blank square becomes zeros.
    """
    if is_blank(square):
        return np.zeros(square.shape, dtype=np.float32)
    low = _floor(square)
    inside = square[_stands_out(square - low)]
    middle, high = np.percentile(inside, (50.0, HIGH_PERCENTILE)) if inside.size else (None, square.max())
    span = max(float(high) - low, BLANK_SPAN)
    scaled = np.clip((square - low) / span, 0.0, TONE_CEILING)
    median = TONE_MEDIAN if middle is None else min(max((float(middle) - low) / span, 0.02), 0.98)
    gamma = float(np.clip(np.log(TONE_MEDIAN) / np.log(median), *TONE_GAMMA_RANGE))
    toned = np.clip(scaled**gamma, 0.0, TONE_CEILING)
    return np.asarray(toned, dtype=np.float32)


def is_blank(square: Plane32) -> bool:
    """Whether all values are the same, up to rounding of their own magnitude."""
    low, high = float(square.min()), float(square.max())
    return high - low <= BLANK_SPAN * max(1.0, abs(low), abs(high))


def _box_of_head(smooth: Plane32) -> Box | None:
    """The box around the foreground, or around what is bright in it where the rest is air; None around nothing.

    Noise, ghosts and coarse greys fill the air of many first and last slices, and viewers write into it: a box around
    them shows a small head.
    """
    above = smooth - _floor(smooth)
    foreground = _stands_out(above)
    whole = _box(_shares(foreground), _all_occupied)
    if whole is not None:
        bright = above > _otsu(above)
        shares = _shares(bright)
        for span in (_all_fuller, _longest_run):
            core = _box(shares, span)
            if core is not None and _is_head(core, whole, above, foreground, bright):
                return core
    return whole


def _is_head(core: Box, whole: Box, above: Plane32, foreground: Mask, bright: Mask) -> bool:
    """Whether `core` is clearly smaller than `whole`, and what lies between them is dim or next to nothing."""
    side = _side(core)
    if not SMALLEST_SIDE_PX <= side <= CORE_SIDE * _side(whole):
        return False
    around, edge = foreground.copy(), side // 16
    around[max(core[0] - edge, 0) : core[2] + edge, max(core[1] - edge, 0) : core[3] + edge] = False
    if around.sum() < LITTLE * foreground.sum():
        return True
    outer, inner = (_thinned(above)[_thinned(chosen)] for chosen in (around, bright))
    dim = DIM_IN_CROWD if foreground.mean() > CROWDED_FRACTION else DIM
    return bool(outer.size and inner.size and np.percentile(outer, DIM_PERCENTILE) < dim * np.median(inner))


def _shares(found: Mask) -> tuple[Shares, Shares]:
    """How much was found in each row and in each column."""
    return found.mean(axis=1), found.mean(axis=0)


def _box(shares: tuple[Shares, Shares], span: Callable[[Shares], Span | None]) -> Box | None:
    """The rows and columns that `span` chooses by how much was found in each; None where it chooses none."""
    rows, columns = map(span, shares)
    return None if rows is None or columns is None else (rows[0], columns[0], rows[1], columns[1])


def _all_occupied(shares: Shares) -> Span | None:
    return _ends(shares >= OCCUPIED_FRACTION)


def _all_fuller(shares: Shares) -> Span | None:
    return _ends(_fuller(shares))


def _longest_run(shares: Shares) -> Span | None:
    starts, ends = np.flatnonzero(np.diff(_fuller(shares).astype(np.int8), prepend=0, append=0)).reshape(-1, 2).T
    longest = int(np.argmax(ends - starts)) if starts.size else None
    return None if longest is None else (int(starts[longest]), int(ends[longest]))


def _fuller(shares: Shares) -> Mask:
    return np.asarray(shares >= max(OCCUPIED_FRACTION, OCCUPIED_OF_FULLEST * float(shares.max())))


def _ends(occupied: Mask) -> Span | None:
    places = np.flatnonzero(occupied)
    return (int(places[0]), int(places[-1]) + 1) if places.size else None


def _side(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def _otsu(values: Plane32) -> float:
    """The threshold between two classes of brightness by Otsu (1979): it leaves the most variance between them."""
    shown = _thinned(values, OTSU_SAMPLE)
    least, level = float(shown.min()), float(np.ptp(shown)) / OTSU_LEVELS
    if level < np.finfo(np.float32).tiny:
        return least
    # numpy's histogram takes more than twice as long.
    counts = np.bincount(((shown - least) / level).astype(np.intp).ravel(), minlength=OTSU_LEVELS)
    counts[OTSU_LEVELS - 1] += counts[OTSU_LEVELS:].sum()
    counts = counts[:OTSU_LEVELS]
    centres = least + level * (np.arange(OTSU_LEVELS) + 0.5)
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * centres)
    total = int(counts.sum())
    between = (sums[-1] * below / total - sums[:-1]) ** 2 / np.maximum(below * (total - below), 1)
    return float(centres[np.argmax(between)])


def foreground_of(values: Plane32) -> Mask:
    """Pixels above half the mean brightness over the floor."""
    return _stands_out(values - _floor(values))


def _stands_out(above: Plane32) -> Mask:
    """Pixels of a picture without its floor that are brighter than half their mean."""
    mean = float(np.clip(above, 0.0, None).mean())
    return np.asarray(above > FOREGROUND_OF_MEAN * mean)


def _floor(values: Plane32) -> float:
    return float(np.percentile(_thinned(values), FLOOR_PERCENTILE))


def _thinned(values: NDArray[Scalar], most: int = 100_000) -> NDArray[Scalar]:
    """At most about so many evenly spread values: percentiles of a large picture need no more."""
    step = max(1, int(np.sqrt(values.size / most)))
    return values[::step, ::step]


def _smoothed(values: Plane32) -> Plane32:
    """Mean over about a hundredth of the picture a side: noise must not widen the box."""
    reach = max(1, min(values.shape) // 128)
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


def _without_flat_border(values: Plane32) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) inside the rim's rows and columns that hold next to one value: frames, letterboxes."""
    whole = (0, 0, values.shape[0], values.shape[1])
    tolerance = FLAT_SPAN_FRACTION * float(np.ptp(values))
    rows = np.flatnonzero(np.ptp(values, axis=1) > tolerance)
    columns = np.flatnonzero(np.ptp(values, axis=0) > tolerance)
    if not rows.size or not columns.size:
        return whole
    # A frame's own rows cross the picture's columns, so every rim row that is not flat ends the search at once.
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (top, left, bottom, right) if min(bottom - top, right - left) >= SMALLEST_SIDE_PX else whole
