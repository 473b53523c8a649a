"""Quality gates: a run of possible rows that is no likely run is refused, and the old data keep serving."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load import published
from braingranary.catalog.load.normalize_run import load_run, pending_runs
from braingranary.catalog.schema.migrate import migrate
from braingranary.errors import Code, RejectedInput
from braingranary.records import Plane
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
NUMBERS = range(120)


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A migrated, empty catalogue."""
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


def few_slices() -> synthetic.RunTables:
    """The same series with a quarter of their slices."""
    return synthetic.tables(NUMBERS, slices=1)


def without_descriptions() -> synthetic.RunTables:
    """New series of the same collections that tell no description."""
    run = synthetic.tables(range(200, 320))
    for row in run.series:
        row["series_description"] = None
    return run


def other_planes() -> synthetic.RunTables:
    """New series of the same collections, all of a plane that none had."""
    run = synthetic.tables(range(200, 320), planes=(Plane.CORONAL,))
    for row in run.series:
        row["plane"] = "coronal"
    return run


def rejects_alone() -> synthetic.RunTables:
    """A run that rejects all but one series."""
    run = synthetic.tables([200])
    run.rejects += [synthetic.reject_row(synthetic.uid(number)) for number in range(300, 420)]
    return run


RUNS: dict[str, Callable[[], synthetic.RunTables]] = {
    "image_counts": few_slices,
    "null_shares": without_descriptions,
    "plane_mix": other_planes,
    "reject_share": rejects_alone,
}


@pytest.mark.parametrize("gate", RUNS)
def test_run_that_does_not_pass_a_gate_changes_nothing_until_somebody_lets_it_in(
    connection: psycopg.Connection[Any], object_store: ObjectStore, gate: str
) -> None:
    load(connection, object_store, "good", synthetic.tables(NUMBERS))
    before = contents(connection)
    synthetic.publish(object_store, "odd", RUNS[gate]())
    # A store tells whole seconds: the second run is to be the later one.
    connection.execute("UPDATE series SET published_at = published_at - interval '1 minute'")
    with pytest.raises(RejectedInput, match=gate) as caught:
        load_run(connection, object_store, "odd")
    assert caught.value.code is Code.CATALOG_GATE_FAILED
    assert contents(connection) == before
    assert pending_runs(connection, object_store) == ["odd"]

    load_run(connection, object_store, "odd", gates=False)
    assert pending_runs(connection, object_store) == []
    assert contents(connection) != before


def test_run_that_is_published_in_the_future_does_not_pass(
    connection: psycopg.Connection[Any], object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = published.read

    def read_later(*arguments: Any) -> published.PublishedRun:
        return replace(read(*arguments), published_at=datetime.now(UTC) + timedelta(days=1))

    synthetic.publish(object_store, "odd", synthetic.tables([0]))
    monkeypatch.setattr(published, "read", read_later)
    with pytest.raises(RejectedInput, match="freshness"):
        load_run(connection, object_store, "odd")


@pytest.mark.parametrize("gate", sorted(set(RUNS) - {"reject_share"}))
def test_fewer_than_a_hundred_series_pass_whatever_they_are(
    connection: psycopg.Connection[Any], object_store: ObjectStore, gate: str
) -> None:
    load(connection, object_store, "good", synthetic.tables(NUMBERS))
    run = RUNS[gate]()
    few = {row["series_uid"] for row in run.series[:99]}
    for name in ("series", "packs", "slices"):
        setattr(run, name, [row for row in getattr(run, name) if row["series_uid"] in few])
    load(connection, object_store, "few", run)


def load(connection: psycopg.Connection[Any], store: ObjectStore, name: str, run: synthetic.RunTables) -> None:
    synthetic.publish(store, name, run)
    load_run(connection, store, name)


def contents(connection: psycopg.Connection[Any]) -> list[Any]:
    """The series of the catalogue with what the gates look at, and how many rejects there are."""
    found = connection.execute("SELECT series_uid, slice_count, plane FROM series ORDER BY series_id").fetchall()
    return [*found, connection.execute("SELECT count(*) FROM reject").fetchone()]
