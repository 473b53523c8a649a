"""A gigabyte of slices as one zip: against zipstream-ng, and under gunicorn with limits on waiting and memory."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import httpx
import psycopg
import pytest
from zipstream import ZipStream

from braingranary.catalog.db import Connection
from braingranary.catalog.read import downloads
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from serving.downloads.plan import Plan
from serving.downloads.stream import Download
from tests.bench import download_set
from tests.bench.download_set import DownloadSet
from tests.bench.harness import compare
from tests.bench.levels import Figure, hammer, quantile, record
from tests.fixtures.named_slices import named_query_slices
from tests.serving.front_door_process import FrontDoorProcess, front_door_process
from tests.serving.serving_site import ServingSite

pytestmark = [pytest.mark.bench, pytest.mark.stack]
PACKS = 1_400  # 1 GB
QUERY = "withtumor_ax"
ADDRESS = f"/Images/{QUERY}"
FIRST_BYTE_MS = 250
FIRST_BYTES = 20
MEMORY_MB = 32
AT_ONCE = 50
HEALTH_MS = 250
HEALTH_CALLS = 400
ROUNDS = 7
IDLE_S = 0.5
IDLE_PERCENT = 5.0


@dataclass(frozen=True, kw_only=True)
class Gigabyte:
    """The slices, and the site they are in."""

    site: ServingSite
    made: DownloadSet


@pytest.fixture(scope="module")
def gigabyte(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[Gigabyte]:
    database = Database(name=f"gigabyte_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    settings = object_server.settings(bucket=f"gigabyte-{secrets.token_hex(6)}")
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    dsn = postgres_server.dsn(database)
    made = download_set.build(dsn, store, packs=PACKS)
    yield Gigabyte(site=ServingSite(dsn=dsn, store=store, store_settings=settings, jpegs={}), made=made)
    postgres_server.drop_database(database)
    store.delete_many([item.key for item in store.list()])
    store.client.delete_bucket(Bucket=store.bucket)


def ours(gigabyte: Gigabyte, connection: Connection) -> Iterator[bytes]:
    """Our zip, planned and sent."""
    plan = Plan(downloads.packs_of_named_query(connection, QUERY))
    reader = Download(plan, gigabyte.site.store, lambda: contextlib.nullcontext(connection))
    try:
        yield from reader.stream(0, plan.length)
    finally:
        reader.close()


def theirs(gigabyte: Gigabyte, connection: Connection) -> Iterator[bytes]:
    """The same slices by zipstream-ng, one range GET a pack as well, in its faster way: length unknown, no manifest."""
    zipped = ZipStream()
    with connection.transaction():
        rows = named_query_slices(connection, QUERY)
        for key, slices in groupby(rows, key=lambda row: row.object_key):
            found = list(slices)
            start, last = found[0].byte_offset, found[-1]
            data = gigabyte.site.store.get_range(key, start, last.byte_offset + last.byte_length - start)
            for row in found:
                folder = f"{keys.segment(row.collection)}/{keys.segment(row.subject)}/{row.series_uid}"
                at = row.byte_offset - start
                name = f"{folder}/{row.volume:03d}-{row.plane}-{row.slice_index:04d}.jpg"
                zipped.add(data[at : at + row.byte_length], name)
                yield from zipped.file()
    yield from zipped.finalize()


def consumed(chunks: Iterator[bytes]) -> int:
    return sum(map(len, chunks))


def test_bench_zip_of_a_gigabyte_against_zipstream(gigabyte: Gigabyte, tmp_path: Path) -> None:
    with psycopg.connect(gigabyte.site.dsn, autocommit=True) as connection:

        def equal(_ours: object, _peer: object) -> None:
            with _written(ours(gigabyte, connection), tmp_path / "ours") as mine:
                own = {item.filename: item.CRC for item in mine.infolist()}
            with _written(theirs(gigabyte, connection), tmp_path / "theirs") as other:
                peers = {item.filename: item.CRC for item in other.infolist()}
            assert len(peers) == gigabyte.made.slices
            assert {name: crc for name, crc in own.items() if name in peers} == peers
            assert len(own) == len(peers) + 3

        compare(
            name="zip of 1 GB of slices",
            peer_name="zipstream-ng",
            ours=lambda: consumed(ours(gigabyte, connection)),
            peer=lambda: consumed(theirs(gigabyte, connection)),
            target=1.0,
            unit="zip",
            equal=equal,
            rounds=ROUNDS,
            note=f"{gigabyte.made.slices} slices out of {gigabyte.made.packs} packs, one range GET a pack "
            "either way; ours with length and ETag known before the first byte and a manifest, zipstream-ng without.",
        )


@contextlib.contextmanager
def _written(chunks: Iterator[bytes], path: Path) -> Iterator[zipfile.ZipFile]:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
    with zipfile.ZipFile(path) as archive:
        yield archive
    path.unlink()


def test_bench_first_byte_memory_and_health_under_gunicorn(gigabyte: Gigabyte, tmp_path: Path) -> None:
    with front_door_process(gigabyte.site, tmp_path / "gunicorn.log") as running:
        _settle(running)
        first_bytes = hammer(lambda _: _first_byte(running), clients=1, calls=FIRST_BYTES)
        before = _peak_mb(running)
        start = time.monotonic()
        with httpx.stream("GET", running.address + ADDRESS, timeout=120, trust_env=False) as answer:
            size = consumed(answer.iter_raw())
        seconds = time.monotonic() - start
        assert size == int(answer.headers["Content-Length"]) > gigabyte.made.jpeg_bytes
        grown = _peak_mb(running) - before
        with _crowd(running) as crowd:
            health = hammer(lambda _: _health(running), clients=1, calls=HEALTH_CALLS)
            busy = sum(process.poll() is None for process in crowd)
        crowded = _peak_mb(running)
    record(
        "download of 1 GB under gunicorn",
        [
            *_figures_of_first_bytes(first_bytes),
            Figure(name="memory growth of the worker", value=grown, unit="MB", limit=MEMORY_MB),
            Figure(name="rate of one download", value=size / 1e6 / seconds, unit="MB/s"),
        ],
        note=f"{gigabyte.made.slices} slices out of {gigabyte.made.packs} packs; gunicorn as configured, "
        "its processes started and idle before.",
    )
    record(
        "50 downloads of 1 GB at once",
        [
            Figure(name="/healthz p50", value=quantile(health, 0.5), unit="ms"),
            Figure(name="/healthz p99", value=quantile(health, 0.99), unit="ms", limit=HEALTH_MS),
            Figure(name="downloads still running at the end", value=busy, unit="of 50", limit=AT_ONCE, at_most=False),
            Figure(name="memory of the largest worker", value=crowded, unit="MB"),
        ],
        note="50 curls that take all they get, on the same machine as gunicorn, PostgreSQL and S3.",
    )


def test_bench_first_byte_with_masks_on_half_of_the_packs(gigabyte: Gigabyte, tmp_path: Path) -> None:
    left = download_set.draw_masks(gigabyte.site.dsn, gigabyte.site.store, packs=PACKS)
    with psycopg.connect(gigabyte.site.dsn, autocommit=True) as connection:
        assert Plan(downloads.packs_of_named_query(connection, QUERY)).total.members == left
    with front_door_process(gigabyte.site, tmp_path / "masks.log") as running:
        _settle(running)
        first_bytes = hammer(lambda _: _first_byte(running), clients=1, calls=FIRST_BYTES)
    record(
        "download with masks on half of the packs",
        _figures_of_first_bytes(first_bytes),
        note=f"{left} slices with a tumour out of {gigabyte.made.packs} packs, half of them labelled slice by slice.",
    )


def _figures_of_first_bytes(first_bytes: Sequence[float]) -> list[Figure]:
    slowest = f"first byte, slowest of {FIRST_BYTES}"
    return [
        Figure(name="first byte, p50", value=quantile(first_bytes, 0.5), unit="ms", limit=FIRST_BYTE_MS),
        Figure(name=slowest, value=max(first_bytes), unit="ms", limit=FIRST_BYTE_MS),
    ]


def _settle(running: FrontDoorProcess) -> None:
    """Wait for what processes do when they start, and let each answer: what is measured is how they answer then."""
    workers = running.workers()
    while sum(worker.cpu_percent(IDLE_S) for worker in workers) > IDLE_PERCENT:
        pass
    call = _first_byte(running)
    for _ in range(4 * len(workers)):
        call()


def _first_byte(running: FrontDoorProcess) -> Callable[[], object]:
    client = httpx.Client(base_url=running.address, timeout=60, trust_env=False)

    def call() -> object:
        with client.stream("GET", ADDRESS) as answer:
            return next(answer.iter_raw())

    return call


def _health(running: FrontDoorProcess) -> Callable[[], object]:
    client = httpx.Client(base_url=running.address, timeout=60, trust_env=False)
    return lambda: client.get("/healthz").raise_for_status()


@contextlib.contextmanager
def _crowd(running: FrontDoorProcess) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Fifty downloads that run, each by a process of its own."""
    curl = shutil.which("curl")
    assert curl is not None
    crowd: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(AT_ONCE):
            command = [curl, "-sf", "--retry", "20", "-o", "/dev/null", running.address + ADDRESS]
            crowd.append(subprocess.Popen(command))
        time.sleep(3)
        yield crowd
    finally:
        for process in crowd:
            process.kill()
            process.wait()


def _peak_mb(running: FrontDoorProcess) -> float:
    """High-water mark of the resident memory of the largest worker."""
    peaks = []
    for worker in running.workers():
        status = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii")
        peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
    return max(peaks)
