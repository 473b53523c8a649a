"""A catalogue rebuilt from the object store alone is the one that was lost, by the dump of its tables."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_ingests, load_run
from braingranary.catalog.load.restore import NOT_RESTORED, Restored, restore
from braingranary.catalog.load.score_run import load_scores
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.orchestration.model_files import activate, register_stored, register_weights
from braingranary.orchestration.score_plan import score_job
from braingranary.records import Plane
from braingranary.settings import StoreSettings
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from tests.fixtures import score_set
from tests.fixtures.patience import until
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

Connection = psycopg.Connection[Any]
_BLOCK = re.compile(r"^COPY (?:public\.)?(\S+) \(([^)]*)\) FROM stdin;\n(.*?)^\\\.$", re.MULTILINE | re.DOTALL)


@contextmanager
def empty_catalogue(server: PostgresServer) -> Iterator[tuple[Connection, Database]]:
    database = Database(name=f"restore_{secrets.token_hex(6)}", role="granary", password="granary-test")
    server.ensure_database(database)
    migrate(server.dsn(database))
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        yield connection, database
    server.drop_database(database)


def rows(server: PostgresServer, database: Database) -> dict[str, list[str]]:
    """The rows of pg_dump by table, in order, without the columns that are not restored."""
    found = {}
    for table, columns, text in _BLOCK.findall(server.dump(database).decode()):
        hidden = {columns.split(", ").index(name) for name in NOT_RESTORED.get(table, ())}
        lines = [line.split("\t") for line in text.splitlines()]
        found[table] = sorted(
            "\t".join("*" if number in hidden else value for number, value in enumerate(line)) for line in lines
        )
    return found


def next_second(store: ObjectStore) -> None:
    """Wait until the store's clock, which tells seconds, has moved on: what is published next is published later."""
    before = clock(store)
    until(lambda: clock(store) > before, "the store's clock stands")


def clock(store: ObjectStore) -> datetime:
    store.put("clock", b"")
    info = store.head("clock")
    assert info is not None
    return info.modified


def live_through(connection: Connection, store: ObjectStore, place: StoreLocation) -> None:
    """Runs whose order matters: packs that change after they were scored, rejects before and after, two models."""
    data, sha256 = score_set.weights("tiny-1")
    register_weights(connection, store, data, sha256, figures={"auc": 0.5})
    first = synthetic.tables([1])
    uid = first.series[0]["series_uid"]
    rejected = synthetic.reject_row(uid) | {"step": "stage", "fatal": True}
    rejected |= {name: first.series[0][name] for name in ("archive", "collection")}
    synthetic.publish_ingest(store, "before", [rejected])
    load_ingests(connection, store)
    next_second(store)
    labels = [synthetic.label_row(1, tumor=True, source="collection")]
    score_set.catalogue(connection, store, range(4), run="n1", labels=labels)
    next_second(store)
    model = score_set.registered(connection, store)
    score_set.score_here(store, score_job(connection, place, "s1", model))
    load_scores(connection, store, "s1")
    next_second(store)
    score_set.catalogue(connection, store, [2], run="n2", slices=5, planes=(Plane.AXIAL,))
    next_second(store)
    synthetic.publish_ingest(store, "after", [rejected | {"code": "series_content_conflict"}])
    load_ingests(connection, store)
    next_second(store)
    second = score_set.registered(connection, store, "tiny-2", seed=1)
    activate(connection, store, second.version)
    score_set.score_here(store, score_job(connection, place, "s2", second, limit=2))
    load_scores(connection, store, "s2")


def test_restore_of_an_empty_database_gives_the_same_dump(
    postgres_server: PostgresServer, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    with empty_catalogue(postgres_server) as (connection, database):
        live_through(connection, object_store, StoreLocation.of(s3_settings))
        before = rows(postgres_server, database)
    assert {table: len(before[table]) for table in ("series", "reject", "model", "ingest_run", "score_run")} == {
        "series": 4, "reject": 1, "model": 2, "ingest_run": 4, "score_run": 2,
    }  # fmt: skip
    assert before["series_prediction"]
    assert before["slice_prediction"]
    objects = {item.key: item.etag for item in object_store.list()}
    with empty_catalogue(postgres_server) as (connection, database):
        assert register_stored(connection, object_store) == 2
        told: list[tuple[int, int]] = []
        restored = restore(connection, object_store, lambda done, total, _key: told.append((done, total)))
        assert restored == Restored(ingest=2, normalize=2, score=2)
        assert told == [(number, 6) for number in range(1, 7)]
        assert rows(postgres_server, database) == before
        assert restore(connection, object_store) == Restored(already=6)
        assert rows(postgres_server, database) == before
    assert {item.key: item.etag for item in object_store.list()} == objects


def test_restore_that_was_killed_goes_on(
    postgres_server: PostgresServer, object_store: ObjectStore, s3_settings: StoreSettings
) -> None:
    with empty_catalogue(postgres_server) as (connection, database):
        live_through(connection, object_store, StoreLocation.of(s3_settings))
        before = rows(postgres_server, database)

    def killed(done: int, _total: int, _key: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with empty_catalogue(postgres_server) as (connection, database):
        register_stored(connection, object_store)
        with pytest.raises(KeyboardInterrupt):
            restore(connection, object_store, killed)
        assert restore(connection, object_store).already == 3
        assert rows(postgres_server, database) == before


def test_normalize_run_of_a_rejected_series_keeps_a_reject_that_came_later(
    postgres_server: PostgresServer, object_store: ObjectStore
) -> None:
    run = synthetic.tables([1])
    rejected = synthetic.reject_row(run.series[0]["series_uid"]) | {"step": "stage", "fatal": True}
    rejected |= {name: run.series[0][name] for name in ("archive", "collection")}
    with empty_catalogue(postgres_server) as (connection, _):
        synthetic.publish(object_store, "n1", run)
        next_second(object_store)
        synthetic.publish_ingest(object_store, "later", [rejected])
        load_ingests(connection, object_store)
        load_run(connection, object_store, "n1")
        assert connection.execute("SELECT count(*) FROM reject").fetchone() == (1,)
