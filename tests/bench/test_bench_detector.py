"""The detector: batches against one slice at a time, against onnxruntime on the same network, and asked over HTTP."""

from __future__ import annotations

import http.client
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from werkzeug.datastructures import FileStorage
from werkzeug.test import stream_encode_multipart

from braingranary.detector.contracts.model_metadata import SHIPPED, Calibration
from braingranary.detector.inference.score import BATCH_SIZE, Scorer
from braingranary.detector.model.encoder_decoder.fused import fused
from braingranary.detector.model.encoder_decoder.network import TumorNet
from braingranary.detector.model.preprocessing.pipeline import HEAD_BOX
from braingranary.detector.model.weights import Model, assemble, load_shipped, ship
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.harness import compare
from tests.bench.levels import Figure, hammer, quantile, record
from tests.fixtures import scans
from tests.fixtures.tiny_detector import metadata
from tests.serving.front_door_process import FrontDoorProcess, front_door_process
from tests.serving.serving_site import fill_catalogue

pytestmark = pytest.mark.bench
THREADS: Final = 2
SIDE: Final = 256
COUNT: Final = 64
CLIENTS: Final = 4
CALLS: Final = 60
LOGIT_TOLERANCE: Final = 1e-4
Planes = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> Model:
    """The model that ships; a random network of its size where none does, which costs the same."""
    if (SHIPPED / "pin.json").exists():
        return load_shipped()
    torch.manual_seed(1)
    return assemble(TumorNet(), metadata("bench-1", Calibration(brain_threshold=0.0)))


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    few = scans.slices(16, side=SIDE)
    return [few[number % len(few)] for number in range(COUNT)]


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def close(mine: object, theirs: object) -> None:
    np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), atol=LOGIT_TOLERANCE, rtol=1e-4)


def test_bench_batches_against_one_slice_at_a_time(model: Model, pictures: list[NDArray[np.uint8]]) -> None:
    scorer = Scorer(model, workers=THREADS)

    def ours() -> list[float]:
        return [score.tumor_logit for score in scorer.score(pictures)]

    def peer() -> list[float]:
        logits = []
        with torch.inference_mode():
            for picture in pictures:
                answers = model.network(torch.from_numpy(HEAD_BOX.prepare(picture).plane)[None, None])
                torch.sigmoid(answers.lesion)
                logits.append(float(answers.tumor))
        return logits

    compare(
        name="detector batch scoring",
        peer_name="a loop over slices in eager torch",
        ours=ours,
        peer=peer,
        target=2.0,
        unit=f"{COUNT} slices {SIDE}x{SIDE}",
        equal=close,
        note=f"from pictures to probabilities, {THREADS} threads each; logits agree to {LOGIT_TOLERANCE}",
    )


def test_bench_network_against_onnxruntime(model: Model, pictures: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    planes = np.stack([HEAD_BOX.prepare(picture).plane for picture in pictures])[:, None]
    network = fused(model.network)

    def answer(batch: Planes) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = network(torch.from_numpy(batch)).tumor.numpy()
            return found

    def ours() -> NDArray[np.float32]:
        """As `Scorer` shares batches: one core each."""
        with ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return np.concatenate(list(pool.map(answer, batches(planes))))

    session = onnx_session(model, tmp_path / "network.onnx")

    def peer() -> NDArray[np.float32]:
        return np.concatenate([session(batch) for batch in batches(planes)])

    compare(
        name="detector network",
        peer_name="onnxruntime",
        ours=ours,
        peer=peer,
        target=0.7,
        unit=f"{COUNT} prepared slices in batches of {BATCH_SIZE}",
        equal=close,
        note=f"the same weights exported by torch.onnx, {THREADS} threads each; logits agree to {LOGIT_TOLERANCE}",
    )


def batches(planes: Planes) -> Iterator[Planes]:
    for start in range(0, len(planes), BATCH_SIZE):
        yield planes[start : start + BATCH_SIZE]


def onnx_session(model: Model, path: Path) -> Callable[[Planes], NDArray[np.float32]]:
    """The network in onnxruntime: planes to tumour logits."""
    import onnxruntime  # noqa: PLC0415 - a peer alone

    example = torch.zeros(2, 1, 128, 128)
    dynamic = {"image": {0: torch.export.Dim("count", min=1, max=64)}}
    torch.onnx.export(
        model.network,
        (example,),
        str(path),
        input_names=["image"],
        output_names=["lesion", "tumor", "brain"],
        dynamic_shapes=dynamic,
        dynamo=True,
        verbose=False,
    )
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(planes: Planes) -> NDArray[np.float32]:
        lesion, tumor, _ = session.run(None, {"image": planes})
        assert lesion.shape == planes.shape
        found: NDArray[np.float32] = tumor
        return found

    return run


@dataclass(frozen=True)
class DetectingFrontDoor:
    """A running front door that detects, and a token."""

    process: FrontDoorProcess
    token: str


@pytest.fixture
def detecting(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, model: Model, tmp_path: Path
) -> Iterator[DetectingFrontDoor]:
    weights = tmp_path / "weights"
    ship(model, weights)
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(1))
    settings = {"GRANARY_SERVING_DETECT_PROCESSES": "1", "GRANARY_SERVING_DETECT_WEIGHTS": str(weights)}
    with front_door_process(site, tmp_path / "log", settings=settings) as process:
        with httpx.Client(base_url=process.address, timeout=60, trust_env=False) as client:
            sent = {"email": "bench@example.org", "password": "correct horse battery"}
            token = client.post("/authorization", json=sent).json()["accessToken"]
            while client.get("/readyz").json()["parts"]["model"] != "ok":
                time.sleep(0.2)
        yield DetectingFrontDoor(process, token)


def test_bench_detect_over_http(detecting: DetectingFrontDoor, pictures: list[NDArray[np.uint8]]) -> None:
    stream, _, boundary = stream_encode_multipart(
        {"file": FileStorage(io.BytesIO(scans.picture(pictures[0])), "slice.png")}, use_tempfile=False
    )
    body = stream.read()
    headers = {"auth-token": detecting.token, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    place = urlsplit(detecting.process.address)

    def client(_number: int) -> Callable[[], None]:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)

        def call() -> None:
            connection.request("POST", "/detect", body, headers)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            assert json.loads(told)["result"] in {"Tumor", "No Tumor"}

        return call

    alone = hammer(client, clients=1, calls=CALLS)
    crowd = hammer(client, clients=CLIENTS, calls=CALLS)
    workers = detecting.process.workers()
    below = [process for worker in workers for process in worker.children(recursive=True)]
    resident = [process.memory_info().rss / 1e6 for process in (*workers, *below)]
    record(
        f"detect: one {SIDE}x{SIDE} PNG over HTTP, {CLIENTS} clients",
        [
            Figure(name="p50", value=quantile(crowd, 0.5), unit="ms", limit=60.0),
            Figure(name="p99", value=quantile(crowd, 0.99), unit="ms", limit=200.0),
            Figure(name="p50 of a single client", value=quantile(alone, 0.5), unit="ms"),
            Figure(name="resident memory of the largest process", value=max(resident), unit="MB", limit=700.0),
        ],
        note=(
            f"{CLIENTS * CALLS} requests through gunicorn with 2 workers and a detecting process each, "
            f"clients on the same {os.cpu_count()} cores; token, limits and audit included"
        ),
    )
