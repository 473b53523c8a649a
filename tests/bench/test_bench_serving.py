"""Requests a second of the series endpoints against bare Flask routes: same gunicorn, same bytes, kept connections.

Every request of a burst asks for another series or another page than the one before it: nothing is answered from
memory on our side, and no answer is 304. The bare routes have nothing to do: no database, no limits, no policies, no
checks, no log, no counts; they encode the same JSON. What ours does beyond that may at most double the cost of a
request.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.bench.harness import compare
from tests.bench.levels import Figure, quantile, record
from tests.serving.front_door_process import front_door_process
from tests.serving.serving_site import fill_catalogue
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.bench

CLIENTS = 8
REQUESTS = 400  # a burst of all clients together
SERIES = 200
PAGES = 4  # of 50 series, one behind the other, that nothing narrows
NARROWED = (
    "sort=age&order=asc",
    "sequence=T1",
    "plane=axial&sex=F",
    "age_min=30&age_max=60&sort=age",
)  # first pages that other filters and orders make
P99_RATIO_MAX = 3.0
ADDRESS = "/api/v1/series"


@dataclass
class Crowd:
    """Clients on kept connections to one server, and what each of their calls took."""

    address: str
    ms: list[float] = field(default_factory=list)

    def burst(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The last answer of each path, after all clients have asked their share of the requests, path by path."""
        share = REQUESTS // CLIENTS
        found: dict[str, bytes] = {}
        with ThreadPoolExecutor(CLIENTS) as pool:
            starts = range(0, REQUESTS, share)
            turns = ([paths[number % len(paths)] for number in range(start, start + share)] for start in starts)
            for answers in pool.map(self._ask, turns):
                found |= answers
        return found

    def _ask(self, paths: Sequence[str]) -> dict[str, bytes]:
        host, port = self.address.removeprefix("http://").split(":")
        found = {}
        with socket.create_connection((host, int(port)), timeout=60) as client:
            for path in paths:
                began = time.perf_counter()
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                found[path] = _answer(client)
                self.ms.append((time.perf_counter() - began) * 1000)
        return found


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


@dataclass(frozen=True, kw_only=True)
class Crowds:
    """Ours and the bare one, side by side; whoever is not asked sleeps."""

    ours: Crowd
    peer: Crowd
    paths: dict[str, list[str]]
    """What is asked for in turn, by the name of the line."""


@pytest.fixture
def crowds(
    postgres_dsn: str,
    object_store: ObjectStore,
    s3_settings: StoreSettings,
    limits_store: str,
    tmp_path: Path,
) -> Iterator[Crowds]:
    site = fill_catalogue(postgres_dsn, object_store, s3_settings, numbers=range(SERIES), slices=1)
    answers = tmp_path / "answers.json"
    settings = {"GRANARY_LIMITS_STORE": limits_store}
    bare = {"BARE_ANSWERS": str(answers)}
    with front_door_process(site, tmp_path / "ours.log", settings=settings) as ours:
        paths = {
            "one series": [f"{ADDRESS}/{synthetic.uid(number)}" for number in range(SERIES)],
            "page of 50 series": _pages(ours.address),
            "page of 50 series, filtered or sorted": [f"{ADDRESS}?{query}" for query in NARROWED],
        }
        found = {path: _json(ours.address, path) for asked in paths.values() for path in asked}
        answers.write_text(json.dumps(found), encoding="utf-8")
        with front_door_process(
            None, tmp_path / "bare.log", settings=bare, application="tests.bench.bare_series:app"
        ) as peer:
            yield Crowds(ours=Crowd(ours.address), peer=Crowd(peer.address), paths=paths)


def _json(address: str, path: str) -> Any:
    return httpx.get(f"{address}{path}", trust_env=False).raise_for_status().json()


def _pages(address: str) -> list[str]:
    """Addresses of the first pages of the list, each behind the one before it."""
    paths = [ADDRESS]
    while len(paths) < PAGES:
        paths.append(f"{ADDRESS}?cursor={_json(address, paths[-1])['next']}")
    return paths


def test_bench_series_endpoints_against_a_bare_route(crowds: Crowds) -> None:
    for name, paths in crowds.paths.items():
        _measure(crowds.ours, crowds.peer, name, paths)


def _measure(ours: Crowd, peer: Crowd, name: str, paths: Sequence[str]) -> None:
    def equal(mine: object, theirs: object) -> None:
        assert isinstance(mine, dict)
        assert isinstance(theirs, dict)
        assert set(mine) == set(paths)
        assert {path: json.loads(body) for path, body in mine.items()} == {
            path: json.loads(body) for path, body in theirs.items()
        }
        ours.ms.clear()
        peer.ms.clear()

    result = compare(
        name=f"requests: {name}",
        peer_name="bare Flask route with the same answer",
        ours=lambda: ours.burst(paths),
        peer=lambda: peer.burst(paths),
        target=0.2,
        unit=f"{REQUESTS} requests of {CLIENTS} clients",
        equal=equal,
        note=f"{len(paths)} addresses in turn, none answered from memory; the bare route has no database, limits, "
        "policies, checks, log or counts; the clients share the cores",
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
