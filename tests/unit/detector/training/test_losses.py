from __future__ import annotations

import pytest
import torch

from braingranary.detector.model.interface import Answers
from braingranary.detector.training.batches import Batch
from braingranary.detector.training.losses import losses


def _batch(*, brain: tuple[float, ...] = (1.0, 1.0)) -> Batch:
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, :, 2:5, 2:5] = 1.0
    return Batch(
        images=torch.zeros(2, 1, 8, 8),
        masks=masks,
        tumor=torch.tensor([1.0, 0.0]),
        brain=torch.tensor(brain),
        sources=("a", "a"),
        patients=("p", "q"),
    )


def _answers(batch: Batch, sureness: float) -> Answers:
    return Answers((batch.masks * 2 - 1) * sureness, (batch.tumor * 2 - 1) * sureness, (batch.brain * 2 - 1) * sureness)


def test_losses_right_answers_cost_next_to_nothing_and_wrong_ones_much() -> None:
    batch = _batch()
    right, wrong = losses(_answers(batch, 9.0), batch), losses(_answers(batch, -9.0), batch)
    assert right.lesion < 1e-3
    assert right.overlap < 0.01
    assert right.tumor < 0.2  # label smoothing keeps a rest
    assert wrong.total > 50 * right.total


def test_losses_a_picture_that_is_no_brain_teaches_nothing_about_tumors() -> None:
    batch = _batch(brain=(1.0, 0.0))
    answers = _answers(batch, 5.0)
    other = Answers(answers.lesion.clone(), answers.tumor.clone(), answers.brain)
    other.lesion[1] += 7.0
    other.tumor[1] += 7.0
    assert losses(other, batch).total == pytest.approx(float(losses(answers, batch).total))


def test_losses_pixel_weight_counts_missed_lesions_more() -> None:
    batch = _batch()
    missed = _answers(batch, 0.0)
    assert losses(missed, batch, positive_pixel_weight=6.0).lesion > losses(missed, batch).lesion * 1.2
