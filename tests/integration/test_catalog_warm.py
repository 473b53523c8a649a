"""A connection made ready: what PostgreSQL knows on it before anybody asks, and where there is nothing to know yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.read import downloads
from braingranary.catalog.read import series_json as series_told
from braingranary.catalog.read.pool_warm_up import warm
from braingranary.catalog.read.series_json import Addresses
from braingranary.catalog.schema.migrate import migrate
from braingranary.catalog.schema.row_keys import series_id
from braingranary.devstack.postgres import PostgresServer
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
SOMEWHERE = Addresses(series="/series/", slices="/slices/")
STATEMENTS = "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'rows%'"
# What a server process has looked up of a table it keeps, each index of it in a piece of memory that bears its name.
KNOWN = """
    SELECT array_agg(DISTINCT ident) FROM pg_backend_memory_contexts
    JOIN pg_class ON relname = ident AND relkind = 'i' AND pg_class.oid >= 16384
    WHERE pg_backend_memory_contexts.name = 'index info'
"""


@pytest.fixture
def dsn(postgres_server: PostgresServer, postgres_dsn: str) -> str:
    """An empty database, as the administrator: others may not look at a server process's memory."""
    return make_conninfo(postgres_server.dsn(), dbname=conninfo_to_dict(postgres_dsn)["dbname"])


@pytest.fixture
def catalogue(dsn: str, postgres_dsn: str, object_store: ObjectStore) -> str:
    """The same with three series."""
    migrate(postgres_dsn)
    synthetic.publish(object_store, "r1", synthetic.tables(range(3)))
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        load_run(connection, object_store, "r1")
    return dsn


@pytest.fixture
def fresh(catalogue: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection whose server process has just been started."""
    with psycopg.connect(catalogue, autocommit=True) as connection:
        yield connection


def value(connection: psycopg.Connection[Any], question: str) -> Any:
    found = connection.execute(question.encode()).fetchone()
    assert found is not None
    return found[0]


def ask(connection: psycopg.Connection[Any]) -> None:
    """What visitors ask most, and what is planned longest."""
    told = series_told.page_told(connection, [series_id(synthetic.uid(number)) for number in range(3)], SOMEWHERE)
    assert all(synthetic.uid(number).encode() in told for number in range(3))
    assert series_told.detail_told(connection, synthetic.uid(1), SOMEWHERE)
    list(downloads.packs_of_named_query(connection, "notumor_ax", "all"))


def test_warm_connection_learns_no_table_and_no_statement_from_the_first_questions(
    fresh: psycopg.Connection[Any], catalogue: str
) -> None:
    warm(fresh)
    known, statements = set(value(fresh, KNOWN)), value(fresh, STATEMENTS)
    ask(fresh)
    assert (set(value(fresh, KNOWN)), value(fresh, STATEMENTS)) == (known, statements)
    with psycopg.connect(catalogue, autocommit=True) as cold:  # on which there is something to learn
        assert (value(cold, KNOWN), value(cold, STATEMENTS)) == (None, 0)
        ask(cold)
        assert (set(value(cold, KNOWN)), value(cold, STATEMENTS)) == (known, statements)


def test_warm_leaves_a_connection_as_it_was_given(fresh: psycopg.Connection[Any]) -> None:
    for _ in range(2):
        warm(fresh)
        assert fresh.info.transaction_status == TransactionStatus.IDLE
    assert value(fresh, STATEMENTS) == 2


def test_warm_without_a_catalogue_is_left_to_those_who_ask_it(dsn: str, postgres_dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        warm(connection)
        assert connection.info.transaction_status == TransactionStatus.IDLE
        migrate(postgres_dsn)
        warm(connection)
        assert value(connection, STATEMENTS) == 2


def test_warm_of_a_lost_connection_is_an_operational_error(fresh: psycopg.Connection[Any], catalogue: str) -> None:
    with psycopg.connect(catalogue, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 60000)", [fresh.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        warm(fresh)
