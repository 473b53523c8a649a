"""The confound audit: can the label be told without looking at a lesion? Asked of the data before training.

Where tumour slices come from one archive and healthy ones from another, a net learns the archive and looks perfect.
Three guessers that cannot see a lesion are measured: the source (or site) alone, and a random forest on trivial
statistics of the picture (area, brightness percentiles), judged on patients it did not see. In: `Examples`, from a
training cache as it stands or from the batches that training would see. Out: `Audit` with the AUC of each. `enforce`
raises RejectedInput, code `training_data_confounded`, above the limits, naming the figure, unless it is forced.

The limits leave room for what anatomy itself tells: on patient-split slices of one collection brain area, position and
statistics reach 0.86, since tumours seldom lie at the crown or in the neck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from braingranary.detector.evaluation.metrics import Labels, Scores, auc
from braingranary.detector.model.preprocessing.picture import foreground_of
from braingranary.detector.training.batches import BatchMaker
from braingranary.detector.training.cache import TrainingCache
from braingranary.errors import Code, RejectedInput

log = structlog.get_logger(__name__)

SOURCE_AUC_LIMIT = 0.7
"""Source or site alone; 0.5 tells nothing. Natural differences in how often a site shows tumour stay below."""
TRIVIAL_AUC_LIMIT = 0.93
FOLDS = 5
TREES = 200


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Examples:
    """N pictures as a guesser without eyes knows them."""

    tumor: Labels
    sources: NDArray[np.str_]
    sites: NDArray[np.str_]
    patients: NDArray[np.str_]
    statistics: Scores
    """(N, features)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """AUC of each guesser; NaN where it cannot be measured (one class, too few patients)."""

    source_auc: float
    site_auc: float
    trivial_auc: float
    count: int

    def findings(self) -> tuple[str, ...]:
        """What is above its limit, with the figure."""
        checks = (
            ("the source alone", self.source_auc, SOURCE_AUC_LIMIT),
            ("the site alone", self.site_auc, SOURCE_AUC_LIMIT),
            ("trivial statistics", self.trivial_auc, TRIVIAL_AUC_LIMIT),
        )
        return tuple(
            f"{what} predicts the label: AUC {figure:.3f}, limit {limit}"
            for what, figure, limit in checks
            if figure > limit
        )


def audit(examples: Examples) -> Audit:
    """Measure the guessers."""
    return Audit(
        source_auc=group_auc(examples.sources, examples.tumor),
        site_auc=group_auc(examples.sites, examples.tumor),
        trivial_auc=_trivial_auc(examples),
        count=int(examples.tumor.size),
    )


def enforce(result: Audit, *, force: bool = False) -> None:
    """Raise RejectedInput where the label can be guessed; with `force` only log it."""
    findings = result.findings()
    if findings and not force:
        raise RejectedInput(Code.TRAINING_DATA_CONFOUNDED, "; ".join(findings))
    for finding in findings:
        log.warning("confounded training data, forced", finding=finding)


def examples_of_cache(cache: TrainingCache) -> Examples:
    """The data as they stand, one picture a slice and distinct contrast."""
    rows = [(n, c) for n in range(len(cache)) for c in range(len(set(cache.contrasts[n].tolist())))]
    slices = np.array([n for n, _ in rows], dtype=np.int64)
    return Examples(
        tumor=cache.tumor[slices],
        sources=cache.sources[slices],
        sites=cache.sites[slices],
        patients=cache.patients[slices],
        statistics=np.stack([picture_statistics(cache.images[n, c].astype(np.float32)) for n, c in rows]),
    )


def examples_of_batches(maker: BatchMaker, batches: int) -> Examples:
    """What training would see: after implants, augmentation and normalization. Pictures of no brain are left out."""
    tumor, sources, patients, statistics = [], [], [], []
    for step in range(batches):
        batch = maker.batch(step)
        for row, source in enumerate(batch.sources):
            if source:
                tumor.append(bool(batch.tumor[row] > 0))
                sources.append(source)
                patients.append(batch.patients[row])
                statistics.append(picture_statistics(batch.images[row, 0].numpy()))
    names = np.array(sources, dtype=np.str_)
    return Examples(
        tumor=np.array(tumor, dtype=np.bool_),
        sources=names,
        sites=names,
        patients=np.array(patients, dtype=np.str_),
        statistics=np.stack(statistics),
    )


def picture_statistics(picture: NDArray[np.float32]) -> Scores:
    """Ten global numbers: area of the head, mean, spread and percentiles of brightness over the whole and the head."""
    head = foreground_of(picture)
    inside = picture[head] if head.any() else picture.ravel()
    levels = np.percentile(inside, (5, 25, 50, 75, 95))
    return np.array(
        [head.mean(), picture.mean(), picture.std(), inside.mean(), inside.std(), *levels], dtype=np.float64
    )


def group_auc(groups: NDArray[np.str_], tumor: Labels) -> float:
    """AUC of guessing each picture's label by its group's rate of tumour."""
    _, codes = np.unique(groups, return_inverse=True)
    rates = np.bincount(codes, weights=tumor) / np.bincount(codes)
    return auc(rates[codes], tumor)


def _trivial_auc(examples: Examples) -> float:
    """AUC of a random forest on the statistics, every patient judged by a forest that did not see them."""
    # scikit-learn is a training-time need: nothing that serves or scores imports it.
    from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.model_selection import GroupKFold, cross_val_predict  # type: ignore[import-untyped]  # noqa: PLC0415

    groups = np.unique(examples.patients).size
    if groups < 2 or examples.tumor.all() or not examples.tumor.any():
        return float("nan")
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=0, n_jobs=1)
    guesses = cross_val_predict(
        forest,
        examples.statistics,
        examples.tumor,
        groups=examples.patients,
        cv=GroupKFold(min(FOLDS, groups)),
        method="predict_proba",
    )
    return auc(np.asarray(guesses, dtype=np.float64)[:, -1], examples.tumor)
