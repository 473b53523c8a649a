"""Search at scale over HTTP: filtered and sorted pages, facets and words, and what the snapshot costs to have.

The catalogue is that of tests/bench/scale_set.py in two sizes: `-k mr` takes the MR series of the index and `-k all`
its million. The front door is gunicorn with its own configuration, two processes, and every latency is of whole
answers by clients that share the cores with it. Requests are drawn from values that the catalogue holds, each as often
as it occurs there, other ones for each client: some hundred different filters, one to three at a time.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest

from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.search.snapshot import build
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.storage.store import ObjectStore
from tests.bench import scale_set
from tests.bench.levels import Figure, hammer, quantile, record
from tests.serving.front_door_process import FrontDoorProcess, front_door_process
from tests.serving.serving_site import ServingSite

# The catalogue is filled first, which takes longer than any test may.
pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(3600)]
CLIENTS: Final = 8
CALLS: Final = 100  # of each client
CALLS_BEFORE: Final = 10  # that do not count: other questions
PAGE: Final = 50
SORTS: Final = ("newest", "date", "age", "field_strength", "slice_count", "spacing")
CHOSEN: Final = (
    "collection",
    "sequence",
    "manufacturer",
    "model",
    "sex",
    "plane",
    "license",
    "field_strength",
    "tumor",
)
WORDS: Final = ("chest", "flair", "ax t1", "perfusion", "segmentation", "brain")  # frequent ones and rare ones


@dataclass(frozen=True, kw_only=True)
class Size:
    """One size of the catalogue, and the limits there."""

    name: str
    modality: str | None
    filters_ms: float
    words_ms: float
    build_s: float | None = None
    pss_mb: float | None = None


MR: Final = Size(name="mr", modality="MR", filters_ms=50, words_ms=150)
ALL: Final = Size(name="all", modality=None, filters_ms=150, words_ms=400, build_s=60, pss_mb=1000)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A running front door over a catalogue at scale, whose processes have its search snapshot."""

    size: Size
    series: int
    front_door: FrontDoorProcess
    build_s: float
    snapshot_mb: float
    values: dict[str, list[tuple[str, int]]]
    """Values of each facet with their counts."""

    def title(self, name: str) -> str:
        """Name of a scenario in this size."""
        return f"{name}, {self.size.name}"


@pytest.fixture(scope="module", params=[MR, ALL], ids=lambda size: size.name)
def scale(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, object_server: ObjectServer
) -> Iterator[Scale]:
    """The catalogue of one size, filled anew."""
    size: Size = request.param
    database = Database(name=f"scale_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    dsn = postgres_server.dsn(database)
    migrate(dsn)
    index = scale_set.index_table(modality=size.modality)
    settings = object_server.settings(bucket="scale")
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    site = ServingSite(dsn=dsn, store=store, store_settings=settings, jpegs={})
    with psycopg.connect(dsn, autocommit=True) as connection:
        scale_set.fill(connection, index)
        start = time.monotonic()
        snapshot = build(connection, Path(site.snapshots.name))
        seconds = time.monotonic() - start
    with tempfile.TemporaryDirectory() as folder, front_door_process(site, Path(folder) / "gunicorn.log") as running:
        yield Scale(
            size=size,
            series=index.num_rows,
            front_door=running,
            build_s=seconds,
            snapshot_mb=snapshot.stat().st_size / 1e6,
            values=facet_values(running.address),
        )
    postgres_server.drop_database(database)


def facet_values(address: str) -> dict[str, list[tuple[str, int]]]:
    """The values of each facet with their counts."""
    found: dict[str, list[tuple[str, int]]] = {}
    for item in json.loads(reader(address)("/api/v1/facets?values=1000"))["facets"]:
        found.setdefault(item["facet"], []).append((item["value"], item["series_count"]))
    return found


def reader(address: str) -> Callable[[str], bytes]:
    """A client that keeps its connection and reads answers to their end; any other than 200 raises.

    Taking them apart is left out: eight clients in one process would wait for each other to do that.
    """
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)

    def call(path: str) -> bytes:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:300])
        return body

    return call


def filters(values: dict[str, list[tuple[str, int]]], draw: random.Random) -> dict[str, str]:
    """One to three filters, values by how often they occur."""
    chosen = {}
    for name in draw.sample(CHOSEN, draw.choice((1, 1, 2, 2, 3))):
        names, counts = zip(*values[name], strict=True)
        chosen[name] = draw.choices(names, counts)[0]
    return chosen


def page(query: dict[str, str], draw: random.Random) -> str:
    """A page of the filtered series in any order."""
    order = {"sort": draw.choice(SORTS), "order": draw.choice(("asc", "desc")), "limit": str(PAGE)}
    return f"/api/v1/series?{urlencode(query | order)}"


def measure(scale: Scale, name: str, path: Callable[[random.Random], str], *, limit_ms: float, note: str) -> None:
    """Record the latencies of the requests that `path` draws."""

    def client(number: int) -> Callable[[], object]:
        call, draw = reader(scale.front_door.address), random.Random(number)  # noqa: S311 - the same requests each time
        return lambda: call(path(draw))

    hammer(lambda number: client(CLIENTS + number), clients=CLIENTS, calls=CALLS_BEFORE)
    spent = hammer(client, clients=CLIENTS, calls=CALLS)
    record(
        scale.title(name),
        [
            Figure(name="p50", value=quantile(spent, 0.5), unit="ms"),
            Figure(name="p99", value=quantile(spent, 0.99), unit="ms", limit=limit_ms),
            Figure(name="slowest", value=max(spent), unit="ms"),
            Figure(name="answers", value=len(spent), unit=""),
        ],
        note=f"{CLIENTS} clients, 2 processes, {scale.series} series; {note}",
    )


def test_bench_filtered_sorted_page(scale: Scale) -> None:
    measure(
        scale,
        "filtered, sorted page of series",
        lambda draw: page(filters(scale.values, draw), draw),
        limit_ms=scale.size.filters_ms,
        note=f"{PAGE} series a page, one to three filters, six sorts",
    )


def test_bench_facets(scale: Scale) -> None:
    measure(
        scale,
        "facets under filters",
        lambda draw: f"/api/v1/facets?{urlencode(filters(scale.values, draw))}",
        limit_ms=scale.size.filters_ms,
        note="every facet under one to three filters",
    )


def test_bench_words(scale: Scale) -> None:
    measure(
        scale,
        "page under words",
        lambda draw: page({**filters(scale.values, draw), "q": draw.choice(WORDS)}, draw),
        limit_ms=scale.size.words_ms,
        note="one or two words beside one to three filters",
    )


def test_bench_facets_under_words(scale: Scale) -> None:
    measure(
        scale,
        "facets under words",
        lambda draw: f"/api/v1/facets?{urlencode({**filters(scale.values, draw), 'q': draw.choice(WORDS)})}",
        limit_ms=scale.size.words_ms,
        note="one or two words beside one to three filters",
    )


def test_bench_snapshot(scale: Scale) -> None:
    """After the requests, so that the processes hold what answering takes."""
    shares = [worker.memory_full_info().pss / 1e6 for worker in scale.front_door.workers()]
    record(
        scale.title("search snapshot"),
        [
            Figure(name="build", value=scale.build_s, unit="s", limit=scale.size.build_s),
            Figure(name="file", value=scale.snapshot_mb, unit="MB"),
            Figure(name="memory of both processes", value=sum(shares), unit="MB", limit=scale.size.pss_mb),
        ],
        note=f"{scale.series} series; memory is PSS, in which shared pages count once",
    )
