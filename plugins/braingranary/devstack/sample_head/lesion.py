"""A synthetic tumour: a lobed mass with a dead core, a rim and swelling around it, grown into the sample head.

It is invented, deterministic and says nothing about real disease; its one purpose is to give the demo series whose
truth is known, with a mask that fits to the voxel. Tissue around it is pushed outwards (mass effect), the rim is
uneven, and the swelling follows white matter, as it does in gliomas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from braingranary.devstack.sample_head.contrast import Contrast

CORE_RANK: Final = 0.62
"""Rank (distance over local radius) below which the tumour is dead tissue."""
RIM_RANK: Final = 1.0
SWELLING_RANK: Final = 1.75
WHITE_MATTER_CODE: Final = 185
"""Template intensity from which on tissue counts as white matter."""
MASS_EFFECT: Final = 0.38
REACH: Final = 2.4
"""Half the width of the reworked block, in tumour radii."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPlan:
    """Where to grow a tumour and how large."""

    centre_ras_mm: tuple[float, float, float]
    radius_mm: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lesion:
    """The tumour on its block of the head's grid."""

    block: tuple[slice, slice, slice]
    rank: NDArray[np.float32]
    """Distance from the centre over the local radius: below 1 is tumour."""
    swelling: NDArray[np.float32]
    """Share of swelling, 0..1."""
    grain: NDArray[np.float32]
    """Texture, around 1."""

    def blend(self, tissue: NDArray[np.float32], contrast: Contrast) -> NDArray[np.float32]:
        """`tissue` (the block's signal) with the tumour laid over it."""
        signal = tissue + self.swelling * (np.float32(contrast.oedema) - tissue)
        rim = _soft_step(RIM_RANK - self.rank)
        core = _soft_step(CORE_RANK - self.rank)
        signal = signal + rim * (np.float32(contrast.tumour_ring) * self.grain - signal)
        signal = signal + core * (np.float32(contrast.tumour_core) * self.grain - signal)
        return np.asarray(signal, dtype=np.float32)

    def tumour(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """1 inside the tumour (core and rim, without swelling) and 0 outside, on the head's whole grid."""
        mask = np.zeros(shape, dtype=np.float32)
        mask[self.block] = self.rank < RIM_RANK
        return mask


def grow(brain: NDArray[np.uint8], affine: NDArray[np.float64], plan: LesionPlan) -> tuple[NDArray[np.uint8], Lesion]:
    """The brain with its tissue pushed aside, and the tumour itself; the grid has 1 mm voxels."""
    centre = np.linalg.solve(affine, np.array([*plan.centre_ras_mm, 1.0]))[:3]
    half = int(np.ceil(plan.radius_mm * REACH))
    starts = [max(0, round(float(c)) - half) for c in centre]
    stops = [min(size, round(float(c)) + half + 1) for c, size in zip(centre, brain.shape, strict=True)]
    block = (slice(starts[0], stops[0]), slice(starts[1], stops[1]), slice(starts[2], stops[2]))
    offsets = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(starts, stops, strict=True)), indexing="ij"))
    offsets = offsets - centre[:, None, None, None]
    distance = np.sqrt((offsets**2).sum(axis=0))

    pull = 1.0 - MASS_EFFECT * np.exp(-((distance / (1.25 * plan.radius_mm)) ** 2))
    source = offsets * pull + centre[:, None, None, None]
    pushed = ndimage.map_coordinates(brain, source, order=1, mode="nearest")
    moved = brain.copy()
    moved[block] = np.where((brain[block] > 0) & (pushed > 0), pushed, brain[block])

    rng = np.random.default_rng(plan.seed)
    lobes = _smooth_noise(rng, distance.shape, 7.0)
    rank = (distance / plan.radius_mm + 0.2 * lobes).astype(np.float32)
    white = ndimage.gaussian_filter((moved[block] >= WHITE_MATTER_CODE).astype(np.float32), 1.2)
    edge = SWELLING_RANK + 0.2 * _smooth_noise(rng, distance.shape, 5.0)
    swelling = 0.85 * white * _soft_step(edge - rank, width=0.25)
    rank = np.where(moved[block] > 0, rank, np.float32(9.0))
    grain = 1.0 + 0.14 * _smooth_noise(rng, distance.shape, 2.0)
    return moved, Lesion(block=block, rank=rank, swelling=swelling.astype(np.float32), grain=grain.astype(np.float32))


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma_mm: float) -> NDArray[np.float32]:
    """Noise with features of about `sigma_mm`, mean 0, deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma_mm, mode="wrap")
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)


def _soft_step(value: NDArray[np.float32], width: float = 0.06) -> NDArray[np.float32]:
    """0 well below zero, 1 well above: a boundary about `width` wide, so that edges are not stairs."""
    return np.asarray(np.clip(0.5 + value / (2.0 * width), 0.0, 1.0), dtype=np.float32)
