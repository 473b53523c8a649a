"""A detector of its own, as docs/how-to/add-a-detector.md adds one: batch and on demand answer by it alone."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from braingranary.detector.contracts.model_metadata import Calibration, ModelMetadata
from braingranary.detector.contracts.score_run import ModelPin
from braingranary.detector.inference.batch import score_batch
from braingranary.detector.inference.on_demand import detect, open_scorer
from braingranary.detector.inference.score import Scorer, sigmoid
from braingranary.detector.model import registry
from braingranary.detector.model.weights import pack, unpack
from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.records import Plane
from braingranary.storage.store import ObjectStore
from tests.fixtures import bright_spot, score_set
from tests.fixtures.bright_spot import BRIGHT_SPOT, PREPROCESSING_ID, BrightSpot
from tests.fixtures.stored_packs import SLICES, stored, table

METADATA = ModelMetadata(
    version="bright-1",
    architecture=BRIGHT_SPOT.id,
    preprocessing=PREPROCESSING_ID,
    license="Apache-2.0",
    data_sha256="00",
    trained_on="nothing",
    calibration=Calibration(),
)


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, str]:
    """Its weights file, with the detector in the registry."""
    monkeypatch.setitem(registry.ARCHITECTURES, BRIGHT_SPOT.id, BRIGHT_SPOT)
    monkeypatch.setitem(registry.PREPROCESSINGS, PREPROCESSING_ID, bright_spot.prepare)
    data = pack(BrightSpot(), METADATA)
    return data, hashlib.sha256(data).hexdigest()


def spot(grey: int) -> bytes:
    """A PNG of 64 pixels a side, dark greys, with 16 x 8 pixels of `grey`."""
    picture = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    picture[16:32, 40:48] = grey
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def test_added_detector_answers_on_demand(weights: tuple[bytes, str]) -> None:
    scorer = open_scorer(*weights)
    found, missed = detect(spot(240), scorer), detect(spot(100), scorer)
    assert (found.result, found.model, missed.result) == ("Tumor", "bright-1", "No Tumor")
    assert found.probability == pytest.approx(sigmoid(40.0 * (240 / 255 - 0.5)), abs=1e-4)
    assert found.lesion is not None
    assert found.lesion.box == pytest.approx((16, 40, 32, 48), abs=1)


@pytest.mark.stack
def test_added_detector_scores_packs_in_batch_as_on_demand(
    weights: tuple[bytes, str], object_store: ObjectStore
) -> None:
    data, sha256 = weights
    pin = ModelPin(version="bright-1", sha256=sha256, weights_key="models/bright-1")
    scorer = Scorer(unpack(data, sha256))
    part = score_batch(object_store, [stored(object_store, 1, Plane.AXIAL)], pin, "r", scorer)
    slices = table(object_store, part, "slices")
    shown = [jpeg.decode(jpeg.encode(picture)) for picture in score_set.pictures(1, Plane.AXIAL, SLICES)]
    wanted = [40.0 * (float(bright_spot.prepare(picture).plane.max()) - 0.5) for picture in shown]
    assert [row["tumor_logit"] for row in slices] == pytest.approx(wanted, abs=1e-4)
    assert len(slices) == SLICES


def test_weights_of_a_detector_that_is_not_registered_are_refused(
    weights: tuple[bytes, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(registry.PREPROCESSINGS, PREPROCESSING_ID)
    with pytest.raises(RejectedInput, match="whole-picture-1") as caught:
        unpack(*weights)
    assert caught.value.code is Code.MODEL_UNSUPPORTED
