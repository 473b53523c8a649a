from __future__ import annotations

import numpy as np
import pytest

from braingranary.detector.evaluation.metrics import (
    auc,
    expected_calibration_error,
    matched_auc,
    patient_interval,
    sensitivity_at,
    threshold_for,
    volume_dice,
)

SCORES = np.array([0.1, 0.4, 0.35, 0.8, 0.8, 0.2])
LABELS = np.array([False, False, True, True, False, True])


def test_auc_counts_pairs_and_halves_ties() -> None:
    # positives .35 .8 .2, negatives .1 .4 .8: won pairs 1 + 2.5 + 1 of 9
    assert auc(SCORES, LABELS) == pytest.approx(4.5 / 9)


def test_auc_equals_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]  # noqa: PLC0415

    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 30, 500) / 30.0, rng.random(500) < 0.3
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_auc_one_class_is_undefined() -> None:
    assert np.isnan(auc(SCORES, np.ones(6, dtype=bool)))


@pytest.mark.parametrize("specificity", [0.5, 0.9, 0.95, 1.0])
def test_threshold_for_keeps_the_specificity_and_no_more_than_needed(specificity: float) -> None:
    rng = np.random.default_rng(1)
    scores, labels = rng.random(400), rng.random(400) < 0.5
    negatives = scores[~labels]
    threshold = threshold_for(scores, labels, specificity)
    assert (negatives < threshold).mean() >= specificity
    lower = negatives[negatives < threshold].max()
    assert (negatives < lower).mean() < specificity


def test_sensitivity_at_perfect_scores_is_one() -> None:
    assert sensitivity_at(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])) == 1.0


def test_calibration_error_honest_is_zero_and_boastful_is_large() -> None:
    labels = np.array([True] * 8 + [False] * 2)
    assert expected_calibration_error(np.full(10, 0.8), labels) == pytest.approx(0.0)
    assert expected_calibration_error(np.ones(10), labels) == pytest.approx(0.2)


def test_matched_auc_of_a_guesser_by_position_falls_to_chance() -> None:
    rng = np.random.default_rng(2)
    positions = rng.random(4000)
    labels = rng.random(4000) < positions
    assert auc(positions, labels) > 0.8
    assert matched_auc(positions, labels, positions) == pytest.approx(0.5, abs=0.06)


def test_patient_interval_is_wider_than_slices_pretend_and_seeded() -> None:
    rng = np.random.default_rng(3)
    quality = rng.normal(0, 1, 10)
    patients = np.repeat([f"p{n}" for n in range(10)], 40)
    values = np.repeat(quality, 40) + rng.normal(0, 0.1, 400)
    honest = patient_interval(lambda n: float(values[n].mean()), patients)
    pretended = patient_interval(lambda n: float(values[n].mean()), np.arange(400).astype(np.str_))
    assert honest.high - honest.low > 3 * (pretended.high - pretended.low)
    assert honest.low < honest.value < honest.high
    assert (honest.patients, honest.count) == (10, 400)
    assert honest == patient_interval(lambda n: float(values[n].mean()), patients)


def test_patient_interval_single_patient_has_none() -> None:
    figure = patient_interval(lambda n: float(n.size), np.array(["a", "a"]))
    assert figure.value == 2.0
    assert np.isnan(figure.low)


def test_volume_dice_sums_slices_and_stands_once_a_volume() -> None:
    outlined, shared, lesion = np.array([4, 0, 9, 5]), np.array([4, 0, 0, 5]), np.array([4, 8, 0, 5])
    column = volume_dice(outlined, shared, lesion, np.array(["a", "a", "b", "c"]))
    # a: 2 * 4 / (4 + 12); b has no lesion; c is exact.
    assert column.tolist() == pytest.approx([0.5, np.nan, np.nan, 1.0], nan_ok=True)
