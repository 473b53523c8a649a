"""Predictions on labelled slices: what calibration and evaluation start from, one row a slice and contrast.

Every picture goes through the model's preprocessing, as uploads and the catalogue's slices do, never through the
training cache. In: a model and labelled slices. Out: `Predictions`, columns of equal length. Fails as the readers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from braingranary.detector.data.labelled import LabelledSlice
from braingranary.detector.model.interface import Answers
from braingranary.detector.model.preprocessing.picture import foreground_of
from braingranary.detector.model.preprocessing.pipeline import Prepared
from braingranary.detector.model.weights import Model

BATCH_SIZE = 16
LESION_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Pixel probabilities at which overlap is measured; calibration chooses one of them."""
_NOTHING = (np.nan, np.nan, np.zeros((2, len(LESION_THRESHOLDS)), dtype=np.int64))
GRAIN_LIMIT = 0.57
"""Neighbouring pixels of noise differ by more than this part of the spread of all; those of heads by a third of it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Predictions:
    """N rows, one a slice and contrast."""

    tumor_logit: NDArray[np.float64]
    brain_logit: NDArray[np.float64]
    tumor: NDArray[np.bool_]
    lesion_px: NDArray[np.int64]
    """(N,): area of the mask, on the original grid as the next two."""
    outlined_px: NDArray[np.int64]
    """(N, thresholds): area of the outline at each of `LESION_THRESHOLDS`."""
    shared_px: NDArray[np.int64]
    """(N, thresholds): area of both."""
    empty: NDArray[np.bool_]
    """The picture holds air and noise only."""
    source: NDArray[np.str_]
    site: NDArray[np.str_]
    patient: NDArray[np.str_]
    split: NDArray[np.str_]
    series: NDArray[np.str_]
    contrast: NDArray[np.str_]
    position: NDArray[np.float64]
    index: NDArray[np.int64]
    statistics: NDArray[np.float64]
    """(N, features): brain area, position and intensity statistics, for the trivial baseline."""

    def __len__(self) -> int:
        return int(self.tumor.size)

    @property
    def overlap(self) -> NDArray[np.float64]:
        """(N, thresholds): Dice of outline and mask of each slice; NaN where the mask is empty."""
        lesion = self.lesion_px[:, None]
        both = 2.0 * self.shared_px / np.maximum(self.outlined_px + lesion, 1)
        return np.where(lesion > 0, both, np.nan)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Predictions:
        """The chosen rows."""
        return Predictions(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def predict(model: Model | None, slices: Iterable[LabelledSlice]) -> Predictions:
    """Run the model over every contrast of every slice; its calibration plays no part.

    Without a model the answers are NaN and the truths and statistics remain: what the baseline learns from.
    """
    if model is None:
        return _table([_row(item, n, None, _NOTHING) for item in slices for n in range(len(item.contrasts))])
    network = model.optimized()
    rows: list[tuple[object, ...]] = []
    for chunk in _chunks(((item, n) for item in slices for n in range(len(item.contrasts))), BATCH_SIZE):
        prepared = [model.prepare(item.pictures[n]) for item, n in chunk]
        planes = torch.from_numpy(np.stack([ready.plane for ready in prepared]))[:, None]
        with torch.inference_mode():
            answers: Answers = network(planes)
        lesions = torch.sigmoid(answers.lesion[:, 0]).numpy()
        for (item, n), ready, plane, tumor, brain in zip(
            chunk, prepared, lesions, answers.tumor.tolist(), answers.brain.tolist(), strict=True
        ):
            # Probabilities, not logits: outside the frame `to_original` gives 0, which has to mean no lesion.
            original = ready.frame.to_original(plane)
            areas = [[found.sum(), (found & item.mask).sum()] for t in LESION_THRESHOLDS for found in [original >= t]]
            rows.append(_row(item, n, ready, (tumor, brain, np.array(areas, dtype=np.int64).T)))
    return _table(rows)


def join(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all parts, in order."""
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Predictions)}
    return Predictions(**columns)


def statistics_of(item: LabelledSlice, contrast: int) -> NDArray[np.float64]:
    """What a detector must beat: area, position and intensity numbers of the raw picture, no shape, no place."""
    picture = np.asarray(item.pictures[contrast], dtype=np.float32)
    head = picture[foreground_of(picture)]
    levels = np.percentile(head, (5, 25, 50, 75, 95, 99)) if head.size else np.zeros(6)
    scale = max(float(levels[2]), 1e-6)
    spread = float(head.std()) / scale if head.size else 0.0
    return np.array([head.size / picture.size, item.position, spread, *(levels / scale), scale], dtype=np.float64)


def is_empty(ready: Prepared) -> bool:
    """Whether nothing but grain can be seen: the first and last slices of many series hold air and noise alone."""
    plane = ready.plane
    seen = foreground_of(plane)
    across = np.abs(np.diff(plane, axis=1))[seen[:, 1:] & seen[:, :-1]]
    down = np.abs(np.diff(plane, axis=0))[seen[1:] & seen[:-1]]
    steps = np.concatenate([across, down])
    return ready.blank or not steps.size or float(steps.mean()) > GRAIN_LIMIT * float(plane[seen].std())


def _row(
    item: LabelledSlice, contrast: int, ready: Prepared | None, answers: tuple[float, float, NDArray[np.int64]]
) -> tuple[object, ...]:
    tumor, brain, (outlined, shared) = answers
    where = (item.source, item.site, item.patient, item.split, item.series, item.contrasts[contrast])
    empty = ready is not None and is_empty(ready)
    numbers = (item.position, item.index, statistics_of(item, contrast))
    return (tumor, brain, item.tumor, int(item.mask.sum()), outlined, shared, empty, *where, *numbers)


def _chunks(items: Iterator[tuple[LabelledSlice, int]], size: int) -> Iterator[list[tuple[LabelledSlice, int]]]:
    while chunk := list(islice(items, size)):
        yield chunk


def _table(rows: list[tuple[object, ...]]) -> Predictions:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(fields(Predictions))
    areas = [np.int64] * 3
    kinds = [np.float64, np.float64, np.bool_, *areas, np.bool_, *([np.str_] * 6), np.float64, np.int64, np.float64]
    names = [field.name for field in fields(Predictions)]
    arrays: dict[str, NDArray[Any]] = {
        name: np.array(column, dtype=kind) for name, column, kind in zip(names, columns, kinds, strict=True)
    }
    return Predictions(**arrays)
