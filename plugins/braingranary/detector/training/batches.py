"""Training batches: which slices, with which implants and augmentation, in which proportion.

Every batch has the same make-up: LGG, tumour progression, healthy heads and pictures that are no brain, each in its
share, tumour and no tumour balanced inside each source. Healthy heads get implanted lesions as often as tumour sources
show real ones, more or less: the shares below keep "which source" from telling the label, and `audit` measures it.

In: a cache (training split only), a seed and a step number. Out: `Batch` of tensors. Deterministic for (seed, step), so
a resumed run continues with the batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from braingranary.detector.data.negatives import PHOTOGRAPHS_TO_TRAIN, crop_of, jigsaw, photographs, procedural
from braingranary.detector.model.preprocessing.picture import Plane32
from braingranary.detector.model.preprocessing.pipeline import INPUT_SIDE_PX
from braingranary.detector.model.preprocessing.tone import normalize
from braingranary.detector.training.augment import mix_contrasts, warp_geometry, warp_intensity
from braingranary.detector.training.cache import CACHE_SIDE_PX, CHANNELS, TrainingCache
from braingranary.detector.training.lesions import implant
from braingranary.errors import Code, RejectedInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How one source takes part in every batch."""

    weight: float
    tumor_rate: float
    """Rate of slices with a real tumour; 0 where the source has none."""
    implant_rate: float
    """Rate of its tumour-free slices that receive an implanted lesion."""


SHARES = {
    "lgg": Share(weight=0.56, tumor_rate=0.5, implant_rate=0.12),
    "brain_tumor_progression": Share(weight=0.13, tumor_rate=0.45, implant_rate=0.12),
    "ixi": Share(weight=0.11, tumor_rate=0.0, implant_rate=0.4),
    "ptbp_healthy": Share(weight=0.07, tumor_rate=0.0, implant_rate=0.4),
}
NOT_BRAIN_WEIGHT = 0.13
CONTRAST_SHARES = {"flair": 2.0}
"""How often a contrast is drawn from a slice that has several; 1 where not named. FLAIR shows most of a glioma, and
what is learnt on it about shape and place carries over to contrasts that show less."""
BLEND_RATE = 0.25
"""How often contrasts are mixed into one that no scanner made, at full strength."""
LOWEST_HOST_POSITION = 0.3
"""Axial slices below this part of the volume show face and neck: no place for an implanted brain lesion."""
STRUCTURE_LIMIT = 0.45
"""Part of a square's variation that survives a 9 px mean; slices of air and noise keep about a ninth."""
SMALLEST_VISIBLE_PX = 10
"""A lesion of which geometry left fewer pixels (at network size) no longer makes the slice a tumour slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """From easy to hard: which part of the pictures keeps its own intensities, falling over the steps of a run."""

    first: float
    last: float
    steps: int

    def rate_at(self, step: int) -> float:
        """The part at a step; it stays at `last` once `steps` are over."""
        return self.first + (self.last - self.first) * min(step / self.steps, 1.0)


FULL_STRENGTH = Curriculum(first=0.0, last=0.0, steps=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """N prepared planes with their truths."""

    images: Tensor
    """(N, 1, S, S) float32."""
    masks: Tensor
    """(N, 1, S, S) float32, 0 or 1."""
    tumor: Tensor
    """(N,) float32."""
    brain: Tensor
    """(N,) float32; 0 for pictures that are no brain: no tumour or lesion is learnt from them."""
    sources: tuple[str, ...]
    """Where each comes from; empty for pictures that are no brain. The network never sees it; the audit does."""
    patients: tuple[str, ...]


class BatchMaker:
    """Makes the batch of any step from the cache of training slices."""

    def __init__(
        self, cache: TrainingCache, *, seed: int, batch_size: int = 16, curriculum: Curriculum = FULL_STRENGTH
    ) -> None:
        self._cache, self._seed, self._size, self._curriculum = cache, seed, batch_size, curriculum
        self._tumor = cache.tumor
        usable = structured(cache)
        self._groups: dict[tuple[str, bool], NDArray[np.int64]] = {}
        for source in SHARES:
            for tumor in (False, True):
                members = np.flatnonzero((cache.sources == source) & (self._tumor == tumor) & usable)
                if members.size:
                    self._groups[source, tumor] = members
        present = [source for source in SHARES if any(key[0] == source for key in self._groups)]
        if not any(key[1] for key in self._groups) or not any(not key[1] for key in self._groups):
            raise RejectedInput(Code.TRAINING_DATA_INVALID, "training needs slices with tumour and without")
        weights = np.array([*(SHARES[source].weight for source in present), NOT_BRAIN_WEIGHT])
        self._sources = (*present, "")
        self._weights = weights / weights.sum()
        self._photographs = photographs(PHOTOGRAPHS_TO_TRAIN)

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        rng = np.random.default_rng((self._seed, step))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        images = np.zeros((self._size, CHANNELS, CACHE_SIDE_PX, CACHE_SIDE_PX), dtype=np.float32)
        shares = np.ones((self._size, CHANNELS), dtype=np.float32)
        masks = np.zeros((self._size, CACHE_SIDE_PX, CACHE_SIDE_PX), dtype=np.bool_)
        brain = np.ones(self._size, dtype=np.float32)
        lesions: list[tuple[int, int]] = []
        origins = [("", "")] * self._size
        for row, choice in enumerate(rng.choice(len(self._sources), size=self._size, p=self._weights)):
            source = self._sources[choice]
            if not source:
                images[row], brain[row] = self._no_brain(rng), 0.0
                continue
            index = self._slice_of(source, rng)
            origins[row] = (source, str(self._cache.patients[index]))
            images[row], masks[row] = self._cache.images[index], self._cache.masks[index]
            shares[row] = [CONTRAST_SHARES.get(name, 1.0) for name in self._cache.contrasts[index].tolist()]
            if not self._tumor[index] and rng.random() < SHARES[source].implant_rate and self._hosts(index):
                lesions.append((row, index))
        gentle_rate = self._curriculum.rate_at(step)
        mixed = mix_contrasts(
            torch.from_numpy(images), torch.from_numpy(shares), generator, BLEND_RATE * (1.0 - gentle_rate)
        )
        for row, _ in lesions:
            planted = implant(mixed[row].numpy(), rng)
            if planted is not None:
                mixed[row], masks[row] = torch.from_numpy(planted[0]), planted[1]
        squares, truth = warp_geometry(mixed, torch.from_numpy(masks), INPUT_SIDE_PX, generator)
        planes = np.stack([normalize(square) for square in warp_intensity(squares, generator, gentle_rate).numpy()])
        visible = truth.flatten(1).sum(dim=1) >= SMALLEST_VISIBLE_PX
        return Batch(
            images=torch.from_numpy(planes)[:, None],
            masks=(truth & visible[:, None, None]).float()[:, None],
            tumor=visible.float(),
            brain=torch.from_numpy(brain),
            sources=tuple(source for source, _ in origins),
            patients=tuple(patient for _, patient in origins),
        )

    def balance(self, steps: int) -> tuple[float, float]:
        """(tumour rate among brains, brain rate) over the first `steps` batches: shown before training starts."""
        batches = [self.batch(step) for step in range(steps)]
        brain = torch.cat([batch.brain for batch in batches])
        tumor = torch.cat([batch.tumor for batch in batches])
        return float(tumor.sum() / brain.sum().clamp_min(1)), float(brain.mean())

    def _slice_of(self, source: str, rng: np.random.Generator) -> int:
        tumor = bool(rng.random() < SHARES[source].tumor_rate)
        members = self._groups.get((source, tumor))
        if members is None:
            members = self._groups[source, not tumor]
        return int(members[rng.integers(len(members))])

    def _hosts(self, index: int) -> bool:
        """Whether a slice may carry an implant."""
        return bool(self._cache.planes[index] != "axial" or self._cache.positions[index] >= LOWEST_HOST_POSITION)

    def _no_brain(self, rng: np.random.Generator) -> Plane32:
        kind = rng.random()
        if kind < 0.3 and self._photographs:
            return crop_of(self._photographs[int(rng.integers(len(self._photographs)))], rng, CACHE_SIDE_PX)
        if kind < 0.42:
            square = self._cache.images[int(rng.integers(len(self._cache))), int(rng.integers(CHANNELS))]
            return jigsaw(square.astype(np.float32), rng)
        return procedural(rng, CACHE_SIDE_PX)


def structured(cache: TrainingCache) -> NDArray[np.bool_]:
    """(N,): slices that show more than air and noise; the first and last slices of some heads are empty."""
    kept = np.zeros(len(cache), dtype=np.bool_)
    # The margin may lie outside the picture, and its edge would pass for structure.
    edge = CACHE_SIDE_PX // 6
    side = (CACHE_SIDE_PX - 2 * edge) // 8
    for index in range(len(cache)):
        square = cache.images[index].max(axis=0)[edge:-edge, edge:-edge].astype(np.float32)
        coarse = square.reshape(side, 8, side, 8).mean(axis=(1, 3))
        kept[index] = float(coarse.std()) > STRUCTURE_LIMIT * float(square.std())
    return kept
