"""Evaluation: the figures a model is judged by, with patient intervals, beside what guessing without eyes reaches.

In: predictions of the network on patients it did not see, with a calibration chosen on other patients; for the baseline
also predictions on training patients. Out: `GroupReport`, one a (source, contrast), and `DeclineReport`. A model is
never judged by slices of different sources pooled: there the label is the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from braingranary.detector.contracts.model_metadata import Calibration
from braingranary.detector.data.negatives import PHOTOGRAPHS_TO_JUDGE, body_part_pictures, photographs, procedural
from braingranary.detector.evaluation.metrics import (
    Figure,
    Labels,
    Scores,
    auc,
    expected_calibration_error,
    matched_auc,
    patient_interval,
    sensitivity_at,
    volume_dice,
)
from braingranary.detector.evaluation.predict import LESION_THRESHOLDS, Predictions
from braingranary.detector.inference.score import sigmoid
from braingranary.detector.model.interface import Answers
from braingranary.detector.model.preprocessing.picture import Picture
from braingranary.detector.model.weights import Model

PROCEDURAL_COUNT = 300
PROCEDURAL_SEED = 990_001
"""Far from any training seed: batches draw from (plan seed, step)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """Figures of one source and contrast. Those that need both classes are NaN where a source has one."""

    source: str
    contrast: str
    auc: Figure
    matched_auc: Figure
    """Within slices of like position."""
    sensitivity_at_90: Figure
    """At specificity 0.90."""
    calibration_error: Figure
    called_tumor_without: Figure
    """Part of tumour-free slices called Tumor at the stored threshold."""
    called_tumor_with: Figure
    """Part of tumour slices called Tumor at the stored threshold: sensitivity in use."""
    dice: Figure
    """Mean over tumour slices of the outline's overlap with the mask."""
    volume_dice: Figure
    """Mean over volumes with a lesion of the overlap of all their slices, an outline counting where Tumor was said."""
    declined: Figure
    """Part of slices declined, empty ones left out."""
    baseline_auc: Figure
    """A random forest on area, position and intensity statistics, trained on the training patients of the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineReport:
    """How often a kind of picture that is no brain was declined."""

    kind: str
    declined: float
    count: int
    passed: tuple[str, ...]
    """What was let through, by name."""


def report(predictions: Predictions, calibration: Calibration, guesses: Scores) -> tuple[GroupReport, ...]:
    """Figures of every (source, contrast) among the predictions, in alphabetical order; `guesses` by `baseline`."""
    reports = []
    for source, contrast in _groups(predictions):
        rows = _rows(predictions, source, contrast)
        reports.append(_group(source, contrast, predictions.where(rows), calibration, guesses[rows]))
    return tuple(reports)


def baseline(training: Predictions, predictions: Predictions) -> Scores:
    """(N,) what trivial statistics alone say: one forest a source and contrast; NaN where it cannot be trained."""
    guesses = np.full(len(predictions), np.nan)
    for source, contrast in _groups(predictions):
        rows = _rows(predictions, source, contrast)
        guesses[rows] = _forest(training.where(_rows(training, source, contrast)), predictions.where(rows))
    return guesses


def _groups(predictions: Predictions) -> list[tuple[str, str]]:
    return sorted(set(zip(predictions.source.tolist(), predictions.contrast.tolist(), strict=True)))


def _rows(predictions: Predictions, source: str, contrast: str) -> Labels:
    return np.asarray((predictions.source == source) & (predictions.contrast == contrast))


def _group(source: str, contrast: str, rows: Predictions, calibration: Calibration, guesses: Scores) -> GroupReport:
    probability = probabilities(rows.tumor_logit, calibration)
    brain = np.array([sigmoid(logit) for logit in rows.brain_logit])
    called = probability >= calibration.tumor_threshold
    declined = (brain < calibration.brain_threshold) & ~rows.empty
    tumor = rows.tumor
    threshold = LESION_THRESHOLDS.index(calibration.lesion_threshold)
    overlap = rows.overlap[:, threshold]
    outlined, shared = (np.where(called, area[:, threshold], 0) for area in (rows.outlined_px, rows.shared_px))
    volumes = volume_dice(outlined, shared, rows.lesion_px, rows.series)

    def figure(measure: Callable[[NDArray[np.int64]], float]) -> Figure:
        return patient_interval(measure, rows.patient)

    def rate(of: Labels, among: Labels) -> Figure:
        return figure(lambda n: _mean(of[n][among[n]]))

    return GroupReport(
        source=source,
        contrast=contrast,
        auc=figure(lambda n: auc(probability[n], tumor[n])),
        matched_auc=figure(lambda n: matched_auc(probability[n], tumor[n], rows.position[n])),
        sensitivity_at_90=figure(lambda n: sensitivity_at(probability[n], tumor[n])),
        calibration_error=figure(lambda n: expected_calibration_error(probability[n], tumor[n])),
        called_tumor_without=rate(called, ~tumor),
        called_tumor_with=rate(called, tumor),
        dice=figure(lambda n: _mean(overlap[n][tumor[n]])),
        volume_dice=figure(lambda n: _mean(volumes[n][np.isfinite(volumes[n])])),
        declined=rate(declined, ~rows.empty),
        baseline_auc=figure(lambda n: float("nan") if np.isnan(guesses).any() else auc(guesses[n], tumor[n])),
    )


def probabilities(logits: Scores, calibration: Calibration) -> Scores:
    """Calibrated probabilities of raw logits."""
    return np.array([sigmoid(calibration.slope * logit + calibration.offset) for logit in logits], dtype=np.float64)


def decline_report(model: Model) -> tuple[DeclineReport, ...]:
    """Photographs, body parts, made-up pictures and blanks that training never saw, kind by kind."""
    reports, network, threshold = [], model.optimized(), model.metadata.calibration.brain_threshold
    for kind, named in _no_brains():
        passed = []
        for name, picture in named:
            if picture is None:
                continue
            prepared = model.prepare(picture)
            with torch.inference_mode():
                answer: Answers = network(torch.from_numpy(prepared.plane)[None, None])
            probability = 0.0 if prepared.blank else sigmoid(float(answer.brain[0]))
            if probability >= threshold:
                passed.append(name)
        part = 1.0 - len(passed) / max(len(named), 1)
        reports.append(DeclineReport(kind=kind, declined=part, count=len(named), passed=tuple(passed)))
    return tuple(reports)


def _no_brains() -> Iterator[tuple[str, list[tuple[str, Picture | None]]]]:
    names = [name for name in PHOTOGRAPHS_TO_JUDGE if photographs((name,))]
    yield "photographs", [(name, photographs((name,))[0]) for name in names]
    yield (
        "body parts",
        [(name, shown) for name, shown in body_part_pictures() if shown is None or min(shown.shape) >= 16],
    )
    made = [procedural(np.random.default_rng((PROCEDURAL_SEED, n)), 160 + 8 * (n % 9)) for n in range(PROCEDURAL_COUNT)]
    yield "made up", [(f"procedural {n}", picture) for n, picture in enumerate(made)]
    rng = np.random.default_rng(PROCEDURAL_SEED)
    noises = [rng.normal(100, 30, (200, 200)), rng.exponential(40, (256, 256)), rng.integers(0, 2, (128, 128)) * 255.0]
    yield "noise", [(f"noise {n}", picture.astype(np.float32)) for n, picture in enumerate(noises)]
    yield "blanks", [(f"blank {grey}", np.full((180, 200), grey, np.uint8)) for grey in (0, 1, 127, 255)]


def _forest(training: Predictions, rows: Predictions) -> Scores:
    """Probabilities of a random forest on the statistics; NaN where it cannot be trained."""
    if not len(training) or training.tumor.all() or not training.tumor.any():
        return np.full(len(rows), np.nan)
    from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]  # noqa: PLC0415

    forest = RandomForestClassifier(300, min_samples_leaf=3, class_weight="balanced", random_state=0, n_jobs=1)
    forest.fit(training.statistics, training.tumor)
    return np.asarray(forest.predict_proba(rows.statistics)[:, 1], dtype=np.float64)


def _mean(values: NDArray[np.bool_] | Scores) -> float:
    return float(values.mean()) if values.size else float("nan")
