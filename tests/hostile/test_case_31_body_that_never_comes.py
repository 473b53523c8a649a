"""Case 31: requests that announce a body and never send one, 40 a second, to any path. Nobody else waits."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.levels import quantile
from tests.fixtures.patience import PATIENCE_S
from tests.hostile.probing import probing
from tests.serving.nginx import NginxSite, nginx_site
from tests.serving.serving_site import fill_catalogue

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

ATTACKERS = ("127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4")
PER_S = 40
SECONDS = 12
PATHS = ("/authorization", "/detect", "/nothing-here", "/api/v1/series", "/healthz", "/")
OTHER = "127.0.2.1"


class Attack:
    """Connections that each sent a head with `Content-Length: 60000` and nothing after it."""

    def __init__(self, found: NginxSite) -> None:
        self._site = found
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.connections: list[socket.socket] = []

    def __enter__(self) -> Attack:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for connection in self.connections:
            connection.close()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(1 / PER_S):
            path, source = PATHS[number % len(PATHS)], ATTACKERS[number % len(ATTACKERS)]
            number += 1
            with contextlib.suppress(OSError):
                connection = self._site.connect(source)
                connection.sendall(
                    f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n"
                    "Content-Type: application/json\r\n\r\n".encode()
                )
                self.connections.append(connection)


def test_case_31_bodies_that_never_come_starve_nobody(
    postgres_dsn: str, object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> None:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(2))
    with nginx_site(site, tmp_path / "site") as found, found.client(OTHER) as other:
        statuses: Counter[int] = Counter()
        milliseconds: list[float] = []
        with Attack(found) as attack, probing(found) as probe:
            ended = time.monotonic() + SECONDS
            while time.monotonic() < ended:
                began = time.perf_counter()
                statuses[other.get("/api/v1/series").status_code] += 1
                milliseconds.append((time.perf_counter() - began) * 1000)
                time.sleep(0.05)
        text = found.front_door.log.read_text()
        sent = len(attack.connections)
    assert probe.failures == []
    assert set(statuses) == {200}
    assert sent > PER_S
    assert max(milliseconds) < PATIENCE_S * 1000
    assert '"/authorization"' not in text  # no head without its body reached the front door
    print(
        f"case 31 body that never comes: {probe.summary()} connections={sent} series_answers={dict(statuses)} "
        f"series_p99_ms={quantile(milliseconds, 0.99):.0f}"
    )
