"""A common tone: window, gamma and the brightness of fat weigh less in what the network sees."""

from __future__ import annotations

import numpy as np

from braingranary.detector.model.preprocessing.picture import (
    BLANK_SPAN,
    HIGH_PERCENTILE,
    Plane32,
    above_half_mean,
    floor_of,
    is_blank,
)

TONE_MEDIAN = 0.4
"""The foreground's median is brought here by a gamma."""
TONE_GAMMA_RANGE = (0.4, 2.0)
TONE_CEILING = 1.3


def normalize(square: Plane32) -> Plane32:
    """Foreground percentiles to 0..1, the median to `TONE_MEDIAN` by a bounded gamma, a soft ceiling.

    Args:
        square: (S, S) of any scale.

    Returns:
        (S, S) float32 in 0..`TONE_CEILING`; zeros for a blank square.
    """
    if is_blank(square):
        return np.zeros(square.shape, dtype=np.float32)
    low = floor_of(square)
    inside = square[above_half_mean(square - low)]
    middle, high = np.percentile(inside, (50.0, HIGH_PERCENTILE)) if inside.size else (None, square.max())
    span = max(float(high) - low, BLANK_SPAN)
    scaled = np.clip((square - low) / span, 0.0, TONE_CEILING)
    median = TONE_MEDIAN if middle is None else min(max((float(middle) - low) / span, 0.02), 0.98)
    gamma = float(np.clip(np.log(TONE_MEDIAN) / np.log(median), *TONE_GAMMA_RANGE))
    toned = np.clip(scaled**gamma, 0.0, TONE_CEILING)
    return np.asarray(toned, dtype=np.float32)
