"""Downloads as people make them: curl against gunicorn, aborted and resumed, and unzip on what arrived."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.records import Plane
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import front_door_address
from tests.serving.own_site import own_site
from tests.serving.serving_site import ServingSite

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("unzip")), reason="needs curl and unzip"),
]
ENOUGH_BYTES = 100_000
SLOW = "100K"
"""Bytes a second: a machine that looks away for a minute still finds the download unfinished."""
CURL_PARTIAL_FILE = 18  # curl: the answer ended before its Content-Length


def noise(number: int, plane: Plane, index: int) -> bytes:
    """A JPEG of about 200 kB."""
    rng = np.random.default_rng([number, list(Plane).index(plane), index])
    pixels = rng.integers(0, 256, (512, 512, 1), dtype=np.uint8)
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=90, colorspace="GRAY", fastdct=True)
    return encoded


@pytest.fixture(scope="module")
def loud(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[ServingSite]:
    """A site with 27 MB of slices."""
    with own_site(postgres_server, object_server, numbers=range(3), image=noise) as site:
        yield site


def curl(address: str, target: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["curl", "-sS", "-f", "-o", str(target), *options, address])


def arrived(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size >= size


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_aborted_download_goes_on_where_it_ended_and_is_bit_equal(loud: ServingSite, tmp_path: Path) -> None:
    log = tmp_path / "gunicorn.log"
    whole, parts = tmp_path / "whole.zip", tmp_path / "parts.zip"
    with front_door_address(loud, log) as address:
        url = f"{address}/api/v1/downloads.zip?species=human"
        assert curl(url, whole, "-D", str(tmp_path / "headers")).wait(PATIENCE_S) == 0
        for pause in range(3):
            started = parts.stat().st_size if parts.exists() else 0
            running = curl(url, parts, "-C", "-", "--limit-rate", SLOW)
            until(partial(arrived, parts, started + ENOUGH_BYTES), f"abort {pause}: nothing arrives")
            running.kill()
            running.wait(PATIENCE_S)
        assert ENOUGH_BYTES < parts.stat().st_size < whole.stat().st_size
        assert curl(url, parts, "-C", "-").wait(PATIENCE_S) == 0
    assert sha256(parts) == sha256(whole)
    assert subprocess.run(["unzip", "-tq", str(whole)], stdout=subprocess.DEVNULL, check=False).returncode == 0
    headers = (tmp_path / "headers").read_text().lower()
    assert f"content-length: {whole.stat().st_size}" in headers
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    statuses = [line["status"] for line in lines if line.get("route") == "/api/v1/downloads.zip"]
    # A line is written when a worker notices that its client has gone, so an aborted part may follow the next one.
    assert sorted(statuses) == [200, 200, 206, 206, 206]
    told = [line["facts"] for line in lines if line.get("audit_event") == "download"]
    assert len(told) == len(statuses)
    assert {item["bytes"] for item in told} == {whole.stat().st_size}
    sent = sorted((item["start"], item["start"] + item["bytes_sent"]) for item in told)
    sent.remove((0, whole.stat().st_size))
    # What a worker sent and a client left unread lies in the buffers of the kernel, which can hold all that remains.
    assert all(end >= resumed for (_, end), (resumed, _) in pairwise(sent))
    assert sent[-1][1] == whole.stat().st_size


def test_damaged_pack_ends_the_answer_early_which_curl_sees(loud: ServingSite, tmp_path: Path) -> None:
    key = next(item.key for item in loud.store.list("normalized/") if item.key.endswith("-sagittal.zip"))
    good = loud.store.get(key)
    loud.store.put(key, good[: len(good) // 2] + bytes(len(good) - len(good) // 2))
    try:
        with front_door_address(loud, tmp_path / "gunicorn.log") as address:
            ended = curl(f"{address}/api/v1/downloads.zip?species=human", tmp_path / "short.zip").wait(PATIENCE_S)
    finally:
        loud.store.put(key, good)
    assert ended == CURL_PARTIAL_FILE
    assert (tmp_path / "short.zip").stat().st_size > 0
