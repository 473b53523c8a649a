"""The box around the head, told from noisy air, ghosts and writing: how detector-5 finds it.

Around everything brighter than half the mean (`foreground_box`), unless what is bright by Otsu's threshold has a
clearly smaller box and all that lies around that is dim, or next to nothing. docs/decisions/0016 has the figures.
"""

from __future__ import annotations

import numpy as np

from braingranary.detector.model.preprocessing.foreground_box import (
    OCCUPIED_FRACTION,
    Fractions,
    Span,
    all_occupied,
    box_of,
    ends_of,
    fractions_of,
)
from braingranary.detector.model.preprocessing.frame import Box
from braingranary.detector.model.preprocessing.picture import (
    SMALLEST_SIDE_PX,
    Mask,
    Plane32,
    above_half_mean,
    floor_of,
    thinned,
)

OCCUPIED_OF_FULLEST = 0.15
"""A row or column belongs to the bright box from this part of its fullest row or column on: ghosts do not."""
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


def box_of_head(smooth: Plane32) -> Box | None:
    """The box around the foreground, or around what is bright in it where the rest is air; None around nothing."""
    above = smooth - floor_of(smooth)
    foreground = above_half_mean(above)
    whole = box_of(fractions_of(foreground), all_occupied)
    if whole is not None:
        bright = above > otsu(above)
        fractions = fractions_of(bright)
        for span in (_all_fuller, _longest_run):
            core = box_of(fractions, span)
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
    outer, inner = (thinned(above)[thinned(chosen)] for chosen in (around, bright))
    dim = DIM_IN_CROWD if foreground.mean() > CROWDED_FRACTION else DIM
    return bool(outer.size and inner.size and np.percentile(outer, DIM_PERCENTILE) < dim * np.median(inner))


def _all_fuller(fractions: Fractions) -> Span | None:
    return ends_of(_fuller(fractions))


def _longest_run(fractions: Fractions) -> Span | None:
    starts, ends = np.flatnonzero(np.diff(_fuller(fractions).astype(np.int8), prepend=0, append=0)).reshape(-1, 2).T
    longest = int(np.argmax(ends - starts)) if starts.size else None
    return None if longest is None else (int(starts[longest]), int(ends[longest]))


def _fuller(fractions: Fractions) -> Mask:
    return np.asarray(fractions >= max(OCCUPIED_FRACTION, OCCUPIED_OF_FULLEST * float(fractions.max())))


def _side(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def otsu(values: Plane32) -> float:
    """The threshold between two classes of brightness by Otsu (1979): it leaves the most variance between them."""
    shown = thinned(values, OTSU_SAMPLE)
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
