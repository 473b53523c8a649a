"""Case 30: weights that were swapped, are a program or hold NaN are refused; Spark, batch and HTTP say the same."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from braingranary.detector.contracts.score_run import ModelPin, PackToScore, ScoredPart, ScoreJob, SeriesToScore
from braingranary.detector.inference.score import Scorer, score_series
from braingranary.detector.model.weights import load_shipped, pack, unpack
from braingranary.dicom.reader import read_series
from braingranary.errors import Code, RejectedInput
from braingranary.imaging import jpeg
from braingranary.imaging.slicepack import read_pack
from braingranary.normalization.encode import encode_volume
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.records import Plane
from braingranary.settings import ServingSettings, StoreSettings
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from serving.detect.service import Detection
from spark_jobs.score_series import worker
from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S
from tests.serving.accounts_app import accounts_app
from tests.serving.members import join

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

AGREEMENT = 1e-4
SLICES = 20
UID = "1.2.826.0.1.3680043.10.1511.30"


class _Program:
    """What a model file must never be."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return Path.touch, ("model-was-run",)


def hostile_weights() -> dict[str, bytes]:
    """Bytes in the place of the weights; none may ever answer."""
    metadata = scans.tiny_model().metadata
    good = pack(scans.tiny_model().network, metadata)
    other = pack(scans.tiny_model().network.apply(_shifted), metadata)
    nan = scans.tiny_model().network
    with torch.no_grad():
        next(nan.parameters()).fill_(float("nan"))
    checkpoint = io.BytesIO()
    torch.save({"program": 1}, checkpoint)
    return {
        "swapped": other,
        "one bit": good[:-1] + bytes([good[-1] ^ 1]),
        "cut short": good[:-100],
        "pickle": pickle.dumps(_Program()),
        "torch checkpoint": checkpoint.getvalue(),
        "nan": pack(nan, metadata),
        "empty": b"",
    }


def _shifted(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Linear):
        with torch.no_grad():
            module.bias.add_(0.5)


def test_weights_that_are_not_the_pinned_ones_never_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = scans.shipped(tmp_path / "weights")
    file = folder / "test-1.safetensors"
    refused = 0
    for name, data in hostile_weights().items():
        file.write_bytes(data)
        for digest in (None, hashlib.sha256(data).hexdigest()):
            if digest is not None and name in {"swapped", "one bit"}:
                continue  # with a pin of their own they are another model
            with pytest.raises(RejectedInput) as caught:
                unpack(data, digest) if digest else load_shipped(folder)
            assert caught.value.code is Code.MODEL_INVALID, name
            refused += 1
    print(f"case 30 model integrity: hostile_weights_refused={refused} accepted=0")
    assert not (tmp_path / "model-was-run").exists()


def test_detection_with_swapped_weights_has_no_model(tmp_path: Path) -> None:
    folder = scans.shipped(tmp_path)
    (folder / "test-1.safetensors").write_bytes(hostile_weights()["swapped"])
    detection = Detection(ServingSettings(detect_processes=1, detect_weights=folder))
    try:
        with pytest.raises(Exception, match="model_unavailable"):
            detection.ask(PATIENCE_S)
    finally:
        detection.close()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scorer_picture_that_is_not_finite_is_refused(bad: float) -> None:
    scorer = Scorer(scans.tiny_model())
    picture = scans.slices(1)[0].astype(np.float32)
    picture[80, 80] = bad
    with pytest.raises(RejectedInput) as caught:
        scorer.score([picture])
    assert caught.value.code is Code.IMAGE_INVALID


def test_spark_batch_and_http_agree(
    postgres_dsn: str,
    object_store: ObjectStore,
    s3_settings: StoreSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = scans.dicom(scans.slices(SLICES), SeriesInstanceUID=UID)
    stored = encode_volume(read_series(files).volumes[0], DEFAULT_PROFILE).packs[0].pack.data
    by_spark, verdict = scored_by_spark(object_store, s3_settings, stored, monkeypatch)
    scorer = Scorer(scans.tiny_model(), workers=2, batch_size=7)
    pictures = [jpeg.decode(data) for data in read_pack(stored)]
    scores = scorer.score(pictures)
    by_batch = np.array([score.tumor_probability for score in scores])
    with accounts_app(
        postgres_dsn, serving=ServingSettings(detect_processes=1, detect_weights=scans.shipped(tmp_path))
    ) as app:
        app.extensions["granary"].detection.ask(PATIENCE_S)
        client, headers = app.test_client(), join(app).headers

        def probability(data: bytes) -> float:
            form = {"file": (io.BytesIO(data), "a")}
            answer = client.post("/detect?details=1", data=form, headers=headers)
            assert answer.status_code == 200, answer.text
            found: float = answer.get_json()["probability"]
            return found

        by_http = np.array([probability(data) for data in read_pack(stored)])
        series_by_http = probability(scans.zipped(files))
    assert np.ptp(by_batch) > 100 * AGREEMENT  # it does tell slices apart
    series = score_series(scores, scorer.model).tumor_probability
    differences = [
        np.abs(by_spark - by_batch).max(),
        np.abs(by_http - by_batch).max(),
        np.abs(by_http - by_spark).max(),
        abs(series - series_by_http),
        abs(series - verdict),
    ]
    print(f"case 30 model integrity, {SLICES} slices and their series: max_difference={max(differences):.1e}")
    assert max(differences) < AGREEMENT


def scored_by_spark(
    store: ObjectStore, settings: StoreSettings, stored: bytes, monkeypatch: pytest.MonkeyPatch
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Probabilities of the slices and of the series by the function that Spark runs on each partition."""
    assert settings.secret_key is not None
    monkeypatch.setenv("GRANARY_S3_ACCESS_KEY", settings.access_key or "")
    monkeypatch.setenv("GRANARY_S3_SECRET_KEY", settings.secret_key.get_secret_value())
    tiny = scans.tiny_model()
    data = pack(tiny.network, tiny.metadata)
    digest = hashlib.sha256(data).hexdigest()
    version = tiny.metadata.version
    model = ModelPin(version=version, sha256=digest, weights_key=keys.weights(version, digest))
    store.put(model.weights_key, data)
    key = keys.slice_pack("v1", UID, 0, Plane.AXIAL)
    store.put(key, stored)
    found = PackToScore(
        pack_id=1, object_key=key, sha256=hashlib.sha256(stored).hexdigest(), pack_bytes=len(stored), acquired=True
    )
    series = SeriesToScore(
        series_id=1, series_uid=UID, archive="tcia", collection="Set", input_sha256="00" * 32, packs=(found,)
    )
    job = ScoreJob(run="case-30", store=StoreLocation.of(settings), model=model, series=(series,))
    [answer] = worker(job, [[series]])(iter([pa.RecordBatch.from_pydict({"id": [0]})]))
    part = ScoredPart.from_json(answer.to_pydict()["part"][0])
    assert part.rows == {"series": 1, "slices": SLICES, "rejects": 0}
    rows = pq.read_table(io.BytesIO(store.get(part.tables["slices"]))).sort_by("slice_index")
    [one] = pq.read_table(io.BytesIO(store.get(part.tables["series"]))).to_pylist()
    return rows["tumor_probability"].to_numpy().astype(np.float64), one["tumor_probability"]
