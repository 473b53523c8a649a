"""The lesion outline drawn on the picture: what a person is shown instead of a saliency map.

In: the 2-D picture as it was scored and its answer. Out: PNG bytes, the picture in grey at its own size with the
outline in one colour; without a lesion (or declined) the plain picture. Wide pictures stay wide, nothing is resampled.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from braingranary.detector.inference.score import SliceScore
from braingranary.detector.model.preprocessing.picture import FLOOR_PERCENTILE, HIGH_PERCENTILE, Picture, checked

OUTLINE_COLOUR = (255, 176, 0)
"""Amber: stands out on grey also for colour-blind eyes."""


def overlay_png(picture: Picture, score: SliceScore, *, outlined: bool | None = None) -> bytes:
    """The picture with the outline, as PNG; `outlined` overrules the slice's own verdict by its series'."""
    stream = io.BytesIO()
    Image.fromarray(overlay(picture, score, outlined=outlined)).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def overlay(picture: Picture, score: SliceScore, *, outlined: bool | None = None) -> NDArray[np.uint8]:
    """(rows, columns, 3) uint8."""
    grey = grey_levels(picture)
    colours = np.repeat(grey[..., None], 3, axis=2)
    lesion = score.lesion() if (score.tumor if outlined is None else outlined) else None
    if lesion is not None:
        colours[lesion.outline()] = OUTLINE_COLOUR
    return colours


def grey_levels(picture: Picture) -> NDArray[np.uint8]:
    """8-bit pictures as they are; others by percentiles of the whole picture."""
    if picture.dtype == np.uint8:
        return np.asarray(picture)
    values = checked(picture)
    low, high = np.percentile(values, (FLOOR_PERCENTILE, HIGH_PERCENTILE))
    scaled = (values - low) / max(float(high - low), 1e-12)
    return np.asarray(np.clip(scaled, 0.0, 1.0) * 255.0 + 0.5, dtype=np.uint8)
