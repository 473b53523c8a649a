"""Implanted lesions: synthetic tumours for slices that have none, so that the source of a slice cannot tell its label.

A lesion is an irregular blob inside the head whose brightness follows one of the patterns that tumours show: brighter
or darker than the tissue, a bright ring around a dark core (necrosis under contrast), a bright core in a dim halo
(oedema), or mottled; with a soft or a sharp rim. It teaches "a lesion anywhere, in any contrast"; no claim is
made that it looks like a given tumour. Only negatives of the training split ever receive one.

In: one uint8-range square and a random generator. Out: the altered square and the lesion's mask, or None where the
square has too little head. Everything is deterministic for a given generator state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from braingranary.detector.model.preprocessing.picture import Plane32, foreground_of

RADII = (0.035, 0.15)
"""Of the side."""
SMALLEST_HOST_FRACTION = 0.12
"""Below this part of head in the square there is no room for a lesion."""


def implant(
    square: Plane32, rng: np.random.Generator, radii: tuple[float, float] = RADII
) -> tuple[Plane32, NDArray[np.bool_]] | None:
    """One lesion in one square (S, S): the new square and the mask of the lesion (halo excluded)."""
    head = foreground_of(square)
    if head.mean() < SMALLEST_HOST_FRACTION:
        return None
    inside = _eroded(_filled(head), round(0.07 * square.shape[0]))
    candidates = np.argwhere(inside)
    if len(candidates) < 200:
        return None
    centre = candidates[rng.integers(len(candidates))]
    radius = float(np.exp(rng.uniform(*np.log(radii))))
    depth = _blob(square.shape[0], centre, radius * square.shape[0], rng)
    mask = (depth < 1.0) & inside
    if mask.sum() < 40:
        return None
    tissue = float(np.median(square[mask]))
    spread = max(float(np.percentile(square[inside], 95) - np.percentile(square[inside], 5)), 20.0)
    altered = _painted(square, depth, tissue, spread, rng)
    return np.where(inside, altered, square).astype(np.float32), mask


def squared(picture: NDArray[np.generic]) -> NDArray[Any]:
    """Black added on both sides until it is as wide as high, as `implant` asks for."""
    missing = [(max(picture.shape) - length) // 2 for length in picture.shape]
    rests = [max(picture.shape) - length - before for length, before in zip(picture.shape, missing, strict=True)]
    return np.pad(picture, list(zip(missing, rests, strict=True)))


def _painted(square: Plane32, depth: Plane32, tissue: float, spread: float, rng: np.random.Generator) -> Plane32:
    """The square with the lesion's brightness; `depth` is 0 at the centre and 1 at the rim."""
    side = square.shape[0]
    softness = float(rng.uniform(0.05, 0.3))
    weight = np.clip((1.0 - depth) / softness + 0.5, 0.0, 1.0)
    strength = float(rng.uniform(0.22, 0.75)) * spread
    kind = rng.choice(["bright", "dark", "ring", "core", "mottled"], p=[0.34, 0.2, 0.2, 0.13, 0.13])
    sign = 1.0 if kind != "dark" else -1.0
    level = tissue + sign * strength * np.ones_like(square)
    if kind == "ring":
        wall = float(rng.uniform(0.15, 0.4))
        core = depth < 1.0 - wall
        level = np.where(core, tissue - float(rng.uniform(0.1, 0.6)) * spread, level)
    elif kind == "core":
        level = np.where(depth < float(rng.uniform(0.3, 0.6)), level, tissue + 0.35 * (level - tissue))
    elif kind == "mottled":
        level = tissue + strength * 1.4 * _noise(side, int(rng.integers(12, 40)), rng)
    level = level + float(rng.uniform(0.0, 0.12)) * spread * _noise(side, int(rng.integers(10, 60)), rng)
    keep = float(rng.uniform(0.1, 0.55))  # how much of the tissue's own texture shows through
    lesion = (1.0 - keep) * level + keep * (square + (level - tissue))
    halo = np.clip(1.8 - depth, 0.0, 0.8) * float(rng.choice([0.0, 0.25])) * (-sign if kind == "ring" else sign)
    surrounded = square + halo * strength * (depth < 1.8)
    return np.asarray(np.clip(surrounded * (1 - weight) + lesion * weight, 0.0, 255.0), dtype=np.float32)


def _blob(side: int, centre: NDArray[np.int64], radius_px: float, rng: np.random.Generator) -> Plane32:
    """Distance from the centre over the radius of an irregular, stretched, sometimes lobed outline."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    y, x = rows - float(centre[0]), columns - float(centre[1])
    angle, stretch = float(rng.uniform(0, np.pi)), float(rng.uniform(1.0, 1.7))
    along = (np.cos(angle) * x + np.sin(angle) * y) / stretch**0.5
    across = (-np.sin(angle) * x + np.cos(angle) * y) * stretch**0.5
    theta = np.arctan2(across, along)
    outline = np.ones_like(theta)
    for order in range(2, 7):
        outline += float(rng.normal(0.0, 0.22)) / order * 1.5 * np.cos(order * theta + float(rng.uniform(0, 2 * np.pi)))
    wobble = 1.0 + 0.18 * _noise(side, int(rng.integers(8, 24)), rng)
    return np.asarray(np.hypot(along, across) / (radius_px * np.clip(outline, 0.45, 1.8) * wobble), dtype=np.float32)


def _noise(side: int, cells: int, rng: np.random.Generator) -> Plane32:
    """Smooth noise of unit spread with about `cells` bumps a side."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)


def _filled(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The head without holes: what lies between foreground both along its row and along its column."""
    spans = []
    for axis in (0, 1):
        before = np.maximum.accumulate(head, axis=axis)
        after = np.flip(np.maximum.accumulate(np.flip(head, axis), axis=axis), axis)
        spans.append(before & after)
    return np.asarray(spans[0] & spans[1])


def _eroded(area: NDArray[np.bool_], reach_px: int) -> NDArray[np.bool_]:
    """What is at least `reach_px` away from the outside along the axes: skull and scalp carry no lesion here."""
    inside = area.copy()
    for axis in (0, 1):
        for step in (-reach_px, -reach_px // 2, reach_px // 2, reach_px):
            inside &= np.roll(area, step, axis=axis)
    return inside
