"""Detection on demand: the bytes of one upload to one answer, by the rules of the batch.

In: bytes, a scorer. Out: `Answer`. Fails with RejectedInput: what `uploads.read_upload` refuses, IMAGE_IS_MASK for a
picture of labels instead of tissue, and NOT_BRAIN_MR for what the detector declines.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from braingranary.detector.contracts.detection import Answer, LesionAnswer
from braingranary.detector.inference.overlay import overlay_png
from braingranary.detector.inference.score import Scorer, SliceScore, require_brain, score_series
from braingranary.detector.inference.uploads import Kind, Upload, read_upload
from braingranary.detector.model.weights import unpack
from braingranary.errors import Code, RejectedInput

WARM_UP_SIDE_PX: Final = 64
MASK_LEVELS_MAX: Final = 4
"""A PNG of so few grey levels is a segmentation mask or a drawing; tissue shows more, even in coarse steps of grey."""
_UNFORESEEN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError, RuntimeError)


def open_scorer(weights: bytes, sha256: str) -> Scorer:
    """The model in `weights`, whose hash has to be `sha256`, run once to warm up, on one core of this process."""
    torch.set_num_threads(1)
    scorer = Scorer(unpack(weights, sha256))
    scorer.score([np.zeros((WARM_UP_SIDE_PX, WARM_UP_SIDE_PX), dtype=np.uint8)])
    return scorer


def detect(data: bytes, scorer: Scorer, *, overlay: bool = False) -> Answer:
    """Whether an upload shows a tumour.

    Args:
        data: the bytes of one upload.
        scorer: the loaded model.
        overlay: also draw the outline on the slice with the largest probability.

    Raises:
        RejectedInput: see the module; DETECTION_FAILED for bytes that no check foresaw.
    """
    try:
        upload = read_upload(data)
        return answer(upload, scorer, overlay=overlay)
    except _UNFORESEEN as error:
        # The last resort for bytes that found a way past every check: a coded refusal, and nothing of the bytes told.
        raise RejectedInput(Code.DETECTION_FAILED, f"the upload cannot be handled ({type(error).__name__})") from None


def answer(upload: Upload, scorer: Scorer, *, overlay: bool = False) -> Answer:
    """The answer for pictures that have been read; raises RejectedInput(IMAGE_IS_MASK, NOT_BRAIN_MR)."""
    _refuse_mask(upload)
    scores = scorer.score(upload.pictures)
    calibration = scorer.model.metadata.calibration
    if upload.series:
        series = score_series(scores, scorer.model)
        require_brain(series)
        tumor, probability, peak = series.tumor, series.tumor_probability, series.peak
        threshold = calibration.series_threshold
    else:
        require_brain(scores[0])
        tumor, probability, peak = scores[0].tumor, scores[0].tumor_probability, 0
        threshold = calibration.tumor_threshold
    shown = scores[peak]
    picture = upload.pictures[peak]
    return Answer(
        result="Tumor" if tumor else "No Tumor",
        probability=probability,
        threshold=threshold,
        brain_probability=shown.brain_probability,
        model=scorer.model.metadata.version,
        kind=str(upload.kind),
        plane=None if upload.plane is None else str(upload.plane),
        slices=len(scores),
        declined_slices=sum(score.declined for score in scores),
        peak_slice=peak,
        peak_probability=shown.tumor_probability,
        height=picture.shape[0] * upload.scale,
        width=picture.shape[1] * upload.scale,
        lesion=_lesion(upload, shown) if tumor else None,
        overlay_png=overlay_png(picture, shown, outlined=tumor) if overlay else None,
    )


def _refuse_mask(upload: Upload) -> None:
    """Raise RejectedInput(IMAGE_IS_MASK) for a lossless picture of a few grey levels; a blank one is declined later."""
    if upload.kind is Kind.PNG and 1 < len(np.unique(upload.pictures[0])) <= MASK_LEVELS_MAX:
        raise RejectedInput(Code.IMAGE_IS_MASK, "this picture has the few grey levels of a mask, not those of tissue")


def _lesion(upload: Upload, score: SliceScore) -> LesionAnswer | None:
    lesion = score.lesion()
    if lesion is None:
        return None
    top, left, bottom, right = (edge * upload.scale for edge in lesion.box)
    area_px = lesion.area_px * upload.scale**2
    pixel_mm2 = None if upload.pixel_mm is None else upload.pixel_mm[0] * upload.pixel_mm[1]
    return LesionAnswer(
        box=(top, left, bottom, right),
        area_px=area_px,
        area_mm2=None if pixel_mm2 is None else area_px * pixel_mm2,
    )
