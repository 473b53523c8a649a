"""Case 29, exhaustion: hundreds who dawdle, an upload of a gigabyte, 200 detections at once; health stays quick.

The real front door behind nginx, both as shipped. What must hold is asserted by codes and order, because a noisy
machine may be slow at anything; the times are printed. `GRANARY_TEST_DAWDLERS` sets how many dawdle (512).
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.levels import quantile
from tests.fixtures import scans
from tests.fixtures.patience import PATIENCE_S, until
from tests.hostile.probing import probing
from tests.serving.nginx import NginxSite, nginx_site
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

DAWDLERS = int(os.environ.get("GRANARY_TEST_DAWDLERS", "512"))
SLOW_BODIES = 40  # more than the two processes have places for
ATTACKERS = 20  # addresses that the attacks come from
OWNER = "127.0.2.1"
DETECTIONS = 200
GIGABYTE = 1 << 30
REFUSED_WITHIN_BYTES = 64 << 20
GROWTH_MB_MAX = 256


@pytest.fixture
def found(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> Iterator[NginxSite]:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(2))
    settings = {
        "GRANARY_SERVING_DETECT_PROCESSES": "1",
        "GRANARY_SERVING_DETECT_PER_ACCOUNT_MAX": "2",
        "GRANARY_SERVING_DETECT_WEIGHTS": str(scans.shipped(tmp_path)),
        "GRANARY_LIMITS_LOGIN": "",  # the attackers' address is ours here; case 25 is about attempts
    }
    with nginx_site(site, tmp_path / "site", settings=settings) as running, running.client() as client:
        until(lambda: client.get("/readyz").is_success, "not ready")
        yield running


def attacker(number: int) -> str:
    """One of the addresses that an attack comes from."""
    return f"127.0.1.{1 + number % ATTACKERS}"


@contextlib.contextmanager
def dawdling(found: NginxSite) -> Iterator[None]:
    """Half heads that grow by a byte a second, and bodies that hardly grow."""
    clients = [found.connect(attacker(number)) for number in range(DAWDLERS)]
    bodies = [found.connect(attacker(number)) for number in range(SLOW_BODIES)]
    for client in clients:
        client.sendall(b"GET /api/v1/series HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    for client in bodies:
        client.sendall(b"POST /authorization HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n{")
    stop = threading.Event()

    def dribble() -> None:
        while not stop.wait(1.0):
            for client in (*clients, *bodies):
                with contextlib.suppress(OSError):
                    client.sendall(b"a")

    thread = threading.Thread(target=dribble)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for client in (*clients, *bodies):
            client.close()


def upload_of_a_gigabyte(found: NginxSite, token: str) -> tuple[int, int]:
    """The status that it is answered, and the bytes that went out until then."""
    sent, block = 0, b"x" * (1 << 20)
    with found.connect(attacker(0)) as client:
        client.sendall(
            f"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nauth-token: {token}\r\nContent-Length: {GIGABYTE}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
        )
        with contextlib.suppress(OSError):
            while sent < GIGABYTE and not select.select([client], [], [], 0)[0]:  # until there is an answer to read
                sent += client.send(block)
        answer = client.recv(65536)
    return int(answer.split(b" ")[1]), sent


def detections_at_once(found: NginxSite, token: str) -> tuple[Counter[int], list[float], float]:
    """Statuses, milliseconds until each refusal, milliseconds until the last verdict."""
    picture = scans.picture(scans.slices(1)[0])
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + picture + b"\r\n--b--\r\n"
    sent = (
        f"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nauth-token: {token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    clients = [found.connect(attacker(number)) for number in range(DETECTIONS)]
    began = time.perf_counter()
    statuses: Counter[int] = Counter()
    refused, last_verdict = [], 0.0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.sendall(sent)
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            events = selector.select(PATIENCE_S)
            assert events, f"no answer to {len(selector.get_map())} of {DETECTIONS}"
            for key, _ in events:
                one = key.fileobj
                assert isinstance(one, socket.socket)
                status = int(one.recv(65536).split(b" ")[1])
                milliseconds = (time.perf_counter() - began) * 1000
                statuses[status] += 1
                if status == 200:
                    last_verdict = milliseconds
                else:
                    refused.append(milliseconds)
                selector.unregister(one)
                one.close()
    return statuses, refused, last_verdict


def test_case_29_exhaustion_leaves_health_quick_and_refuses_at_once(found: NginxSite) -> None:
    with found.client(OWNER) as client:
        credentials = {"email": "owner@example.org", "password": "correct horse battery"}
        token = client.post("/authorization", json=credentials).raise_for_status().json()["accessToken"]
        rss_before = found.front_door.rss_mb()
        with probing(found) as probe, dawdling(found):
            series = [client.get("/api/v1/series").status_code for _ in range(10)]
            status, sent = upload_of_a_gigabyte(found, token)
            statuses, refused, last_verdict = detections_at_once(found, token)
            until(lambda: len(probe.ms) > 10, "health is not answered")
        after = client.post("/authorization", json=credentials).status_code
        rss_after = found.front_door.rss_mb()
    assert probe.failures == []
    assert series == [200] * 10
    assert status == 413
    assert sent < REFUSED_WITHIN_BYTES
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] >= 1
    assert statuses[429] + statuses[503] > DETECTIONS / 2
    assert quantile(refused, 0.5) < last_verdict  # told at once, not queued behind the verdicts
    assert after == 200
    assert rss_after - rss_before < GROWTH_MB_MAX
    print(
        f"case 29 exhaustion: {probe.summary()} dawdlers={DAWDLERS} refused_upload_after_mb={sent / 1e6:.1f} "
        f"detections={dict(statuses)} refusal_p99_ms={quantile(refused, 0.99):.0f} rss_mb={rss_after:.0f} "
        f"(before {rss_before:.0f})"
    )
