"""Calibration: logits to honest probabilities, and every threshold, from validation patients alone.

Platt scaling (Platt 1999) by Newton's method, sources and contrasts weighing by the root of their slices, so that the
many slices of one do not set the scale for all. The thresholds go into the weights file; none stands in code.

In: predictions on the validation split. Out: `Calibration`. Fails with RejectedInput where validation lacks
tumour or tumour-free slices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from braingranary.detector.contracts.model_metadata import Calibration
from braingranary.detector.evaluation.metrics import Scores, threshold_for
from braingranary.detector.evaluation.predict import LESION_THRESHOLDS, Predictions
from braingranary.detector.inference.score import series_logit
from braingranary.errors import Code, RejectedInput

NEWTON_STEPS = 50
RIDGE = 1e-3
SLICE_SPECIFICITY = 0.95
"""Asked of the slice threshold on validation negatives of every contrast; 0.90 is the aim, and new sites cost some."""
NEGATIVES_TO_SPEAK = 50
"""A source and contrast with fewer tumour-free slices does not set the threshold: one of them would decide it."""
SERIES_SPECIFICITY = 0.9
BRAIN_KEPT = 0.993
"""Part of validation brain slices that the decline threshold has to let through."""
BRAIN_THRESHOLD_RANGE = (0.02, 0.5)


def calibrate(validation: Predictions) -> Calibration:
    """Slope, offset and thresholds from the validation split."""
    if not validation.tumor.any() or validation.tumor.all():
        raise RejectedInput(Code.TRAINING_DATA_INVALID, "validation needs slices with tumour and without")
    slope, offset = platt(validation.tumor_logit, validation.tumor, group_weights(validation))
    probability = _sigmoid(slope * validation.tumor_logit + offset)
    series, series_tumor = pseudo_series(validation)
    kept = _sigmoid(validation.brain_logit[~validation.empty])
    return Calibration(
        slope=slope,
        offset=offset,
        tumor_threshold=slice_threshold(probability, validation),
        series_threshold=threshold_for(_sigmoid(slope * series + offset), series_tumor, SERIES_SPECIFICITY),
        brain_threshold=float(np.clip(np.quantile(kept, 1.0 - BRAIN_KEPT), *BRAIN_THRESHOLD_RANGE)),
        lesion_threshold=best_lesion_threshold(validation),
    )


def slice_threshold(probability: Scores, validation: Predictions) -> float:
    """The lowest that keeps the specificity in each (source, contrast) of the validation split, and over all of it."""
    groups = groups_of(validation)
    chosen = [np.ones(groups.size, dtype=np.bool_), *(groups == name for name in np.unique(groups))]
    telling = [rows for n, rows in enumerate(chosen) if not n or (~validation.tumor[rows]).sum() >= NEGATIVES_TO_SPEAK]
    return max(threshold_for(probability[rows], validation.tumor[rows], SLICE_SPECIFICITY) for rows in telling)


def best_lesion_threshold(validation: Predictions) -> float:
    """The pixel probability that gives the largest mean overlap with the masks, contrasts weighing as in `platt`."""
    rows = validation.where(validation.tumor)
    means = np.average(rows.overlap, axis=0, weights=group_weights(rows))
    return LESION_THRESHOLDS[int(np.argmax(means))]


def platt(logits: Scores, labels: NDArray[np.bool_], weights: Scores) -> tuple[float, float]:
    """Slope and offset that minimize the weighted cross entropy of sigmoid(slope * logit + offset)."""
    parameters = np.array([1.0, 0.0])
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    prior = np.array([1.0, 0.0])
    for _ in range(NEWTON_STEPS):
        guess = _sigmoid(design @ parameters)
        gradient = design.T @ (weights * (guess - labels)) + RIDGE * (parameters - prior)
        curvature = (design * (weights * guess * (1 - guess))[:, None]).T @ design + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        parameters = parameters - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-8:
            break
    return float(parameters[0]), float(parameters[1])


def group_weights(predictions: Predictions) -> Scores:
    """Weights with which a (source, contrast) of n slices counts as root n; their mean is 1."""
    _, codes, counts = np.unique(groups_of(predictions), return_inverse=True, return_counts=True)
    weights = np.sqrt(1.0 / counts[codes])
    return np.asarray(weights * (weights.size / weights.sum()), dtype=np.float64)


def groups_of(predictions: Predictions) -> NDArray[np.str_]:
    """(N,): source and contrast of each row as one name."""
    return np.char.add(np.char.add(predictions.source, "/"), predictions.contrast)


def pseudo_series(predictions: Predictions) -> tuple[Scores, NDArray[np.bool_]]:
    """Series logits with labels: whole series, and for those with tumour also their tumour-free part as a negative.

    Patients of tumour collections all have a tumour, so without these negatives a series threshold could not be chosen.
    """
    keys = np.char.add(np.char.add(predictions.series, "/"), predictions.contrast)
    logits, labels = [], []
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        rows = rows[np.argsort(predictions.index[rows])]
        accepted = ~predictions.empty[rows]
        tumor = predictions.tumor[rows]
        if tumor.any():
            logits.append(series_logit(predictions.tumor_logit[rows].tolist(), accepted.tolist()))
            labels.append(True)
        without = rows[~tumor]
        if (~predictions.empty[without]).any():
            logits.append(
                series_logit(predictions.tumor_logit[without].tolist(), (~predictions.empty[without]).tolist())
            )
            labels.append(False)
    return np.array(logits, dtype=np.float64), np.array(labels, dtype=np.bool_)


def _sigmoid(x: Scores) -> Scores:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), dtype=np.float64)
