"""Logins of the front door in the embedded PostgreSQL: members of granary_reader and granary_accounts, nothing more.

Why: whoever breaks into the front door of the demo should find what he would find in a real one, and a missing grant
should fail here first. In: the server, the catalogue's database whose migrations are applied. Out: two DSNs that work.
Doing it again changes nothing. Fails with psycopg's errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from braingranary.catalog.sql import statement
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.state import State

READER = "front_door"
ACCOUNTS = "front_door_accounts"


@dataclass(frozen=True, kw_only=True)
class FrontLogins:
    """What the front door connects with."""

    reader: Database
    accounts: Database


def front_logins(state: State, database: str) -> FrontLogins:
    """The two logins with their passwords, which are made when first asked for."""
    return FrontLogins(
        reader=Database(name=database, role=READER, password=state.secret("postgres_front_door")),
        accounts=Database(name=database, role=ACCOUNTS, password=state.secret("postgres_front_door_accounts")),
    )


def ensure(server: PostgresServer, logins: FrontLogins) -> None:
    """Apply sql/roles.sql to the database and make the logins members of their roles."""
    administrator = psycopg.conninfo.make_conninfo(server.dsn(), dbname=logins.reader.name)
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(statement("roles"))
        for login, group in ((logins.reader, "granary_reader"), (logins.accounts, "granary_accounts")):
            role = sql.Identifier(login.role)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(login.password)))
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role))
