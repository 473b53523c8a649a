"""The figures a detector is judged by, each with its interval over patients, in plain numpy.

Slices of one patient are alike, so an interval over slices would be far too narrow: `patient_interval` draws patients
with replacement and takes all slices of each. A figure is NaN where it is undefined (one class missing).
Sources: Mann-Whitney form of the AUC; expected calibration error after Naeini et al. 2015 with equal-width bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

BINS = 10
POSITION_BINS = 10
RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured value with its 95 % interval over patients."""

    value: float
    low: float
    high: float
    patients: int
    count: int
    """Slices (or pictures) it was measured on."""

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def auc(scores: Scores, labels: Labels) -> float:
    """Probability that a random positive scores above a random negative, ties counted half."""
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = _ranks(scores)
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def sensitivity_at(scores: Scores, labels: Labels, specificity: float = 0.9) -> float:
    """Largest sensitivity of any threshold whose specificity is at least the given one."""
    if not labels.any() or labels.all():
        return float("nan")
    threshold = threshold_for(scores, labels, specificity)
    return float((scores[labels] >= threshold).mean())


def threshold_for(scores: Scores, labels: Labels, specificity: float) -> float:
    """The lowest threshold (a score at or above it is positive) that keeps the specificity on these negatives."""
    negatives = np.sort(scores[~labels])
    index = int(np.ceil(specificity * negatives.size - 1e-9)) - 1
    # Just above the last negative that has to stay negative.
    return float(np.nextafter(negatives[max(index, 0)], np.inf))


def expected_calibration_error(probabilities: Scores, labels: Labels) -> float:
    """Mean distance between confidence and frequency over `BINS` equal-width bins, weighted by their slices."""
    if not labels.size:
        return float("nan")
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    error = 0.0
    for number in range(BINS):
        chosen = bins == number
        if chosen.any():
            error += float(chosen.mean()) * abs(float(probabilities[chosen].mean()) - float(labels[chosen].mean()))
    return error


def matched_auc(scores: Scores, labels: Labels, positions: NDArray[np.float64]) -> float:
    """AUC within slices of like position: pairs from one of `POSITION_BINS` bins only, every pair weighing the same.

    Where a slice lies in the head alone tells much about tumour; within a bin it tells next to nothing.
    """
    bins = np.minimum((positions * POSITION_BINS).astype(int), POSITION_BINS - 1)
    won, pairs = 0.0, 0
    for number in range(POSITION_BINS):
        chosen = bins == number
        weight = int(labels[chosen].sum()) * int((~labels[chosen]).sum())
        if weight:
            won += auc(scores[chosen], labels[chosen]) * weight
            pairs += weight
    return won / pairs if pairs else float("nan")


def volume_dice(
    outlined_px: NDArray[np.int64],
    shared_px: NDArray[np.int64],
    lesion_px: NDArray[np.int64],
    volumes: NDArray[np.str_],
) -> Scores:
    """(N,): Dice of outline and mask over all slices of each of `volumes`, at its first slice; NaN at the others.

    So it is a column as others are, which bootstrap samples of whole patients may draw from. NaN without a lesion.
    """
    names, first, codes = np.unique(volumes, return_index=True, return_inverse=True)
    outlined, shared, lesion = (
        np.bincount(codes, weights=area, minlength=names.size) for area in (outlined_px, shared_px, lesion_px)
    )
    column = np.full(volumes.size, np.nan)
    column[first] = np.where(lesion > 0, 2.0 * shared / np.maximum(outlined + lesion, 1.0), np.nan)
    return column


def patient_interval(
    measure: Callable[[NDArray[np.int64]], float],
    patients: NDArray[np.str_],
    *,
    resamples: int | None = None,
    seed: int = 0,
) -> Figure:
    """`measure(row numbers)` over all rows, and over bootstrap samples of whole patients.

    `resamples` is `RESAMPLES` where not given. Those in which the figure is undefined are left out;
    with fewer than two patients the interval is NaN.
    """
    everyone = np.arange(patients.size)
    names, codes = np.unique(patients, return_inverse=True)
    members = [np.flatnonzero(codes == code) for code in range(names.size)]
    rng = np.random.default_rng(seed)
    values = []
    if names.size > 1:
        for _ in range(RESAMPLES if resamples is None else resamples):
            drawn = rng.integers(names.size, size=names.size)
            value = measure(np.concatenate([members[code] for code in drawn]))
            if np.isfinite(value):
                values.append(value)
    low, high = (float(v) for v in np.percentile(values, (2.5, 97.5))) if values else (float("nan"), float("nan"))
    return Figure(value=measure(everyone), low=low, high=high, patients=int(names.size), count=int(patients.size))


def _ranks(scores: Scores) -> Scores:
    """Ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)
