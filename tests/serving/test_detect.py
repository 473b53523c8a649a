"""`POST /detect` with real detecting processes behind it, on a small untrained network."""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import httpx
import numpy as np
import psutil
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, stream_encode_multipart

from braingranary.accounts import directory
from braingranary.detector.inference.overlay import OUTLINE_COLOUR
from braingranary.detector.inference.score import Scorer, score_series
from braingranary.detector.inference.uploads import read_upload
from braingranary.errors import Code, GranaryError, RejectedInput
from braingranary.settings import ServingSettings
from serving.api.detect import UPLOAD_BYTES_MAX
from serving.detect.service import Detection
from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import front_door_process
from tests.serving.serving_site import WAIT_S, ServingSite

TOLERANCE = 1e-4
"""Two processes, one picture, other batches: rounding alone, which the test model spreads a hundredfold."""
GREY = scans.slices(1)[0]


@dataclass(frozen=True)
class DetectingClient:
    """A front door that detects, and somebody with an account."""

    app: Flask
    client: FlaskClient
    token: str

    def post(self, data: bytes, query: str = "", *, name: str = "a.bin", **headers: str) -> TestResponse:
        return self.client.post(
            f"/detect{query}",
            data={"file": (io.BytesIO(data), name)},
            headers={"auth-token": self.token, **headers},
        )

    def details(self, data: bytes) -> dict[str, Any]:
        answer = self.post(data, "?details=1")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def refused(self, data: bytes) -> tuple[int, str]:
        answer = self.post(data)
        assert answer.content_type == "application/problem+json"
        return answer.status_code, answer.get_json()["code"]


def settings_of(site: ServingSite, weights: Path, **options: Any) -> dict[str, Any]:
    waits = dict.fromkeys(("pool_timeout_s", "ready_timeout_s", "detect_timeout_s"), WAIT_S)
    values = {**site.serving, "pool_max": 4, "detect_processes": 1, "detect_weights": weights, **waits, **options}
    return {"serving": ServingSettings(**values)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scans.shipped(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def detecting(site: ServingSite, weights: Path) -> Iterator[DetectingClient]:
    app = site.app(**settings_of(site, weights, detect_per_account_max=5))
    service = app.extensions["granary"]
    with app.test_client() as client:
        service.detection.ask(PATIENCE_S)
        yield DetectingClient(app, client, signed_up(client))
    service.close()


def signed_up(client: Any) -> str:
    answer = client.post("/authorization", json={"email": "reader@example.org", "password": "correct horse battery"})
    body = answer.get_json() if isinstance(client, FlaskClient) else answer.json()
    token: str = body["accessToken"]
    return token


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(scans.tiny_model())


def test_detect_answers_exactly_the_result(detecting: DetectingClient) -> None:
    answer = detecting.post(scans.picture(GREY))
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/json"
    assert json.loads(answer.text) == {"result": "Tumor"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_detect_is_also_at_its_versioned_address_and_takes_a_bearer(detecting: DetectingClient) -> None:
    data = {"file": (io.BytesIO(scans.picture(GREY)), "a.png")}
    answer = detecting.client.post("/api/v1/detect", data=data, headers={"Authorization": f"Bearer {detecting.token}"})
    assert answer.get_json() == {"result": "Tumor"}


def test_detect_every_format_of_one_slice_gives_one_answer(detecting: DetectingClient, scorer: Scorer) -> None:
    """The PNG holds the very grey levels that the catalogue shows of the DICOM slice; JPEG loses a little of them."""
    grey = scans.slices(1)
    [(_, dicom)] = scans.dicom(grey)
    shown = read_upload(dicom).pictures[0]
    exact = {
        "dicom": dicom,
        "dicom_zip": scans.zipped([("1.dcm", dicom)]),
        "nifti": scans.nifti(grey),
        "nifti plain": scans.nifti(grey, compressed=False),
        "png": scans.picture(shown),
        "png rgb": scans.picture(shown, mode="RGB"),
        "png rgba": scans.picture(shown, mode="RGBA"),
        "png palette": scans.picture(shown, mode="P"),
    }
    expected = scorer.score([shown])[0].tumor_probability
    told = {name: detecting.details(data) for name, data in exact.items()}
    for name, found in told.items():
        assert found["probability"] == pytest.approx(expected, abs=TOLERANCE), name
        assert found["kind"] == name.split()[0]
        assert (found["slices"], found["slice"], found["height"], found["width"]) == (1, 0, scans.SIDE, scans.SIDE)
    near = {
        "jpeg": scans.picture(shown, "JPEG", quality=97),
        "png 16 bit": scans.picture(shown.astype(np.uint16) * 257),
    }
    for name, data in near.items():
        assert detecting.details(data)["probability"] == pytest.approx(expected, abs=0.05), name
    other = detecting.details(scans.picture(scans.slices(5)[4]))["probability"]
    assert abs(other - expected) > 50 * TOLERANCE  # the network does tell pictures apart


def test_detect_series_follows_the_series_rule(detecting: DetectingClient, scorer: Scorer) -> None:
    grey = scans.slices(5)
    upload = read_upload(scans.zipped(scans.dicom(grey)))
    scores = scorer.score(upload.pictures)
    expected = score_series(scores, scorer.model)
    for data in (scans.zipped(scans.dicom(grey)), scans.nifti(grey)):
        found = detecting.details(data)
        assert found["probability"] == pytest.approx(expected.tumor_probability, abs=TOLERANCE)
        assert (found["slices"], found["slice"], found["plane"]) == (5, expected.peak, "axial")
        assert found["slice_probability"] == pytest.approx(scores[expected.peak].tumor_probability, abs=TOLERANCE)
        lesion = scores[expected.peak].lesion()
        assert lesion is not None
        assert tuple(found["lesion"]["box"].values()) == lesion.box
        assert found["lesion"]["area_mm2"] == pytest.approx(lesion.area_px * 1.25**2)
        assert found["model"] == "test-1"


def test_detect_overlay_outlines_what_the_details_tell(detecting: DetectingClient) -> None:
    data = scans.picture(GREY)
    told = detecting.details(data)
    assert told["lesion"]["area_mm2"] is None
    answer = detecting.post(data, "?overlay=1")
    assert answer.content_type == "image/png"
    with Image.open(io.BytesIO(answer.data), formats=["PNG"]) as image:
        colours = np.asarray(image.convert("RGB"))
    rim = (colours == OUTLINE_COLOUR).all(axis=2)
    rows, columns = np.flatnonzero(rim.any(axis=1)), np.flatnonzero(rim.any(axis=0))
    box = told["lesion"]["box"]
    assert (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1) == (
        box["top"], box["left"], box["bottom"], box["right"],
    )  # fmt: skip
    assert np.array_equal(colours[~rim], np.repeat(GREY[..., None], 3, axis=2)[~rim])
    both = detecting.post(data, "?overlay=1&details=1").get_json()
    assert base64.b64decode(both.pop("overlay_png")) == answer.data
    assert both == told


def test_detect_large_picture_is_told_in_its_own_pixels(detecting: DetectingClient) -> None:
    wide = np.kron(GREY, np.ones((20, 20), np.uint8))
    told = detecting.details(scans.picture(wide))
    assert (told["height"], told["width"]) == wide.shape
    assert told["lesion"]["box"]["bottom"] > 0.8 * wide.shape[0]
    assert 0.1 * wide.size < told["lesion"]["area_px"] < wide.size


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"hello", 422, "image_invalid"),
        (b"\x89PNG\r\n\x1a\n", 422, "image_invalid"),
        (b"PK\x03\x04" + b"\0" * 50, 422, "zip_invalid"),
        (scans.picture(np.zeros((64, 64), np.uint8)), 422, "not_brain_mr"),
        (scans.picture(np.full((64, 64, 3), (250, 10, 10), np.uint8)), 422, "image_coloured"),
        (scans.picture(np.kron(np.eye(3, dtype=np.uint8) * 85, np.ones((40, 40), np.uint8))), 422, "image_is_mask"),
        (scans.picture(GREY[:8, :8]), 422, "image_invalid"),
        (scans.picture(np.zeros((7000, 7000), np.uint8)), 413, "image_too_large"),
        (scans.dicom(scans.slices(1), Modality="CT")[0][1], 422, "modality_unsupported"),
        (scans.dicom(scans.slices(1))[0][1][:3000], 422, "dicom_truncated"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 100, 422, "not_dicom"),
    ],
    ids=range(11),
)
def test_detect_what_cannot_be_judged_is_refused_with_its_code(
    detecting: DetectingClient, data: bytes, status: int, code: str
) -> None:
    assert detecting.refused(data) == (status, code)


@pytest.mark.parametrize("token", [None, "nonsense"])
def test_detect_without_an_account_is_401(detecting: DetectingClient, token: str | None) -> None:
    headers = {"auth-token": token} if token else {}
    answer = detecting.client.post("/detect", data={"file": (io.BytesIO(b"x"), "a")}, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"image": (io.BytesIO(b"x"), "a")},
        {"file": "not a file"},
        {"file": (io.BytesIO(b""), "a")},
        {"file": (io.BytesIO(b"x"), "a"), "more": "x"},
        {"file": [(io.BytesIO(b"x"), "a"), (io.BytesIO(b"y"), "b")]},
    ],
    ids=range(6),
)
def test_detect_other_forms_are_400(detecting: DetectingClient, form: dict[str, Any]) -> None:
    answer = detecting.client.post(
        "/detect", data=form, headers={"auth-token": detecting.token}, content_type="multipart/form-data"
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "request_invalid")
    assert "'file'" in answer.text or "empty" in answer.text


def test_detect_unknown_parameter_is_400_that_names_it(detecting: DetectingClient) -> None:
    answer = detecting.post(scans.picture(GREY), "?threshold=0")
    assert answer.status_code == 400
    assert "threshold" in answer.text


class _Unread(io.RawIOBase):
    """A body of some length that must not be touched."""

    def __init__(self, length: int) -> None:
        self.length, self.at = length, 0

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.length)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


def _unread(detecting: DetectingClient, length: int) -> TestResponse:
    return detecting.client.post(
        "/detect",
        input_stream=_Unread(length),
        content_type="multipart/form-data; boundary=x",
        headers={"auth-token": detecting.token},
    )


def test_detect_too_long_a_body_is_413_before_a_byte_is_read(detecting: DetectingClient) -> None:
    answer = _unread(detecting, UPLOAD_BYTES_MAX + (1 << 20))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "request_too_large")


def test_detect_full_is_503_before_a_byte_is_read(detecting: DetectingClient) -> None:
    detection: Detection = detecting.app.extensions["granary"].detection
    places = [detection.place(number) for number in range(-5, 0)]
    for place in places:
        place.__enter__()
    try:
        answer = _unread(detecting, 1000)
    finally:
        for place in places:
            place.__exit__(None, None, None)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "server_busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert detecting.post(scans.picture(GREY)).status_code == 200


def test_detect_beyond_the_share_of_an_account_is_429_before_a_byte_is_read(detecting: DetectingClient) -> None:
    detection: Detection = detecting.app.extensions["granary"].detection
    with detecting.app.extensions["granary"].accounts() as connection:
        account = directory.by_email(connection, "reader@example.org")
    assert account is not None
    detection._settings = detection._settings.model_copy(update={"detect_per_account_max": 2})
    try:
        with detection.place(account.account_id), detection.place(account.account_id):
            answer = _unread(detecting, 1000)
            with detection.place(-1):
                pass  # another account has places left
    finally:
        detection._settings = detection._settings.model_copy(update={"detect_per_account_max": 5})
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 0
    assert detecting.post(scans.picture(GREY)).status_code == 200


@pytest.mark.parametrize(("processes", "at_work"), [(1, 1), (2, 1), (3, 2)])
def test_one_account_has_all_processes_but_one_at_work_at_most(processes: int, at_work: int) -> None:
    detection = Detection(ServingSettings(detect_processes=processes))

    def turn() -> None:
        with detection._turn(1):
            pass

    with ExitStack() as held, ThreadPoolExecutor(1) as pool:
        for _ in range(at_work):
            held.enter_context(detection._turn(1))
        waiting = pool.submit(turn)
        assert wait([waiting], 0.3).not_done, "one more of the same account has its turn"
        with detection._turn(2):
            pass  # another account does not wait for it
        held.close()
        waiting.result(PATIENCE_S)


def test_refused_upload_is_let_go_of_without_the_garbage_collector(detecting: DetectingClient) -> None:
    detection: Detection = detecting.app.extensions["granary"].detection
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(RejectedInput), detection.place(-1):
            detection.detect(b"neither picture nor scan", -1)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        circular = [item for item in gc.garbage if isinstance(item, RejectedInput)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert circular == []


def test_jpeg_of_very_many_scans_is_refused_before_it_is_decoded(detecting: DetectingClient) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    assert detecting.post(data).status_code == 200
    repeated = data[:-2] + data[last:-2] * 1500 + data[-2:]
    assert detecting.refused(repeated) == (422, "image_invalid")


def test_detect_many_at_once_all_get_the_answer_of_their_own_picture(
    detecting: DetectingClient, scorer: Scorer
) -> None:
    grey = scans.slices(4)
    expected = [score.tumor_probability for score in scorer.score(list(grey))]

    def ask(number: int) -> float:
        client = detecting.app.test_client()
        data = {"file": (io.BytesIO(scans.picture(grey[number % 4])), "a.png")}
        answer = client.post("/detect?details=1", data=data, headers={"auth-token": detecting.token})
        assert answer.status_code == 200, answer.text
        found: float = answer.get_json()["probability"]
        return found

    with ThreadPoolExecutor(4) as clients:
        found = list(clients.map(ask, range(16)))
    assert found == pytest.approx([expected[number % 4] for number in range(16)], abs=TOLERANCE)


def test_detect_without_a_model_is_503_and_unready(site: ServingSite, tmp_path: Path) -> None:
    app = site.app(**settings_of(site, tmp_path))
    try:
        client = app.test_client()
        token = signed_up(client)
        answer = client.post("/detect", data={"file": (io.BytesIO(b"x"), "a")}, headers={"auth-token": token})
        assert (answer.status_code, answer.get_json()["code"]) == (503, "model_unavailable")
        assert client.get("/readyz").get_json()["parts"]["model"] == "failing"
    finally:
        app.extensions["granary"].close()


def test_readyz_with_a_loaded_model_says_so(detecting: DetectingClient) -> None:
    assert detecting.client.get("/readyz").get_json()["parts"]["model"] == "ok"


def test_detection_upload_that_takes_too_long_costs_its_process_and_nobody_else(weights: Path) -> None:
    slow = scans.nifti(np.tile(scans.slices(4, side=96), (128, 1, 1)))
    others = _detecting(psutil.Process())
    small = scans.picture(scans.slices(1, side=96)[0])
    settings = {"detect_processes": 1, "detect_weights": weights, "detect_timeout_s": 0.5, "detect_waiting_max": 100}
    detection = Detection(ServingSettings.model_validate(settings))

    def outcome(data: bytes) -> str:
        """On a busy machine the model may be away for a moment, and even a small upload may take too long."""
        try:
            return detection.detect(data, -1).result
        except GranaryError as error:
            return error.code

    try:
        detection.ask(PATIENCE_S)
        until(lambda: outcome(slow) == Code.DETECTION_FAILED, "a slow upload is not given up")
        until(lambda: outcome(small) == "Tumor", "no upload is answered after a slow one")
    finally:
        detection.close()
    assert _detecting(psutil.Process()) == others


def test_detect_opens_no_file_for_an_upload(detecting: DetectingClient) -> None:
    """Above 500 kB werkzeug would write to a temporary file, and one without a name leaves no trace to look for."""
    noise = np.random.default_rng(0).integers(0, 255, (1400, 1400), dtype=np.uint8)
    opened: list[str] = []
    stream, length, boundary = stream_encode_multipart(
        {"file": FileStorage(io.BytesIO(scans.picture(noise)), "a.png")}, use_tempfile=False
    )
    assert length > 1_000_000
    with _watched(opened):
        answer = detecting.client.post(
            "/detect",
            data=stream.read(),
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"auth-token": detecting.token},
        )
    assert answer.status_code == 200, answer.text
    assert opened == []
    with _watched(opened), TemporaryFile():
        pass
    assert opened


@pytest.fixture
def temporary() -> Iterator[Path]:
    """An empty folder with a short name: the address of a fork server's socket is made below it, and is limited."""
    with TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


def test_detect_keeps_and_tells_nothing_of_an_upload(
    site: ServingSite, weights: Path, tmp_path: Path, temporary: Path
) -> None:
    """gunicorn as it runs for real: marks in name and header, then logs, open files and audit are searched."""
    marks = ["MARK-in-the-name", "MARK^IN^HEADER"]
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "1",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(weights),
        "TMPDIR": str(temporary),
    }
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (1400, 1400), dtype=np.uint8)  # above what werkzeug would keep in memory
    dicom = scans.dicom(scans.slices(1), PatientName=marks[1], PatientComments=marks[1])[0][1]
    with (
        front_door_process(site, tmp_path / "log", settings=settings, options=("--workers", "1")) as running,
        httpx.Client(base_url=running.address, timeout=PATIENCE_S, trust_env=False) as client,
    ):
        headers = {"auth-token": signed_up(client)}
        _until_ready(client)
        before = _files(temporary)
        for data in (scans.picture(noise), dicom, dicom[:2000], b"nothing"):
            answer = client.post("/detect", files={"file": (f"{marks[0]}.png", data)}, headers=headers)
            assert answer.status_code in {200, 422}, answer.text
        [worker] = running.workers()
        [detecting] = _detecting(worker)
        for process in (detecting, psutil.Process(detecting.ppid())):  # and the fork server that it came from
            secrets = (site.dsn, site.keys["hash_key"], "GRANARY_CATALOG_DSN")
            assert not _remembered(process.pid, secrets)
        assert _remembered(worker.pid, (site.dsn,))  # so would be found, were it there
        assert detecting.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)  # no file that it could write a byte to
        assert _files(temporary) == before
    log = (tmp_path / "log").read_text()
    assert '"route": "/detect"' in log
    assert not [mark for mark in marks if mark in log]
    with psycopg.connect(site.dsn) as connection:
        rows = connection.execute("SELECT row_to_json(a)::text FROM account.audit a WHERE event = 'detect'").fetchall()
    assert len(rows) >= 4
    assert not [row for row in rows if "MARK" in row[0] or "Tumor" in row[0]]


_OPENED: list[list[str]] = []


def _note_opening(event: str, arguments: tuple[Any, ...]) -> None:
    if _OPENED and event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        _OPENED[0].append(str(arguments[0]))


sys.addaudithook(_note_opening)


@contextmanager
def _watched(opened: list[str]) -> Iterator[None]:
    """Files that any thread of this process opens for writing, named or not."""
    _OPENED.append(opened)
    try:
        yield
    finally:
        _OPENED.clear()


def _until_ready(client: httpx.Client) -> None:
    until(lambda: client.get("/readyz").json()["parts"]["model"] == "ok", "the model is not loaded")


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def _remembered(pid: int, secrets: tuple[str, ...]) -> set[str]:
    """Which of the texts stand anywhere in what a process may write to: environment, stack and heap."""
    found: set[str] = set()
    of = Path("/proc") / str(pid)
    with (of / "maps").open() as maps, (of / "mem").open("rb", buffering=0) as memory:
        spans = [line.split()[0].split("-") for line in maps if line.split()[1].startswith("rw")]
        for first, last in spans:
            start, end = int(first, 16), int(last, 16)
            memory.seek(start)
            try:
                held = memory.read(end - start)
            except OSError:  # a map of the kernel's own
                continue
            found |= {secret for secret in secrets if secret.encode() in held}
    return found


def _detecting(parent: psutil.Process) -> list[psutil.Process]:
    """Children of a fork server among the descendants of `parent`."""
    below = parent.children(recursive=True)
    servers = {process.pid for process in below if "forkserver" in " ".join(process.cmdline())}
    return [process for process in below if process.ppid() in servers]
