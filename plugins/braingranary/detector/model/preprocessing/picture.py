"""A 2-D picture as numbers: which ones are usable, their floor and their foreground.

Every preprocessing stands on these functions, so a change here changes what registered models answer:
tests/unit/detector/model/test_registered_versions.py holds scores that were written down when versions shipped.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from braingranary.errors import Code, RejectedInput

SMALLEST_SIDE_PX = 16
PIXEL_BUDGET_PX = 40_000_000
"""A float32 copy of the largest accepted picture takes 160 MB: below a worker's memory limit."""
LARGEST_MAGNITUDE = 1e30
"""The sum of all pixels of the largest accepted picture stays a float32."""
FOREGROUND_OF_MEAN = 0.5
"""Foreground is brighter than this part of the mean above the floor: robust to noise floors and very bright fat."""
FLOOR_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.0
PERCENTILE_SAMPLE = 100_000
"""Percentiles of a large picture need no more values."""
BLANK_SPAN = 1e-6
COLOUR_CHROMA = 40
"""A pixel whose channels differ by more than this is coloured; JPEG alone makes about 10 in a grey picture."""
COLOURED_FRACTION = 0.1
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow converts to grey."""

Scalar = TypeVar("Scalar", bound=np.generic)
Mask = NDArray[np.bool_]
Picture = NDArray[Any]
"""(rows, columns) of any integer or floating dtype, bright where the picture is bright."""
Plane32 = NDArray[np.float32]


def checked(picture: Picture) -> Plane32:
    """The picture as float32.

    Raises:
        RejectedInput: IMAGE_INVALID for what is not 2-D, too small, not finite or beyond `LARGEST_MAGNITUDE`,
            IMAGE_TOO_LARGE above `PIXEL_BUDGET_PX`.
    """
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
    """Grey levels of a colour picture, (rows, columns, 3 or 4) uint8 to (rows, columns) float32.

    MR is never coloured, so a coloured picture is refused at once (IMAGE_COLOURED). A few coloured pixels (a ruler, a
    label) are let through.
    """
    if colours.ndim != 3 or colours.shape[2] not in {3, 4}:
        raise RejectedInput(Code.IMAGE_INVALID, "a colour picture has three or four channels")
    rgb = colours[..., :3]
    chroma = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    if (chroma > COLOUR_CHROMA).mean() > COLOURED_FRACTION:
        raise RejectedInput(Code.IMAGE_COLOURED, "a coloured picture is no MR slice")
    return np.asarray(rgb.astype(np.float32) @ np.array(LUMA, dtype=np.float32))


def is_blank(values: Plane32) -> bool:
    """Whether all values are the same, up to rounding of their own magnitude."""
    low, high = float(values.min()), float(values.max())
    return high - low <= BLANK_SPAN * max(1.0, abs(low), abs(high))


def floor_of(values: Plane32) -> float:
    """The grey level of air: a low percentile."""
    return float(np.percentile(thinned(values), FLOOR_PERCENTILE))


def foreground_of(values: Plane32) -> Mask:
    """Pixels above half the mean brightness over the floor."""
    return above_half_mean(values - floor_of(values))


def above_half_mean(above: Plane32) -> Mask:
    """The same of a picture from which its floor was taken away."""
    mean = float(np.clip(above, 0.0, None).mean())
    return np.asarray(above > FOREGROUND_OF_MEAN * mean)


def thinned(values: NDArray[Scalar], most: int = PERCENTILE_SAMPLE) -> NDArray[Scalar]:
    """At most about `most` evenly spread values of (rows, columns)."""
    step = max(1, int(np.sqrt(values.size / most)))
    return values[::step, ::step]
