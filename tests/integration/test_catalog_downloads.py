"""The statement of named queries: planned once a connection, found again where the server has forgotten it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.read import downloads
from braingranary.catalog.schema.migrate import migrate
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
KNOWN = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name LIKE 'granary%'"
LABELLED = 3


@pytest.fixture
def connection(postgres_dsn: str, object_store: ObjectStore) -> Iterator[psycopg.Connection[Any]]:
    """A catalogue of six series, half of them with a tumour."""
    migrate(postgres_dsn)
    run = synthetic.tables(range(2 * LABELLED))
    run.labels += [synthetic.label_row(number, tumor=True, source="reader") for number in range(LABELLED)]
    synthetic.publish(object_store, "r1", run)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        load_run(connection, object_store, "r1")
        yield connection


def found(connection: psycopg.Connection[Any], name: str = "withtumor_ax") -> list[str]:
    """In a transaction, as downloads ask."""
    with connection.transaction():
        return [row.series_uid for row in downloads.packs_of_named_query(connection, name)]


def test_named_queries_share_one_plan_and_leave_the_connection_as_it_was(connection: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        assert len(found(connection)) == LABELLED
        assert found(connection, "notumor_ax") == []
    assert connection.execute(KNOWN).fetchall() == [(6, 0)]
    assert connection.execute("SHOW plan_cache_mode").fetchone() == ("auto",)


def test_named_query_finds_its_packs_where_the_server_has_forgotten_all_statements(
    connection: psycopg.Connection[Any],
) -> None:
    expected = found(connection)
    connection.execute("DEALLOCATE ALL")
    assert found(connection) == expected
    assert [row.series_uid for row in downloads.packs_of_named_query(connection, "withtumor_ax")] == expected


def test_name_of_a_query_is_a_value_whatever_it_holds(connection: psycopg.Connection[Any]) -> None:
    for name in ("'); DROP TABLE label; --", "\\'", "%(labels)s", "$1", "é'"):
        assert found(connection, name) == []
    assert len(found(connection)) == LABELLED
