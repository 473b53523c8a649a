"""Detection on demand: what is refused before a network is asked, each with a code of its own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from braingranary.detector.inference.on_demand import detect
from braingranary.detector.inference.score import Scorer
from braingranary.errors import Code, RejectedInput
from tests.fixtures import scans
from tests.unit.detector.heads import disc, head


def labels(*radii: int) -> NDArray[np.uint8]:
    """A mask of nested labels: 0 outside, then 1, 2, ..."""
    return np.asarray(np.sum([disc((100, 100, radius)) for radius in radii], axis=0, dtype=np.uint8))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(scans.tiny_model())


@pytest.mark.parametrize("mask", [labels(50) * 255, labels(70, 50, 30)], ids=["binary", "three labels"])
def test_detect_segmentation_mask_is_refused_as_one(scorer: Scorer, mask: NDArray[np.uint8]) -> None:
    with pytest.raises(RejectedInput) as caught:
        detect(scans.picture(mask), scorer)
    assert caught.value.code is Code.IMAGE_IS_MASK


def test_detect_head_in_coarse_greys_is_answered(scorer: Scorer) -> None:
    coarse = head(lesion=(110, 90, 15)) // 32 * 32
    assert 4 < len(np.unique(coarse)) < 9
    assert detect(scans.picture(coarse), scorer).kind == "png"


def test_detect_coloured_picture_is_refused_as_one_and_a_blank_one_as_no_brain(scorer: Scorer) -> None:
    coloured = np.full((64, 64, 3), (250, 10, 10), np.uint8)
    for picture, code in ((coloured, Code.IMAGE_COLOURED), (np.zeros((64, 64), np.uint8), Code.NOT_BRAIN_MR)):
        with pytest.raises(RejectedInput) as caught:
            detect(scans.picture(picture), scorer)
        assert caught.value.code is code
