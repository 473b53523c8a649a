"""Search at scale, over HTTP as people use it: filtered and sorted pages, facets, and the ten-thousandth page.

The catalogue is the scale set (a million real series, ten million slices); the front door is gunicorn with its own
configuration, and every figure but the one against GROUP BY is of whole answers over HTTP, by clients that share the
cores with it. Requests are drawn from values that the catalogue holds, each as often as it occurs there, other ones for
each client, so that PostgreSQL does not see the same question again and again: some hundred different filters, one to
three at a time. Words and ranges are measured apart.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.devstack.s3 import ObjectServer
from braingranary.storage.store import ObjectStore
from serving.http import cursors
from tests.bench import scale_set
from tests.bench.harness import compare
from tests.bench.levels import Figure, hammer, quantile, record
from tests.bench.scale_cluster import Scale, cluster
from tests.serving.house import House
from tests.serving.live import door
from tests.unit.catalog.synthetic import publish_arrow

# The first run builds the set, which takes longer than any test may.
pytestmark = [pytest.mark.bench, pytest.mark.stack, pytest.mark.timeout(7200)]
CLIENTS: Final = 8
CALLS: Final = 150  # of each client: p99 over 1,200 answers
CALLS_APART: Final = 40
CALLS_BEFORE: Final = 20  # that do not count: other questions, while the workers open their connections
LIMIT_MS: Final = 50.0
PAGE: Final = 50
FAR_PAGE: Final = 10_000
NIGHT_SERIES: Final = 1_000
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
# Frequent words, rare ones and ranges, wide and narrow: from what the descriptions of the index hold.
APART: Final = (
    ("q", "chest"), ("q", "flair"), ("q", "ax t1"), ("q", "perfusion"), ("q", "segmentation"), ("q", "brain"),
    ("age_min", "60"), ("age_max", "30"), ("spacing_max", "1"), ("date_from", "2015-01-01"), ("date_to", "2001-01-01"),
    ("field_strength_min", "2.5"), ("thickness_max", "1"),
)  # fmt: skip


@pytest.fixture(scope="module")
def scale(object_server: ObjectServer) -> Iterator[Scale]:
    """The scale set, built by the first run."""
    store = ObjectStore.from_settings(object_server.settings(bucket="scale"))
    store.ensure_bucket()
    with cluster(store) as running:
        yield running


@pytest.fixture(scope="module")
def address(scale: Scale, object_server: ObjectServer) -> Iterator[str]:
    """A running front door over the scale set, whose workers have its search snapshot."""
    settings = object_server.settings(bucket="scale")
    house = House(dsn=scale.dsn, store=ObjectStore.from_settings(settings), store_settings=settings, jpegs={})
    with tempfile.TemporaryDirectory() as folder, door(house, Path(folder) / "gunicorn.log") as running:
        yield running.address


@pytest.fixture(scope="module")
def values(address: str) -> dict[str, list[tuple[str, int]]]:
    """Values of each facet with their counts."""
    found: dict[str, list[tuple[str, int]]] = {}
    for item in asked(address, "/api/v1/facets?values=1000")["facets"]:
        found.setdefault(item["facet"], []).append((item["value"], item["series_count"]))
    return found


def asked(address: str, path: str) -> Any:
    """One answer as JSON."""
    return caller(address)(path)


def caller(address: str) -> Callable[[str], Any]:
    """A client that keeps its connection and tells answers as JSON."""
    read = reader(address)
    return lambda path: json.loads(read(path))


def reader(address: str) -> Callable[[str], bytes]:
    """A client that keeps its connection and reads answers to their end; others than 200 raise.

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


def queries(
    values: dict[str, list[tuple[str, int]]], number: int, *, facets: bool, apart: bool = False
) -> Iterator[str]:
    """Endless requests of client `number`: one to three filters, values by how often they occur, any sort.

    `apart` adds a word or a range to each.
    """
    draw = random.Random(number)  # noqa: S311 - the same requests each time
    while True:
        query = {}
        for name in draw.sample(CHOSEN, draw.choice((1, 1, 2, 2, 3))):
            names, counts = zip(*values[name], strict=True)
            query[name] = draw.choices(names, counts)[0]
        if apart:
            query |= dict([draw.choice(APART)])
        if facets:
            yield f"/api/v1/facets?{urlencode(query)}"
        else:
            query |= {"sort": draw.choice(SORTS), "order": draw.choice(("asc", "desc")), "limit": str(PAGE)}
            yield f"/api/v1/series?{urlencode(query)}"


def measure(
    name: str, address: str, values: dict[str, list[tuple[str, int]]], *, facets: bool, note: str, apart: bool = False
) -> None:
    def client(number: int) -> Callable[[], object]:
        call, paths = reader(address), queries(values, number, facets=facets, apart=apart)
        return lambda: call(next(paths))

    hammer(lambda number: client(CLIENTS + number), clients=CLIENTS, calls=CALLS_BEFORE)
    spent = hammer(client, clients=CLIENTS, calls=CALLS_APART if apart else CALLS)
    record(
        name,
        [
            Figure(name="p50", value=quantile(spent, 0.5), unit="ms"),
            Figure(name="p99", value=quantile(spent, 0.99), unit="ms", limit=None if apart else LIMIT_MS),
            Figure(name="slowest", value=max(spent), unit="ms"),
            Figure(name="answers", value=len(spent), unit=""),
        ],
        note=note,
    )


def test_bench_scale_set_is_whole(scale: Scale) -> None:
    cost = scale.cost
    record(
        "load of the scale set",
        [
            Figure(name="series", value=cost.series, unit="rows"),
            Figure(name="slices", value=cost.slices, unit="rows", limit=10_000_000, at_most=False),
            Figure(name="load", value=cost.seconds, unit="s"),
            Figure(name="slices a second", value=cost.slices / cost.seconds, unit="1/s"),
            Figure(name="memory that loading added", value=cost.added_rss_mb, unit="MB", limit=512),
            Figure(name="disk", value=scale.disk_mb, unit="MB"),
        ],
        note="idc-index-data by the project's own loader: COPY, checks, merge, cells and facets; measured when the "
        "kept folder was built",
    )


def test_bench_one_more_night(scale: Scale, object_server: ObjectServer) -> None:
    """Before the front door opens: a database is copied only while nobody is connected to it."""
    store = ObjectStore.from_settings(object_server.settings(bucket="night"))
    store.ensure_bucket()
    publish_arrow(store, "night", scale_set.night(NIGHT_SERIES))
    with scale.copied() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        start = time.monotonic()
        report = load_run(connection, store, "night")
        seconds = time.monotonic() - start
    record(
        "one more night on the scale set",
        [
            Figure(name="load", value=seconds, unit="s"),
            Figure(name="series", value=report.series_changed, unit="rows"),
            Figure(name="slices", value=report.slices_changed, unit="rows"),
        ],
        note=f"{report.series_changed} new series into {scale.cost.series}, every count and facet fresh at the end",
    )
    assert report.series_changed == NIGHT_SERIES


def test_bench_filtered_sorted_page(address: str, values: dict[str, list[tuple[str, int]]], scale: Scale) -> None:
    note = f"{CLIENTS} clients, {scale.cost.series} series; {PAGE} series a page, one to three filters, six sorts"
    measure("filtered, sorted page of series", address, values, facets=False, note=note)


def test_bench_facets(address: str, values: dict[str, list[tuple[str, int]]], scale: Scale) -> None:
    note = f"{CLIENTS} clients, {scale.cost.series} series; 13 facets under one to three filters"
    measure("facets under filters", address, values, facets=True, note=note)


def test_bench_pages_and_facets_under_words_and_ranges(
    address: str, values: dict[str, list[tuple[str, int]]], scale: Scale
) -> None:
    note = f"{CLIENTS} clients, {scale.cost.series} series; a word or a range beside one to three filters; no target"
    measure("page under a word or a range", address, values, facets=False, note=note, apart=True)
    measure("facets under a word or a range", address, values, facets=True, note=note, apart=True)


def test_bench_page_10000_against_page_1(address: str, scale: Scale) -> None:
    call = caller(address)
    with psycopg.connect(scale.dsn, autocommit=True) as connection:
        page = min(FAR_PAGE, scale.cost.series // PAGE)
        skip = (page - 1) * PAGE
        far = connection.execute(
            "SELECT published_at, series_id FROM series ORDER BY published_at DESC, series_id DESC OFFSET %s LIMIT 1",
            [skip - 1],
        ).fetchone()
        assert far is not None
    cursor = cursors.encode("newest", "desc", far[0].isoformat(), far[1])
    first, later = f"/api/v1/series?limit={PAGE}", f"/api/v1/series?limit={PAGE}&cursor={cursor}"

    def equal(mine: Any, theirs: Any) -> None:
        assert len(mine[-1]["series"]) == len(theirs[-1]["series"]) == PAGE
        assert mine[-1]["series"] != theirs[-1]["series"]

    compare(
        name=f"page {page} of the series", peer_name="page 1", ours=lambda: repeated(call, later),
        peer=lambda: repeated(call, first), target=1 / 1.5, unit=f"20 pages of {PAGE} series", equal=equal,
        note="keyset: the far page must take at most 1.5 times the first",
    )  # fmt: skip


def repeated(call: Callable[[str], Any], path: str) -> list[Any]:
    """Twenty answers, one after the other."""
    return [call(path) for _ in itertools.repeat(None, 20)]
