"""Loading a run against what is commonly written instead: executemany upserts, row by row, one transaction."""

from __future__ import annotations

import io
import itertools
import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from braingranary.catalog.load import published
from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.schema.row_keys import pack_id
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.bench.harness import compare
from tests.unit.catalog import synthetic

pytestmark = [pytest.mark.bench, pytest.mark.stack]
SERIES = 2_000
SLICES = 150
UPSERT = (
    "INSERT INTO slice (pack_id, byte_offset, crc32, slice_index, byte_length, position_mm)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (pack_id, slice_index) DO UPDATE SET"
    " byte_offset = excluded.byte_offset, crc32 = excluded.crc32, byte_length = excluded.byte_length,"
    " position_mm = excluded.position_mm"
)


class Bench:
    """A catalogue for each side, the same run for both, the peer's parents loaded beforehand."""

    def __init__(self, server: PostgresServer, store: ObjectStore) -> None:
        self.store = store
        self.numbers = itertools.count()
        self.databases = []
        self.connections: list[psycopg.Connection[Any]] = []
        for side in ("ours", "peer"):
            database = Database(name=f"bench_{side}_{secrets.token_hex(4)}", role="granary", password="granary-test")
            server.ensure_database(database)
            migrate(server.dsn(database))
            self.databases.append(database)
            self.connections.append(psycopg.connect(server.dsn(database), autocommit=True))
        self.ours, self.peer = self.connections
        synthetic.publish_arrow(store, "r0", [synthetic.many_slices(SERIES, SLICES)])
        self.again = "r0"

    def republish(self) -> str:
        """The same rows under the name of another run."""
        run = f"again-{next(self.numbers)}"
        body = self.store.get(keys.published("normalize", "r0")).replace(b'"run": "r0"', f'"run": "{run}"'.encode())
        self.store.put(keys.published("normalize", run), body)
        return run

    def empty(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("TRUNCATE collection, subject, study, series, pack, slice, ingest_run CASCADE")

    def upsert(self) -> int:
        """The peer: slices alone, read from the same file, with the same parents already there."""
        part = published.read(self.store, "normalize", keys.published("normalize", "r0")).parts[0]
        rows = pq.read_table(io.BytesIO(self.store.get(part.tables["slices"]))).to_pylist()
        values = [
            (
                pack_id(row["series_uid"], row["volume"], row["plane"]),
                row["byte_offset"],
                row["crc32"],
                row["slice_index"],
                row["byte_length"],
                row["position_mm"],
            )
            for row in rows
        ]
        with self.peer.transaction(), self.peer.cursor() as cursor:
            cursor.executemany(UPSERT, values)
        return len(values)

    def digest(self, connection: psycopg.Connection[Any]) -> Any:
        """What the table of slices holds, order apart."""
        return connection.execute("SELECT count(*), sum(hashtextextended(s::text, 0)) FROM slice AS s").fetchone()


@pytest.fixture
def bench(postgres_server: PostgresServer, object_store: ObjectStore) -> Iterator[Bench]:
    made = Bench(postgres_server, object_store)
    load_run(made.peer, made.store, "r0")
    yield made
    for connection in made.connections:
        connection.close()
    for database in made.databases:
        postgres_server.drop_database(database)


def test_bench_catalog_load(bench: Bench) -> None:
    def ours() -> Any:
        bench.empty(bench.ours)
        load_run(bench.ours, bench.store, "r0")
        return None

    def peer() -> Any:
        bench.peer.execute("TRUNCATE slice")
        bench.upsert()
        return None

    def equal(_: object, __: object) -> None:
        assert bench.digest(bench.ours) == bench.digest(bench.peer)

    compare(
        name="catalogue load", peer_name="psycopg executemany upserts", ours=ours, peer=peer, target=1.8,
        unit=f"{SERIES * SLICES} slices", equal=equal,
        note="ours loads, checks and counts the whole run; the peer writes its slices alone, one transaction each",
    )  # fmt: skip


def test_bench_catalog_replay(bench: Bench) -> None:
    load_run(bench.ours, bench.store, "r0")

    def ours() -> Any:
        report = load_run(bench.ours, bench.store, bench.republish())
        assert (report.slices, report.slices_changed) == (SERIES * SLICES, 0)
        return None

    def equal(_: object, __: object) -> None:
        assert bench.digest(bench.ours) == bench.digest(bench.peer)

    compare(
        name="catalogue replay", peer_name="psycopg executemany upserts", ours=ours, peer=bench.upsert, target=3.0,
        unit=f"{SERIES * SLICES} slices", equal=equal, note="the same rows published by another run",
    )  # fmt: skip
