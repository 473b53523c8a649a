"""The box around everything brighter than half the mean: how detector-2 to detector-4 find the head.

Noisy air, ghosts and writing pass that limit too and make the box too large; `head_box` is what came of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from braingranary.detector.model.preprocessing.frame import Box
from braingranary.detector.model.preprocessing.picture import Mask, Plane32, foreground_of

OCCUPIED_FRACTION = 0.02
"""A row or column belongs to the box from this fraction of foreground pixels on: specks and ticks do not."""

Fractions = NDArray[np.float64]
Span = tuple[int, int]
"""The first row or column, and the first behind the last."""


def box_of_foreground(smooth: Plane32) -> Box | None:
    """The box around the foreground of a smoothed picture; None around nothing."""
    return box_of(fractions_of(foreground_of(smooth)), all_occupied)


def fractions_of(found: Mask) -> tuple[Fractions, Fractions]:
    """The fraction of pixels that was found in each row and in each column."""
    return found.mean(axis=1), found.mean(axis=0)


def box_of(fractions: tuple[Fractions, Fractions], span: Callable[[Fractions], Span | None]) -> Box | None:
    """The rows and columns that `span` chooses by their fractions; None where it chooses none."""
    rows, columns = map(span, fractions)
    return None if rows is None or columns is None else (rows[0], columns[0], rows[1], columns[1])


def all_occupied(fractions: Fractions) -> Span | None:
    """From the first to the last row or column that is occupied."""
    return ends_of(fractions >= OCCUPIED_FRACTION)


def ends_of(chosen: Mask) -> Span | None:
    """From the first to the last row or column that is chosen."""
    indices = np.flatnonzero(chosen)
    return (int(indices[0]), int(indices[-1]) + 1) if indices.size else None
