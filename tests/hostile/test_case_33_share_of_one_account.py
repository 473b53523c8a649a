"""Case 33: one account sends JPEGs of 1,500 scans over many connections. Detections of another are answered."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from PIL import Image

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.levels import quantile
from tests.fixtures import scans
from tests.fixtures.patience import until
from tests.hostile.probing import probing
from tests.serving.nginx import NginxSite, nginx_site
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

CONNECTIONS = 20
SCANS = 1_500
DETECTIONS = 15


def many_scans() -> bytes:
    """A small progressive JPEG whose last scan is repeated."""
    buffer = io.BytesIO()
    Image.fromarray(scans.slices(1)[0]).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * SCANS + data[-2:]


def token_of(client: httpx.Client, name: str) -> dict[str, str]:
    credentials = {"email": f"{name}@example.org", "password": "correct horse battery"}
    return {"auth-token": client.post("/authorization", json=credentials).raise_for_status().json()["accessToken"]}


def detect(client: httpx.Client, headers: dict[str, str], data: bytes) -> int:
    return client.post("/detect", files={"file": ("a", data)}, headers=headers).status_code


def milliseconds(client: httpx.Client, headers: dict[str, str], picture: bytes) -> list[float]:
    """Times of detections one after the other; one that finds all places taken is sent again, as a client does."""
    found = []
    for _ in range(DETECTIONS):
        began = time.perf_counter()
        while (status := detect(client, headers, picture)) == 503:
            time.sleep(0.2)
        assert status == 200
        found.append((time.perf_counter() - began) * 1000)
    return found


def attack(
    found: NginxSite, headers: dict[str, str], stop: threading.Event, statuses: Counter[int], number: int
) -> None:
    data = many_scans()
    with found.client(f"127.0.1.{1 + number % 5}") as client:
        while not stop.is_set():
            statuses[detect(client, headers, data)] += 1


def test_case_33_one_account_leaves_room_for_detections_of_others(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(1))
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "1",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(scans.shipped(tmp_path)),
        "GRANARY_SERVING_DETECT_PER_ACCOUNT_MAX": "2",
        "GRANARY_LIMITS_LOGIN": "",
        "GRANARY_LIMITS_LOGIN_EMAIL": "",
    }
    picture = scans.picture(scans.slices(1)[0])
    statuses: Counter[int] = Counter()
    stop = threading.Event()
    with nginx_site(site, tmp_path / "site", settings=settings) as found, found.client("127.0.2.1") as client:
        until(lambda: client.get("/readyz").is_success, "not ready")
        headers = token_of(client, "other")
        attacker = token_of(client, "attacker")
        quiet = milliseconds(client, headers, picture)
        threads = [
            threading.Thread(target=attack, args=(found, attacker, stop, statuses, number))
            for number in range(CONNECTIONS)
        ]
        with probing(found) as probe:
            for thread in threads:
                thread.start()
            try:
                until(lambda: statuses.total() > 0, "the attack does not begin")
                busy = milliseconds(client, headers, picture)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
    assert probe.failures == []
    assert set(statuses) <= {422, 429, 503}
    assert statuses[422] > 0
    print(
        f"case 33 share of one account: {probe.summary()} other_p99_ms={quantile(busy, 0.99):.0f} "
        f"(quiet {quantile(quiet, 0.99):.0f}) attack={dict(statuses)}"
    )
