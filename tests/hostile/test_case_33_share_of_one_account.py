"""Case 33: one account sends JPEGs of 1,500 scans over many connections. Detections of another are answered."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
import pytest
from PIL import Image

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.levels import quantile
from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S, until
from tests.hostile.probing import probing
from tests.serving.nginx import NginxSite, nginx_site
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

CONNECTIONS = 80
PAUSE_S = 0.8
"""Of each connection between two uploads: together 100 uploads or 32 MB a second, a quarter of a gigabit line. Without
it the attack would take the processors of this machine to move bytes over the loopback."""
SCANS = 1_500
DETECTIONS = 120
PACE_S = 0.25
"""Between two detections of the other account: within the pace that nginx allows a token."""


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
        time.sleep(PACE_S)
    return found


def attack(request: httpx.Request, begun: Event, stop: Event, answers: Queue[Counter[int]]) -> None:
    """Send the same upload over many connections until `stop`; runs in a process of its own, as a foreign machine."""
    os.nice(19)  # a foreign machine would take no processor time of ours
    statuses: Counter[int] = Counter()
    headers = {name: request.headers[name] for name in ("Content-Type", "auth-token")}

    def send(number: int) -> None:
        while not stop.is_set():
            connection = HTTPConnection(
                request.url.host, request.url.port, PATIENCE_S, (f"127.0.1.{1 + number % 5}", 0)
            )
            # nginx may end a connection on which it refuses a body.
            with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
                connection.request("POST", "/detect", request.content, headers)
                statuses[connection.getresponse().status] += 1
                begun.set()
            stop.wait(PAUSE_S)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, range(CONNECTIONS)))
    answers.put(statuses)


@contextlib.contextmanager
def attacking(found: NginxSite, token: dict[str, str]) -> Iterator[Counter[int]]:
    """The attack, begun before the block and ended after it; how it was answered is in the counter afterwards."""
    request = httpx.Request("POST", found.address, files={"file": ("a", many_scans())}, headers=token)
    request.read()
    context = multiprocessing.get_context("fork")
    begun, stop, answers = context.Event(), context.Event(), context.Queue()
    statuses: Counter[int] = Counter()
    process = context.Process(target=attack, args=(request, begun, stop, answers))
    process.start()
    try:
        assert begun.wait(PATIENCE_S), "the attack does not begin"
        yield statuses
    finally:
        stop.set()
        statuses.update(answers.get(timeout=PATIENCE_S))
        process.join()


def test_case_33_one_account_leaves_room_for_detections_of_others(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(1))
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "2",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(scans.shipped(tmp_path)),
        "GRANARY_SERVING_DETECT_PER_ACCOUNT_MAX": "2",
        "GRANARY_LIMITS_LOGIN": "",
        "GRANARY_LIMITS_LOGIN_EMAIL": "",
    }
    picture = scans.picture(scans.slices(1)[0])
    with nginx_site(site, tmp_path / "site", settings=settings) as found, found.client("127.0.2.1") as client:
        until(lambda: client.get("/readyz").is_success, "not ready")
        headers, attacker = token_of(client, "other"), token_of(client, "attacker")
        quiet = milliseconds(client, headers, picture)
        with attacking(found, attacker) as statuses, probing(found) as probe:
            busy = milliseconds(client, headers, picture)
    assert probe.failures == []
    assert set(statuses) <= {422, 429, 503}
    assert statuses[422] > 0
    ratio = quantile(busy, 0.99) / quantile(quiet, 0.99)
    print(
        f"case 33 share of one account: {probe.summary()} other_p99_ms={quantile(busy, 0.99):.0f} "
        f"(quiet {quantile(quiet, 0.99):.0f}, ratio {ratio:.2f}, target 2) "
        f"other_p50_ms={quantile(busy, 0.5):.0f} (quiet {quantile(quiet, 0.5):.0f}) attack={dict(statuses)}"
    )
