from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.detector.evaluation.confound_audit import Audit, Examples, audit, enforce, group_auc
from braingranary.detector.evaluation.predict import LESION_THRESHOLDS, Predictions
from braingranary.detector.training.calibrate import BRAIN_KEPT, calibrate, platt, pseudo_series, slice_threshold
from braingranary.errors import Code, RejectedInput


def _examples(tumor: NDArray[np.bool_], sources: NDArray[np.str_], statistics: NDArray[np.float64]) -> Examples:
    patients = np.array([f"p{n // 10}" for n in range(tumor.size)])
    return Examples(tumor=tumor, sources=sources, sites=sources, patients=patients, statistics=statistics)


def test_audit_label_is_the_source_is_refused_with_the_figure() -> None:
    rng = np.random.default_rng(0)
    tumor = np.arange(200) < 100
    examples = _examples(tumor, np.where(tumor, "hospital", "healthy"), rng.normal(size=(200, 3)))
    result = audit(examples)
    assert result.source_auc == 1.0
    with pytest.raises(RejectedInput, match=r"the source alone predicts the label: AUC 1\.000") as caught:
        enforce(result)
    assert caught.value.code is Code.TRAINING_DATA_CONFOUNDED
    enforce(result, force=True)


def test_audit_label_in_the_brightness_is_refused_even_inside_one_source() -> None:
    rng = np.random.default_rng(1)
    tumor = rng.random(300) < 0.5
    statistics = rng.normal(size=(300, 4))
    statistics[:, 2] += 6.0 * tumor
    with pytest.raises(RejectedInput, match="trivial statistics"):
        enforce(audit(_examples(tumor, np.full(300, "one"), statistics)))


def test_audit_clean_data_pass_with_figures_near_chance() -> None:
    rng = np.random.default_rng(2)
    tumor = rng.random(400) < 0.4
    result = audit(_examples(tumor, rng.choice(["a", "b"], 400), rng.normal(size=(400, 4))))
    assert 0.4 < result.trivial_auc < 0.6
    assert result.source_auc < 0.6
    enforce(result)


def test_audit_one_class_is_undefined_and_not_refused_for_it() -> None:
    result = audit(_examples(np.zeros(40, dtype=np.bool_), np.full(40, "a"), np.zeros((40, 2))))
    assert np.isnan(result.trivial_auc)
    assert Audit.findings(result) == ()


def test_group_auc_one_group_tells_nothing() -> None:
    assert group_auc(np.full(10, "a"), np.arange(10) < 3) == 0.5


def _predictions(logits: NDArray[np.float64], tumor: NDArray[np.bool_], *, patients: int = 8) -> Predictions:
    count = tumor.size
    # Best at 0.7, as where training made the network bold.
    shared = (80 - 100 * np.abs(np.array(LESION_THRESHOLDS) - 0.7)).astype(np.int64)
    none = np.zeros_like(shared)
    patient = np.array([f"p{n * patients // count}" for n in range(count)])
    return Predictions(
        tumor_logit=logits,
        brain_logit=np.linspace(-3, 8, count),
        tumor=tumor,
        lesion_px=np.where(tumor, 100, 0),
        outlined_px=np.where(tumor[:, None], none + 100, none),
        shared_px=np.where(tumor[:, None], shared, none),
        empty=np.zeros(count, dtype=np.bool_),
        source=np.full(count, "lgg"),
        site=np.full(count, "DU"),
        patient=patient,
        split=np.full(count, "val"),
        series=patient,
        contrast=np.full(count, "flair"),
        position=np.linspace(0, 1, count),
        index=np.arange(count),
        statistics=np.zeros((count, 2)),
    )


def test_calibrate_takes_the_lesion_threshold_with_the_largest_overlap() -> None:
    tumor = np.arange(80) % 3 == 0
    rng = np.random.default_rng(4)
    assert calibrate(_predictions(rng.normal(size=80) + tumor, tumor)).lesion_threshold == 0.7


def test_platt_finds_the_scale_that_made_the_labels() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 4, 20_000)
    labels = rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1.0)))
    slope, offset = platt(logits, labels, np.ones(20_000))
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-1.0, abs=0.1)


def test_platt_separable_logits_stay_finite() -> None:
    slope, offset = platt(np.array([-5.0, -4.0, 4.0, 5.0]), np.array([False, False, True, True]), np.ones(4))
    assert np.isfinite([slope, offset]).all()
    assert slope > 0


def test_calibrate_thresholds_hold_on_the_validation_slices() -> None:
    rng = np.random.default_rng(4)
    tumor = rng.random(2000) < 0.4
    logits = rng.normal(0, 1.5, 2000) + 2.0 * tumor
    predictions = _predictions(logits, tumor)
    calibration = calibrate(predictions)
    probability = 1 / (1 + np.exp(-(calibration.slope * logits + calibration.offset)))
    assert (probability[~tumor] < calibration.tumor_threshold).mean() == pytest.approx(0.95, abs=0.002)
    brain = 1 / (1 + np.exp(-predictions.brain_logit))
    declined = (brain < calibration.brain_threshold).mean()
    assert declined <= 1.0 - BRAIN_KEPT + 1e-3 or calibration.brain_threshold == 0.02


def test_slice_threshold_holds_in_the_contrast_that_needs_the_highest() -> None:
    rng = np.random.default_rng(6)
    tumor = np.arange(1200) % 3 == 0
    predictions = _predictions(np.zeros(1200), tumor)
    contrast = np.where(np.arange(1200) < 900, "flair", np.where(np.arange(1200) < 1170, "t1c", "rare"))
    predictions = replace(predictions, contrast=contrast)
    # T1c scores higher without tumour; "rare" highest, but twenty slices do not speak.
    probability = rng.uniform(0, 0.5, 1200) + 0.2 * (contrast == "t1c") + 0.4 * (contrast == "rare")
    threshold = slice_threshold(probability, predictions)
    quiet = (probability[~tumor & (contrast == "t1c")] < threshold).mean()
    assert quiet == pytest.approx(0.95, abs=0.01)
    assert threshold < 0.75


def test_calibrate_series_threshold_is_a_calibrated_probability() -> None:
    rng = np.random.default_rng(5)
    tumor = np.arange(2000) % 20 < 8
    logits = 6.0 * (rng.normal(0, 1.5, 2000) + 1.0 * tumor) + 3.0
    predictions = _predictions(logits, tumor, patients=40)
    calibration = calibrate(predictions)
    series, labels = pseudo_series(predictions)
    probability = 1 / (1 + np.exp(-(calibration.slope * series + calibration.offset)))
    below = (probability[~labels] < calibration.series_threshold).mean()
    assert 0.9 <= below < 0.95


def test_calibrate_one_class_is_rejected() -> None:
    with pytest.raises(RejectedInput):
        calibrate(_predictions(np.zeros(10), np.zeros(10, dtype=np.bool_)))


def test_sham_series_gives_every_patient_a_negative() -> None:
    tumor = np.tile([False, False, False, True], 20)
    predictions = _predictions(np.where(tumor, 5.0, -5.0), tumor, patients=4)
    logits, labels = pseudo_series(predictions)
    assert labels.sum() == 4
    assert (~labels).sum() == 4
    assert (logits[~labels] == -5.0).all()
    hidden = replace(predictions, empty=~tumor)
    assert pseudo_series(hidden)[1].all()
