"""sql/roles.sql: the writer loads, the reader only reads, and neither changes the schema."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql as psql

from braingranary.catalog import search, sql
from braingranary.catalog.load import load_run
from braingranary.catalog.migrate import migrate
from braingranary.devstack.postgres import Database, PostgresServer
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


@pytest.fixture
def logins(postgres_server: PostgresServer) -> Iterator[dict[str, str]]:
    """DSNs of three logins, one in each role, in a fresh catalogue whose schema granary_owner owns."""
    name = f"roles_{secrets.token_hex(4)}"
    database = Database(name=name, role=f"{name}_base", password="roles-test")
    postgres_server.ensure_database(database)
    administrator = psycopg.conninfo.make_conninfo(postgres_server.dsn(), dbname=name)
    dsns = {}
    with psycopg.connect(administrator, autocommit=True) as connection:
        for _ in range(2):  # twice is as good as once
            connection.execute(sql.statement("roles"))
        for role in ("granary_owner", "granary_writer", "granary_reader"):
            login = f"{name}_{role}"
            connection.execute(
                psql.SQL("CREATE ROLE {} LOGIN PASSWORD 'roles-test' IN ROLE {}").format(
                    psql.Identifier(login), psql.Identifier(role)
                )
            )
            connection.execute(
                psql.SQL("ALTER ROLE {} SET role = {}").format(psql.Identifier(login), psql.Identifier(role))
            )
            dsns[role] = postgres_server.dsn(Database(name=name, role=login, password="roles-test"))
    migrate(dsns["granary_owner"])
    yield dsns
    postgres_server.drop_database(database)
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
        for role in dsns:
            connection.execute(psql.SQL("DROP ROLE {}").format(psql.Identifier(f"{name}_{role}")))


def test_roles_allow_each_what_it_needs_and_no_more(logins: dict[str, str], object_store: ObjectStore) -> None:
    synthetic.publish(object_store, "r1", synthetic.tables(range(3)))
    with psycopg.connect(logins["granary_writer"], autocommit=True) as writer:
        assert load_run(writer, object_store, "r1").series_changed == 3
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute("CREATE TABLE mine (x integer)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute("TRUNCATE series CASCADE")
    with psycopg.connect(logins["granary_reader"], autocommit=True) as reader:
        assert len(search.recent_series(reader, limit=10)) == 3
        for forbidden in ("DELETE FROM slice", "INSERT INTO named_query SELECT * FROM named_query", "DROP TABLE slice"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("CREATE TEMP TABLE mine (x integer)")
