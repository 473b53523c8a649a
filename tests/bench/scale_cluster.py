"""The PostgreSQL cluster that holds the scale set: built once, kept outside the tree, used again by every later run.

Why kept: loading a million series and ten million slices takes many minutes, and what is measured on them a few. The
folder's name follows from everything that makes the catalogue what it is (the index, the set's own code, all of sql/),
so that a change builds another one; older ones are removed. `GRANARY_BENCH_FOLDER` says where (default: the user's
cache folder); GRANARY_BENCH_SERIES makes a smaller set, for trying things out. Goes in: an object store for the runs'
files. Comes out: the DSN of a running server, which ends with the test process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import idc_index_data
import psycopg

from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.sql import sql_folder
from braingranary.devstack import processes, services
from braingranary.devstack.postgres import Database, PostgresServer
from braingranary.storage.store import ObjectStore
from tests.bench import scale_set

SERIES: Final = int(os.environ.get("GRANARY_BENCH_SERIES", scale_set.SERIES_ALL))
FOLDER: Final = Path(
    os.environ.get("GRANARY_BENCH_FOLDER", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "granary")
)
DATABASE: Final = Database(name="scale", role="granary", password="granary-bench")
STAMP: Final = "loaded.json"
_WARM_BYTES: Final = 8 * 1024 * 1024  # at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A running catalogue at scale."""

    dsn: str
    cost: scale_set.LoadCost
    server: PostgresServer

    @property
    def disk_mb(self) -> float:
        """What the database takes."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return float(row[0]) / 1e6

    @contextmanager
    def copied(self) -> Iterator[str]:
        """The DSN of a copy that may be changed; nobody else may be connected to the set while it is made."""
        copy = Database(name="night", role=DATABASE.role, password=DATABASE.password)
        self.server.drop_database(copy)
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE night TEMPLATE scale OWNER granary STRATEGY file_copy")
        try:
            yield self.server.dsn(copy)
        finally:
            self.server.drop_database(copy)


@contextmanager
def cluster(store: ObjectStore) -> Iterator[Scale]:
    """The scale set, built if it is not there yet; the server is stopped afterwards and its folder stays."""
    folder = FOLDER / f"scale-{SERIES}-{_version()}"
    stamp = folder / STAMP
    if not stamp.exists():
        for old in FOLDER.glob(f"scale-{SERIES}-*"):
            shutil.rmtree(old)
    folder.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(
        state=folder,
        port=processes.free_ports(1)[0],
        password="granary-bench",
        logs=folder,
        durable=False,
        bound=True,
    )
    record = services.start(server)
    try:
        if not stamp.exists():
            server.ensure_database(DATABASE)
            migrate(server.dsn(DATABASE))
            with psycopg.connect(server.dsn(DATABASE), autocommit=True) as connection:
                cost = scale_set.load(connection, store, series=SERIES)
            with psycopg.connect(server.dsn(DATABASE), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            stamp.write_text(json.dumps(asdict(cost)))
        cost = scale_set.LoadCost(**json.loads(stamp.read_text()))
        _warm(folder)
        yield Scale(dsn=server.dsn(DATABASE), cost=cost, server=server)
    finally:
        processes.stop(record)


def _warm(folder: Path) -> None:
    """Read all files once, so that they lie in the machine's memory as they do while a catalogue is in use."""
    for path in folder.rglob("base/**/*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(_WARM_BYTES):
                    pass


def _version() -> str:
    digest = hashlib.sha256(idc_index_data.__version__.encode())
    sources = [Path(scale_set.__file__), *sorted(sql_folder().glob("migrations/*.sql"))]
    for source in (*sources, *sorted(sql_folder().glob("load/*.sql"))):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
