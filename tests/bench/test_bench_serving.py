"""Requests a second of the series endpoints against a bare Flask route: same gunicorn, same bytes, kept connections.

The bare route has nothing to do: no database, no limits, no policies, no checks, no log, no counts; it encodes the same
JSON. What ours does beyond that may at most double the cost of a request.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.harness import compare
from tests.bench.levels import Figure, quantile, record
from tests.serving.house import furnish
from tests.serving.live import door
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.bench

CLIENTS = 8
REQUESTS = 400  # a burst of all clients together
SERIES = 60
P99_RATIO_MAX = 3.0
PATHS = {"one series": f"/api/v1/series/{synthetic.uid(1)}", "page of 50 series": "/api/v1/series"}


@dataclass
class Crowd:
    """Clients on kept connections to one server, and what each of their calls took."""

    address: str
    ms: list[float] = field(default_factory=list)

    def burst(self, path: str) -> list[bytes]:
        """One answer of each client, after all of them have asked their share of the requests."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(self._ask, [path] * CLIENTS))

    def _ask(self, path: str) -> bytes:
        host, port = self.address.removeprefix("http://").split(":")
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        with socket.create_connection((host, int(port)), timeout=60) as client:
            for _ in range(REQUESTS // CLIENTS):
                began = time.perf_counter()
                client.sendall(request)
                body = _answer(client)
                self.ms.append((time.perf_counter() - began) * 1000)
        return body


def _answer(client: socket.socket) -> bytes:
    """The body of one answer. As lean as can be: the clients share the cores with what is measured."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(client)
    head = data[:end].lower()
    assert head.startswith(b"http/1.1 200"), head[:100]
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += _more(client)
    return data[end + 4 :]


def _more(client: socket.socket) -> bytes:
    more = client.recv(1 << 18)
    assert more, "the server hung up"
    return more


@pytest.fixture
def crowds(
    postgres_dsn: str,
    object_store: ObjectStore,
    s3_settings: StoreSettings,
    limits_store: str,
    tmp_path: Path,
) -> Iterator[tuple[Crowd, Crowd]]:
    """Ours and the bare one, side by side; whoever is not asked sleeps."""
    house = furnish(postgres_dsn, object_store, s3_settings, numbers=range(SERIES), slices=1)
    answers = tmp_path / "answers.json"
    settings = {"GRANARY_LIMITS_STORE": limits_store}
    bare = {"BARE_ANSWERS": str(answers)}
    with door(house, tmp_path / "ours.log", settings=settings) as ours:
        page = httpx.get(f"{ours.address}/api/v1/series", trust_env=False).json()
        one = httpx.get(f"{ours.address}/api/v1/series/{synthetic.uid(1)}", trust_env=False).json()
        answers.write_text(json.dumps({"": page, synthetic.uid(1): one}), encoding="utf-8")
        with door(None, tmp_path / "bare.log", settings=bare, application="tests.bench.bare_series:app") as peer:
            yield Crowd(ours.address), Crowd(peer.address)


def test_bench_series_endpoints_against_a_bare_route(crowds: tuple[Crowd, Crowd]) -> None:
    for name, path in PATHS.items():
        _measure(*crowds, name, path)


def _measure(ours: Crowd, peer: Crowd, name: str, path: str) -> None:
    def equal(mine: object, theirs: object) -> None:
        assert isinstance(mine, list)
        assert isinstance(theirs, list)
        assert [json.loads(body) for body in mine] == [json.loads(body) for body in theirs]
        ours.ms.clear()
        peer.ms.clear()

    result = compare(
        name=f"requests: {name}",
        peer_name="bare Flask route with the same answer",
        ours=lambda: ours.burst(path),
        peer=lambda: peer.burst(path),
        target=0.5,
        unit=f"{REQUESTS} requests of {CLIENTS} clients",
        equal=equal,
        note="the bare route has no database, limits, policies, checks, log or counts; the clients share the cores",
    )
    mine, theirs = quantile(ours.ms, 0.99), quantile(peer.ms, 0.99)
    record(
        f"series endpoint under {CLIENTS} clients: {name}",
        [
            Figure(name="requests a second", value=REQUESTS / result.ours_seconds_median, unit="1/s"),
            Figure(name="p99", value=mine, unit="ms"),
            Figure(name="p99 of the bare route", value=theirs, unit="ms"),
            Figure(name="p99 over that of the bare route", value=mine / theirs, unit="x", limit=P99_RATIO_MAX),
        ],
    )
