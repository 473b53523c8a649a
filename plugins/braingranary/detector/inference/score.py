"""Scoring: pictures in, calibrated answers out, the same numbers one by one or a thousand at a time.

The slice rule: a picture whose brain probability stays below the stored threshold, or that is blank, is declined;
otherwise its calibrated tumour probability decides against the stored threshold. The series rule: logits of accepted
slices are averaged over `SERIES_SPAN_SLICES` neighbours along the normal and the largest mean is the series' logit,
so that one odd slice alone does not make a tumour and a lesion of two or three slices is not drowned by a whole head; a
series with less than `ACCEPTED_PART` of its slices accepted is declined.

In: 2-D pictures of any size. Out: `SliceScore`, `SeriesScore`. Fails with RejectedInput as the model's preprocessing
does; declining is an answer here, and an error (`not_brain_mr`) only for who calls `require_brain`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from braingranary.detector.model.interface import Answers
from braingranary.detector.model.preprocessing.frame import Frame
from braingranary.detector.model.preprocessing.picture import Picture, Plane32
from braingranary.detector.model.preprocessing.pipeline import Prepared
from braingranary.detector.model.weights import Model
from braingranary.errors import Code, RejectedInput

SERIES_SPAN_SLICES = 3
ACCEPTED_PART = 0.2
BATCH_SIZE = 16
"""Larger batches win nothing on a CPU and cost memory."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lesion:
    """What the network outlines in one picture."""

    mask: NDArray[np.bool_]
    """Shape of the original picture."""
    box: tuple[int, int, int, int]
    """(top, left, bottom, right) in pixels of the original, bottom and right exclusive."""
    area_px: int

    def outline(self) -> NDArray[np.bool_]:
        """The mask's own rim, one pixel wide."""
        padded = np.pad(self.mask, 1)
        core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return self.mask & ~core


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SliceScore:
    """The answer for one picture."""

    tumor_logit: float
    """As the network gives it: kept raw, so that a later calibration can be applied without scoring again."""
    tumor_probability: float
    brain_probability: float
    declined: bool
    tumor: bool
    """The verdict at the model's threshold; False where declined."""
    lesion_plane: Plane32
    """(S, S) pixel probabilities in the network's frame."""
    frame: Frame
    lesion_threshold: float

    def lesion(self) -> Lesion | None:
        """The outline on the original picture, or None where no pixel reaches the threshold."""
        mask = self.frame.to_original(self.lesion_plane) >= self.lesion_threshold
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return None
        box = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        return Lesion(mask=mask, box=box, area_px=int(mask.sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesScore:
    """The answer for one series."""

    tumor_probability: float
    declined: bool
    tumor: bool
    peak: int
    """Which slice carries the largest calibrated probability among the accepted ones; 0 where none is."""


class Scorer:
    """A model that scores pictures; holds no state between calls, so threads may share it."""

    def __init__(self, model: Model, *, batch_size: int = BATCH_SIZE, workers: int = 1) -> None:
        """Hold `model` ready.

        Args:
            model: network, preprocessing and calibration.
            batch_size: pictures a pass of the network.
            workers: threads that share the batches, each on one core; a single one uses as many as torch is set to.
        """
        self.model, self._batch_size, self._workers = model, batch_size, workers
        self._network = model.optimized()

    def score(self, pictures: Sequence[Picture]) -> list[SliceScore]:
        """Score pictures of any size.

        Args:
            pictures: each (rows, columns), any integer or floating dtype, bright where the picture is bright.

        Returns:
            One answer a picture, in order; blank and foreign pictures are answers with `declined`.

        Raises:
            RejectedInput: as the model's preprocessing does for what is no usable picture.
        """
        return list(self.stream(pictures))

    def stream(self, pictures: Sequence[Picture]) -> Iterator[SliceScore]:
        """As `score`, batch by batch, for more pictures than memory should hold answers of."""
        batches = [pictures[at : at + self._batch_size] for at in range(0, len(pictures), self._batch_size)]
        if self._workers == 1 or len(batches) == 1:
            for batch in batches:
                yield from self._batch(batch)
            return
        # Whole batches side by side: preparing one and running the network on another fill each other's gaps.
        with ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for start in range(0, len(batches), self._workers):
                for scores in pool.map(self._batch, batches[start : start + self._workers]):
                    yield from scores

    def _batch(self, pictures: Sequence[Picture]) -> list[SliceScore]:
        prepared = [self.model.prepare(picture) for picture in pictures]
        planes = torch.from_numpy(np.stack([item.plane for item in prepared]))[:, None]
        with torch.inference_mode():
            answers: Answers = self._network(planes)
            lesions = torch.sigmoid(answers.lesion[:, 0]).numpy()
        return [
            self._answer(item, plane, logit, brain)
            for item, plane, logit, brain in zip(
                prepared, lesions, answers.tumor.tolist(), answers.brain.tolist(), strict=True
            )
        ]

    def _answer(self, item: Prepared, plane: Plane32, logit: float, brain: float) -> SliceScore:
        calibration = self.model.metadata.calibration
        probability = sigmoid(calibration.slope * logit + calibration.offset)
        brain_probability = 0.0 if item.blank else sigmoid(brain)
        declined = brain_probability < calibration.brain_threshold
        return SliceScore(
            tumor_logit=logit,
            tumor_probability=probability,
            brain_probability=brain_probability,
            declined=declined,
            tumor=not declined and probability >= calibration.tumor_threshold,
            lesion_plane=plane,
            frame=item.frame,
            lesion_threshold=calibration.lesion_threshold,
        )


def require_brain(score: SliceScore | SeriesScore) -> None:
    """Raise RejectedInput with code `not_brain_mr` for what was declined."""
    if score.declined:
        raise RejectedInput(Code.NOT_BRAIN_MR, "this does not look like a brain MR")


def series_logit(logits: Sequence[float], accepted: Sequence[bool]) -> float:
    """Largest mean over `SERIES_SPAN_SLICES` neighbouring accepted slices (all of them where there are fewer).

    Args:
        logits: of each slice, in order along the normal.
        accepted: whether each slice counts.

    Returns:
        The logit of the series, before calibration; minus infinity where no slice is accepted.
    """
    kept = np.array([logit for logit, good in zip(logits, accepted, strict=True) if good], dtype=np.float64)
    if not kept.size:
        return -math.inf
    span = min(SERIES_SPAN_SLICES, kept.size)
    return float(np.convolve(kept, np.full(span, 1.0 / span), mode="valid").max())


def score_series(scores: Sequence[SliceScore], model: Model) -> SeriesScore:
    """The verdict on a series by the series rule (see the module) and the thresholds of `model`.

    Args:
        scores: of its slices, in order along the normal.
        model: the one that scored them.
    """
    accepted = [not score.declined for score in scores]
    calibration = model.metadata.calibration
    if not scores or sum(accepted) < ACCEPTED_PART * len(scores) or not any(accepted):
        return SeriesScore(tumor_probability=0.0, declined=True, tumor=False, peak=0)
    logit = series_logit([score.tumor_logit for score in scores], accepted)
    probability = sigmoid(calibration.slope * logit + calibration.offset)
    ranked = [score.tumor_probability if good else -1.0 for score, good in zip(scores, accepted, strict=True)]
    return SeriesScore(
        tumor_probability=probability,
        declined=False,
        tumor=probability >= calibration.series_threshold,
        peak=int(np.argmax(ranked)),
    )


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    power = math.exp(logit)
    return power / (1.0 + power)
