"""Case 32: refused uploads of 60 MB, five at a time. Memory comes back to where it was.

`GRANARY_TEST_REFUSED_UPLOADS` sets how many there are (20; the full case: 100).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S, until
from tests.serving.front_door_process import FrontDoorProcess, front_door_process
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

UPLOADS = int(os.environ.get("GRANARY_TEST_REFUSED_UPLOADS", "20"))
AT_ONCE = 5
UPLOAD = b"PK\x03\x04" + bytes(60_000_000)
"""Begins as a zip and is none."""
LEFT_MB_MAX = 50
CREDENTIALS = {"email": "uploads@example.org", "password": "correct horse battery"}


def memory_mb(running: FrontDoorProcess) -> float:
    """Resident memory of all workers together."""
    return sum(worker.memory_info().rss for worker in running.workers()) / 1e6


def test_case_32_refused_uploads_leave_nothing_in_memory(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(1))
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "1",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(scans.shipped(tmp_path)),
    }
    with (
        front_door_process(site, tmp_path / "log", settings=settings) as running,
        httpx.Client(base_url=running.address, timeout=PATIENCE_S, trust_env=False) as client,
    ):
        until(lambda: client.get("/readyz").is_success, "not ready")
        token = client.post("/authorization", json=CREDENTIALS).raise_for_status().json()["accessToken"]

        def upload(_number: int) -> tuple[int, str]:
            answer = client.post("/detect", files={"file": ("a.zip", UPLOAD)}, headers={"auth-token": token})
            return answer.status_code, answer.json()["code"]

        for number in range(4):  # what is loaded by the first of them stays
            upload(number)
        before = memory_mb(running)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(upload, range(UPLOADS)))
        until(lambda: memory_mb(running) - before < LEFT_MB_MAX, "the memory of refused uploads stays")
        after = memory_mb(running)
    assert {status for status, _ in answers} <= {422, 429, 503}
    assert sum(status == 422 for status, _ in answers) >= UPLOADS / 4
    print(
        f"case 32 refused uploads: uploads={UPLOADS} of {len(UPLOAD) / 1e6:.0f} MB left_mb={after - before:.0f} "
        f"(target {LEFT_MB_MAX}) before_mb={before:.0f}"
    )
