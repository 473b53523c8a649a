from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from braingranary.detector.contracts.model_metadata import Calibration
from braingranary.detector.inference.overlay import OUTLINE_COLOUR, overlay, overlay_png
from braingranary.detector.inference.score import Scorer, SliceScore, require_brain, score_series, series_logit, sigmoid
from braingranary.detector.model.encoder_decoder.network import TumorNet
from braingranary.detector.model.preprocessing.frame import Frame
from braingranary.detector.model.preprocessing.pipeline import INPUT_SIDE_PX
from braingranary.detector.model.weights import Model, assemble
from braingranary.errors import Code, RejectedInput
from tests.fixtures import tiny_detector
from tests.fixtures.tiny_detector import metadata
from tests.unit.detector.heads import head

METADATA = metadata("test-1", Calibration(brain_threshold=0.01, tumor_threshold=0.5, series_threshold=0.6))


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return assemble(TumorNet(tiny_detector.WIDTHS), METADATA)


def _score(logit: float, *, declined: bool = False) -> SliceScore:
    plane = np.zeros((INPUT_SIDE_PX, INPUT_SIDE_PX), dtype=np.float32)
    plane[40:60, 20:50] = 0.9
    side = float(INPUT_SIDE_PX)
    frame = Frame(top=0, left=0, side=side, height=INPUT_SIDE_PX, width=INPUT_SIDE_PX, inner=(0, 0, 1, 1))
    return SliceScore(
        tumor_logit=logit,
        tumor_probability=sigmoid(logit),
        brain_probability=0.0 if declined else 1.0,
        declined=declined,
        tumor=not declined and logit >= 0,
        lesion_plane=plane,
        frame=frame,
        lesion_threshold=0.5,
    )


def test_score_one_by_one_equals_a_batch(model: Model) -> None:
    pictures = [head(lesion=(100, 90, 5 + n), seed=n, side=160 + 10 * n) for n in range(7)]
    batch = Scorer(model, batch_size=4).score(pictures)
    single = [Scorer(model).score([picture])[0] for picture in pictures]
    difference = max(abs(a.tumor_probability - b.tumor_probability) for a, b in zip(batch, single, strict=True))
    lesions = max(float(np.abs(a.lesion_plane - b.lesion_plane).max()) for a, b in zip(batch, single, strict=True))
    assert max(difference, lesions) < 1e-5


def test_score_blank_is_declined_whatever_the_network_says(model: Model) -> None:
    with torch.no_grad():
        assert isinstance(model.network.brain_head, torch.nn.Sequential)
        last = model.network.brain_head[-1]
        assert isinstance(last, torch.nn.Linear)
        last.bias.fill_(50.0)
    (score,) = Scorer(model).score([np.zeros((100, 100), dtype=np.uint8)])
    assert score.declined
    assert not score.tumor
    with pytest.raises(RejectedInput) as caught:
        require_brain(score)
    assert caught.value.code is Code.NOT_BRAIN_MR


def test_score_calibration_moves_probability_and_keeps_the_logit() -> None:
    torch.manual_seed(0)
    network = TumorNet(tiny_detector.WIDTHS)
    moved = replace(METADATA, calibration=replace(METADATA.calibration, slope=2.0, offset=-0.5))
    plain, other = (Scorer(assemble(network, told)).score([head()])[0] for told in (METADATA, moved))
    assert plain.tumor_logit == other.tumor_logit
    assert other.tumor_probability == pytest.approx(sigmoid(2.0 * plain.tumor_logit - 0.5))


def test_score_nan_picture_is_refused(model: Model) -> None:
    with pytest.raises(RejectedInput):
        Scorer(model).score([np.full((64, 64), np.nan)])


@pytest.mark.parametrize(
    ("logits", "accepted", "expected"),
    [
        ([1.0, 2.0, 6.0, 1.0], [True] * 4, 3.0),
        ([-9.0, 9.0, -9.0, -9.0], [True] * 4, -3.0),
        ([1.0, 3.0], [True, True], 2.0),
        ([4.0], [True], 4.0),
        ([0.0, 99.0, 3.0, 3.0], [True, False, True, True], 2.0),
    ],
    ids=["best three", "one odd slice", "two slices", "one slice", "declined slice is skipped"],
)
def test_series_logit_is_the_best_mean_of_three_neighbours(
    logits: list[float], accepted: list[bool], expected: float
) -> None:
    assert series_logit(logits, accepted) == pytest.approx(expected)


def test_series_logit_nothing_accepted_is_minus_infinity() -> None:
    assert series_logit([1.0], [False]) == -math.inf


def test_score_series_uses_its_own_threshold_and_names_the_peak(model: Model) -> None:
    verdict = score_series([_score(-2.0), _score(0.3), _score(0.6), _score(0.0)], model)
    assert not verdict.tumor  # sigmoid(0.3) lies between the slice's threshold and the series'
    assert verdict.tumor_probability == pytest.approx(sigmoid(0.3))
    assert verdict.peak == 2
    assert score_series([_score(1.0)] * 3, model).tumor


@pytest.mark.parametrize(("good", "declined"), [(1, True), (2, False)])
def test_score_series_with_few_accepted_slices_is_declined(model: Model, good: int, declined: bool) -> None:
    scores = [_score(5.0)] * good + [_score(5.0, declined=True)] * (10 - good)
    assert score_series(scores, model).declined is declined
    assert score_series([], model).declined


def test_lesion_box_area_and_outline_agree() -> None:
    lesion = _score(1.0).lesion()
    assert lesion is not None
    assert lesion.box == (40, 20, 60, 50)
    assert lesion.area_px == 20 * 30
    outline = lesion.outline()
    assert outline.sum() == 2 * 20 + 2 * 30 - 4
    assert not outline[50, 35]


def test_overlay_draws_the_outline_on_the_picture_and_nothing_else() -> None:
    picture = head(side=INPUT_SIDE_PX)
    colours = overlay(picture, _score(1.0))
    assert tuple(colours[40, 30].tolist()) == OUTLINE_COLOUR
    outline = _score(1.0).lesion().outline()  # type: ignore[union-attr]
    assert (colours[~outline] == picture[~outline][:, None]).all()
    assert (overlay(picture, _score(-1.0)) == picture[..., None]).all()


def test_overlay_png_keeps_the_size_of_a_16_bit_picture() -> None:
    picture = head(side=INPUT_SIDE_PX).astype(np.uint16) * 100
    with Image.open(io.BytesIO(overlay_png(picture, _score(1.0)))) as image:
        assert image.size == (INPUT_SIDE_PX, INPUT_SIDE_PX)
        assert np.asarray(image).max() == 255
