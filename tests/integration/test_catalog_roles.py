"""sql/roles.sql: the writer loads, the reader only reads, neither changes the schema, and accounts are kept apart."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql as psql

from braingranary.accounts import audit, directory
from braingranary.accounts.audit import Actor
from braingranary.accounts.records import Role
from braingranary.catalog import sql
from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.storage.store import ObjectStore
from tests.fixtures.snapshots import snapshot_of
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack


@pytest.fixture
def logins(postgres_server: PostgresServer) -> Iterator[dict[str, str]]:
    """DSNs of four logins, one in each role, in a fresh catalogue whose schema granary_owner owns."""
    name = f"roles_{secrets.token_hex(4)}"
    database = Database(name=name, role=f"{name}_base", password="roles-test")
    postgres_server.ensure_database(database)
    administrator = psycopg.conninfo.make_conninfo(postgres_server.dsn(), dbname=name)
    dsns = {}
    with psycopg.connect(administrator, autocommit=True) as connection:
        for _ in range(2):  # twice is as good as once
            connection.execute(sql.statement("roles"))
        for role in ("granary_owner", "granary_writer", "granary_reader", "granary_accounts"):
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
        assert len(snapshot_of(reader).frame) == 3
        for forbidden in ("DELETE FROM slice", "INSERT INTO named_query SELECT * FROM named_query", "DROP TABLE slice"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("CREATE TEMP TABLE mine (x integer)")


def test_roles_keep_accounts_and_catalogue_apart(logins: dict[str, str]) -> None:
    with psycopg.connect(logins["granary_accounts"], autocommit=True) as keeper:
        made = directory.register(
            keeper, Actor(), email="a@example.org", password_hash="$argon2id$x", role=Role.READER, how="command"
        )
        assert made is not None
        directory.set_disabled(keeper, Actor(), made.account_id, disabled=True)
        assert [line.event for line in audit.page(keeper, limit=9)] == ["account_disabled", "sign_up"]
        directory.remove(keeper, Actor(), made.account_id)
        for forbidden in (
            "SELECT FROM public.series", "SELECT FROM public.pack", "DELETE FROM public.named_query",
            "UPDATE account.audit SET event = 'x'", "DELETE FROM account.audit", "TRUNCATE account.audit",
            "DROP TRIGGER audit_is_kept ON account.audit", "ALTER TABLE account.audit DISABLE TRIGGER ALL",
            "CREATE TABLE account.mine (x integer)", "DROP TABLE account.account CASCADE",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                keeper.execute(forbidden)
    for role in ("granary_reader", "granary_writer"):
        with psycopg.connect(logins[role], autocommit=True) as catalog:
            for table in ("account", "audit", "invitation", "revoked_token"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    catalog.execute(f"SELECT FROM account.{table}")
