"""What training minimizes: where the lesion is, whether there is one, whether this is a brain.

Lesion and tumour are learnt from brains alone; a photograph says nothing about tumours. The overlap term (soft Dice)
counts only slices that show a lesion, since it is undefined without one.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from braingranary.detector.model.interface import Answers
from braingranary.detector.training.batches import Batch

LESION_WEIGHT = 4.0
OVERLAP_WEIGHT = 1.0
TUMOR_WEIGHT = 0.8
BRAIN_WEIGHT = 0.4
LABEL_SMOOTHING = 0.02
"""Slices at a lesion's rim are called by a reader's taste; a target of exactly 0 or 1 would punish doubt there."""


class Losses(NamedTuple):
    """The total to minimize and its parts, each a scalar tensor."""

    total: Tensor
    lesion: Tensor
    overlap: Tensor
    tumor: Tensor
    brain: Tensor


def losses(answers: Answers, batch: Batch, *, positive_pixel_weight: float = 1.0) -> Losses:
    """Weighted sum of pixel cross entropy, soft Dice, slice cross entropy and brain cross entropy, all in float32.

    `positive_pixel_weight` is how much more a lesion pixel counts than another: about one pixel in fifty is one.
    """
    brains = batch.brain.sum().clamp_min(1.0)
    logits, truth = answers.lesion.float().flatten(1), batch.masks.flatten(1)
    weight = logits.new_tensor(positive_pixel_weight)
    cross = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none", pos_weight=weight)
    per_pixel = cross.mean(dim=1)
    lesion = (per_pixel * batch.brain).sum() / brains
    guess = logits.sigmoid()
    dice = 1.0 - (2.0 * (guess * truth).sum(dim=1) + 1.0) / (guess.sum(dim=1) + truth.sum(dim=1) + 1.0)
    overlap = (dice * batch.tumor).sum() / batch.tumor.sum().clamp_min(1.0)
    target = batch.tumor * (1.0 - 2.0 * LABEL_SMOOTHING) + LABEL_SMOOTHING
    each = functional.binary_cross_entropy_with_logits(answers.tumor.float(), target, reduction="none")
    tumor = (each * batch.brain).sum() / brains
    brain = functional.binary_cross_entropy_with_logits(answers.brain.float(), batch.brain)
    total = LESION_WEIGHT * lesion + OVERLAP_WEIGHT * overlap + TUMOR_WEIGHT * tumor + BRAIN_WEIGHT * brain
    return Losses(total, lesion, overlap, tumor, brain)
